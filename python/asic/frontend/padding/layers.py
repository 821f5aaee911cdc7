# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Contractions, windows, normalisation and look-ups."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.masker import Fill, Masker, is_dynamic, is_tensor, shape_of
from asic.frontend.padding.support import (
    APART,
    VIEWS,
    dims_of,
    expect_static,
    lowest,
    operands,
    source_of,
    spatial_dims,
)
from asic.frontend.schema import argument

Rule = Callable[[Masker, Node], None]
#: Operators that leave the elements as they are and in their order, or repeat them.
_SAME_ELEMENTS = VIEWS | {
    f"aten.{name}"
    for name in [
        "unsqueeze",
        "squeeze",
        "expand",
        "permute",
        "transpose",
        "to",
        "_to_copy",
        "clone",
        "alias",
        "contiguous",
    ]
}


def normalization(masker: Masker, node: Node) -> None:
    """Statistics over the last dimensions, which have to be static."""
    source = source_of(node)
    rank = source.meta["val"].dim()
    count = len(argument(node, "normalized_shape"))
    expect_static(masker, node, source, range(rank - count, rank))
    masker.set(node)


def per_sample(masker: Masker, node: Node) -> None:
    """Only the batch may be dynamic."""
    for operand in node.all_input_nodes:
        if is_tensor(operand):
            expect_static(masker, node, operand, range(1, operand.meta["val"].dim()))
    masker.set(node)


def recurrence(masker: Masker, node: Node) -> None:
    """Steps of one length; only the batch may be dynamic."""
    steps = 1 if argument(node, "batch_first") else 0
    expect_static(masker, node, source_of(node), [steps, 2])
    masker.set(node)


def per_channel(masker: Masker, node: Node) -> None:
    """Inference batch norm: elementwise, with a static number of channels."""
    if packet_name(node.target) == "aten.batch_norm" and argument(node, "training"):
        raise masker.refuse(node, "in training mode", "call it with training=False")
    if "batch_norm" in packet_name(node.target) and argument(node, "weight") is None:
        expect_static(masker, node, source_of(node), [1])
    masker.set(node)


def contraction(masker: Masker, node: Node) -> None:
    """Zeros add nothing to a sum of products, if what they meet is finite."""
    first = 1 if packet_name(node.target) in ("aten.addmm", "aten.baddbmm") else 0
    left, right = operands(node, first, 2)
    last = left.meta["val"].dim() - 1
    inner = max(right.meta["val"].dim() - 2, 0)
    if last in masker.padded(left):
        product(masker, node, (left, last), (right, inner))
    masker.set(node)


def product(masker: Masker, node: Node, *factors: tuple[Node, int]) -> None:
    """Masks the factors of a product: one becomes 0, none is infinite.

    One tensor may be several factors: it is masked once, along the dimensions of them all.
    """
    levels = [masker.fill(factor, dim) for factor, dim in factors]
    if Fill.ZERO in levels and max(levels) <= Fill.FINITE:
        return
    dims: dict[Node, list[int]] = {}
    for (factor, dim), level in zip(factors, levels, strict=True):
        if level == Fill.ANY or Fill.ZERO not in levels:
            dims.setdefault(factor, []).append(dim)
            if max(levels) <= Fill.FINITE:
                break
    for factor, along in dims.items():
        masker.masked(node, factor, along, 0)


def einsum(masker: Masker, node: Node) -> None:
    """Labels that the result does not have are summed over: zeros behind all of them."""
    equation, tensors = argument(node, "equation"), argument(node, "tensors")
    if "." in equation:
        raise masker.refuse(node, "with an ellipsis", "name every dimension in the equation")
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    if not arrow:
        output = "".join(label for label in inputs if inputs.count(label) == 1)
    dims: dict[Node, list[int]] = {}
    for tensor, labels in zip(tensors, inputs.split(","), strict=True):
        twice = [d for d, label in enumerate(labels) if labels.count(label) > 1]
        expect_static(masker, node, tensor, twice)
        summed = [d for d, label in enumerate(labels) if label not in output]
        dims.setdefault(tensor, []).extend(summed)
    for tensor, summed in dims.items():
        masker.masked(node, tensor, sorted(set(summed)), 0)
    masker.set(node)


def cosine(masker: Masker, node: Node) -> None:
    """Zeros add nothing to a product or a length."""
    tensors = operands(node, 0, 2)
    rank = max(tensor.meta["val"].dim() for tensor in tensors)
    # Counted from the end, as shorter shapes have ones in front.
    dim = argument(node, "dim") % rank - rank
    sizes = [shape_of(t)[dim] if t.meta["val"].dim() >= -dim else 1 for t in tensors]
    if sizes[0] != sizes[1] and any(is_dynamic(size) for size in sizes):
        # The one that is repeated has a length that counts the repetitions.
        raise masker.refuse(node, f"over {sizes[0]} and {sizes[1]} places", APART)
    for tensor in dict.fromkeys(tensors):
        masker.masked(node, tensor, [tensor.meta["val"].dim() + dim], 0)
    masker.set(node)


