# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules of what does the same to both parts: movement, sums, conversions.

Every rule takes the builder and the arguments of the op that it is for.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from asic.frontend.pairs.builder import Builder, Pair, Part, is_zero

aten = torch.ops.aten


def _shape(value: Any) -> Any:
    """Shape of an operand; a number has none."""
    return value.meta["val"].shape if isinstance(value, Node) else ()


def _each(b: Builder, source: Any, *args: Any, **kwargs: Any) -> Pair:
    """The op of each part; of nothing it is nothing."""

    def apply(part: Part) -> Part:
        return (
            0.0
            if is_zero(part)
            else b.call(b.node.target, b.tensor(part, _shape(source)), *args, **kwargs)
        )

    pair = b.pair(source)
    return Pair(apply(pair.real), apply(pair.imag))


def _item(b: Builder, several: Node, place: int) -> Pair:
    """One of the results of a split."""
    return Pair(*(p if is_zero(p) else b.call(operator.getitem, p, place) for p in b.pair(several)))


def _reduce(b: Builder, source: Node, *args: Any, dtype: Any = None) -> Pair:
    """A sum or a mean; a complex result type says nothing new."""
    return _each(b, source, *args)


def _data(count: int) -> Callable[..., Pair]:
    """Rule of an op whose first arguments are data."""

    def rule(b: Builder, *args: Any, **kwargs: Any) -> Pair:
        return _together(b, list(args[:count]), lambda parts: (*parts, *args[count:]), kwargs)

    return rule


def _joined(b: Builder, sources: list[Any], *args: Any, **kwargs: Any) -> Pair:
    """`cat`, `stack` and the like."""
    return _together(b, list(sources), lambda parts: (parts, *args), kwargs)


def _together(
    b: Builder, sources: list[Any], arguments: Callable[[list[Node]], Any], kwargs: Any
) -> Pair:
    pairs = [b.pair(source) for source in sources]
    made: list[Part] = []
    for place in (0, 1):
        parts = [pair[place] for pair in pairs]
        if all(is_zero(part) for part in parts):
            made.append(0.0)
            continue
        nodes = [b.tensor(p, _shape(source)) for p, source in zip(parts, sources, strict=True)]
        made.append(b.call(b.node.target, *arguments(nodes), **kwargs))
    return Pair(*made)


def _where(b: Builder, condition: Node, x: Any, y: Any) -> Pair:
    def choose(left: Part, right: Part) -> Part:
        if is_zero(left) and is_zero(right):
            return 0.0
        return b.call(aten.where.self, condition, b.tensor(left), b.tensor(right))

    first, second = b.pair(x), b.pair(y)
    return Pair(choose(first.real, second.real), choose(first.imag, second.imag))


def _masked_fill(b: Builder, x: Node, mask: Node, value: Any) -> Pair:
    return _where(b, mask, value, x)


def _index_put(b: Builder, x: Node, indices: Any, values: Any, accumulate: bool = False) -> Pair:
    return _together(b, [x, values], lambda parts: (parts[0], indices, parts[1], accumulate), {})


def _pad(b: Builder, x: Node, pad: Any, mode: Any = "constant", value: Any = None) -> Pair:
    if not isinstance(mode, str):  # constant_pad_nd has no mode.
        mode, value = "constant", mode
    if mode != "constant":
        return _each(b, x, pad, mode)
    number = complex(value or 0)

    def padded(part: Part, fill: float) -> Part:
        if is_zero(part) and not fill:
            return 0.0
        return b.call(aten.constant_pad_nd.default, b.tensor(part, _shape(x)), pad, fill)

    pair = b.pair(x)
    return Pair(padded(pair.real, number.real), padded(pair.imag, number.imag))


def _constant_pad(b: Builder, x: Node, pad: Any, value: Any = 0) -> Pair:
    return _pad(b, x, pad, "constant", value)


