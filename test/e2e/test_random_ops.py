# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random quantised operations: the emulator gives the integers of the reference.

Scales, zero points, shapes and the target's rounding mode are drawn; weights and inputs
cover the whole int8 range. The reference itself is tested against Python integers in
test/python/test_quantization_reference.py.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import asic
from asic.frontend.importer import mark_normalized
from asic.quantization import reference

q_op = torch.ops.quantized_decomposed.quantize_per_tensor.default
dq_op = torch.ops.quantized_decomposed.dequantize_per_tensor.default
dq_channel = torch.ops.quantized_decomposed.dequantize_per_channel.default

Params = tuple[float, int]
Op = Callable[..., Tensor]
#: Examples are compilations: few, and not shrunk, as that takes hundreds of them. With
#: ASIC_EXAMPLES=500 in the environment, as many new ones.
bounded = settings(
    max_examples=int(os.environ.get("ASIC_EXAMPLES", "25")),
    deadline=None,
    derandomize="ASIC_EXAMPLES" not in os.environ,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
PRESETS = ("edge-tx1", "fsd-nna", "gemmini-default", "kea1-like", "npu-256", "npu-2048")
PARAMS = st.tuples(st.floats(2.0**-9, 2.0**-1), st.integers(-128, 127))
SEED = st.integers(0, 2**16)
SIZE = st.integers(1, 13)


@functools.cache
def variant(preset: str, rounding: str) -> asic.Target:
    """A preset with another rounding mode, or with its own where it has no such mode."""
    target = asic.Target.from_name(preset)
    if rounding not in target.requant.modes:
        return target
    return target.replace({"requant.default": rounding})


TARGETS = st.builds(variant, st.sampled_from(PRESETS), st.sampled_from(["sr", "dr", "rne"]))


def codes(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-128, 128, shape, generator=generator, dtype=torch.int8)


def q(x: Tensor, params: Params) -> Tensor:
    return q_op(x, *params, -128, 127, torch.int8)


def dq(x: Tensor, params: Params) -> Tensor:
    return dq_op(x, *params, -128, 127, torch.int8)


class Quantized(nn.Module):
    """dq of every int8 input → an operation in float → q → codes."""

    def __init__(self, op: Op, sources: list[Params], result: Params) -> None:
        super().__init__()
        self.op, self.sources, self.result = op, sources, result

    def forward(self, *inputs: Tensor) -> Tensor:
        values = (dq(x, params) for x, params in zip(inputs, self.sources, strict=True))
        return q(self.op(*values), self.result)


class Weighted(nn.Module):
    """A contraction with constant per-channel int8 weights and an int32 bias."""

    def __init__(
        self,
        op: Op,
        shape: tuple[int, ...],
        bias: bool,
        x: Params,
        y: Params,
        seed: int,
        clamp: str,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        outputs = shape[0]
        self.register_buffer("weight", codes(seed + 1, *shape).clamp(-127, 127))
        self.register_buffer("scales", torch.rand(outputs, generator=generator) * 0.02 + 0.001)
        self.register_buffer("zeros", torch.zeros(outputs, dtype=torch.int64))
        values = torch.randint(-9999, 9999, (outputs,), generator=generator, dtype=torch.int32)
        self.register_buffer("bias", values if bias else None)
        self.register_buffer("bias_scales", self.scales.double().mul(x[0]).float())
        self.op, self.x, self.y, self.clamp = op, x, y, clamp

    def forward(self, x: Tensor) -> Tensor:
        weight = dq_channel(self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8)
        bias = None
        if self.bias is not None:
            limits = (-(2**31), 2**31 - 1, torch.int32)
            bias = dq_channel(self.bias, self.bias_scales, self.zeros, 0, *limits)
        y = self.op(dq(x, self.x), weight, bias)
        if self.clamp == "relu":
            y = F.relu(y)
        if self.clamp == "relu6":
            y = F.relu6(y)
        return q(y, self.y)


def check(model: nn.Module, inputs: tuple[Tensor, ...], target: asic.Target) -> None:
    """Compiles, runs with all checks of the emulator and compares every code."""
    program = mark_normalized(torch.export.export(model.eval(), inputs, strict=False))
    compiled = asic.compile(program, target=target, fallback="error")
    expected = reference.run(program, inputs, rounding=target.requant.default)
    assert torch.equal(compiled(*inputs), expected)
    for step in compiled.steps:
        machine = compiled.machines[step.function]
        machine.run([inputs[i].numpy() for i in step.inputs], check=True)
    # A view alone leaves nothing to run and no clock to read.
    if compiled.machines:
        assert compiled.report().to_dict()["cycles"] == compiled.profile(*inputs).cycles


CLAMP = st.sampled_from(["none", "relu", "relu6"])


@bounded
@given(
    batch=st.integers(1, 3), groups=st.sampled_from([1, 1, 2, 3]), inside=st.integers(1, 20),
    outside=st.integers(1, 20), size=st.tuples(SIZE, SIZE),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)), stride=st.integers(1, 3),
    padding=st.integers(0, 3), dilation=st.integers(1, 3), bias=st.booleans(), clamp=CLAMP,
    x=PARAMS, y=PARAMS, seed=SEED, target=TARGETS,
)  # fmt: skip
def test_convolution(
    batch: int, groups: int, inside: int, outside: int, size: tuple[int, int],
    kernel: tuple[int, int], stride: int, padding: int, dilation: int, bias: bool, clamp: str,
    x: Params, y: Params, seed: int, target: asic.Target,
) -> None:  # fmt: skip
    reach = [dilation * (k - 1) + 1 for k in kernel]
    height, width = (max(s, r - 2 * padding) for s, r in zip(size, reach, strict=True))
    op = functools.partial(
        F.conv2d, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    model = Weighted(op, (groups * outside, inside, *kernel), bias, x, y, seed, clamp)
    check(model, (codes(seed, batch, groups * inside, height, width),), target)


@bounded
@given(
    batch=st.integers(1, 2), channels=st.integers(1, 40), size=st.tuples(SIZE, SIZE),
    kernel=st.integers(1, 5), stride=st.integers(1, 2), dilation=st.integers(1, 2),
    multiplier=st.integers(1, 2), clamp=CLAMP, x=PARAMS, y=PARAMS, seed=SEED, target=TARGETS,
)  # fmt: skip
def test_depthwise_convolution(
    batch: int, channels: int, size: tuple[int, int], kernel: int, stride: int, dilation: int,
    multiplier: int, clamp: str, x: Params, y: Params, seed: int, target: asic.Target,
) -> None:  # fmt: skip
    padding = dilation * (kernel - 1) // 2
    height, width = (max(s, dilation * (kernel - 1) + 1) for s in size)
    op = functools.partial(
        F.conv2d, stride=stride, padding=padding, dilation=dilation, groups=channels
    )
    model = Weighted(op, (channels * multiplier, 1, kernel, kernel), True, x, y, seed, clamp)
    check(model, (codes(seed, batch, channels, height, width),), target)


@bounded
@given(
    rows=st.lists(st.integers(1, 9), min_size=0, max_size=2), inputs=st.integers(1, 300),
    outputs=st.integers(1, 150), bias=st.booleans(), clamp=CLAMP, x=PARAMS, y=PARAMS,
    seed=SEED, target=TARGETS,
)  # fmt: skip
def test_linear(
    rows: list[int], inputs: int, outputs: int, bias: bool, clamp: str, x: Params, y: Params,
    seed: int, target: asic.Target,
) -> None:  # fmt: skip
    model = Weighted(F.linear, (outputs, inputs), bias, x, y, seed, clamp)
    check(model, (codes(seed, *rows, inputs),), target)


@bounded
@given(
    batch=st.lists(st.integers(1, 4), min_size=0, max_size=2), m=st.integers(1, 40),
    k=st.integers(1, 70), n=st.integers(1, 40), a=PARAMS, b=PARAMS, y=PARAMS, seed=SEED,
    target=TARGETS,
)  # fmt: skip
def test_matmul(
    batch: list[int], m: int, k: int, n: int, a: Params, b: Params, y: Params, seed: int,
    target: asic.Target,
) -> None:  # fmt: skip
    model = Quantized(torch.matmul, [a, b], y)
    check(model, (codes(seed, *batch, m, k), codes(seed + 1, *batch, k, n)), target)


@bounded
@given(
    op=st.sampled_from([torch.add, torch.sub, torch.mul]),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4), mask=st.integers(0, 15),
    dropped=st.integers(0, 2), a=PARAMS, b=PARAMS, y=PARAMS, relu=st.booleans(), seed=SEED,
    target=TARGETS,
)  # fmt: skip
def test_elementwise_with_broadcasting(
    op: Op, shape: list[int], mask: int, dropped: int, a: Params, b: Params, y: Params,
    relu: bool, seed: int, target: asic.Target,
) -> None:  # fmt: skip
    other = [1 if mask >> i & 1 else extent for i, extent in enumerate(shape)][dropped:] or [1]

    def both(left: Tensor, right: Tensor) -> Tensor:
        return torch.relu(op(left, right)) if relu else op(left, right)

    check(Quantized(both, [a, b], y), (codes(seed, *shape), codes(seed + 1, *other)), target)


