# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The integer reference, op by op, against loops over Python integers and fractions.

The loops here are written from docs/quantization.md alone; they call nothing of
`asic.quantization` but the function under test.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.export import ExportedProgram

from asic.errors import CompileError
from asic.frontend.importer import mark_normalized
from asic.quantization import reference

q_op = torch.ops.quantized_decomposed.quantize_per_tensor.default
dq_op = torch.ops.quantized_decomposed.dequantize_per_tensor.default
dq_channel = torch.ops.quantized_decomposed.dequantize_per_channel.default

Params = tuple[float, int]
Op = Callable[..., Tensor]
UNIT: Params = (0.05, 0)
bounded = settings(max_examples=40, deadline=None, derandomize=True)
SCALE = st.floats(0.004, 0.3)
PARAMS = st.tuples(SCALE, st.integers(-128, 127))
ROUNDING = st.sampled_from(["sr", "dr", "rne"])


def q(x: Tensor, scale: float, zero: int) -> Tensor:
    return q_op(x, scale, zero, -128, 127, torch.int8)


def dq(x: Tensor, scale: float, zero: int) -> Tensor:
    return dq_op(x, scale, zero, -128, 127, torch.int8)


def exact_rescale(t: int, r: float, rounding: str) -> int:
    """Sections 3 and 4 with Python integers."""
    fraction, exponent = math.frexp(r)
    multiplier = round(Fraction(fraction) * 2**31)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    shift = 31 - exponent
    if shift > 62:
        multiplier, shift = multiplier >> (shift - 62), 62
    product = t * multiplier
    if rounding == "rne":
        return round(Fraction(product, 2**shift))
    if rounding == "dr" and shift > 31:
        product += 2**30 if t >= 0 else -(2**30)
    return (product + 2 ** (shift - 1)) >> shift


def clamp(value: int, low: int = -128, high: int = 127) -> int:
    return min(max(value, low), high)


def export(model: nn.Module, *inputs: Tensor) -> ExportedProgram:
    return mark_normalized(torch.export.export(model.eval(), inputs, strict=False))


def run(
    program: ExportedProgram,
    inputs: tuple[Tensor, ...],
    rounding: str = "sr",
    sources: tuple[Params, ...] = (),
    result: Params | None = None,
) -> list[int]:
    """Codes that the reference returns, flattened.

    `sources` and `result` replace the scales and zero points of the program's
    dequantisations and of its quantisation, so that one export serves many cases.
    """
    nodes = list(program.graph.nodes)
    for node, params in zip((n for n in nodes if n.target is dq_op), sources, strict=False):
        node.args = (node.args[0], *params, *node.args[3:])
    for node in nodes:
        if node.target is q_op and result is not None:
            node.args = (node.args[0], *result, *node.args[3:])
    return reference.run(program, inputs, rounding=rounding).flatten().tolist()


def codes(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-128, 128, shape, generator=generator, dtype=torch.int8)


class Conv(nn.Module):
    """dq → conv2d with an int32 bias → relu6? → q."""

    def __init__(
        self, outputs: int, channels: int, kernel: int, relu6: bool, **options: int
    ) -> None:
        super().__init__()
        self.register_buffer(
            "weight", torch.zeros(outputs, channels, kernel, kernel, dtype=torch.int8)
        )
        self.register_buffer("scales", torch.ones(outputs))
        self.register_buffer("zeros", torch.zeros(outputs, dtype=torch.int64))
        self.register_buffer("bias", torch.zeros(outputs, dtype=torch.int32))
        self.relu6, self.options = relu6, options

    def forward(self, x: Tensor) -> Tensor:
        weight = dq_channel(self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8)
        bias = dq_channel(self.bias, self.scales, self.zeros, 0, -(2**31), 2**31 - 1, torch.int32)
        y = nn.functional.conv2d(dq(x, *UNIT), weight, bias, **self.options)
        return q(nn.functional.relu6(y) if self.relu6 else y, *UNIT)


