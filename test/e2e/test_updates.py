# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rows written at a place that is known at run time: the same bytes as in PyTorch, a row of traffic."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import asic
from asic.errors import CompileError, ProgramError

#: Of the other dimensions: enough work for the accelerator to take it.
SHAPE = (16, 48, 64)
LENGTH = 40


class Cache(nn.Module):
    """A cache whose rows along `dim` are written by `form`; gives what follows from all of it."""

    def __init__(self, form: str, dim: int, dtype: torch.dtype, rows: int = 1) -> None:
        super().__init__()
        self.form, self.dim = form, dim
        shape = list(SHAPE)
        shape[dim] = LENGTH
        values = torch.randint(0, 100, shape, generator=torch.Generator().manual_seed(1))
        self.register_buffer("cache", values.to(dtype))
        shape[dim] = rows
        self.row = shape

    def forward(self, row: Tensor, position: Tensor) -> Tensor:
        if self.form == "index_copy":
            self.cache.index_copy_(self.dim, position, row)
        elif self.form == "index_put":
            index: list[slice | Tensor] = [slice(None)] * 3
            index[self.dim] = position
            self.cache[tuple(index)] = row
        else:
            places = torch.arange(LENGTH).reshape([LENGTH] + [1] * (2 - self.dim))
            if self.form == "where":
                self.cache.copy_(torch.where(places == position, row, self.cache))
            else:
                self.cache.copy_(torch.where(position != places, self.cache, row))
        return self.cache + 1

    def args(self, position: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """A random row and its position."""
        generator = torch.Generator().manual_seed(seed)
        row = torch.randint(-100, 100, self.row, generator=generator)
        positions = position + torch.arange(self.row[self.dim])
        return row.to(self.cache.dtype), positions


def check(model: Cache, target: str, positions: list[int], **options: object) -> asic.Compiled:
    """Compiles the model and compares one call per position, and the state at the end."""
    compiled = asic.compile(model, model.args(0), target=target, **options)  # type: ignore[arg-type]
    reference = copy.deepcopy(model)
    for seed, position in enumerate(positions):
        args = model.args(position, seed)
        assert torch.equal(compiled(*args), reference(*args)), position
    state = torch.from_numpy(compiled.state["cache"].copy())
    assert torch.equal(state.to(model.cache.dtype), reference.cache)
    return compiled


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("form", ["index_copy", "index_put", "where", "where_swapped"])
def test_forms(form: str, dim: int, target: str) -> None:
    compiled = check(Cache(form, dim, torch.float32), target, [0, LENGTH - 1, 5])
    if target == "edge-tx1":
        assert compiled.state.on_device == ("cache",)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int32, torch.int64, torch.float16, torch.bool])
@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
def test_types(dtype: torch.dtype, target: str) -> None:
    for form in ("index_copy", "where"):
        check(Cache(form, 1, dtype), target, [3, 0])


@pytest.mark.parametrize("position", [torch.int32, torch.int16, torch.int8])
@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_types_of_positions(position: torch.dtype, target: str) -> None:
    class Typed(Cache):
        def forward(self, row: Tensor, where: Tensor) -> Tensor:
            places = torch.arange(LENGTH, dtype=position)[:, None]
            self.cache.copy_(torch.where(places == where, row, self.cache))
            return self.cache + 1

        def args(self, place: int, seed: int = 0) -> tuple[Tensor, Tensor]:
            row, where = super().args(place, seed)
            return row, where.to(position)

    check(Typed("where", 1, torch.float32), target, [3, -3, LENGTH - 1, LENGTH, 127])


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_a_position_outside(target: str) -> None:
    """`where` finds no place and changes nothing; `index_copy` is told."""
    far = [LENGTH, -1, 2**31, 2**32 + 3, -(2**32) + 3, 4]
    check(Cache("where", 1, torch.float32), target, far)
    compiled = asic.compile(
        model := Cache("index_copy", 1, torch.float32), model.args(0), target=target
    )
    for position in (LENGTH, -1, 2**32):
        with pytest.raises(ProgramError, match=r"index_copy .*expected indices of 0 to 39"):
            compiled(*model.args(position))


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_several_rows(target: str) -> None:
    for rows in (2, 4, 5):
        check(Cache("index_copy", 1, torch.float32, rows), target, [0, LENGTH - rows, 3])


class Constant(nn.Module):
    """Writes a row at a constant place."""

    def __init__(self, form: str, place: int) -> None:
        super().__init__()
        self.form, self.place = form, place
        self.register_buffer("cache", torch.zeros(LENGTH, 4))

    def forward(self, row: Tensor) -> Tensor:
        place = torch.tensor([self.place])
        if self.form == "put":
            self.cache[place] = row
        elif self.form == "copy":
            self.cache.index_copy_(0, place, row)
        else:
            self.cache.index_add_(0, place, row)
        return self.cache * 2


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
@pytest.mark.parametrize("form", ["copy", "put", "add"])
def test_a_constant_place(form: str, target: str) -> None:
    row = torch.ones(1, 4)
    for place in (0, LENGTH - 1, -1, LENGTH, -LENGTH, -LENGTH - 1, 2**40):
        model = Constant(form, place)
        compiled = asic.compile(model, (row,), target=target)
        try:
            expected = copy.deepcopy(model)(row)
        except (IndexError, RuntimeError):
            with pytest.raises(ProgramError, match="expected indices of 0 to 39"):
                compiled(row)
            assert not compiled.state["cache"].any()
            continue
        assert torch.equal(compiled(row), expected), place


class Table(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.nn.functional.embedding(torch.tensor([5]), torch.eye(4))


def test_a_constant_that_does_not_exist() -> None:
    with pytest.raises(
        CompileError, match=r"aten.embedding.default at .*test_updates.py:\d+: index"
    ):
        asic.compile(Table(), (torch.ones(1, 4),), target="cpu")


class Reader(nn.Module):
    """Reads the old cache behind the write: the new one needs a place of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(LENGTH, 4))

    def forward(self, row: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        old = self.cache.clone()
        new = old.index_copy(0, position, row)
        self.cache.copy_(new)
        return (new * 2).sum(0), old - row


def test_who_reads_the_old_rows() -> None:
    model = Reader()
    args = (torch.ones(1, 4), torch.tensor([2]))
    compiled = asic.compile(model, args, target="edge-tx1")
    reference = copy.deepcopy(model)
    for position in (2, 7, 2):
        args = (torch.full((1, 4), float(position)), torch.tensor([position]))
        for left, right in zip(compiled(*args), reference(*args), strict=True):
            assert torch.equal(left, right)


class Steps(nn.Module):
    """Writes a row of a long cache and nothing else."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.register_buffer("cache", torch.zeros(length, 64))

    def forward(self, row: Tensor, position: Tensor) -> Tensor:
        self.cache.index_copy_(0, position, row + 1)
        return row * 2


def test_traffic_is_a_row() -> None:
    args = (torch.ones(1, 64), torch.tensor([2]))
    reports = [
        asic.compile(Steps(length), args, target="edge-tx1").report().to_dict()
        for length in (2048, 4096)
    ]
    for key in ("cycles", "dram_read_bytes", "dram_write_bytes"):
        assert reports[0][key] == reports[1][key], key
