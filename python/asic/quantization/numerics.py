# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Multiplier, shift and rescale: docs/quantization.md, sections 2 to 5, on tensors.

Integers are int64 tensors whose values fit the widths that the document names.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from asic.errors import CompileError

#: Rounding modes of `rescale`.
ROUNDINGS = ("sr", "dr", "rne", "f32")

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def multiplier_and_shift(r: float) -> tuple[int, int]:
    """(m, s) with r ≈ m / 2^s, m in [0, 2^31), s in [2, 62].

    Raises:
        CompileError: `r` is not a positive finite number below 2^29.
    """
    if not (math.isfinite(r) and r > 0):
        raise CompileError(
            f"expected a positive finite rescale factor, got {r}; check the scales of "
            "the quantised tensors",
            phase="quantize",
        )
    fraction, exponent = math.frexp(r)
    multiplier = round(fraction * 2.0**31)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    shift = 31 - exponent
    if shift > 62:
        multiplier, shift = multiplier >> (shift - 62), 62
    if shift < 2:
        raise CompileError(
            f"expected a rescale factor below 2^29, got {r}; the output's scale is far "
            "too small for its input's",
            phase="quantize",
        )
    return multiplier, shift


def rescale(t: Tensor, r: float | Tensor, rounding: str = "sr", axis: int = 0) -> Tensor:
    """round(t · r), saturated to int32.

    Args:
        t: int64 tensor of int32 values.
        r: the real factor, or a float64 tensor with one factor per index of `axis`.
        rounding: one of `ROUNDINGS`.
    """
    factors = [float(v) for v in r] if isinstance(r, Tensor) and r.dim() else [float(r)]
    pairs = [multiplier_and_shift(f) for f in factors]
    shape = [1] * t.dim()
    if len(pairs) > 1:
        shape[axis] = len(pairs)
    multiplier = torch.tensor([m for m, _ in pairs], dtype=torch.int64).reshape(shape)
    shift = torch.tensor([s for _, s in pairs], dtype=torch.int64).reshape(shape)
    return rescale_by(t, multiplier, shift, rounding)


def rescale_by(t: Tensor, multiplier: Tensor, shift: Tensor, rounding: str) -> Tensor:
    """`rescale` with the multiplier and shift given, broadcast against `t`."""
    if rounding == "f32":
        scale = (multiplier.double() * torch.exp2(-shift.double())).float()
        product = torch.round(t.float() * scale).double()
        return torch.clamp(product, INT32_MIN, INT32_MAX).to(torch.int64)
    product = t * multiplier
    half = torch.ones_like(shift) << (shift - 1)
    if rounding == "sr":
        value = (product + half) >> shift
    elif rounding == "dr":
        extra = torch.where(t >= 0, 1 << 30, -(1 << 30)) * (shift > 31)
        value = (product + half + extra) >> shift
    elif rounding == "rne":
        floor = product >> shift
        rest = product - (floor << shift)
        up = (rest > half) | ((rest == half) & (floor & 1 == 1))
        value = floor + up.to(torch.int64)
    else:
        raise CompileError(
            f"expected rounding to be one of {', '.join(ROUNDINGS)}, got {rounding!r}",
            phase="quantize",
        )
    return torch.clamp(value, INT32_MIN, INT32_MAX)


def quantize(x: Tensor, scale: float, zero: int, low: int, high: int) -> Tensor:
    """Codes (int64) of a float32 tensor."""
    inverse = torch.tensor(1.0 / scale, dtype=torch.float64).float()
    value = torch.nan_to_num(torch.round(x.float() * inverse), nan=0.0).double()
    return (torch.clamp(value, low - zero, high - zero)).to(torch.int64) + zero


def dequantize(q: Tensor, scale: float, zero: int) -> Tensor:
    """Float32 values of integer codes."""
    return (q - zero).float() * torch.tensor(scale, dtype=torch.float64).float()


def clamp_bounds(
    low_real: float, high_real: float, scale: float, zero: int, low: int, high: int
) -> tuple[int, int]:
    """Integer bounds of a real clamp [low_real, high_real] in a quantised tensor's codes."""

    def bound(real: float) -> int:
        if math.isinf(real):
            return high if real > 0 else low
        return min(max(zero + _round(real / scale), low), high)

    return bound(low_real), bound(high_real)


def _round(value: float) -> int:
    """Nearest integer, ties to even; huge values are fine."""
    return round(value) if math.isfinite(value) else (INT32_MAX if value > 0 else INT32_MIN)