#: groups, kernel, stride, padding, dilation, relu6, (batch, height, width)
CONVOLUTIONS = [
    (1, 3, 1, 1, 1, True, (1, 5, 6)),
    (1, 1, 2, 0, 1, False, (2, 5, 5)),
    (1, 2, 1, 2, 2, False, (1, 6, 5)),
    (2, 3, 2, 1, 1, False, (1, 7, 5)),
    (4, 3, 1, 2, 2, True, (1, 6, 6)),
    (4, 2, 2, 0, 1, False, (2, 5, 6)),
]


@functools.cache
def convolution(index: int) -> ExportedProgram:
    groups, kernel, stride, padding, dilation, relu6, (batch, height, width) = CONVOLUTIONS[index]
    model = Conv(
        8,
        4 // groups,
        kernel,
        relu6,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return export(model, codes(0, batch, 4, height, width))


@bounded
@given(
    index=st.integers(0, len(CONVOLUTIONS) - 1),
    x_q=PARAMS,
    y_q=PARAMS,
    seed=st.integers(0, 2**16),
    rounding=ROUNDING,
)
def test_convolution(index: int, x_q: Params, y_q: Params, seed: int, rounding: str) -> None:
    groups, kernel, stride, padding, dilation, relu6, (batch, height, width) = CONVOLUTIONS[index]
    outputs, inside = 8, 4 // groups
    generator = torch.Generator().manual_seed(seed)
    x = codes(seed, batch, 4, height, width)
    w = codes(seed + 1, outputs, inside, kernel, kernel).clamp(-127, 127)
    scales = torch.rand(outputs, generator=generator) * 0.02 + 0.001
    bias = torch.randint(-9999, 9999, (outputs,), generator=generator, dtype=torch.int32)
    program = convolution(index)
    state = {**program.constants, **program.state_dict}
    for name, value in (("weight", w), ("scales", scales), ("bias", bias)):
        state[name].copy_(value)
    got = run(program, (x,), rounding, (x_q,), y_q)

    (s_x, z_x), (s_y, z_y) = x_q, y_q
    low, high = -128, 127
    if relu6:
        low, high = clamp(z_y), clamp(z_y + round(Fraction(6.0 / s_y)))
    reach = dilation * (kernel - 1) + 1
    rows = (height + 2 * padding - reach) // stride + 1
    cols = (width + 2 * padding - reach) // stride + 1
    expected = []
    for n, o, i, j in itertools.product(range(batch), range(outputs), range(rows), range(cols)):
        acc = int(bias[o])
        first = o // (outputs // groups) * inside
        for c, u, v in itertools.product(range(inside), range(kernel), range(kernel)):
            row, col = i * stride + u * dilation - padding, j * stride + v * dilation - padding
            if 0 <= row < height and 0 <= col < width:
                acc += (int(x[n, first + c, row, col]) - z_x) * int(w[o, c, u, v])
        u_value = exact_rescale(acc, (s_x * float(scales[o])) / s_y, rounding)
        expected.append(clamp(z_y + u_value, low, high))
    assert got == expected


class Pair(nn.Module):
    """Two quantised operands, one op, q."""

    def __init__(self, op: Op) -> None:
        super().__init__()
        self.op = op

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return q(self.op(dq(a, *UNIT), dq(b, *UNIT)), *UNIT)


@functools.cache
def pair(name: str) -> ExportedProgram:
    shapes = ((2, 3, 5), (2, 5, 4)) if name == "matmul" else ((3, 16), (3, 16))
    return export(Pair(getattr(torch, name)), codes(0, *shapes[0]), codes(1, *shapes[1]))


def operands(name: str, seed: int) -> tuple[Tensor, Tensor]:
    shapes = ((2, 3, 5), (2, 5, 4)) if name == "matmul" else ((3, 16), (3, 16))
    return codes(seed, *shapes[0]), codes(seed + 1, *shapes[1])


SEED = st.integers(0, 999)


@bounded
@given(
    name=st.sampled_from(["add", "sub"]),
    a_q=PARAMS,
    b_q=PARAMS,
    y_q=PARAMS,
    seed=SEED,
    rounding=ROUNDING,
)
def test_addition_and_subtraction(
    name: str, a_q: Params, b_q: Params, y_q: Params, seed: int, rounding: str
) -> None:
    a, b = operands(name, seed)
    got = run(pair(name), (a, b), rounding, (a_q, b_q), y_q)
    (s_a, z_a), (s_b, z_b), (s_y, z_y) = a_q, b_q, y_q
    s_m = max(s_a, s_b)
    expected = []
    for left, right in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True):
        i_a = exact_rescale((left - z_a) << 20, s_a / (2 * s_m), rounding)
        i_b = exact_rescale((right - z_b) << 20, s_b / (2 * s_m), rounding)
        total = i_a + i_b if name == "add" else i_a - i_b
        u = exact_rescale(total, (2 * s_m) / (2.0**20 * s_y), rounding)
        expected.append(clamp(z_y + u))
    assert got == expected