def linear(masker: Masker, node: Node) -> None:
    """The last dimension meets a weight, so that it is static."""
    source = source_of(node)
    expect_static(masker, node, source, [source.meta["val"].dim() - 1])
    has_bias = len(node.args) > 2 and node.args[2] is not None
    stays = {d: not has_bias and masker.fill(source, d) == Fill.ZERO for d in masker.padded(source)}
    masker.set(node, lambda d: Fill.ZERO if stays.get(d) else Fill.ANY)


def convolution(masker: Masker, node: Node) -> None:
    """Zeros stand behind the last element, as they do in the convolution's own padding."""
    source, weight = operands(node, 0, 2)
    rank = source.meta["val"].dim()
    spatial = range(rank - weight.meta["val"].dim() + 2, rank)
    expect_static(masker, node, source, [spatial.start - 1])
    masker.masked(node, source, spatial, 0)
    masker.set(node)


def max_pool(masker: Masker, node: Node) -> None:
    """Minus infinity is never the largest.

    The index of an element is row * width + column: the true one while the width is static.
    """
    source = source_of(node)
    spatial = spatial_dims(node)
    padded = set(spatial) & set(masker.padded(source))
    if padded and argument(node, "ceil_mode"):
        raise masker.refuse(node, "with ceil_mode", APART)
    if padded - {spatial.start} and _uses_indices(node):
        raise masker.refuse(
            node,
            f"whose indices count along {list(shape_of(source))}",
            "use the values alone, or make all of these dimensions but the first static",
        )
    masker.masked(node, source, spatial, lowest(source.meta["val"].dtype))
    masker.set(node)


def _uses_indices(node: Node) -> bool:
    """Whether somebody takes the second result."""
    return "with_indices" in packet_name(node.target) and any(
        user.target is operator.getitem and user.args[1] == 1 and user.users for user in node.users
    )


def average_pool(masker: Masker, node: Node) -> None:
    """Zeros count as they do in the operator's own padding."""
    source = source_of(node)
    spatial = spatial_dims(node)
    if set(spatial) & set(masker.padded(source)):
        if argument(node, "ceil_mode") or not argument(node, "count_include_pad"):
            raise masker.refuse(node, "that counts elements", "use count_include_pad=True")
        masker.masked(node, source, spatial, 0)
    masker.set(node)


def pad(masker: Masker, node: Node) -> None:
    """The value stands from the last element on."""
    source = source_of(node)
    rank = source.meta["val"].dim()
    amounts = argument(node, "pad")
    mode = argument(node, "mode") if packet_name(node.target) == "aten.pad" else "constant"
    if any(isinstance(amount, Node) for amount in amounts[::2]):
        raise masker.refuse(node, "in front by a size", "pad behind, or by a constant")
    dims = [rank - 1 - i // 2 for i, amount in enumerate(amounts) if amount != 0]
    if mode != "constant":
        expect_static(masker, node, source, dims)
    value = argument(node, "value") or 0
    masker.masked(node, source, dims, value)
    masker.set(node)


def look_up(masker: Masker, node: Node) -> None:
    """Rows that indices name; those of the padding have to exist."""
    table, name = source_of(node), packet_name(node.target)
    indices = argument(node, "indices" if name in ("aten.embedding", "aten.index") else "index")
    if name == "aten.index":
        # Of a dynamic dimension only places that are counted from its start.
        taken = [
            d
            for d, index in enumerate(indices)
            if index is not None and _counted(index) != shape_of(table)[d]
        ]
        expect_static(masker, node, table, taken)
        indices = [indices[d] for d in taken]
    for entry in torch.utils._pytree.tree_leaves(indices):
        if is_tensor(entry):
            masker.masked(node, entry, masker.padded(entry), 0)
    masker.set(node)


def _counted(index: Node) -> Any:
    """The end of the `arange` that an index is, seen through views; None of any other."""
    while packet_name(index.target) in _SAME_ELEMENTS or (
        packet_name(index.target) == "aten.add" and index.args[1:] == (0,)
    ):
        index = source_of(index)
    if packet_name(index.target) != "aten.arange":
        return None
    names = {a.name for a in index.target._schema.arguments}  # type: ignore[union-attr]
    for name, plain in (("start", 0), ("step", 1)):
        if name in names and argument(index, name) != plain:
            return None
    return shape_of(index)[0]


def along_static(name: str = "dim") -> Rule:
    """An operator that mixes one dimension, which has to be static."""

    def rule(masker: Masker, node: Node) -> None:
        source = source_of(node)
        expect_static(masker, node, source, dims_of(node, source.meta["val"].dim(), name))
        masker.set(node)

    return rule
