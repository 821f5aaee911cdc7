# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""New nodes of a graph.

A node that holds tensors says what it holds in `meta["val"]`, and where the user wrote it;
every later rewrite may read both, so whoever makes a node makes it here.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx import Graph, GraphModule, Node

_LOCATION = ("nn_module_stack", "stack_trace")


def insert_call(before: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
    """A call in front of `before`, at its place in the user's source."""
    with before.graph.inserting_before(before):
        made = before.graph.call_function(target, args, kwargs)
    made.meta = location(before)
    made.meta["val"] = result_of(before.graph, target, args, kwargs)
    return made


def insert_constant(module: GraphModule, name: str, value: Tensor, before: Node) -> Node:
    """A `get_attr` of a new buffer, in front of `before`; `name` is made unique."""
    name = name.replace(".", "_")
    while hasattr(module, name):
        name += "_"
    module.register_buffer(name, value.contiguous())
    with module.graph.inserting_before(before):
        made = module.graph.get_attr(name)
    made.meta = location(before)
    made.meta["val"] = _mode(module.graph).from_tensor(value, static_shapes=True)
    return made


def fill_in_values(module: GraphModule) -> None:
    """Says what nodes hold that somebody else has made without, as quantisers do."""
    mode = _mode(module.graph)
    for node in module.graph.nodes:
        if "val" in node.meta:
            continue
        if node.op == "get_attr":
            tensor = attrgetter(str(node.target))(module)
            node.meta["val"] = mode.from_tensor(tensor, static_shapes=True)
        elif node.op == "call_function":
            node.meta["val"] = result_of(module.graph, node.target, node.args, node.kwargs)


def location(node: Node) -> dict[str, Any]:
    """What a node's `meta` says of the user's source."""
    return {key: node.meta[key] for key in _LOCATION if key in node.meta}


def result_of(graph: Graph, target: Any, args: Any, kwargs: Any) -> Any:
    """What a call of `target` with these operands, nodes among them, would hold: fake tensors."""
    args, kwargs = torch.fx.map_arg((args, kwargs), lambda operand: operand.meta["val"])
    with _mode(graph), torch.no_grad():
        return target(*args, **kwargs)


def _mode(graph: Graph) -> FakeTensorMode:
    """The mode that the values of a graph belong to."""
    for node in graph.nodes:
        if isinstance(value := node.meta.get("val"), FakeTensor):
            return value.fake_mode
    return FakeTensorMode(allow_non_fake_inputs=True)