@bounded
@given(a_q=PARAMS, b_q=PARAMS, y_q=PARAMS, seed=SEED, rounding=ROUNDING)
def test_multiplication(a_q: Params, b_q: Params, y_q: Params, seed: int, rounding: str) -> None:
    a, b = operands("mul", seed)
    got = run(pair("mul"), (a, b), rounding, (a_q, b_q), y_q)
    (s_a, z_a), (s_b, z_b), (s_y, z_y) = a_q, b_q, y_q
    expected = [
        clamp(z_y + exact_rescale((x - z_a) * (y - z_b), (s_a * s_b) / s_y, rounding))
        for x, y in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)
    ]
    assert got == expected


@bounded
@given(a_q=PARAMS, b_q=PARAMS, y_q=PARAMS, seed=SEED, rounding=ROUNDING)
def test_product_of_activations(
    a_q: Params, b_q: Params, y_q: Params, seed: int, rounding: str
) -> None:
    a, b = operands("matmul", seed)
    got = run(pair("matmul"), (a, b), rounding, (a_q, b_q), y_q)
    (s_a, z_a), (s_b, z_b), (s_y, z_y) = a_q, b_q, y_q
    expected = []
    for n, i, j in itertools.product(range(2), range(3), range(4)):
        acc = sum((int(a[n, i, k]) - z_a) * (int(b[n, k, j]) - z_b) for k in range(5))
        expected.append(clamp(z_y + exact_rescale(acc, (s_a * s_b) / s_y, rounding)))
    assert got == expected


class Single(nn.Module):
    """One quantised operand, one op, q."""

    def __init__(self, op: Op) -> None:
        super().__init__()
        self.op = op

    def forward(self, x: Tensor) -> Tensor:
        return q(self.op(dq(x, *UNIT)), *UNIT)


#: kernel, stride, padding
POOLS = [(2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 3, 0)]


@functools.cache
def average_pool(index: int) -> ExportedProgram:
    return export(Single(nn.AvgPool2d(*POOLS[index])), codes(0, 1, 2, 7, 6))


