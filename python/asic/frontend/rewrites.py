# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Forms of ops that torch-mlir lowers wrongly or not at all, as forms that it lowers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from asic.frontend.pooling import max_pool_of_integers
from asic.frontend.reductions import in_float32

aten = torch.ops.aten


def _pad(x: Tensor, pad: list[int], value: float = 0) -> Any:
    """Negative padding cuts first; what is left is padding."""
    if all(p >= 0 for p in pad):
        return NotImplemented
    for position in range(0, len(pad), 2):
        dim = x.dim() - 1 - position // 2
        low, high = max(0, -pad[position]), max(0, -pad[position + 1])
        x = x.narrow(dim, low, x.shape[dim] - low - high)
    pad = [max(0, p) for p in pad]
    if x.numel() == 0:
        shape = list(x.shape)
        for position in range(0, len(pad), 2):
            shape[-1 - position // 2] += pad[position] + pad[position + 1]
        return x.new_full(shape, value)
    return aten.constant_pad_nd.default(x, pad, value) if any(pad) else x.clone()


def _batched(op: Any, rank: int, otherwise: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Decomposition of a pooling `op` on an image without a batch dimension."""

    def pooled(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if x.dim() != rank + 1:
            return NotImplemented if otherwise is None else otherwise(x, *args, **kwargs)
        made = op(x.unsqueeze(0), *args, **kwargs)
        if isinstance(made, tuple):
            return tuple(part.squeeze(0) for part in made)
        return made.squeeze(0)

    return pooled


def _where(condition: Tensor, x: Tensor, y: Tensor) -> Any:
    """A choice between a value and itself, which torch-mlir forgets to broadcast."""
    if x is not y:
        return NotImplemented
    return torch.broadcast_tensors(condition, x)[1].clone()  # type: ignore[no-untyped-call]


def _alike(op: Any) -> Callable[..., Any]:
    """Decomposition of an `op` of two operands that torch-mlir lowers for one shape alone."""

    def broadcast(x: Tensor, y: Tensor) -> Any:
        if x.shape == y.shape:
            return NotImplemented
        return op(*torch.broadcast_tensors(x, y))  # type: ignore[no-untyped-call]

    return broadcast


def _of_one_type(op: Any, values: int, bounds: int) -> Callable[..., Any]:
    """Decomposition of an `op` that compares arguments of two types: both get the wider one."""

    def compared(*args: Any, **kwargs: Any) -> Any:
        dtype = torch.promote_types(args[values].dtype, args[bounds].dtype)
        if args[values].dtype == args[bounds].dtype:
            return NotImplemented
        wide = [a.to(dtype) if i in (values, bounds) else a for i, a in enumerate(args)]
        return op(*wide, **kwargs)

    return compared


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Any:
    """Groups of volumes one by one; torch-mlir has those of images only."""
    if groups == 1 or weight.dim() != 5:
        return NotImplemented
    biases = (None,) * groups if bias is None else bias.chunk(groups)
    parts = [
        aten.convolution.default(*part, stride, padding, dilation, transposed, output_padding, 1)
        for part in zip(x.chunk(groups, 1), weight.chunk(groups), biases, strict=True)
    ]
    return torch.cat(parts, 1)


def _leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return torch.where(x > 0, x, x * negative_slope)


def _embedding_renorm(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Every row, not those alone that are read: of the others nobody sees anything."""
    norms = torch.linalg.vector_norm(weight, norm_type, -1, keepdim=True)
    return torch.where(norms > max_norm, weight * (max_norm / (norms + 1e-7)), weight)


def _multilabel_margin_loss(x: Tensor, target: Tensor, reduction: int) -> tuple[Tensor, Tensor]:
    """Margins to the classes in front of the first negative one; PyTorch's own form counts all."""
    if x.dim() == 0:
        loss, is_target = _multilabel_margin_loss(x.reshape(1), target.reshape(1), reduction)
        return loss.reshape(()), is_target.reshape(target.shape)
    counts = (target < 0).to(torch.int32).cumsum(-1) == 0
    places = torch.where(counts, target, 0)
    classes = torch.arange(x.shape[-1], device=x.device)
    is_target = ((places.unsqueeze(-1) == classes) & counts.unsqueeze(-1)).any(-2)
    margins = (1 - x.gather(-1, places).unsqueeze(-1) + x.unsqueeze(-2)).clamp(min=0)
    margins = torch.where(counts.unsqueeze(-1) & ~is_target.unsqueeze(-2), margins, 0.0)
    loss = margins.sum((-2, -1)) / x.shape[-1]
    return (loss, loss.mean(), loss.sum())[reduction], is_target.to(x.dtype)


def _max_pool3d(x: Tensor, *args: Any) -> Any:
    """Maxima of integers, for which torch-mlir's lowering ends the process."""
    return NotImplemented if x.dtype.is_floating_point else max_pool_of_integers(x, *args)[0]


def rewrites() -> dict[Any, Callable[..., Any]]:
    """The decomposition table of this file."""
    pools = {
        aten.max_pool1d.default: 1,
        aten.max_pool2d.default: 2,
        aten._adaptive_avg_pool3d.default: 3,
        aten.adaptive_avg_pool2d.default: 2,
        aten.adaptive_max_pool2d.default: 2,
    }
    integers = {
        aten.max_pool3d.default: (3, _max_pool3d),
        aten.max_pool2d_with_indices.default: (2, max_pool_of_integers),
        aten.max_pool3d_with_indices.default: (3, max_pool_of_integers),
    }
    averages = {aten.avg_pool1d.default: 1, aten.avg_pool2d.default: 2, aten.avg_pool3d.default: 3}
    return {
        aten.bucketize.Tensor: _of_one_type(aten.bucketize.Tensor, 0, 1),
        aten.constant_pad_nd.default: _pad,
        aten.convolution.default: _convolution,
        aten.embedding_renorm.default: _embedding_renorm,
        aten.fmax.default: _alike(aten.fmax.default),
        aten.fmin.default: _alike(aten.fmin.default),
        aten.leaky_relu.default: _leaky_relu,
        aten.multilabel_margin_loss_forward.default: _multilabel_margin_loss,
        aten.searchsorted.Tensor: _of_one_type(aten.searchsorted.Tensor, 1, 0),
        aten.where.self: _where,
        **{op: _batched(op, rank) for op, rank in pools.items()},
        **{op: _batched(op, rank, rule) for op, (rank, rule) in integers.items()},
        **{op: _batched(op, rank, in_float32(op)) for op, rank in averages.items()},
    }
