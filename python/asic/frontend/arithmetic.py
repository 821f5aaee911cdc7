# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementwise ops and products as others, where torch-mlir's lowering fails or loses digits.

Every function here has the signature of the op that it replaces.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def _cdist(x: Tensor, y: Tensor, p: float = 2.0, compute_mode: int | None = None) -> Tensor:
    """Distances from differences, which keeps small ones exact."""
    distance: Tensor = torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, -1)
    return distance


def _product(x: Tensor, exponent: Any) -> Tensor:
    """Small powers as products, roots as roots; integers stay integers."""
    if x.dtype.is_floating_point and abs(exponent) == 0.5:
        return x.sqrt() if exponent > 0 else x.rsqrt()
    whole = float(exponent).is_integer()
    keeps_type = x.dtype.is_floating_point or isinstance(exponent, int)
    if whole and -16 <= exponent < 0 and x.dtype.is_floating_point:
        return 1 / _product(x, -exponent)
    if not whole or not 1 <= exponent <= 16 or not keeps_type or x.dtype == torch.bool:
        return NotImplemented  # type: ignore[no-any-return]
    result, square, left = None, x, int(exponent)
    while left:
        if left & 1:
            result = square if result is None else result * square
        left >>= 1
        square = square * square if left else square
    assert result is not None
    return result.clone() if exponent == 1 else result


def _multiply(x: Tensor, y: Any) -> Tensor:
    """Products of narrow integers and a number, with the number in their type."""
    narrow = (torch.int8, torch.int16)
    if isinstance(y, Tensor) or x.dtype not in narrow:
        return NotImplemented  # type: ignore[no-any-return]
    if isinstance(y, float):
        return x.float() * y
    return x * torch.full((), int(y), dtype=x.dtype, device=x.device)


def _subtract(x: Any, y: Any, alpha: Any = 1) -> Tensor:
    """int8 less a number, with the number in its type: torch-mlir's lowering ends the process."""
    # A number may be on either side.
    if not isinstance(y, int) or not isinstance(alpha, int) or x.dtype != torch.int8:
        return NotImplemented  # type: ignore[no-any-return]
    number = _wrapped(int(y) * int(alpha), x.dtype)
    result: Tensor = x - torch.full((), number, dtype=x.dtype, device=x.device)
    return result


def _add(x: Any, y: Any, alpha: Any = 1) -> Tensor:
    """Truth values and one more are a disjunction."""
    if not isinstance(y, bool) or alpha != 1 or x.dtype != torch.bool:
        return NotImplemented  # type: ignore[no-any-return]
    return x.clone() if not y else torch.ones_like(x)


def _wrapped(number: int, dtype: torch.dtype) -> int:
    """What PyTorch makes of a number beside integers of a type that does not have it."""
    info = torch.iinfo(dtype)
    return (number - info.min) % (info.max - info.min + 1) + info.min


def _compare(op: Any) -> Callable[[Tensor, Any], Tensor]:
    """`op` of integers or truth values and a number that their type does not have."""

    def apply(x: Tensor, number: Any) -> Tensor:
        result: Tensor
        if x.dtype == torch.bool and number not in (0, 1):
            result = op(x.to(torch.int32), number)
            return result
        if x.dtype == torch.bool or x.dtype.is_floating_point or not isinstance(number, int):
            return NotImplemented  # type: ignore[no-any-return]
        wrapped = _wrapped(number, x.dtype)
        if wrapped == number:
            return NotImplemented  # type: ignore[no-any-return]
        result = op(x, wrapped)
        return result

    return apply


def _equal(x: Tensor, y: Tensor) -> Tensor:
    """Floats are not different: torch-mlir takes anything for equal to itself, NaN too."""
    if not torch.result_type(x, y).is_floating_point:
        return NotImplemented  # type: ignore[no-any-return]
    return torch.logical_not(x != y)


def _round(x: Tensor, *, decimals: int) -> Tensor:
    """Rounds in f32 also where the element type is narrower."""
    if not decimals:
        return torch.round(x)
    power = 10.0 ** abs(decimals)
    wide = x.float()
    wide = torch.round(wide * power) / power if decimals > 0 else torch.round(wide / power) * power
    return wide.to(x.dtype)


