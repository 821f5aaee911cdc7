# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ops that torch-mlir does not have, or lacks a form of, as ops that it has.

Every function here has the signature of the op that it replaces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions

from asic.frontend.skew import export_utils

aten = torch.ops.aten


def _addbmm(x: Tensor, left: Tensor, right: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    product = torch.bmm(left, right).sum(0, dtype=x.dtype) * alpha
    # Nothing of `x` counts with a factor of zero, not even NaN.
    result: Tensor = product + (x * beta if beta else torch.zeros_like(x))
    return result


def _angle(x: Tensor) -> Tensor:
    """Of real numbers; NaN stays."""
    wide = x if x.dtype.is_floating_point else x.float()
    turned = torch.where(wide < 0, math.pi, torch.zeros_like(wide))
    return torch.where(wide == wide, turned, wide)


def _isclose(
    x: Tensor, y: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    close = x == y
    if not x.dtype.is_floating_point:
        x, y = x.float(), y.float()
    elif equal_nan:
        close = close | (x.isnan() & y.isnan())
    if rtol == 0 and atol == 0:
        return close
    error = (x - y).abs()
    return close | (error.isfinite() & (error <= atol + (rtol * y).abs()))


def _dist(x: Tensor, y: Tensor, p: float = 2) -> Tensor:
    distance: Tensor = torch.linalg.vector_norm(x - y, p)
    return distance


def _pdist(x: Tensor, p: float = 2) -> Tensor:
    """Each row less every later one."""
    count = x.shape[0]
    if count < 2:
        return x.new_zeros(0)
    pairs = [x[i : i + 1] - x[i + 1 :] for i in range(count - 1)]
    distances: Tensor = torch.linalg.vector_norm(torch.cat(pairs), p, -1)
    return distances


def _along(op: Any) -> Callable[..., Tensor]:
    """`op`, `all` or `any`, of several dimensions as of one after the other."""

    def reduce(x: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
        dims = range(x.dim()) if dim is None else dim
        for d in sorted((d % max(x.dim(), 1) for d in dims), reverse=True):
            x = op(x, d, keepdim)
        return x if x.dtype in (torch.bool, torch.uint8) else x.to(torch.bool)

    return reduce


def _nanmedian(x: Tensor) -> Tensor:
    return aten.nanmedian.dim(x.flatten(), 0)[0]  # type: ignore[no-any-return]


def _nanmedian_along(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The middle one of those in front of the NaNs, which a sort puts last."""
    if x.dim() == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    values, places = x.sort(dim)
    count = (x == x).sum(dim, keepdim=True)
    middle = torch.div((count - 1).clamp(min=0), 2, rounding_mode="floor")
    results = (values.gather(dim, middle), places.gather(dim, middle))
    value, place = (r if keepdim else r.squeeze(dim) for r in results)
    return value, place


def _put(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    flat = aten.index_put(x.flatten(), [index.flatten()], source.flatten(), accumulate)
    return flat.reshape(x.shape)  # type: ignore[no-any-return]


def _index_reduce(
    x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A scatter of whole rows."""
    if x.dim() == 0:
        return _index_reduce(
            x.reshape(1), 0, index, source.reshape(1), reduce, include_self=include_self
        ).reshape(())
    rows = index.reshape([-1 if d == dim % x.dim() else 1 for d in range(x.dim())])
    rows = rows.expand(source.shape)
    return x.scatter_reduce(dim, rows, source, reduce, include_self=include_self)


def _gather(x: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Any:
    """From a tensor without dimensions, whose only dimension is 0."""
    if x.dim():
        return NotImplemented
    return x.reshape(1).gather(0, index.reshape(-1)).reshape(index.shape)


def _index_select(x: Tensor, dim: int, index: Tensor) -> Any:
    """From a tensor without dimensions."""
    if x.dim():
        return NotImplemented
    return x.reshape(1).index_select(0, index.reshape(1)).reshape(())


def _truth(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    """`all` and `any` of a tensor without dimensions, itself."""
    if x.dim():
        return NotImplemented
    return x.clone() if x.dtype == torch.uint8 else x != 0


def _repeat_interleave(repeats: Tensor, *, output_size: int | None = None) -> Any:
    """Place n of the result is in the first row whose end is behind it."""
    if output_size is None:
        return NotImplemented
    ends = repeats.to(torch.int64).cumsum(0)
    places = torch.arange(output_size, device=repeats.device)
    return torch.searchsorted(ends, places, right=True).to(repeats.dtype)


def _searchsorted(sequence: Tensor, value: Any, **options: Any) -> Tensor:
    """Of one number."""
    number = torch.full((), value, dtype=sequence.dtype, device=sequence.device)
    return torch.searchsorted(sequence, number, **options)


def _linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: torch.dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: Any = None,
) -> Tensor:
    """Between numbers that are tensors: from both ends to the middle, as PyTorch does."""
    start, end = (
        v.float() if isinstance(v, Tensor) else torch.full((), float(v), device=device)
        for v in (start, end)
    )
    place = torch.arange(steps, device=device)
    step = (end - start) / max(steps - 1, 1)
    front, back = start + step * place, end - step * (steps - 1 - place)
    result = torch.where(place < (steps + 1) // 2, front, back) if steps > 1 else start.reshape(1)
    return result[:steps].to(dtype or torch.get_default_dtype())


def missing() -> dict[Any, Callable[..., Any]]:
    """The decomposition table of this file."""
    copies = [
        aten.as_strided_copy,
        aten.narrow_copy,
        aten.permute_copy,
        aten.unbind_copy,
        aten.view_copy,
    ]
    composites = (
        aten.fft_fftshift.default,
        aten.fft_ifftshift.default,
        aten.linalg_norm.default,
        aten.linalg_norm.ord_str,
    )
    return {
        **get_decompositions([aten.addmv, *copies]),
        **{op: export_utils._get_decomp_for_cia(op) for op in composites},
        aten._pdist_forward.default: _pdist,
        aten.addbmm.default: _addbmm,
        aten.all.dim: _truth,
        aten.all.dims: _along(torch.all),
        aten.angle.default: _angle,
        aten.any.dim: _truth,
        aten.any.dims: _along(torch.any),
        aten.dist.default: _dist,
        aten.gather.default: _gather,
        aten.index_select.default: _index_select,
        aten.index_reduce.default: _index_reduce,
        aten.isclose.default: _isclose,
        aten.linspace.Scalar_Tensor: _linspace,
        aten.linspace.Tensor_Scalar: _linspace,
        aten.linspace.Tensor_Tensor: _linspace,
        aten.nanmedian.default: _nanmedian,
        aten.nanmedian.dim: _nanmedian_along,
        aten.put.default: _put,
        aten.repeat_interleave.Tensor: _repeat_interleave,
        aten.searchsorted.Scalar: _searchsorted,
    }