@bounded
@given(index=st.integers(0, len(POOLS) - 1), x_q=PARAMS, y_q=PARAMS, seed=SEED, rounding=ROUNDING)
def test_average_pool(index: int, x_q: Params, y_q: Params, seed: int, rounding: str) -> None:
    kernel, stride, padding = POOLS[index]
    x = codes(seed, 1, 2, 7, 6)
    got = run(average_pool(index), (x,), rounding, (x_q,), y_q)
    (s_x, z_x), (s_y, z_y) = x_q, y_q
    rows, cols = ((d + 2 * padding - kernel) // stride + 1 for d in (7, 6))
    expected = []
    for c, i, j in itertools.product(range(2), range(rows), range(cols)):
        acc = 0
        for u, v in itertools.product(range(kernel), range(kernel)):
            row, col = i * stride + u - padding, j * stride + v - padding
            if 0 <= row < 7 and 0 <= col < 6:
                acc += int(x[0, c, row, col]) - z_x
        u_value = exact_rescale(acc, s_x / (kernel * kernel * s_y), rounding)
        expected.append(clamp(z_y + u_value))
    assert got == expected


@pytest.mark.parametrize(
    "op",
    [
        lambda x: x.mean((2, 3)),
        nn.AdaptiveAvgPool2d(1),
        lambda x: x.mean((2, 3), keepdim=True),
    ],
)
def test_global_average(op: Op) -> None:
    x = codes(5, 1, 3, 4, 4)
    program = export(Single(op), x)
    for rounding in ("sr", "dr", "rne"):
        got = run(program, (x,), rounding, ((0.03, -17),), (0.011, 4))
        expected = []
        for c in range(3):
            acc = sum(v + 17 for v in x[0, c].flatten().tolist())
            expected.append(clamp(4 + exact_rescale(acc, 0.03 / (16 * 0.011), rounding)))
        assert got == expected


@functools.cache
def unary(name: str) -> ExportedProgram:
    op = torch.relu if name == "relu" else nn.Flatten(0)
    return export(Single(op), codes(0, 256))


@bounded
@given(name=st.sampled_from(["relu", "flatten"]), x_q=PARAMS, y_q=PARAMS, rounding=ROUNDING)
def test_change_of_scale(name: str, x_q: Params, y_q: Params, rounding: str) -> None:
    x = torch.arange(-128, 128, dtype=torch.int8)
    got = run(unary(name), (x,), rounding, (x_q,), y_q)
    (s_x, z_x), (s_y, z_y) = x_q, y_q
    low = clamp(z_y) if name == "relu" else -128
    expected = [clamp(z_y + exact_rescale(v - z_x, s_x / s_y, rounding), low) for v in x.tolist()]
    assert got == expected


def test_equal_scales_change_nothing() -> None:
    x = torch.arange(-128, 128, dtype=torch.int8)
    assert run(unary("flatten"), (x,), "sr", ((0.03, 5),), (0.03, 5)) == x.tolist()


@pytest.mark.parametrize(
    "op",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.ZeroPad2d(1),
        nn.Upsample(scale_factor=2, mode="nearest"),
        lambda x: x.flatten(1),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x[:, 1:],
        lambda x: torch.cat([x, x], 1),
    ],
)
def test_movement_is_the_op_on_codes(op: Op) -> None:
    x, zero = codes(11, 1, 3, 6, 6), 23
    got = run(export(Single(op), x), (x,), "sr", ((0.05, zero),), (0.05, zero))
    expected = op((x.to(torch.int64) - zero).double()).to(torch.int64) + zero
    assert got == expected.flatten().tolist()


class Concat(nn.Module):
    """Two scales into one."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return q(torch.cat([dq(a, 0.02, 3), dq(b, 0.05, -7)], 0), 0.03, 1)


def test_concatenation_rescales_each_operand() -> None:
    a, b = codes(1, 9), codes(2, 7)
    expected = [clamp(1 + exact_rescale(v - 3, 0.02 / 0.03, "sr")) for v in a.tolist()]
    expected += [clamp(1 + exact_rescale(v + 7, 0.05 / 0.03, "sr")) for v in b.tolist()]
    assert run(export(Concat(), a, b), (a, b)) == expected


class FloatReader(nn.Module):
    """A linear layer whose result is read in float."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", codes(3, 4, 8).clamp(-127, 127))
        self.register_buffer("scales", torch.tensor([0.01, 0.02, 0.03, 0.04]))
        self.register_buffer("zeros", torch.zeros(4, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        weight = dq_channel(self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8)
        return nn.functional.linear(dq(x, 0.1, 2), weight)


def test_float_reader_gets_the_scaled_accumulator() -> None:
    model, x = FloatReader(), codes(4, 5, 8)
    got = run(export(model, x), (x,))
    expected = []
    for i, o in itertools.product(range(5), range(4)):
        acc = sum((int(x[i, k]) - 2) * int(model.weight[o, k]) for k in range(8))
        scale = torch.tensor(0.1 * float(model.scales[o]), dtype=torch.float64).float()
        expected.append(float(torch.tensor(float(acc)) * scale))
    assert got == expected


class Wide(nn.Module):
    """More products than int32 holds."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.full((1, 70000), 127, dtype=torch.int8))

    def forward(self, x: Tensor) -> Tensor:
        return q(nn.functional.linear(dq(x, 0.1, -128), dq(self.weight, 0.1, 0)), 1.0, 0)


def test_accumulator_overflow_is_refused() -> None:
    x = torch.zeros(1, 70000, dtype=torch.int8)
    with pytest.raises(CompileError, match=r"expected accumulators below 2\^31, got up to"):
        run(export(Wide(), x), (x,))


def test_unknown_rounding_is_refused() -> None:
    with pytest.raises(CompileError, match="expected rounding to be one of"):
        reference.Reference(unary("relu"), "up")
