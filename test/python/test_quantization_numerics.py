# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The pieces of docs/quantization.md against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asic.errors import CompileError
from asic.quantization import numerics

INT32 = st.integers(-(2**31), 2**31 - 1)
FACTOR = st.floats(1e-12, 2.0**28, allow_nan=False)
MULTIPLIER = st.integers(0, 2**31 - 1)
SHIFT = st.integers(2, 62)
bounded = settings(max_examples=300, deadline=None, derandomize=True)


def floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def half_even(value: Fraction) -> int:
    return round(value)


def saturate(value: int) -> int:
    return min(max(value, -(2**31)), 2**31 - 1)


def rescale(t: int, multiplier: int, shift: int, rounding: str) -> int:
    values = [torch.tensor([v], dtype=torch.int64) for v in (t, multiplier, shift)]
    return int(numerics.rescale_by(*values, rounding))


@bounded
@given(FACTOR)
@example(1.0)
@example(0.5)
@example(math.nextafter(1.0, 0.0))
@example(2.0**-40)
@example(2.0**-80)
def test_multiplier_and_shift_is_nearest(r: float) -> None:
    multiplier, shift = numerics.multiplier_and_shift(r)
    assert 0 <= multiplier < 2**31
    assert 2 <= shift <= 62
    error = abs(Fraction(multiplier, 2**shift) - Fraction(r))
    if r >= 2.0**-31:
        assert multiplier >= 2**30
        assert error <= Fraction(1, 2 ** (shift + 1))
    else:
        assert error < Fraction(1, 2**61)


def test_multiplier_rounds_up_to_the_next_power() -> None:
    assert numerics.multiplier_and_shift(math.nextafter(1.0, 0.0)) == (2**30, 30)
    assert numerics.multiplier_and_shift(1.0) == (2**30, 30)


@pytest.mark.parametrize("r", [0.0, -1.0, math.inf, math.nan, 2.0**29, 1e30])
def test_multiplier_and_shift_refuses(r: float) -> None:
    with pytest.raises(CompileError, match="rescale factor"):
        numerics.multiplier_and_shift(r)


@bounded
@given(INT32, MULTIPLIER, SHIFT)
@example(-1, 2**30, 31)
@example(1, 2**30, 31)
@example(-(2**31), 2**31 - 1, 2)
def test_sr_is_half_up(t: int, multiplier: int, shift: int) -> None:
    exact = Fraction(t * multiplier, 2**shift)
    assert rescale(t, multiplier, shift, "sr") == saturate(floor(exact + Fraction(1, 2)))


@bounded
@given(INT32, MULTIPLIER, SHIFT)
@example(3, 2**30, 31)
@example(-3, 2**30, 31)
def test_rne_is_half_even(t: int, multiplier: int, shift: int) -> None:
    exact = Fraction(t * multiplier, 2**shift)
    assert rescale(t, multiplier, shift, "rne") == saturate(half_even(exact))


@bounded
@given(INT32, MULTIPLIER, SHIFT)
def test_dr_rounds_at_bit_30_first(t: int, multiplier: int, shift: int) -> None:
    nudge = 0
    if shift > 31:
        nudge = 2**30 if t >= 0 else -(2**30)
    exact = Fraction(t * multiplier + nudge, 2**shift) + Fraction(1, 2)
    assert rescale(t, multiplier, shift, "dr") == saturate(floor(exact))


@bounded
@given(st.integers(-(2**23), 2**23), st.integers(2**30, 2**31 - 1), st.integers(33, 50))
def test_dr_is_gemmlowp(t: int, multiplier: int, shift: int) -> None:
    """Saturating rounding doubling high multiply, then a rounding divide by a power."""
    product = t * multiplier
    high = math.trunc(Fraction(product + (2**30 if product >= 0 else 1 - 2**30), 2**31))
    power = shift - 31
    remainder = high & (2**power - 1)
    threshold = ((2**power - 1) >> 1) + (1 if high < 0 else 0)
    expected = (high >> power) + (1 if remainder > threshold else 0)
    assert rescale(t, multiplier, shift, "dr") == expected


@bounded
@given(INT32, st.integers(2**30, 2**31 - 1), SHIFT)
def test_f32_is_one_float_product(t: int, multiplier: int, shift: int) -> None:
    scale = np.float32(np.ldexp(np.float64(multiplier), -shift))
    product = np.float32(t) * scale
    assert rescale(t, multiplier, shift, "f32") == saturate(half_even(Fraction(float(product))))


@bounded
@given(
    st.floats(-1e6, 1e6, width=32),
    st.floats(1e-6, 1e3),
    st.integers(-128, 127),
)
def test_quantize_matches_torch(x: float, scale: float, zero: int) -> None:
    tensor = torch.tensor([x], dtype=torch.float32)
    ours = numerics.quantize(tensor, scale, zero, -128, 127)
    torch_op = torch.ops.quantized_decomposed.quantize_per_tensor.default
    assert int(ours) == int(torch_op(tensor, scale, zero, -128, 127, torch.int8))


@bounded
@given(st.integers(-128, 127), st.floats(1e-6, 1e3), st.integers(-128, 127))
def test_dequantize_is_one_float_product(q: int, scale: float, zero: int) -> None:
    got = numerics.dequantize(torch.tensor([q]), scale, zero)
    assert got.numpy()[0] == np.float32(q - zero) * np.float32(scale)


@bounded
@given(st.integers(-128, 127), st.floats(1e-6, 1e3), st.integers(-128, 127))
def test_quantize_of_dequantize_is_the_identity(q: int, scale: float, zero: int) -> None:
    real = numerics.dequantize(torch.tensor([q]), scale, zero)
    assert int(numerics.quantize(real, scale, zero, -128, 127)) == q


@bounded
@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(1e-3, 1.0), st.integers(-128, 127))
def test_clamp_bounds(low: float, high: float, scale: float, zero: int) -> None:
    low, high = min(low, high), max(low, high)
    bounds = numerics.clamp_bounds(low, high, scale, zero, -128, 127)
    expected = [min(max(zero + half_even(Fraction(v / scale)), -128), 127) for v in (low, high)]
    assert list(bounds) == expected


def test_clamp_bounds_of_infinities() -> None:
    assert numerics.clamp_bounds(-math.inf, math.inf, 0.1, 3, -128, 127) == (-128, 127)
    assert numerics.clamp_bounds(0.0, math.inf, 0.1, 3, -128, 127) == (3, 127)


def test_quantize_of_nan_is_the_code_of_zero() -> None:
    assert int(numerics.quantize(torch.tensor([math.nan]), 0.1, 5, -128, 127)) == 5
