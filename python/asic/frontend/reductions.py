# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions as PyTorch computes them: 16-bit floats are summed in float32, and a variance
needs no float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def in_float32(op: Any) -> Callable[..., Any]:
    """Decomposition of `op` on 16-bit floats: widened, computed, rounded once."""

    def widened(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if x.dtype not in (torch.float16, torch.bfloat16):
            return NotImplemented
        result = kwargs.get("dtype") or x.dtype
        return op(x.float(), *args, **{k: v for k, v in kwargs.items() if k != "dtype"}).to(result)

    return widened


def _squares(x: Tensor) -> Tensor:
    """Squares of absolute values."""
    return torch.view_as_real(x).square().sum(-1) if x.is_complex() else x.square()


def _variance(
    x: Tensor, dim: list[int] | None, correction: float | None, keepdim: bool
) -> tuple[Tensor, Tensor]:
    """Variance and mean in float32; of complex numbers the first is real."""
    dims = [d % x.dim() for d in dim] if dim and x.dim() else list(range(x.dim()))
    wide = x if x.is_complex() else x.float()
    count = 1
    for d in dims:
        count *= x.shape[d]
    if dims:
        mean = wide.mean(dims, keepdim=True)
        squares = _squares(wide - mean).sum(dims, keepdim=keepdim)
        mean = mean if keepdim else mean.reshape(squares.shape)
    else:
        mean, squares = wide, torch.zeros_like(wide, dtype=wide.dtype.to_real())
    return squares / max(0.0, count - (1 if correction is None else correction)), mean


def _var(
    x: Tensor,
    dim: list[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Tensor:
    return _variance(x, dim, correction, keepdim)[0].to(x.dtype.to_real())


def _std(
    x: Tensor,
    dim: list[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Tensor:
    return _variance(x, dim, correction, keepdim)[0].sqrt().to(x.dtype.to_real())


def _var_mean(
    x: Tensor,
    dim: list[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    variance, mean = _variance(x, dim, correction, keepdim)
    return variance.to(x.dtype.to_real()), mean.to(x.dtype)


def _std_mean(
    x: Tensor,
    dim: list[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    variance, mean = _variance(x, dim, correction, keepdim)
    return variance.sqrt().to(x.dtype.to_real()), mean.to(x.dtype)


def _instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """A group norm with one group per channel, or a batch norm with stored statistics."""
    if use_input_stats:
        return torch.nn.functional.group_norm(x, x.shape[1], weight, bias, eps)
    return torch.nn.functional.batch_norm(x, mean, variance, weight, bias, False, momentum, eps)


def _max(x: Tensor) -> Tensor:
    """torch-mlir's own lowering of `max` ends the process for 8-bit integers."""
    return torch.amax(x, [])


def _min(x: Tensor) -> Tensor:
    return torch.amin(x, [])


def _product(x: Tensor, dim: int, keepdim: bool = False, **options: Any) -> Any:
    """Of a tensor without dimensions, itself."""
    if x.dim():
        return in_float32(aten.prod.dim_int)(x, dim, keepdim, **options)
    whole = x.dtype if x.dtype.is_floating_point else torch.int64
    return x.to(options.get("dtype") or whole).clone()


def _of_scalar(x: Tensor, dim: list[int] | tuple[int, ...] = (), keepdim: bool = False) -> Tensor:
    """The extreme of a tensor without dimensions, which torch-mlir looks for in its dimension 0."""
    del dim, keepdim
    return NotImplemented if x.dim() else x.clone()


def reductions() -> dict[Any, Callable[..., Any]]:
    """The decomposition table of this file."""
    wide = (
        aten.sum.dim_IntList,
        aten.mean.default,
        aten.mean.dim,
        aten.prod.default,
        aten.linalg_vector_norm.default,
    )
    return {
        **{op: in_float32(op) for op in wide},
        aten.amax.default: _of_scalar,
        aten.amin.default: _of_scalar,
        aten.max.default: _max,
        aten.min.default: _min,
        aten.prod.dim_int: _product,
        aten.var.correction: _var,
        aten.std.correction: _std,
        aten.var_mean.correction: _var_mean,
        aten.std_mean.correction: _std_mean,
        aten.instance_norm.default: _instance_norm,
    }