def _hypot(x: Tensor, y: Tensor) -> Tensor:
    """Scaled by the larger side, so that squares neither overflow nor vanish."""
    x, y = x.abs(), y.abs()
    large, small = torch.maximum(x, y), torch.minimum(x, y)
    ratio = small / torch.where(large == 0, 1, large)
    length = large * (1 + ratio * ratio).sqrt()
    return torch.where(large.isinf(), large, length)


def _erfc(x: Tensor) -> Tensor:
    return 1 - torch.erf(x)


def _isfinite(x: Tensor) -> Tensor:
    if not x.dtype.is_floating_point:
        return torch.ones_like(x, dtype=torch.bool)
    return x.abs() < math.inf


def _mv(x: Tensor, y: Tensor) -> Tensor:
    return torch.mm(x, y.unsqueeze(1)).squeeze(1)


def _dot(x: Tensor, y: Tensor) -> Tensor:
    return torch.mm(x.unsqueeze(0), y.unsqueeze(1)).reshape(())


def _shift(op: Any) -> Callable[[Any, Any], Tensor]:
    """`op`, a shift that travels whole, for its older name and for a number that is shifted."""

    def apply(x: Any, y: Any) -> Tensor:
        if not isinstance(x, Tensor):
            x = torch.full((), x, dtype=torch.result_type(x, y), device=y.device)
        result: Tensor = op(x, y)
        return result

    return apply


def _with_number(op: Any) -> Callable[[Tensor, int], Tensor]:
    """`op` of a tensor and a number, as of two tensors."""

    def apply(x: Tensor, number: int) -> Tensor:
        result: Tensor = op(x, torch.full((), int(number), dtype=x.dtype, device=x.device))
        return result

    return apply


def _hardtanh(x: Tensor, min_val: float = -1, max_val: float = 1) -> Tensor:
    """Integers stay integers, and their bounds become some."""
    if not x.dtype.is_floating_point:
        min_val, max_val = int(min_val), int(max_val)
    return torch.clamp(x, min_val, max_val)


def _square(x: Tensor) -> Tensor:
    """Truth values become integers, as in any power."""
    return x.to(torch.int64) if x.dtype == torch.bool else x * x


def _relu6(x: Tensor) -> Tensor:
    return torch.clamp(x, 0, 6)


def _clamp_min(x: Tensor, min: Any) -> Tensor:
    return torch.clamp(x, min=min)


def _clamp_max(x: Tensor, max: Any) -> Tensor:
    return torch.clamp(x, max=max)


def arithmetic() -> dict[Any, Callable[..., Any]]:
    """The decomposition table of this file."""
    comparisons = (
        aten.eq.Scalar,
        aten.ge.Scalar,
        aten.gt.Scalar,
        aten.le.Scalar,
        aten.lt.Scalar,
        aten.ne.Scalar,
    )
    return {
        aten.__lshift__.Scalar: _shift(torch.bitwise_left_shift),
        aten.__lshift__.Tensor: _shift(torch.bitwise_left_shift),
        aten.__rshift__.Scalar: _shift(torch.bitwise_right_shift),
        aten.__rshift__.Tensor: _shift(torch.bitwise_right_shift),
        aten.bitwise_left_shift.Scalar_Tensor: _shift(torch.bitwise_left_shift),
        aten.bitwise_right_shift.Scalar_Tensor: _shift(torch.bitwise_right_shift),
        **{op: _compare(op) for op in comparisons},
        aten._cdist_forward.default: _cdist,
        aten.add.Scalar: _add,
        aten.add.Tensor: _add,
        aten.bitwise_or.Scalar: _with_number(torch.bitwise_or),
        aten.bitwise_xor.Scalar: _with_number(torch.bitwise_xor),
        aten.cdist.default: _cdist,
        aten.clamp_max.Tensor: _clamp_max,
        aten.clamp_max.default: _clamp_max,
        aten.clamp_min.Tensor: _clamp_min,
        aten.clamp_min.default: _clamp_min,
        aten.dot.default: _dot,
        aten.eq.Tensor: _equal,
        aten.erfc.default: _erfc,
        aten.hardtanh.default: _hardtanh,
        aten.hypot.default: _hypot,
        aten.isfinite.default: _isfinite,
        aten.mul.Scalar: _multiply,
        aten.mul.Tensor: _multiply,
        aten.mv.default: _mv,
        aten.pow.Tensor_Scalar: _product,
        aten.relu6.default: _relu6,
        aten.round.decimals: _round,
        aten.square.default: _square,
        aten.sub.Scalar: _subtract,
        aten.sub.Tensor: _subtract,
    }
