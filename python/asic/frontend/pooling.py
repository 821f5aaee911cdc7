# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Poolings whose windows differ, as poolings and reductions of equal ones.

Every function here has the signature of the op that it replaces.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

aten = torch.ops.aten


def _avg_pool2d(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Sums divided by sums of ones where windows differ in what they count."""
    padded = any(padding) and not count_include_pad
    if divisor_override is not None or not (padded or ceil_mode):
        return NotImplemented  # type: ignore[no-any-return]
    kernel, stride = _pair(kernel_size), _pair(stride or kernel_size)
    axes = list(zip(x.shape[-2:], kernel, stride, _pair(padding), strict=True))
    beyond = [_beyond(*axis) for axis in axes] if ceil_mode else [0, 0]
    if not padded and not any(beyond):  # All windows are whole.
        return aten.avg_pool2d(x, kernel, stride, padding)  # type: ignore[no-any-return]
    ones = x.new_ones(*[1] * (x.dim() - 2), *x.shape[-2:])
    # The padding that counts, then what a last window covers beyond it.
    ones = F.pad(ones, _last_first([(p, p) for *_, p in axes]), value=float(count_include_pad))
    if any(beyond):
        ones = F.pad(ones, _last_first([(0, amount) for amount in beyond]))
    total = aten.avg_pool2d(x, kernel, stride, padding, ceil_mode, True, 1)
    return total / aten.avg_pool2d(ones, kernel, stride, [0, 0], False, True, 1)  # type: ignore[no-any-return]


def _pair(values: Sequence[int]) -> list[int]:
    """One value per axis."""
    return list(values) if len(values) == 2 else [*values] * 2


def _last_first(pads: Sequence[tuple[int, int]]) -> list[int]:
    """(low, high) per axis as `torch.nn.functional.pad` takes them."""
    return [amount for pair in reversed(pads) for amount in pair]


def _beyond(size: int, kernel: int, stride: int, padding: int) -> int:
    """How far the last window of `ceil_mode` reaches beyond the padding.

    As in PyTorch, a window that would start in the padding behind the elements is none.
    """
    count = -(-(size + 2 * padding - kernel) // stride) + 1
    if (count - 1) * stride >= size + padding:
        count -= 1
    return max(0, (count - 1) * stride + kernel - (size + 2 * padding))


def max_pool_of_integers(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Maxima and their flat places: torch-mlir's lowering ends the process, or has none."""
    if x.dtype.is_floating_point:
        return NotImplemented  # type: ignore[no-any-return]
    rank = x.dim() - 2
    given = (kernel_size, stride or kernel_size, padding, dilation)
    each = [list(v) if len(v) == rank else [*v] * rank for v in given]
    sizes = x.shape[2:]
    axes = [
        _points(size, kernel, step, edge, gap, ceil_mode, x.device)
        for size, kernel, step, edge, gap in zip(sizes, *each, strict=True)
    ]
    values, places = [], []
    for points in itertools.product(*axes):
        # Each axis has its own dimension.
        at = [p.reshape([-1 if i == a else 1 for i in range(rank)]) for a, p in enumerate(points)]
        values.append(aten.index(x, [None, None, *at]))
        place = at[0]
        for size, point in zip(sizes[1:], at[1:], strict=True):
            place = place * size + point
        places.append(place)
    stacked = torch.stack(values)
    best = stacked.argmax(0, keepdim=True)
    where = torch.stack(places).reshape(len(places), 1, 1, *best.shape[3:]).expand_as(stacked)
    return stacked.gather(0, best).squeeze(0), where.gather(0, best).squeeze(0)


def _points(
    size: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    ceil_mode: bool,
    device: torch.device,
) -> list[Tensor]:
    """For each point of the kernel, where it is in every window.

    A point in the padding reads the first one of its window that is none, so that nothing is padded.
    """
    reach = dilation * (kernel - 1) + 1
    count = (size + 2 * padding - reach + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    start = torch.arange(count, device=device) * stride - padding
    missing = (-start).clamp(min=0) + (dilation - 1)
    first = start + torch.div(missing, dilation, rounding_mode="floor") * dilation
    points = [start + n * dilation for n in range(kernel)]
    return [torch.where((p < 0) | (p >= size), first, p) for p in points]


def _windows(size: int, count: int) -> list[tuple[int, int]]:
    """(start, length) of the windows of an adaptive pooling."""
    starts = [i * size // count for i in range(count)]
    ends = [-(-(i + 1) * size // count) for i in range(count)]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def _pool(x: Tensor, output_size: Sequence[int], reduce: Callable[[Tensor, int], Tensor]) -> Tensor:
    """An adaptive pooling, one dimension after the other."""
    for axis, count in enumerate(output_size):
        dim = x.dim() - len(output_size) + axis
        size = x.shape[dim]
        if size % count == 0:
            shape = (*x.shape[:dim], count, size // count, *x.shape[dim + 1 :])
            x = reduce(x.reshape(shape), dim + 1).squeeze(dim + 1)
        else:
            parts = [reduce(x.narrow(dim, *w), dim) for w in _windows(size, count)]
            x = torch.cat(parts, dim)
    return x


def _adaptive_max_pool(x: Tensor, output_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    values = _pool(x, output_size, lambda part, dim: part.amax(dim, keepdim=True))
    return values, _window_places(x, output_size)


def _window_places(x: Tensor, output_size: Sequence[int]) -> Tensor:
    """Flat places of the maxima of adaptive windows in one or two dimensions."""
    if len(output_size) == 1:
        return _window_places(x.unsqueeze(-2), [1, *output_size]).squeeze(-2)
    height, width = x.shape[-2:]
    rows = []
    for top, high in _windows(height, output_size[0]):
        row = []
        for left, wide in _windows(width, output_size[1]):
            window = x.narrow(-2, top, high).narrow(-1, left, wide)
            place = window.flatten(-2).argmax(-1)
            down = torch.div(place, wide, rounding_mode="trunc")
            row.append((down + top) * width + (place - down * wide) + left)
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


def _max_unpool2d(x: Tensor, indices: Tensor, output_size: Sequence[int]) -> Tensor:
    shape = (*x.shape[:-2], *output_size)
    plane = x.new_zeros((*x.shape[:-2], math.prod(output_size)))
    return plane.scatter(-1, indices.flatten(-2), x.flatten(-2)).reshape(shape)


def poolings() -> dict[Any, Callable[..., Any]]:
    """The decomposition table of this file."""
    return {
        aten.adaptive_max_pool1d.default: _adaptive_max_pool,
        aten.adaptive_max_pool2d.default: _adaptive_max_pool,
        aten.avg_pool2d.default: _avg_pool2d,
        aten.max_unpool2d.default: _max_unpool2d,
    }
