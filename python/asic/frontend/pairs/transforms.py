# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules of Fourier transforms: products with cosines and sines.

A whole signal is a matrix product, frames are a convolution with the windowed tables, and frames
back into a signal are its transpose. Accelerators have no fast transform, and frames are short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from asic.frontend.pairs.builder import Builder, Pair, Part, is_zero

aten = torch.ops.aten

#: Elements of a table at most.
_TABLE_LIMIT = 1 << 24


def turns(frequencies: int, places: int, size: int) -> Tensor:
    """2π · k · n / size of frequency k and place n, exact to float64."""
    numbers = torch.arange(frequencies, dtype=torch.float64), torch.arange(places).double()
    return 2 * torch.pi * (torch.outer(*numbers) % size / size)


def check_table(b: Builder, *shape: int) -> None:
    """Refuses tables that are too large."""
    if 0 in shape or math.prod(shape) > _TABLE_LIMIT:
        b.refuse(
            "Fourier transforms whose tables have 1 to 2^24 elements",
            "transform shorter signals, or keep that part outside the compiled model",
        )


def _scale(norm: str | None, size: int, inverse: bool) -> float:
    """What a transform of this size is multiplied with."""
    if norm == "ortho":
        return 1 / math.sqrt(size)
    return 1 / size if ((norm or "backward") == "forward") != inverse else 1.0


def _extent(b: Builder, x: Node, dim: int) -> int:
    extent = x.meta["val"].shape[dim]
    if not isinstance(extent, int):
        b.refuse("Fourier transforms over dimensions of static size", "leave the dimension static")
    return extent


def _product(b: Builder, x: Part, dim: int, table: Node) -> Part:
    """`x` times the table along a dimension."""
    if not isinstance(x, Node):
        return 0.0
    if dim % x.meta["val"].dim() == x.meta["val"].dim() - 1:
        return b.call(aten.matmul.default, x, table)
    rows = b.call(aten.transpose.int, x, dim, -1)
    return b.call(aten.transpose.int, b.call(aten.matmul.default, rows, table), dim, -1)


def _halves(b: Builder, both: Part, dim: int, count: int) -> Pair:
    """The first `count` along a dimension, and those behind them."""
    if not isinstance(both, Node):
        return Pair(0.0, 0.0)
    first = b.call(aten.slice.Tensor, both, dim, 0, count)
    return Pair(first, b.call(aten.slice.Tensor, both, dim, count, 2 * count))


def _cut(b: Builder, x: Pair, dim: int, extent: int, size: int) -> Pair:
    """The first `size` elements along a dimension of `extent`."""
    if extent <= size:
        return x
    return Pair(
        *(b.call(aten.slice.Tensor, p, dim, 0, size) if isinstance(p, Node) else p for p in x)
    )


def _nodes(b: Builder, x: Pair, shape: Sequence[int]) -> Pair:
    """The pair without numbers that are not zero."""
    return Pair(*(p if is_zero(p) else b.tensor(p, shape) for p in x))


def _along(
    b: Builder,
    x: Pair,
    extent: int,
    size: int,
    dim: int,
    count: int,
    inverse: bool,
    scale: float,
    only: int | None = None,
) -> Pair:
    """`count` frequencies of a signal cut or filled with zeros to `size`, or one part of them."""
    x = _cut(b, x, dim, extent, size)
    rows = min(extent, size)  # The table leaves out what the zeros would meet.
    check_table(b, rows, 2, count)
    angles = turns(rows, count, size)
    sines = angles.sin() if inverse else -angles.sin()
    waves = [(wave * scale).float() for wave in (angles.cos(), sines)]
    if only is not None:
        tables = b.constant("cosines", waves[0]), b.constant("sines", waves[1])
        one = _product(b, x.real, dim, tables[only])
        other = _product(b, x.imag, dim, tables[1 - only])
        return Pair(0.0, b.add(one, other)) if only else Pair(b.sub(one, other), 0.0)
    table = b.constant("table", torch.cat(waves, 1))
    left = _halves(b, _product(b, x.real, dim, table), dim, count)
    right = _halves(b, _product(b, x.imag, dim, table), dim, count)
    return Pair(b.sub(left.real, right.imag), b.add(left.imag, right.real))