@bounded
@given(
    kind=st.sampled_from(["average", "max", "global", "mean"]), batch=st.integers(1, 2),
    channels=st.integers(1, 40), size=st.tuples(SIZE, SIZE), kernel=st.integers(1, 4),
    stride=st.integers(1, 3), padding=st.integers(0, 2), x=PARAMS, y=PARAMS, seed=SEED,
    target=TARGETS,
)  # fmt: skip
def test_pooling(
    kind: str, batch: int, channels: int, size: tuple[int, int], kernel: int, stride: int,
    padding: int, x: Params, y: Params, seed: int, target: asic.Target,
) -> None:  # fmt: skip
    padding = min(padding, kernel // 2)
    height, width = (max(s, kernel) for s in size)
    ops: dict[str, Op] = {
        "average": lambda t: F.avg_pool2d(t, kernel, stride, padding),
        "max": lambda t: F.max_pool2d(t, kernel, stride, padding),
        "global": lambda t: F.adaptive_avg_pool2d(t, 1),
        "mean": lambda t: t.mean((2, 3)),
    }
    model = Quantized(ops[kind], [x], x if kind == "max" else y)
    check(model, (codes(seed, batch, channels, height, width),), target)


MOVES: dict[str, Op] = {
    "transpose": lambda t: t.transpose(1, 3),
    "permute": lambda t: t.permute(0, 2, 3, 1),
    "flatten": lambda t: t.flatten(1),
    "reshape": lambda t: t.reshape(t.shape[0], -1, 1),
    "pad": lambda t: F.pad(t, (1, 2, 0, 3)),
    "crop": lambda t: t[:, :, : max(1, t.shape[2] // 2), ::2],
    "upsample": lambda t: F.interpolate(t, scale_factor=2, mode="nearest"),
    "shuffle": lambda t: t.repeat_interleave(2, 1),
    "flip": lambda t: t.roll(1, 3),
}


@bounded
@given(
    name=st.sampled_from(sorted(MOVES)), same=st.booleans(), batch=st.integers(1, 2),
    channels=st.integers(1, 20), size=st.tuples(SIZE, SIZE), x=PARAMS, y=PARAMS, seed=SEED,
    target=TARGETS,
)  # fmt: skip
def test_movement(
    name: str, same: bool, batch: int, channels: int, size: tuple[int, int], x: Params,
    y: Params, seed: int, target: asic.Target,
) -> None:  # fmt: skip
    model = Quantized(MOVES[name], [x], x if same else y)
    check(model, (codes(seed, batch, channels, *size),), target)


@bounded
@given(
    extents=st.lists(st.integers(1, 9), min_size=2, max_size=3), axis=st.integers(0, 3),
    same=st.booleans(), params=st.lists(PARAMS, min_size=3, max_size=3), y=PARAMS, seed=SEED,
    target=TARGETS,
)  # fmt: skip
def test_concatenation(
    extents: list[int], axis: int, same: bool, params: list[Params], y: Params, seed: int,
    target: asic.Target,
) -> None:  # fmt: skip
    sources = [params[0]] * 3 if same else params
    shapes = [[2, 3, 4, 5] for _ in extents]
    for shape, extent in zip(shapes, extents, strict=True):
        shape[axis] = extent
    inputs = tuple(codes(seed + i, *shape) for i, shape in enumerate(shapes))

    def joined(*parts: Tensor) -> Tensor:
        return torch.cat(parts, axis)

    model = Quantized(joined, sources[: len(extents)], params[0] if same else y)
    check(model, inputs, target)


class Residual(nn.Module):
    """Two contractions of one input, their sum, and codes that two readers share."""

    def __init__(self, channels: int, params: list[Params], seed: int) -> None:
        super().__init__()
        x, a, b, y = params
        op = functools.partial(F.conv2d, padding=1)
        self.left = Weighted(op, (channels, channels, 3, 3), True, x, a, seed, "relu")
        self.right = Weighted(F.conv2d, (channels, channels, 1, 1), True, x, b, seed + 9, "none")
        self.a, self.b, self.y = a, b, y

    def forward(self, x: Tensor) -> Any:
        total = dq(self.left(x), self.a) + dq(self.right(x), self.b)
        return q(F.relu(total), self.y)


@bounded
@given(
    channels=st.integers(1, 70), size=st.tuples(SIZE, SIZE),
    params=st.lists(PARAMS, min_size=4, max_size=4), seed=SEED, target=TARGETS,
)  # fmt: skip
def test_residual_block(
    channels: int, size: tuple[int, int], params: list[Params], seed: int, target: asic.Target
) -> None:
    check(Residual(channels, params, seed), (codes(seed, 1, channels, *size),), target)


def test_every_zero_point_of_an_addition() -> None:
    """Zero points become constants of a lane program; none of their bit patterns is special."""
    target = asic.Target.from_name("edge-tx1")
    for zero in (-128, -3, -2, -1, 0, 1, 2, 127):
        model = Quantized(torch.add, [(0.03, zero), (0.05, -zero - 1)], (0.07, zero))
        check(model, (codes(zero + 200, 3, 40), codes(5, 3, 40)), target)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_empty_tensors_are_refused(shape: tuple[int, ...]) -> None:
    model = Quantized(torch.add, [(0.03, 1), (0.05, 2)], (0.07, 3))
    inputs = (codes(1, *shape),) * 2
    program = mark_normalized(torch.export.export(model, inputs, strict=False))
    with pytest.raises(asic.CompileError, match="expected inputs with elements"):
        asic.compile(program, target="edge-tx1")
