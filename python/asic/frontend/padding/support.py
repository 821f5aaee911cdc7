# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What rules of several families need."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.fx import Node

from asic.frontend.padding.masker import Masker, shape_of
from asic.frontend.schema import argument

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
    source = node.args[0]
    assert isinstance(source, Node)
    return source


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
