# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that move elements: where padding goes with them."""

from __future__ import annotations

import sys
from typing import Any

import sympy
import torch
from torch.fx import Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.masker import Fill, Masker, expression, is_size, is_tensor, shape_of
from asic.frontend.padding.support import replace, source_of
from asic.frontend.padding.updates import old_behind
from asic.frontend.schema import argument
from asic.sizes import Hidden

aten = torch.ops.aten
_JOINS = ("aten.cat", "aten.concat")
#: The remedy where dynamic dimensions meet others in a view.
_UNMERGED = "keep dynamic dimensions apart from the others, or make one of them static"


def _equal(a: Any, b: Any) -> bool:
    return bool(sympy.expand(a - b) == 0)


def _groups(
    before: tuple[Any, ...], after: tuple[Any, ...]
) -> list[tuple[list[int], list[int]]] | None:
    """Runs of dimensions with equal products, as short as they can be."""
    result = []
    i = j = 0
    while i < len(before) or j < len(after):
        left = [i] if i < len(before) else []
        right = [j] if j < len(after) else []
        i, j = i + len(left), j + len(right)
        while True:
            a = sympy.Mul(*(before[d] for d in left))
            b = sympy.Mul(*(after[d] for d in right))
            if _equal(a, b):
                break
            # The side with fewer symbols, then the smaller one, needs more.
            ratio = sympy.cancel(a / b)
            grows_left = (ratio.is_Rational and ratio < 1) or not sympy.fraction(ratio)[
                1
            ].is_Integer
            if grows_left and i < len(before):
                left.append(i)
                i += 1
            elif j < len(after):
                right.append(j)
                j += 1
            elif i < len(before):
                left.append(i)
                i += 1
            else:
                return None
        result.append((left, right))
    return result


def reshape(masker: Masker, node: Node) -> None:
    """A dynamic dimension may merge with what is inside it, and split again."""
    source = source_of(node)
    before, after = shape_of(source), shape_of(node)
    groups = _groups(before, after)
    levels: dict[int, Fill] = {}
    for left, right in groups or []:
        # Of dimensions of size 1 nothing is merged.
        left = [d for d in left if before[d] != 1]
        right = [d for d in right if after[d] != 1]
        padded = [d for d in left if before[d].free_symbols]
        found = [d for d in right if after[d].free_symbols]
        if not padded and not found:
            continue
        if padded != left[:1] or found != right[:1]:
            groups = None
            break
        levels[found[0]] = masker.fill(source, padded[0])
    if groups is None:
        raise masker.refuse(node, f"from {list(before)} to {list(after)}", _UNMERGED)
    masker.set(node, lambda d: levels.get(d, Fill.ANY))


def permute(masker: Masker, node: Node) -> None:
    """Dimensions change places."""
    source = source_of(node)
    rank = source.meta["val"].dim()
    probe = torch.empty(tuple(range(2, rank + 2)), device="meta")
    arguments = [probe if a is source else a for a in node.args]
    moved = [size - 2 for size in node.target(*arguments, **node.kwargs).shape]  # type: ignore[operator]
    masker.set(node, lambda d: masker.fill(source, moved[d]))


def expand(masker: Masker, node: Node) -> None:
    """Repetition along dimensions of size 1."""
    source = source_of(node)
    before, after = shape_of(source), shape_of(node)
    shift = len(after) - len(before)
    for dim, size in enumerate(before):
        if size != after[dim + shift] and size != 1:
            raise masker.refuse(node, f"of {list(before)} to {list(after)}", _UNMERGED)
    masker.set(node, lambda d: _expanded(masker, source, d - shift))


def _expanded(masker: Masker, source: Node, dim: int) -> Fill:
    if dim in masker.padded(source):
        return masker.fill(source, dim)
    return Fill.ANY


def select(masker: Masker, node: Node) -> None:
    """One place; counted from the end, the runtime says which it is."""
    source = source_of(node)
    shape = shape_of(source)
    dim, index = argument(node, "dim") % len(shape), argument(node, "index")
    if dim not in masker.padded(source):
        masker.set(node)
        return
    if is_size(index):
        raise masker.refuse(node, "at a size", "select from the end with a negative constant")
    if index >= 0:
        masker.set(node)
        return
    if not source.meta["val"].dtype.is_floating_point:
        raise masker.refuse(node, "from the end of integers", "convert to float first")
    place = Hidden("place", str(shape[dim]), index)
    condition = masker.condition(node, place, dim, len(shape))
    chosen = masker.call(node, aten.where.ScalarOther, condition, source, 0.0)
    result = masker.call(node, aten.sum.dim_IntList, chosen, [dim])
    result.meta["val"] = node.meta["val"]
    node.replace_all_uses_with(result)
    masker.graph.erase_node(node)
    masker.set(result)


