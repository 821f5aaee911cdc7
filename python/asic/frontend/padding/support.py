# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What rules of several families need."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch.fx import Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.masker import Masker, is_tensor, shape_of
from asic.frontend.schema import UnknownForm, argument

#: Operators that give the same elements in the same order other dimensions.
VIEWS = frozenset(
    f"aten.{name}"
    for name in ["view", "reshape", "_unsafe_view", "flatten", "unflatten", "_reshape_alias"]
)
#: The remedy of last resort.
APART = "make the dimension static, or keep this part outside the compiled model"


def dims_of(node: Node, rank: int, name: str = "dim") -> list[int]:
    """The dimensions that a reduction takes, from 0."""
    names = {a.name for a in node.target._schema.arguments}  # type: ignore[union-attr]
    given = argument(node, name) if name in names else None
    if given is None or given == []:
        return list(range(rank))
    return [d % max(rank, 1) for d in ([given] if isinstance(given, int) else given)]


def source_of(node: Node) -> Node:
    """The tensor that the operator is called on."""
    return operands(node, 0, 1)[0]


def operands(node: Node, first: int, count: int) -> tuple[Node, ...]:
    """The tensors that are the arguments from `first` on.

    Raises:
        UnknownForm: not all of them are there, or one is no tensor.
    """
    found = node.args[first : first + count]
    if len(found) < count or not all(is_tensor(value) for value in found):
        raise UnknownForm(f"expected {count} tensors from argument {first} on, got {found}")
    return tuple(value for value in found if isinstance(value, Node))


def spatial_dims(node: Node) -> range:
    """The dimensions that an operator such as `max_pool2d` slides over."""
    digit = re.search(r"([123])d", packet_name(node.target))
    assert digit is not None, f"{node.target} does not name its dimensions"
    rank: int = source_of(node).meta["val"].dim()
    return range(rank - int(digit[1]), rank)


def lowest(dtype: torch.dtype) -> float:
    """What is never the largest."""
    return -math.inf if dtype.is_floating_point else torch.iinfo(dtype).min


def highest(dtype: torch.dtype) -> float:
    """What is never the smallest."""
    return math.inf if dtype.is_floating_point else torch.iinfo(dtype).max


def replace(masker: Masker, node: Node, result: Node) -> None:
    """`result` takes the place of `node`."""
    result.meta["val"] = node.meta["val"]
    node.replace_all_uses_with(result)
    masker.graph.erase_node(node)
    masker.set(result)


def expect_static(masker: Masker, node: Node, source: Node, dims: Any) -> None:
    """Refuses an operator that mixes one of these dimensions and finds it dynamic."""
    for dim in dims:
        if dim in masker.padded(source):
            raise masker.refuse(node, f"over dimension {dim} of {list(shape_of(source))}", APART)
