# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of dynamic shape that write to their buffers: one state, whatever program runs.

The oracle is the module itself, called with the same inputs; its buffers are compared after every
call.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

import asic
from asic import ondemand
from asic.tensors import to_torch

TARGETS = ["cpu", "edge-tx1", "npu-256"]
BATCH = Dim("batch", min=1, max=8)


class Statistics(nn.Module):
    """Sum and number of all rows so far, and their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(4))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.total += x.sum(0)
        self.count += x.shape[0]
        return self.total / self.count


class Pool(nn.Module):
    """Enough work around its state for an accelerator to keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 64)
        self.register_buffer("level", torch.zeros(1, 64))
        self.register_buffer("peak", torch.full((1, 64), -1.0))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.linear(x))
        self.level.copy_(torch.relu(self.linear(y.sum(0, keepdim=True)) + 0.5 * self.level))
        self.peak.copy_(torch.maximum(self.peak, y.amax(0, keepdim=True)))
        return self.linear(y + self.level) + self.peak


class Delay(nn.Module):
    """A delay line of sums: each buffer takes what the one in front of it had."""

    def __init__(self) -> None:
        super().__init__()
        for number in range(3):
            self.register_buffer(f"z{number}", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = x.sum(0)
        self.z2.copy_(self.z1)
        self.z1.copy_(self.z0)
        self.z0.copy_(y)
        return x - self.z2


class Swap(nn.Module):
    """Two buffers change places, and one value is kept in two."""

    def __init__(self) -> None:
        super().__init__()
        for name in "abc":
            self.register_buffer(name, torch.full((4,), float(ord(name))))

    def forward(self, x: Tensor) -> Tensor:
        old = self.a.clone()
        self.a.copy_(self.b + x.amax(0))
        self.b.copy_(old)
        self.c.copy_(old)
        return x * self.b


class Kinds(nn.Module):
    """Types that are not the machine's, and a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor([250], dtype=torch.uint8))
        self.register_buffer("seen", torch.zeros(4, dtype=torch.bool))
        self.register_buffer("halved", torch.ones(4, dtype=torch.bfloat16))
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        self.step += x.shape[0]
        self.seen |= (x > 1).any(0)
        self.halved.mul_(0.5)
        with torch.no_grad():
            self.scale.mul_(0.5)
        return x * self.scale + self.step + self.halved


class Window(nn.Module):
    """The last six frames of a stream that comes in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frames", torch.zeros(2, 6, 4))

    def forward(self, x: Tensor) -> Tensor:
        self.frames.copy_(torch.cat([self.frames, x], 1)[:, -6:])
        return self.frames.sum(1)


class Histogram(nn.Module):
    """Counts codes, and keeps the first rows of every call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bins", torch.zeros(5, dtype=torch.int32))
        self.register_buffer("head", torch.zeros(9, dtype=torch.int64))

    def forward(self, codes: Tensor) -> Tensor:
        self.bins.index_add_(0, codes, torch.ones_like(codes, dtype=torch.int32))
        self.head[: codes.shape[0]] = codes
        return self.bins * 2


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine


class Attention(nn.Module):
    """Two query heads share a head of keys and values, which are rows of a cache."""

    def __init__(self, form: str, length: int) -> None:
        super().__init__()
        self.form, self.length = form, length
        self.query, self.out = nn.Linear(32, 32), nn.Linear(32, 32)
        self.pair = nn.Linear(32, 32)
        self.register_buffer("keys", torch.zeros(1, 1, length, 16))
        self.register_buffer("values", torch.zeros(1, 1, length, 16))

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], places: Tensor) -> Tensor:
        query = rotate(self.query(x).unflatten(-1, (2, 16)).transpose(1, 2), *turn)
        key, value = self.pair(x)[:, None].chunk(2, -1)
        if self.form == "index_copy":
            self.keys.index_copy_(2, places, rotate(key, *turn))
            self.values.index_copy_(2, places, value)
        else:
            self.keys[:, :, places] = rotate(key, *turn)
            self.values[:, :, places] = value
        seen = torch.arange(self.length)[None, :] <= places[:, None]
        scores = query @ self.keys.expand(-1, 2, -1, -1).transpose(2, 3) * 0.25
        weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
        attended = weights @ self.values.expand(-1, 2, -1, -1)
        return self.out(attended.transpose(1, 2).flatten(2))


class Decoder(nn.Module):
    """Any number of tokens at their places, whose keys and values stay."""

    def __init__(self, form: str = "index_copy", length: int = 24) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 32)
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(4))
        self.attention = nn.ModuleList(Attention(form, length) for _ in range(2))
        self.feed = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 32)) for _ in range(2)
        )
        self.head = nn.Linear(32, 30)
        rates = 10000.0 ** (-torch.arange(0, 16, 2).float() / 16)
        angles = torch.arange(length)[:, None] * torch.cat([rates, rates])
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def forward(self, tokens: Tensor, places: Tensor) -> Tensor:
        x, turn = self.embedding(tokens), (self.cosine[places], self.sine[places])
        for layer in range(2):
            x = x + self.attention[layer](self.norms[2 * layer](x), turn, places)
            x = x + self.feed[layer](self.norms[2 * layer + 1](x))
        return self.head(x)


TOKENS = Dim("tokens", min=1, max=16)


@cache
def compiled_decoder(target: str, form: str) -> Any:
    return build(
        lambda: Decoder(form),
        (torch.zeros(1, 5, dtype=torch.int64), torch.arange(5)),
        ({1: TOKENS}, {0: TOKENS}),
        target=target,
        options=asic.CompileOptions(buckets={"tokens": (1, 4, 16)}),
    )


def decoder(target: str, form: str = "index_copy") -> tuple[Any, nn.Module]:
    compiled, model = compiled_decoder(target, form)
    compiled.reset_state()
    return compiled, copy.deepcopy(model)


def build(make: Callable[[], nn.Module], args: Any, shapes: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    model = make().eval()
    compiled = asic.compile(copy.deepcopy(model), args, dynamic_shapes=shapes, **options)
    assert isinstance(compiled, asic.DynamicCompiled)
    return compiled, model


def batches(make: Callable[[], nn.Module], width: int = 4, **options: Any) -> Any:
    return build(make, (torch.zeros(2, width),), ({0: BATCH},), **options)


def compare(
    compiled: asic.Compiled, model: nn.Module, calls: Sequence[Any], tolerance: float
) -> None:
    """The same results and the same buffers, call after call."""
    for args in calls:
        with torch.no_grad():
            got, want = compiled(*args), model(*args)
        torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)
        same_state(compiled, model, tolerance)


def same_state(compiled: asic.Compiled, model: nn.Module, tolerance: float) -> None:
    tensors = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    assert compiled.state
    for path, value in compiled.state.items():
        found, want = to_torch(value.copy()), tensors[path].detach()
        torch.testing.assert_close(found, want, rtol=tolerance, atol=tolerance)


def rows(sizes: Sequence[int], width: int = 4) -> list[tuple[Tensor]]:
    return [(torch.randn(size, width),) for size in sizes]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("make", "width", "tolerance"), [(Statistics, 4, 1e-5), (Delay, 4, 1e-5), (Pool, 64, 3e-2)]
)
def test_batches_of_any_size(
    make: Callable[[], nn.Module], width: int, tolerance: float, target: str
) -> None:
    options = asic.CompileOptions(buckets={"batch": (2, 8)})
    compiled, model = batches(make, width, target=target, options=options)
    assert compiled.report().to_dict()["state_bytes"] == compiled.state.nbytes
    compare(compiled, model, rows((3, 1, 8, 8, 2, 5, 1), width), tolerance)
    # As it is now, and as it was at first.
    value = torch.randn(compiled.state.specs[path := next(iter(compiled.state))].shape)
    compiled.state[path] = value
    dict(model.named_buffers())[path].copy_(value)
    compare(compiled, model, rows((1, 6), width), tolerance)
    compiled.reset_state()
    fresh = make()
    for name, buffer in fresh.named_buffers():
        assert np.array_equal(compiled.state[name], buffer.numpy())


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize("make", [Swap, Kinds])
def test_exported_programs(make: Callable[[], nn.Module], target: str) -> None:
    """One keeps its own buffers as they are."""
    model, args = make(), (torch.zeros(2, 4),)
    program = torch.export.export(model, args, dynamic_shapes=({0: BATCH},))
    before = {name: tensor.clone() for name, tensor in program.state_dict.items()}
    compiled = asic.compile(program, target=target)
    compare(compiled, copy.deepcopy(model), rows((3, 1, 8, 2, 5)), 1e-5)
    assert asic.verify(compiled, rows((2, 7)))
    for name, tensor in program.state_dict.items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("target", TARGETS)
def test_exact_bits(target: str) -> None:
    """Moves and integers have no tolerance."""
    frames = Dim("frames", min=1, max=8)
    compiled, model = build(Window, (torch.zeros(2, 3, 4),), ({1: frames},), target=target)
    compare(compiled, model, [(torch.randn(2, n, 4),) for n in (1, 8, 2, 2, 7)], 0)
    example = (torch.zeros(3, dtype=torch.int64),)
    compiled, model = build(Histogram, example, ({0: BATCH},), target=target)
    compare(compiled, model, [(torch.randint(0, 5, (n,)),) for n in (8, 3, 1, 5, 2)], 0)


@pytest.mark.parametrize(
    ("target", "form"),
    [*((target, "index_copy") for target in TARGETS), ("edge-tx1", "index_put")],
)
def test_a_decoder_takes_prompts_and_tokens(target: str, form: str, tmp_path: Path) -> None:
    compiled, model = decoder(target, form)
    tolerance = 1e-4 if target == "cpu" else 3e-2
    done = 0
    for size in (5, 1, 1, 7, 1):
        places = torch.arange(done, done + size)
        compare(compiled, model, [(torch.randint(0, 30, (1, size)), places)], tolerance)
        done += size
        if done == 7:
            compiled.save(tmp_path / "decoder.asic")
            order = list(compiled.state)
            compiled = asic.load(tmp_path / "decoder.asic")
            assert list(compiled.state) == order
            same_state(compiled, model, tolerance)


@pytest.mark.parametrize("target", TARGETS)
def test_prompts_of_any_length_leave_the_cache_where_it_is(target: str) -> None:
    tokens = Dim("tokens", min=1, max=128)
    compiled, model = build(
        lambda: Decoder(length=240),
        (torch.zeros(1, 5, dtype=torch.int64), torch.arange(5)),
        ({1: tokens}, {0: tokens}),
        target=target,
        options=asic.CompileOptions(buckets={"tokens": (1, 8, 32, 64, 128)}),
    )
    if target == "edge-tx1":
        assert len(compiled.state) == 4
        assert compiled.state.on_device == tuple(compiled.state)
    tolerance = 1e-4 if target == "cpu" else 3e-2
    done = 3
    for size in (5, 1, 17, 64, 128, 1):
        places = torch.arange(done, done + size)
        compare(compiled, model, [(torch.randint(0, 30, (1, size)), places)], tolerance)
        done += size


def test_rows_have_the_bits_of_a_static_program() -> None:
    compiled, model = decoder("edge-tx1")
    done = 0
    for size in (3, 1, 6):
        args = (torch.randint(0, 30, (1, size)), torch.arange(done, done + size))
        static = asic.compile(copy.deepcopy(model), args, target="edge-tx1")
        static.state.take(compiled.state, {path: path for path in static.state})
        assert torch.equal(compiled(*args), static(*args))
        for path, value in static.state.items():
            assert np.array_equal(value, compiled.state[path])
        done += size


def expected(model: nn.Module, prompt: list[int], count: int) -> list[int]:
    tokens = list(prompt)
    for _ in range(count):
        fresh = copy.deepcopy(model)
        with torch.no_grad():
            logits = fresh(torch.tensor([tokens]), torch.arange(len(tokens)))
        tokens.append(int(logits[0, -1].argmax()))
    return tokens[len(prompt) :]


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_generation_takes_the_prompt_at_once(target: str) -> None:
    compiled, model = decoder(target)
    for prompt in ([3], [5, 9, 1, 2, 7], list(range(18))):
        before = compiled.waste.calls
        assert compiled.generate(prompt, 4) == expected(model, prompt, 4)
        # Sixteen tokens a call, then one by one.
        assert compiled.waste.calls - before == -(-len(prompt) // 16) + 3
    places = Dim("tokens", min=2, max=16)
    tokens = (torch.zeros(1, 5, dtype=torch.int64), torch.arange(5))
    least, _ = build(Decoder, tokens, ({1: places}, {0: places}), target="cpu")
    with pytest.raises(asic.ProgramError, match="a Dim of tokens from 1 on"):
        least.generate([1, 2], 3)


def test_a_value_moves_when_another_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    options = asic.CompileOptions(buckets={"batch": (2, 8)})
    compiled, _ = batches(Pool, 64, options=options)
    assert compiled.state.on_device == tuple(compiled.state)
    moves: list[str] = []
    for name, machine in compiled.machines.items():
        for action in ("read_state", "write_state"):
            real = getattr(machine, action)

            def spy(*args: Any, real: Any = real, what: str = f"{action} {name}") -> Any:
                moves.append(what)
                return real(*args)

            monkeypatch.setattr(machine, action, spy)
    small, large = compiled.machines

    def moved(size: int) -> list[str]:
        moves.clear()
        compiled(torch.randn(size, 64))
        return sorted(moves)

    assert moved(2) == [f"write_state {small}"] * 2
    assert moved(1) == moved(2) == []
    assert moved(5) == sorted([f"read_state {small}", f"write_state {large}"] * 2)
    assert moved(8) == []
    compiled.profile(torch.randn(1, 64))
    assert moved(8) == []
    assert moved(1) == sorted([f"read_state {large}", f"write_state {small}"] * 2)


def test_a_call_that_fails_leaves_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    options = asic.CompileOptions(buckets={"batch": (2, 8)})
    compiled, model = batches(Pool, 64, options=options)
    compare(compiled, model, rows((2,), 64), 3e-2)
    before = {path: value.copy() for path, value in compiled.state.items()}
    _, large = compiled.machines.values()

    def trap(*args: Any, **options: Any) -> Any:
        raise asic.EmulatorFault("a trap", fault="E1", pc=0)

    with monkeypatch.context() as patch:
        patch.setattr(large, "_run", trap)
        with pytest.raises(asic.EmulatorFault):
            compiled(torch.randn(5, 64))
    for path, value in compiled.state.items():
        assert np.array_equal(value, before[path])
    compare(compiled, model, rows((1, 7), 64), 3e-2)


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_verify_and_profile_leave_the_state(target: str) -> None:
    compiled, model = batches(Pool, 64, target=target)
    compare(compiled, model, rows((3, 1), 64), 3e-2)
    before = {path: value.copy() for path, value in compiled.state.items()}
    data = rows((2, 8, 1), 64)
    assert asic.verify(compiled, data)
    assert asic.verify(compiled, data, model, rtol=3e-2, atol=3e-2)
    with torch.no_grad():
        model.linear.bias += 1
        assert not asic.verify(compiled, data, model, rtol=3e-2, atol=3e-2)
        model.linear.bias -= 1
    if target != "cpu":
        assert compiled.profile(*data[0]).cycles > 0
    for path, value in compiled.state.items():
        assert np.array_equal(value, before[path])


def test_int8() -> None:
    data = rows((1, 8, 3, 5, 2, 8), 64)
    compiled, _ = batches(Pool, 64, quantize="int8", calibration=data)
    assert asic.verify(compiled, data)


def test_all_programs_of_this_computer_have_one_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one for all sizes; those of exact sizes, and forgotten ones of them."""
    monkeypatch.setattr(ondemand, "MOST_PROGRAMS", 2)
    sizes = (1, 3, 5, 1, 6, 7, 3, 8, 2)
    for make in (Statistics, Delay):
        compare(*batches(make, target="cpu"), rows(sizes), 1e-5)
    compare(*batches(Slide, target="cpu"), rows(sizes), 0)


class Slide(nn.Module):
    """A form that cannot be masked: where it writes to depends on the number of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(9, 4))

    def forward(self, x: Tensor) -> Tensor:
        self.rows[9 - x.shape[0] :] = x
        return self.rows.sum(0)


def test_what_cannot_be_masked_is_refused() -> None:
    message = r"slice_scatter\S* from a size at .*test_dynamic_state.py:\d+.*; write rows at their"
    with pytest.raises(asic.CompileError, match=message):
        batches(Slide)


class Grows(nn.Module):
    """A buffer takes another shape."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(1, 4))

    def forward(self, x: Tensor) -> Tensor:
        self.last = x * 2
        return x


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_a_buffer_has_one_shape(target: str) -> None:
    with pytest.raises(asic.CompileError, match="buffer 'last' to keep its type"):
        batches(Grows, target=target)


class Box:
    """A cache whose tensors PyTorch does not see."""

    def __init__(self) -> None:
        self.keys = torch.zeros(9, 4)


class Wrapper(nn.Module):
    """The tensor of an object that is a buffer as well."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Box()
        self.register_buffer("keys", self.box.keys)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        self.box.keys.index_copy_(0, places, x + 1)
        return self.box.keys.sum(0)


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_a_buffer_of_two_names(target: str) -> None:
    args = (torch.zeros(2, 4), torch.arange(2))
    torch.manual_seed(0)
    model = Wrapper()
    compiled = asic.compile(Wrapper(), args, dynamic_shapes=({0: BATCH}, {0: BATCH}), target=target)
    assert list(compiled.state) == ["keys"]
    for size in (3, 1, 8, 2):
        places = torch.randperm(9)[:size]
        compare(compiled, model, [(torch.randn(size, 4), places)], 0)


def test_positions_outside_are_found() -> None:
    args = (torch.zeros(2, 4), torch.arange(2))
    compiled = asic.compile(
        Wrapper(), args, dynamic_shapes=({0: BATCH}, {0: BATCH}), target="edge-tx1"
    )
    with pytest.raises(asic.ProgramError, match=r"index_copy .*expected indices of 0 to 8"):
        compiled(torch.zeros(3, 4), torch.tensor([0, 9, 1]))
    assert not compiled.state["keys"].any()