def slice_(masker: Masker, node: Node) -> None:
    """A range that begins at a constant from the front, or as many places as there always are
    at the end."""
    source = source_of(node)
    dim = argument(node, "dim") % source.meta["val"].dim()
    start = argument(node, "start") or 0
    size = shape_of(node)[dim]
    same = _equal(shape_of(source)[dim], size)
    is_behind = is_size(start) or start < 0
    if dim in masker.padded(source) and not same and is_behind:
        if not size.is_Integer or not _reaches_end(node, shape_of(source)[dim]):
            raise masker.refuse(node, "from the end", "slice from the front, or select one place")
        _last(masker, node, source, dim, int(size))
        return
    if dim not in masker.padded(source) and is_size(start) and not _is_apart(node):
        raise masker.refuse(
            node,
            "from a size",
            "slice from the front; for a window of what came last take the end of old and new "
            "places together, torch.cat([old, new], dim)[-length:]",
        )
    masker.set(node, lambda d: _expanded(masker, source, d) if d != dim or same else Fill.ANY)


def _reaches_end(node: Node, size: Any) -> bool:
    """Whether a slice ends with its tensor, without steps."""
    end = argument(node, "end")
    if is_size(end):
        is_last = _equal(expression(end.meta["val"]), size)
    else:
        is_last = end is None or end == sys.maxsize
    return is_last and argument(node, "step") in (None, 1)


def _last(masker: Masker, node: Node, source: Node, dim: int, count: int) -> None:
    """The last `count` places; the runtime says where the end is."""
    back = masker.call(node, aten.arange.start, -count, 0)
    total = masker.count(node, shape_of(source)[dim])
    places = masker.call(node, aten.add.Tensor, back, total)
    replace(masker, node, masker.call(node, aten.index_select.default, source, dim, places))


def _is_apart(node: Node) -> bool:
    """Whether a slice from a size on is only written to, or only stands behind as many places of
    another tensor."""

    def fits(user: Node) -> bool:
        if packet_name(user.target) == "aten.copy":
            return user.args[0] is node and user.args[1] is not node
        return packet_name(user.target) in _JOINS and _continued(user) is node

    return bool(node.users) and all(map(fits, node.users))


def _continued(node: Node) -> Node | None:
    """The second of two tensors that are joined, if it is what is left of a static tensor behind
    as many places as the first has: ``cat([x, y[x.shape[0]:]])``."""
    tensors = argument(node, "tensors")
    dim = argument(node, "dim") % node.meta["val"].dim()
    if len(tensors) != 2 or packet_name(tensors[1].target) != "aten.slice":
        return None
    first, rest = tensors
    start, whole = argument(rest, "start"), shape_of(source_of(rest))[dim]
    fits = (
        argument(rest, "dim") % rest.meta["val"].dim() == dim
        and is_size(start)
        and _equal(expression(start.meta["val"]), shape_of(first)[dim])
        and _reaches_end(rest, whole)
        and not whole.free_symbols
    )
    return rest if fits else None


def concatenate(masker: Masker, node: Node) -> None:
    """Nothing may stand behind padding, but what the padding takes the place of."""
    tensors = [t for t in argument(node, "tensors") if is_tensor(t)]
    dim = argument(node, "dim") % node.meta["val"].dim()
    if (rest := _continued(node)) is not None and dim in masker.padded(tensors[0]):
        first, old = tensors[0], source_of(rest)
        end = masker.call(node, aten.sym_size.int, first, dim)
        joined = old_behind(masker, node, first, dim, old, (dim, 0, end))
        node.update_arg(0, [joined, rest])
        masker.set(node, lambda d: max(_expanded(masker, t, d) for t in tensors))
        return
    for tensor in tensors[:-1]:
        if dim in masker.padded(tensor):
            raise masker.refuse(
                node,
                f"behind the end of {list(shape_of(tensor))}",
                "put the dynamic tensor last, or concatenate along another dimension",
            )
    masker.set(node, lambda d: max(_expanded(masker, t, d) for t in tensors))


def stack(masker: Masker, node: Node) -> None:
    """Tensors side by side along a dimension of their own."""
    tensors = argument(node, "tensors")
    new = argument(node, "dim") % node.meta["val"].dim()
    masker.set(node, lambda d: max(masker.fill(t, d - (d > new)) for t in tensors))


def split(masker: Masker, node: Node) -> None:
    """Pieces along a static dimension."""
    source = source_of(node)
    dim = argument(node, "dim") % source.meta["val"].dim()
    if dim in masker.padded(source):
        raise masker.refuse(node, f"of dimension {dim} of {list(shape_of(source))}", _UNMERGED)
