# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors without elements, which torch-mlir's lowerings do not expect."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

aten = torch.ops.aten


def is_empty(value: Any) -> bool:
    """Whether `value` is a tensor, or the node of one, that is known to have no elements."""
    tensor = value.meta.get("val") if isinstance(value, Node) else value
    return (
        isinstance(tensor, Tensor)
        and all(isinstance(extent, int) for extent in tensor.shape)
        and 0 in tensor.shape
    )


def drop_empties(module: GraphModule) -> None:
    """Whatever makes a tensor without elements becomes `empty`, and concatenations lose
    their empty parts, in place."""
    for node in module.graph.nodes:
        if node.op != "call_function":
            continue
        if is_empty(node):
            value = node.meta["val"]
            # Not a constant, which would lose its place in the source.
            node.target = aten.empty.memory_format
            node.args, node.kwargs = (list(value.shape),), {"dtype": value.dtype}
        elif node.target is aten.cat.default:
            parts = [part for part in node.args[0] if not is_empty(part)]
            node.args = (parts, *node.args[1:])
    module.graph.eliminate_dead_code()
