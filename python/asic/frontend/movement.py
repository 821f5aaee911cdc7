# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What only moves elements, as slices, concatenations and reshapes.

Every function here has the signature of the op that it replaces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def _spread(x: Tensor, dim: int, stride: int) -> Tensor:
    """`stride - 1` zeros behind every element along `dim`."""
    pads = [0] * (2 * (x.dim() - 1 - dim)) + [0, stride - 1]
    return torch.nn.functional.pad(x.unsqueeze(dim + 1), pads).flatten(dim, dim + 1)


def _col2im(
    x: Tensor,
    output_size: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """A sum over the kernel's points of blocks put in their places."""
    unbatched = x.dim() == 2
    x = x.unsqueeze(0) if unbatched else x
    sizes = [s + 2 * p for s, p in zip(output_size, padding, strict=True)]
    counts = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, d, s in zip(sizes, kernel_size, dilation, stride, strict=True)
    ]
    x = x.reshape(x.shape[0], -1, *kernel_size, *counts)
    total: Tensor | None = None
    for row in range(kernel_size[0]):
        for column in range(kernel_size[1]):
            block = x[:, :, row, column]
            pads: list[int] = []
            for axis, offset in enumerate((row, column)):
                block = _spread(block, axis + 2, stride[axis])
                before = offset * dilation[axis]
                pads = [before, sizes[axis] - before - block.shape[axis + 2], *pads]
            block = torch.nn.functional.pad(block, pads)
            total = block if total is None else total + block
    assert total is not None
    for axis, (size, edge) in enumerate(zip(output_size, padding, strict=True)):
        total = total.narrow(axis + 2, edge, size)
    return (total.squeeze(0) if unbatched else total).clone()


def _im2col(
    x: Tensor,
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """A strided slice for each of the kernel's points."""
    unbatched = x.dim() == 3
    x = x.unsqueeze(0) if unbatched else x
    x = torch.nn.functional.pad(x, [padding[1], padding[1], padding[0], padding[0]])
    counts = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, d, s in zip(x.shape[2:], kernel_size, dilation, stride, strict=True)
    ]
    blocks = []
    for row in range(kernel_size[0]):
        for column in range(kernel_size[1]):
            block = x
            for axis, offset in enumerate((row, column)):
                start = offset * dilation[axis]
                end = start + (counts[axis] - 1) * stride[axis] + 1
                block = aten.slice(block, axis + 2, start, end, stride[axis])
            blocks.append(block)
    stacked = torch.stack(blocks, 2)
    result = stacked.reshape(x.shape[0], -1, math.prod(counts))
    return result.squeeze(0) if unbatched else result


def _reflection_pad(x: Tensor, padding: Sequence[int]) -> Tensor:
    return _pad_by(x, padding, lambda size, place: size - 1 - abs(size - 1 - abs(place)))


def _replication_pad(x: Tensor, padding: Sequence[int]) -> Tensor:
    return _pad_by(x, padding, lambda size, place: min(max(place, 0), size - 1))


def _pad_by(x: Tensor, padding: Sequence[int], source: Callable[[int, int], int]) -> Tensor:
    """Slices in front of and behind the last dimensions, the last first; negative padding cuts."""
    for number, (before, after) in enumerate(zip(padding[::2], padding[1::2], strict=True)):
        dim = x.dim() - 1 - number
        size = x.shape[dim]
        low, high = max(-before, 0), size - max(-after, 0)
        places = [*range(-before, min(0, size + after))], [*range(max(size, low), size + after)]
        head, tail = ([x.narrow(dim, source(size, i), 1) for i in part] for part in places)
        middle = [x.narrow(dim, low, high - low)] if low < high else []
        x = torch.cat([*head, *middle, *tail], dim)
    return x


#: Slices that a reversal may make of a dimension at once.
_MAX_SLICES = 32