def _real_along(b: Builder, x: Pair, extent: int, size: int, dim: int, scale: float) -> Node:
    """The real signal of `size` whose first half of a spectrum this is."""
    rows = min(extent, size // 2 + 1)
    x = _cut(b, x, dim, extent, rows)
    check_table(b, rows, 2, size)
    angles, factors = turns(rows, size, size), weights(rows, size) * scale
    sides = [
        _product(b, part, dim, b.constant(f"{name}s", (table * factors).float()))
        for part, name, table in zip(
            x, ("cosine", "sine"), (angles.cos(), -angles.sin()), strict=True
        )
    ]
    total = b.add(*sides)
    shape = list(b.node.meta["val"].shape)
    return b.tensor(total, shape)


def weights(count: int, size: int) -> Tensor:
    """How often each of the first frequencies stands in a whole spectrum, as a column."""
    column = torch.full((count, 1), 2.0, dtype=torch.float64)
    column[0] = 1
    if size % 2 == 0 and count == size // 2 + 1:
        column[-1] = 1
    return column


def _dims(x: Node, s: Any, dim: Any) -> list[int]:
    """The dimensions of a transform over several, counted from the front."""
    rank = x.meta["val"].dim()
    if dim is None:
        dim = range(0 if s is None else rank - len(s), rank)
    return [d % rank for d in dim]


def _several(
    b: Builder,
    x: Pair,
    shape: list[int],
    steps: list[tuple[int, int, int]],
    norm: str | None,
    inverse: bool,
    only: int | None = None,
) -> Pair:
    """Transforms one after the other; changes `shape` to the result's.

    Args:
        steps: dimension, size, and how many frequencies are wanted.
        only: the one part of the result that is read.
    """
    for left, (dim, size, count) in zip(reversed(range(len(steps))), steps, strict=True):
        scale = _scale(norm, size, inverse)
        half = None if left else only
        x = _along(b, x, shape[dim], size, dim, count, inverse, scale, half)
        shape[dim] = count
    return x


def _full(sizes: dict[int, int]) -> list[tuple[int, int, int]]:
    """Steps that want every frequency."""
    return [(dim, size, size) for dim, size in sizes.items()]


def _whole(inverse: bool, several: bool = True) -> Callable[..., Pair]:
    """Rule of `fft`, `ifft` and their forms over several dimensions."""

    def rule(b: Builder, x: Node, s: Any = None, dim: Any = None, norm: str | None = None) -> Pair:
        sizes, shape = _sizes(b, x, s, dim, several)
        value = _nodes(b, b.pair(x), shape)
        return _several(b, value, shape, _full(sizes), norm, inverse, b.only_part())

    return rule


def _sizes(
    b: Builder, x: Node, s: Any, dim: Any, several: bool
) -> tuple[dict[int, int], list[int]]:
    """Size of each dimension's transform, and the shape of the signal."""
    if not several:
        s, dim = None if s is None else [s], [-1 if dim is None else dim]
    dims = _dims(x, s, dim)
    given = [-1] * len(dims) if s is None else list(s)
    extents = [_extent(b, x, d) for d in dims]
    sizes = {d: extent if n == -1 else n for d, extent, n in zip(dims, extents, given, strict=True)}
    return sizes, list(x.meta["val"].shape)


def _of_real(several: bool) -> Callable[..., Pair]:
    """Rule of `rfft`: half a spectrum along the last dimension, then the others."""

    def rule(b: Builder, x: Node, s: Any = None, dim: Any = None, norm: str | None = None) -> Pair:
        sizes, shape = _sizes(b, x, s, dim, several)
        last, size = sizes.popitem()
        steps = [(last, size, size // 2 + 1), *_full(sizes)]
        return _several(b, b.pair(x), shape, steps, norm, False, b.only_part())

    return rule


def _to_real(several: bool) -> Callable[..., Node]:
    """Rule of `irfft`: the other dimensions, then a real signal along the last."""

    def rule(b: Builder, x: Node, s: Any = None, dim: Any = None, norm: str | None = None) -> Node:
        sizes, shape = _sizes(b, x, s, dim, several)
        last, _ = sizes.popitem()
        value = _several(b, _nodes(b, b.pair(x), shape), shape, _full(sizes), norm, inverse=True)
        size = b.node.meta["val"].shape[last]
        return _real_along(b, value, shape[last], size, last, _scale(norm, size, inverse=True))

    return rule


#: `normalization` of core ATen's transforms: none, by the root of the size, by the size.
_POWERS = (0.0, -0.5, -1.0)


def _core_scale(size: int, normalization: int) -> float:
    return math.pow(size, _POWERS[normalization])


def _core_whole(b: Builder, x: Node, dim: Sequence[int], normalization: int, forward: bool) -> Pair:
    value = _nodes(b, b.pair(x), x.meta["val"].shape)
    for d in dim:
        size = _extent(b, x, d)
        scale = _core_scale(size, normalization)
        value = _along(b, value, size, size, d, size, not forward, scale)
    return value


def _core_of_real(b: Builder, x: Node, dim: Sequence[int], normalization: int, half: bool) -> Pair:
    value = b.pair(x)
    for place, d in enumerate(reversed(dim)):
        size = _extent(b, x, d)
        count = size // 2 + 1 if half and place == 0 else size
        value = _along(b, value, size, size, d, count, False, _core_scale(size, normalization))
    return value


def _core_to_real(b: Builder, x: Node, dim: Sequence[int], normalization: int, size: int) -> Node:
    *others, last = dim
    value = _nodes(b, b.pair(x), x.meta["val"].shape)
    for d in others:
        extent = _extent(b, x, d)
        scale = _core_scale(extent, normalization)
        value = _along(b, value, extent, extent, d, extent, True, scale)
    scale = _core_scale(size, normalization)
    return _real_along(b, value, _extent(b, x, last), size, last, scale)


def transforms() -> dict[Any, Callable[..., Any]]:
    """The rules of this file."""
    return {
        aten._fft_c2c.default: _core_whole,
        aten._fft_c2r.default: _core_to_real,
        aten._fft_r2c.default: _core_of_real,
        aten.fft_fft.default: _whole(False, several=False),
        aten.fft_fft2.default: _planes(_whole(False)),
        aten.fft_fftn.default: _whole(False),
        aten.fft_ifft.default: _whole(True, several=False),
        aten.fft_ifft2.default: _planes(_whole(True)),
        aten.fft_ifftn.default: _whole(True),
        aten.fft_irfft.default: _to_real(several=False),
        aten.fft_irfft2.default: _planes(_to_real(several=True)),
        aten.fft_irfftn.default: _to_real(several=True),
        aten.fft_rfft.default: _of_real(several=False),
        aten.fft_rfft2.default: _planes(_of_real(several=True)),
        aten.fft_rfftn.default: _of_real(several=True),
    }


def _planes(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule over several dimensions for the last two."""

    def planes(b: Builder, x: Node, s: Any = None, dim: Any = (-2, -1), norm: Any = None) -> Any:
        return rule(b, x, s, dim, norm)

    return planes
