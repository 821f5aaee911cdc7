# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Several rows written at places that are known at run time: the same bytes as in PyTorch, in place."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import asic
from asic.errors import ProgramError
from asic.tensors import to_torch

LENGTH = 40


class Cache(nn.Module):
    """A cache whose rows along `dim` are written by `form`; gives what follows from all of it."""

    def __init__(self, shape: tuple[int, ...], dim: int, dtype: torch.dtype, form: str) -> None:
        super().__init__()
        self.dim, self.form = dim, form
        values = torch.randint(0, 100, shape, generator=torch.Generator().manual_seed(1))
        self.register_buffer("cache", values.to(dtype))

    def forward(self, rows: Tensor, places: Tensor) -> Tensor:
        if self.form == "index_copy":
            self.cache.index_copy_(self.dim, places, rows)
        else:
            index: list[slice | Tensor] = [slice(None)] * self.cache.dim()
            index[self.dim] = places
            self.cache[tuple(index)] = rows
        return self.cache + 1

    def args(self, places: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
        """Random rows and their places."""
        generator = torch.Generator().manual_seed(seed)
        shape = list(self.cache.shape)
        shape[self.dim] = len(places)
        rows = torch.randint(-100, 100, shape, generator=generator)
        return rows.to(self.cache.dtype), torch.tensor(places)


def check(model: Cache, target: str, calls: list[list[int]]) -> asic.Compiled:
    """Compiles the model and compares one call per list of places, and the state at the end."""
    compiled = asic.compile(copy.deepcopy(model), model.args(calls[0]), target=target)
    if model.cache.dtype in HERE[target]:
        assert compiled.state.on_device == ("cache",)
    for seed, places in enumerate(calls):
        args = model.args(places, seed)
        assert torch.equal(compiled(*args), by_row(model, *args)), places
    state = to_torch(compiled.state["cache"].copy())
    assert torch.equal(state.to(model.cache.dtype), model.cache)
    return compiled


#: Types that the target computes with.
HERE: dict[str, tuple[torch.dtype, ...]] = {
    "cpu": (),
    "edge-tx1": (torch.float32, torch.bfloat16, torch.float16, torch.int32, torch.int8),
    "npu-256": (torch.int32, torch.int8),
}


def by_row(model: Cache, rows: Tensor, places: Tensor) -> Tensor:
    """What PyTorch gives row after row: of several rows at once that have one place, its threads
    write any last."""
    for i, place in enumerate(places):
        result = model(rows.narrow(model.dim, i, 1), place[None])
    return result


#: In no order, at neighbours, and places that are named twice.
PLACES = [
    [7, 3, 39, 0, 12, 11, 38],
    [*range(30, 37)],
    [5, 5, 9, 5, 0, 0, 9],
]


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
@pytest.mark.parametrize("dim", [0, 1, 2, 3])
@pytest.mark.parametrize("form", ["index_copy", "index_put"])
def test_dimensions(form: str, dim: int, target: str) -> None:
    shape = [4, 12, 16, 64]
    shape[dim] = LENGTH
    check(Cache(tuple(shape), dim, torch.float32, form), target, PLACES)


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
@pytest.mark.parametrize(
    ("shape", "dim"),
    [
        ((LENGTH, 4096), 0),
        ((4096, LENGTH), 1),
        ((1, LENGTH, 4096), 1),
        ((6, 12, 4, LENGTH, 16), 3),
    ],
)
def test_ranks(shape: tuple[int, ...], dim: int, target: str) -> None:
    check(Cache(shape, dim, torch.float32, "index_copy"), target, PLACES)


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
@pytest.mark.parametrize(
    "dtype",
    [torch.bool, torch.int8, torch.int32, torch.int64, torch.float16, torch.bfloat16],
)
def test_types(dtype: torch.dtype, target: str) -> None:
    check(Cache((8, 16, LENGTH, 64), 2, dtype, "index_copy"), target, PLACES)


class Mask(nn.Module):
    """Rows of booleans among others, made and used by the network."""

    def forward(self, x: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        seen = (x > 3).index_copy(1, places, rows > 0)
        return torch.where(seen, x, -x)


@pytest.mark.parametrize(
    ("target", "dtype"), [("edge-tx1", torch.float32), ("npu-256", torch.int8), ("cpu", torch.int8)]
)
def test_booleans_inside(target: str, dtype: torch.dtype) -> None:
    model, generator = Mask(), torch.Generator().manual_seed(2)
    x = torch.randint(-9, 9, (16, LENGTH, 256), generator=generator).to(dtype)
    rows = torch.randint(-9, 9, (16, 6, 256), generator=generator).to(dtype)
    compiled = asic.compile(model, (x, rows, torch.arange(6)), target=target)
    if target == "edge-tx1":
        assert [step.on_host for step in compiled.steps] == [True, False]
    for first in (0, 9, 34):
        args = (x, rows, torch.arange(first, first + 6).flip(0))
        assert torch.equal(compiled(*args), model(*args))


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
def test_more_rows_than_places(target: str) -> None:
    calls = [[i * 7 % LENGTH for i in range(100)], [i // 3 % LENGTH for i in range(100)]]
    check(Cache((64, LENGTH, 64), 1, torch.float32, "index_copy"), target, calls)


def test_pieces_are_in_order() -> None:
    """Rows that fill more than an eighth of the SRAM are several copies."""
    model = Cache((LENGTH, 4096), 0, torch.int32, "index_copy")
    compiled = check(model, "npu-256", PLACES)
    (machine,) = compiled.machines.values()
    assert machine.disassemble().count(f"index_n={LENGTH}") == 4


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
@pytest.mark.parametrize("outside", [LENGTH, -1, 2**31, 2**32 + 3])
def test_a_place_outside(outside: int, target: str) -> None:
    model = Cache((64, LENGTH, 64), 1, torch.float32, "index_copy")
    compiled = asic.compile(model, model.args(PLACES[0]), target=target)
    with pytest.raises(ProgramError, match=r"index_copy .*expected indices of 0 to 39"):
        compiled(*model.args([1, 2, 3, 4, 5, outside, 6]))


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_places_from_the_end(target: str) -> None:
    model = Cache((64, LENGTH, 64), 1, torch.float32, "index_put")
    check(model, target, [[-1, 0, -40, 39, -2]])
    compiled = asic.compile(model, model.args([1, 2]), target=target)
    with pytest.raises(ProgramError, match=r"index_put .*expected indices of 0 to 39"):
        compiled(*model.args([1, -41]))


class Permuted(nn.Module):
    """Rows of the cache itself, in another order: what is read and what is written are one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.arange(LENGTH * 1024.0).reshape(LENGTH, 1024))

    def forward(self, places: Tensor) -> Tensor:
        self.cache.copy_(self.cache.index_copy(0, places, self.cache))
        return self.cache * 2


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_rows_that_change_places(target: str) -> None:
    model = Permuted()
    places = torch.randperm(LENGTH, generator=torch.Generator().manual_seed(0))
    compiled = asic.compile(copy.deepcopy(model), (places,), target=target)
    assert compiled.state.on_device == (() if target == "cpu" else ("cache",))
    for _ in range(2):
        assert torch.equal(compiled(places), model(places))


class Steps(nn.Module):
    """Writes rows of a long cache and nothing else."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(2, length, 64))

    def forward(self, rows: Tensor, places: Tensor) -> Tensor:
        self.cache.index_copy_(1, places, rows + 1)
        return rows * 2


def test_traffic_is_the_rows() -> None:
    """Whatever the cache's length."""
    args = (torch.ones(2, 16, 64), torch.arange(16))
    short, long = (
        asic.compile(Steps(length), args, target="edge-tx1").report().to_dict()
        for length in (1024, 4096)
    )
    for key in ("cycles", "dram_read_bytes", "dram_write_bytes"):
        assert short[key] == long[key], key


def test_one_instruction_writes_the_rows() -> None:
    for rows in (2, 16, 128):
        model = Cache((4, 1024, 64), 1, torch.float32, "index_copy")
        compiled = asic.compile(model, model.args(list(range(rows))), target="edge-tx1")
        (machine,) = compiled.machines.values()
        writes = [line for line in machine.disassemble().splitlines() if "index_n=1024" in line]
        assert len(writes) == 1
        assert f"n3={rows} " in writes[0]
