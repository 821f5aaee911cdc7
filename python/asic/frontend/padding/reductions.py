# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that make one of many."""

from __future__ import annotations

import math
from collections.abc import Callable

import sympy
import torch
from torch.fx import Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.masker import Fill, Masker, shape_of
from asic.frontend.padding.support import dims_of, replace, source_of, spatial_dims
from asic.frontend.schema import argument
from asic.sizes import Hidden

aten = torch.ops.aten
Rule = Callable[[Masker, Node], None]


def reduction(neutral: float | Callable[[torch.dtype], float]) -> Rule:
    """A reduction that does not notice `neutral`."""

    def rule(masker: Masker, node: Node) -> None:
        source = source_of(node)
        value = source.meta["val"]
        dims = dims_of(node, value.dim())
        name, padded = packet_name(node.target), set(dims) & set(masker.padded(source))
        if padded and "arg" in name and len(dims) > 1:
            raise masker.refuse(node, "over several dimensions", "pass dim")
        if padded and "norm" in name and argument(node, "ord") not in (1, 2, math.inf):
            raise masker.refuse(node, f"of order {argument(node, 'ord')}", "use order 1, 2 or inf")
        number = neutral(value.dtype) if callable(neutral) else neutral
        masker.masked(node, source, dims, number)
        masker.set(node)

    return rule


def mean(masker: Masker, node: Node) -> None:
    """A sum over the true number of elements."""
    source = source_of(node)
    dims = dims_of(node, len(shape_of(source)))
    if not set(dims) & set(masker.padded(source)):
        masker.set(node)
        return
    if argument(node, "dtype") is not None:
        raise masker.refuse(node, "with a dtype", "convert before the mean")
    names = {a.name for a in node.target._schema.arguments}  # type: ignore[union-attr]
    keep = bool(argument(node, "keepdim")) if "keepdim" in names else False
    masked = masker.masked(node, source, dims, 0)
    replace(masker, node, _average(masker, node, masked, _count(source, dims), dims, keep))


def average_all(masker: Masker, node: Node) -> None:
    """Adaptive pooling down to one element is a mean."""
    source = source_of(node)
    size = argument(node, "output_size")
    dims = list(spatial_dims(node))
    if not set(dims) & set(masker.padded(source)):
        masker.set(node)
        return
    if any(s != 1 for s in size):
        raise masker.refuse(node, f"to {list(size)}", "pool to one element")
    masked = masker.masked(node, source, dims, 0)
    replace(masker, node, _average(masker, node, masked, _count(source, dims), dims, True))


def variance(masker: Masker, node: Node) -> None:
    """The mean square, over the true number of elements, of what is left without the mean."""
    source = source_of(node)
    dims = dims_of(node, len(shape_of(source)))
    if not set(dims) & set(masker.padded(source)):
        masker.set(node)
        return
    names = {a.name for a in node.target._schema.arguments}  # type: ignore[union-attr]
    correction = argument(node, "correction" if "correction" in names else "unbiased")
    if correction not in (None, 0, 1):
        raise masker.refuse(node, f"with correction {correction}", "use correction 0 or 1")
    keep = bool(argument(node, "keepdim")) if "keepdim" in names else False
    count = _count(source, dims)
    masked = masker.masked(node, source, dims, 0)
    average = _average(masker, node, masked, count, dims, True)
    rest = masker.call(node, aten.sub.Tensor, masked, average)
    rest.meta["val"] = source.meta["val"]
    masker.set(rest)
    rest = masker.masked(node, rest, dims, 0)
    squares = masker.call(node, aten.mul.Tensor, rest, rest)
    # One less unless told otherwise.
    count -= 1 if correction is None else int(correction)
    result = _average(masker, node, squares, count, dims, keep)
    if packet_name(node.target) == "aten.std":
        result = masker.call(node, aten.sqrt.default, result)
    replace(masker, node, result)


def _count(source: Node, dims: list[int]) -> sympy.Expr:
    """The true number of elements along `dims`."""
    return sympy.Mul(*(shape_of(source)[d] for d in dims))


def _average(
    masker: Masker, node: Node, masked: Node, count: sympy.Expr, dims: list[int], keep: bool
) -> Node:
    """A sum over `dims`, divided by `count` of the call; in front of `node`."""
    total = masker.call(node, aten.sum.dim_IntList, masked, dims, keep)
    size = masker.input(Hidden("size", str(count)))
    return masker.call(node, aten.div.Tensor, total, size)


def softmax(masker: Masker, node: Node) -> None:
    """The exponential of minus infinity is nothing."""
    source = source_of(node)
    (dim,) = dims_of(node, source.meta["val"].dim())
    masker.masked(node, source, [dim], -math.inf)
    log = "log" in packet_name(node.target)
    masker.set(node, lambda d: Fill.ZERO if d == dim and not log else Fill.ANY)


def running(masker: Masker, node: Node) -> None:
    """A scan: what comes first does not see what comes behind."""
    masker.set(node)