def _flip(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Blocks change places, then what is in them, by the factors of the size."""
    for dim in (d % x.dim() for d in dims if x.dim()):
        if not isinstance(x.shape[dim], int):
            return NotImplemented  # type: ignore[no-any-return]
        factors = _factors(x.shape[dim])
        if max(factors, default=1) > _MAX_SLICES:
            return NotImplemented  # type: ignore[no-any-return]
        for place, factor in enumerate(factors):
            outer, inner = math.prod(factors[:place]), math.prod(factors[place + 1 :])
            shape = (*x.shape[:dim], outer, factor, inner, *x.shape[dim + 1 :])
            blocks = x.reshape(shape)
            parts = [blocks.narrow(dim + 1, i, 1) for i in reversed(range(factor))]
            x = torch.cat(parts, dim + 1).flatten(dim, dim + 2)
    return x.clone()


def _factors(number: int) -> list[int]:
    """Prime factors, small ones joined up to 8."""
    factors: list[int] = []
    rest, prime = number, 2
    while rest > 1:
        while rest % prime:
            prime += 1 if prime * prime <= rest else rest - prime
        rest //= prime
        if factors and factors[-1] * prime <= 8:
            factors[-1] *= prime
        else:
            factors.append(prime)
    return factors


def _diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Every (width + 1)-th element of the flat plane."""
    x = x.movedim((dim1, dim2), (-2, -1))
    height, width = x.shape[-2:]
    x = x.narrow(-2, max(-offset, 0), height - max(-offset, 0))
    x = x.narrow(-1, max(offset, 0), width - max(offset, 0))
    height, width = x.shape[-2:]
    count = min(height, width)
    flat = x.narrow(-2, 0, count).flatten(-2)
    return aten.slice(flat, -1, 0, (count - 1) * (width + 1) + 1, width + 1)  # type: ignore[no-any-return]


def _diag_embed(x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Rows of size + 1 with the element in front, cut into rows of `size`."""
    if offset or (dim1, dim2) not in ((-2, -1), (x.dim() - 1, x.dim())):
        return NotImplemented  # type: ignore[no-any-return]
    size = x.shape[-1]
    rows = torch.nn.functional.pad(x.unsqueeze(-1), [0, size])
    return rows.flatten(-2).narrow(-1, 0, size * size).reshape(*x.shape, size)


def _select_scatter(x: Tensor, source: Tensor, dim: int, index: int) -> Tensor:
    size = x.shape[dim]
    index %= size
    after = x.narrow(dim, index + 1, size - index - 1)
    return torch.cat([x.narrow(dim, 0, index), source.unsqueeze(dim), after], dim)


def _diagonal_scatter(
    x: Tensor, source: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    rows = torch.arange(source.shape[-1], device=x.device) + max(-offset, 0)
    columns = torch.arange(source.shape[-1], device=x.device) + max(offset, 0)
    front = x.movedim((dim1, dim2), (0, 1))
    put = aten.index_put(front, (rows, columns), source.movedim(-1, 0))
    return put.movedim((0, 1), (dim1, dim2)).clone()  # type: ignore[no-any-return]


def _masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Element n of `source` at the n-th place that the mask chooses."""
    x, mask = torch.broadcast_tensors(x, mask)  # type: ignore[no-untyped-call]
    place = (mask.flatten().long().cumsum(0) - 1).clamp(0, source.numel() - 1)
    return torch.where(mask, source.flatten()[place].reshape(x.shape), x)


def movements() -> dict[Any, Callable[..., Any]]:
    """The decomposition table of this file."""
    return {
        aten.col2im.default: _col2im,
        aten.diagonal_scatter.default: _diagonal_scatter,
        aten.diag_embed.default: _diag_embed,
        aten.diagonal.default: _diagonal,
        aten.flip.default: _flip,
        aten.im2col.default: _im2col,
        aten.masked_scatter.default: _masked_scatter,
        aten.reflection_pad1d.default: _reflection_pad,
        aten.reflection_pad2d.default: _reflection_pad,
        aten.reflection_pad3d.default: _reflection_pad,
        aten.replication_pad1d.default: _replication_pad,
        aten.replication_pad2d.default: _replication_pad,
        aten.replication_pad3d.default: _replication_pad,
        aten.select_scatter.default: _select_scatter,
    }