def _shifted(sign: int) -> Callable[..., Pair]:
    """`fftshift` and its inverse: half the size, to the right or back."""

    def rule(b: Builder, x: Node, dim: Any = None) -> Pair:
        shape = b.static(_shape(x))
        dims = range(len(shape)) if dim is None else [dim] if isinstance(dim, int) else dim
        shifts = [sign * (shape[d] // 2) for d in dims]
        pair = b.pair(x)
        parts = (
            part
            if is_zero(part)
            else b.call(aten.roll.default, b.tensor(part, shape), shifts, list(dims))
            for part in pair
        )
        return Pair(*parts)

    return rule


def _same(b: Builder, x: Node, *args: Any, **kwargs: Any) -> Pair:
    """A copy, a conversion: what the result's type leaves out is seen to by the caller."""
    return b.pair(x)


def _copied(b: Builder, into: Node, source: Any, *args: Any) -> Pair:
    return b.pair(source)


def _adjoint(b: Builder, x: Node) -> Pair:
    pair = b.pair(x)
    real, imag = (
        part if is_zero(part) else b.call(aten.transpose.int, b.tensor(part, _shape(x)), -2, -1)
        for part in pair
    )
    return Pair(real, b.neg(imag))


def _filled(value: Any) -> Callable[..., Pair]:
    """Rule of a factory: one number everywhere."""

    def rule(b: Builder, *args: Any, **kwargs: Any) -> Pair:
        return b.pair(args[1] if value is None else value)

    return rule


def _new_full(b: Builder, x: Node, size: Any, value: Any, **kwargs: Any) -> Pair:
    return b.pair(value)


def _as_complex(b: Builder, x: Node) -> Pair:
    if x in b.halves:
        return b.halves[x]
    return Pair(*(b.call(aten.select.int, x, -1, place) for place in (0, 1)))


def _as_real(b: Builder, x: Node) -> Node:
    pair = b.pair(x)
    parts = [b.tensor(part, _shape(x)) for part in pair]
    stacked = b.call(aten.stack.default, parts, -1)
    b.halves[stacked] = pair
    return stacked


def _reread(b: Builder, x: Node, dtype: torch.dtype) -> Any:
    """`x.view(dtype)`, whose last dimension doubles or halves."""
    if x in b.pairs and dtype == torch.float32:
        return b.call(aten.flatten.using_ints, _as_real(b, x), -2)
    if x not in b.pairs and x.meta["val"].dtype == torch.float32:
        return _as_complex(b, b.call(aten.unflatten.int, x, -1, [-1, 2]))
    b.refuse("views of complex64 as float32, or back")


def movement() -> dict[Any, Callable[..., Any]]:
    """The rules of this file."""
    packets = (
        "alias chunk clone contiguous cumsum detach diagonal diag_embed expand expand_as flatten flip gather "
        "index index_select lift_fresh_copy mT movedim narrow permute repeat repeat_interleave reshape "
        "reshape_as roll select slice split split_with_sizes squeeze swapaxes swapdims t tensor_split tile "
        "transpose tril triu unbind unflatten unfold unsafe_chunk unsafe_split unsqueeze view view_as "
        "broadcast_to numpy_T moveaxis hsplit vsplit ravel _unsafe_view trace take_along_dim"
    )
    each = {
        getattr(packet, overload): _each
        for name in packets.split()
        for packet in [getattr(aten, name)]
        for overload in packet.overloads()
        if "out" not in overload
    }
    joined = (aten.cat, aten.concat, aten.concatenate, aten.stack, aten.hstack, aten.vstack)
    reductions = (aten.sum.default, aten.sum.dim_IntList, aten.mean.default, aten.mean.dim)
    copies = (
        aten._to_copy.default,
        aten.resolve_conj.default,
        aten.resolve_neg.default,
        aten.to.dtype,
        aten.to.dtype_layout,
        aten.to.device,
        aten.to.other,
        aten.type_as.default,
    )
    return {
        **each,
        **{packet.default: _joined for packet in joined},
        **dict.fromkeys(reductions, _reduce),
        **dict.fromkeys(copies, _same),
        operator.getitem: _item,
        aten.adjoint.default: _adjoint,
        aten.constant_pad_nd.default: _constant_pad,
        aten.copy.default: _copied,
        aten.fill.Scalar: _copied,
        aten.fill.Tensor: _copied,
        aten.zero.default: _filled(0),
        aten.fft_fftshift.default: _shifted(1),
        aten.fft_ifftshift.default: _shifted(-1),
        aten.full.default: _filled(None),
        aten.full_like.default: _filled(None),
        aten.index_add.default: lambda b, x, dim, i, s: _together(
            b, [x, s], lambda parts: (parts[0], dim, i, parts[1]), {}
        ),
        aten.index_put.default: _index_put,
        aten.masked_fill.Scalar: _masked_fill,
        aten.masked_fill.Tensor: _masked_fill,
        aten.new_full.default: _new_full,
        aten.new_ones.default: _filled(1),
        aten.new_zeros.default: _filled(0),
        aten.ones.default: _filled(1),
        aten.ones_like.default: _filled(1),
        aten.pad.default: _pad,
        aten.select_scatter.default: _data(2),
        aten.slice_scatter.default: _data(2),
        aten.view.dtype: _reread,
        aten.view_as_complex.default: _as_complex,
        aten.view_as_real.default: _as_real,
        aten.where.Scalar: _where,
        aten.where.ScalarOther: _where,
        aten.where.ScalarSelf: _where,
        aten.where.self: _where,
        aten.zeros.default: _filled(0),
        aten.zeros_like.default: _filled(0),
    }
