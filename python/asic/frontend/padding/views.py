# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that move elements: where padding goes with them."""

from __future__ import annotations

from typing import Any

import sympy
import torch
from torch.fx import Node

from asic.frontend.padding.masker import Fill, Masker, is_size, is_tensor, shape_of
from asic.frontend.padding.support import source_of
from asic.frontend.schema import argument
from asic.sizes import Hidden

aten = torch.ops.aten
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
    """A range that begins at a constant from the front."""
    source = source_of(node)
    dim = argument(node, "dim") % source.meta["val"].dim()
    start = argument(node, "start") or 0
    same = _equal(shape_of(source)[dim], shape_of(node)[dim])
    if dim in masker.padded(source) and not same and (is_size(start) or start < 0):
        raise masker.refuse(node, "from the end", "slice from the front, or select one place")
    if dim not in masker.padded(source) and is_size(start):
        raise masker.refuse(node, "from a size", "slice from the front")
    masker.set(node, lambda d: _expanded(masker, source, d) if d != dim or same else Fill.ANY)


def concatenate(masker: Masker, node: Node) -> None:
    """Nothing may stand behind padding."""
    tensors = [t for t in argument(node, "tensors") if is_tensor(t)]
    dim = argument(node, "dim") % node.meta["val"].dim()
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
