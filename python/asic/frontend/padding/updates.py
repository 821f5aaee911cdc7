# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that write to places of a tensor: padding writes nothing that was not there.

An update that assigns is repeated: padded rows write what the first row writes, to its place. One
that is combined with what is there is made neutral: minus zero is added to a sum. Either way all
indices exist, so that one of the user's that does not is still found.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.masker import Masker, is_size, is_tensor, shape_of
from asic.frontend.padding.support import (
    APART,
    expect_static,
    highest,
    lowest,
    operands,
    source_of,
)
from asic.frontend.schema import UnknownForm, argument
from asic.sizes import Hidden

aten = torch.ops.aten
#: Combinations of an update with the old element, by their names in `scatter_reduce`.
_COMBINE = {
    "add": "sum",
    "sum": "sum",
    "multiply": "prod",
    "prod": "prod",
    "amax": "amax",
    "amin": "amin",
}


def _neutral(kind: str, dtype: torch.dtype) -> float:
    """What changes no element of this type that it is combined with."""
    if dtype == torch.bool:
        return kind in ("prod", "amin")
    if kind == "sum":
        # Plus zero would make plus zero of minus zero.
        return -0.0 if dtype.is_floating_point else 0
    return {"prod": lambda _: 1, "amax": lowest, "amin": highest}[kind](dtype)


def copy_rows(masker: Masker, node: Node) -> None:
    """`index_copy`, `index_fill`: rows along one dimension take others."""
    dim, index = _dim(masker, node), argument(node, "index")
    if masker.padded(index):
        _set(node, "index", _repeated(masker, node, index, 0))
        if packet_name(node.target) == "aten.index_copy":
            source = argument(node, "source")
            _set(node, "source", _repeated(masker, node, source, dim))
    masker.set(node)


def add_rows(masker: Masker, node: Node) -> None:
    """`index_add`: rows along one dimension are added."""
    dim, index, source = _dim(masker, node), argument(node, "index"), argument(node, "source")
    if masker.padded(index):
        alpha = argument(node, "alpha")
        if is_size(alpha):
            raise masker.refuse(node, "times a size", APART)
        value, sizes = _neutral("sum", source.meta["val"].dtype), {dim: shape_of(index)[0]}
        if alpha < 0:  # alpha times it is what changes nothing.
            value = -value
        _set(node, "source", _filled(masker, node, source, sizes, value))
        _set(node, "index", _repeated(masker, node, index, 0))
    masker.set(node)


def put(masker: Masker, node: Node) -> None:
    """`index_put`: elements at places that tensors name together."""
    destination, values = source_of(node), argument(node, "values")
    indices = list(argument(node, "indices"))
    places = [d for d, index in enumerate(indices) if index is not None]
    named = [indices[d] for d in places]
    if any(index.meta["val"].dtype == torch.bool for index in named):
        if len(named) > 1 or values.meta["val"].numel() != 1:
            raise masker.refuse(node, "by a mask, of many values", "use torch.where")
        masker.set(node)
        return
    expect_static(masker, node, destination, places)
    rank = max(index.meta["val"].dim() for index in named)
    # Index tensors that are not neighbours have their dimensions in front.
    first = places[0] if places[-1] - places[0] == len(places) - 1 else 0
    update = destination.meta["val"].dim() - len(places) + rank
    sums = bool(argument(node, "accumulate"))
    for place in range(rank):
        behind = rank - place
        padded = [i for i in named if i.meta["val"].dim() - behind in masker.padded(i)]
        if not padded:
            continue
        if sums:
            sizes = {first + place: shape_of(padded[0])[-behind]}
            value = _neutral("sum", values.meta["val"].dtype)
            values = _filled(masker, node, values, sizes, value, update)
        elif (own := values.meta["val"].dim() - (update - first - place)) in masker.padded(values):
            values = _repeated(masker, node, values, own)
        indices = [
            _repeated(masker, node, i, i.meta["val"].dim() - behind) if i in padded else i
            for i in indices
        ]
        named = [i for i in indices if i is not None]
    _set(node, "indices", indices)
    _set(node, "values", values)
    masker.set(node)


def scatter(masker: Masker, node: Node) -> None:
    """`scatter`, `scatter_add`, `scatter_reduce`: each element along its own line."""
    dim, index = _dim(masker, node), argument(node, "index")
    padded = masker.padded(index)
    if not padded:
        masker.set(node)
        return
    kind, source = _kind(node), _updates(node)
    sizes = {d: shape_of(index)[d] for d in padded}
    if source is None and kind != "assign":
        raise masker.refuse(node, "of one number", "pass a tensor of them")
    if source is not None and any(shape_of(source)[d] != sizes[d] for d in padded):
        raise masker.refuse(node, "of a part of its source", "slice the source first")
    if kind not in ("assign", *_COMBINE):
        raise masker.refuse(node, f"with reduce='{kind}'", "divide a sum by a count")
    # Along another dimension than its own an element stays in its place.
    there = [d for d in padded if d != dim and d not in masker.padded(source_of(node))]
    if there and (kind == "assign" or not _includes_self(node)):
        raise masker.refuse(
            node,
            f"to the first {sizes[there[0]]} places of dimension {there[0]}",
            "write to a slice, or use index_copy along this dimension",
        )
    if source is not None and kind != "assign":
        value = _neutral(_COMBINE[kind], source.meta["val"].dtype)
        _set(node, "src", _filled(masker, node, source, sizes, value))
    elif source is not None and dim in padded:
        _set(node, "src", _repeated(masker, node, source, dim))
    for d in padded:
        index = _repeated(masker, node, index, d)
    _set(node, "index", index)
    masker.set(node)


def scatter_slice(masker: Masker, node: Node) -> None:
    """`slice_scatter`: behind the rows of the call stand those that were there."""
    destination, source = operands(node, 0, 2)
    dim = argument(node, "dim") % len(shape_of(destination))
    start = argument(node, "start") or 0
    if is_size(start) or start < 0:
        raise masker.refuse(
            node, "from a size", "write rows at their places, with index_copy_ or x[places] = rows"
        )
    if dim in masker.padded(source):
        part = (dim, start, argument(node, "end"), argument(node, "step"))
        _set(node, "src", old_behind(masker, node, source, dim, destination, part))
    masker.set(node)


def old_behind(
    masker: Masker, node: Node, source: Node, dim: int, old: Node, part: tuple[Any, ...]
) -> Node:
    """`source` whose padding along `dim` is what a slice `part` of `old` has there."""
    size = shape_of(source)[dim]
    there = masker.call(node, aten.slice.Tensor, old, *part)
    condition = masker.condition(node, Hidden("valid", str(size)), dim, len(shape_of(source)))
    return masker.call(node, aten.where.self, condition, source, there)


def _dim(masker: Masker, node: Node) -> int:
    """The dimension along which places are named; it is static."""
    destination = source_of(node)
    dim: int = argument(node, "dim") % max(len(shape_of(destination)), 1)
    expect_static(masker, node, destination, [dim])
    return dim


def _updates(node: Node) -> Node | None:
    """The tensor that is scattered; None when it is one number."""
    try:
        source = argument(node, "src")
    except UnknownForm:
        return None
    return source if is_tensor(source) else None


def _kind(node: Node) -> str:
    """What happens to the old element."""
    if packet_name(node.target) == "aten.scatter_add":
        return "add"
    try:
        return str(argument(node, "reduce"))
    except UnknownForm:
        return "assign"


def _includes_self(node: Node) -> bool:
    try:
        return bool(argument(node, "include_self"))
    except UnknownForm:
        return True


def _set(node: Node, name: str, value: Any) -> None:
    """Gives a call another argument."""
    names = [formal.name for formal in node.target._schema.arguments]  # type: ignore[union-attr]
    position = names.index(name)
    if position < len(node.args):
        node.update_arg(position, value)
    else:
        node.update_kwarg(name, value)


def _repeated(masker: Masker, node: Node, operand: Node, dim: int) -> Node:
    """`operand` with its first place along `dim` in all padded ones.

    There is one: a size that may be 0 is none that `torch.export` leaves open.
    """
    hidden = Hidden("valid", str(shape_of(operand)[dim]))
    condition = masker.condition(node, hidden, dim, len(shape_of(operand)))
    first = masker.call(node, aten.slice.Tensor, operand, dim, 0, 1)
    result = masker.call(node, aten.where.self, condition, operand, first)
    result.meta["val"] = operand.meta["val"]
    return result


def _filled(
    masker: Masker,
    node: Node,
    operand: Node,
    sizes: dict[int, Any],
    value: float,
    rank: int | None = None,
) -> Node:
    """`operand`, as a tensor of `rank`, with `value` behind the first places of dimensions."""
    result, rank = operand, len(shape_of(operand)) if rank is None else rank
    for dim, size in sizes.items():
        condition = masker.condition(node, Hidden("valid", str(size)), dim, rank)
        result = masker.call(node, aten.where.ScalarOther, condition, result, value)
        result.meta["val"] = operand.meta["val"]
    return result
