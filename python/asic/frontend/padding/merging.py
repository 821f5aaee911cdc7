# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rows that a model lays one behind the other, taken apart again.

``x.view(-1, c)`` of a batch of sequences has padding between its rows. Where what follows
works on each row alone and ends in a view that takes the dimensions apart, the same
operators work on the tensor as it was.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.masker import is_tensor, shape_of

aten = torch.ops.aten
_VIEWS = ("aten.view", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.unflatten")
#: Products of rows with a matrix, by the position of the rows.
_PRODUCTS = {"aten.mm": 0, "aten.addmm": 1, "aten.linear": 0, "aten.matmul": 0}


def take_apart(module: GraphModule) -> None:
    """Rewrites rows of merged dynamic dimensions wherever they are taken apart later."""
    graph = module.graph
    apart: dict[Node, Node] = {}
    for node in list(graph.nodes):
        if node.op != "call_function" or not is_tensor(node):
            continue
        if packet_name(node.target) in _VIEWS and _merges(node):
            apart[node] = node.args[0]
        elif packet_name(node.target) in _VIEWS and node.args[0] in apart:
            whole = apart[node.args[0]]
            if shape_of(whole) == shape_of(node):
                node.replace_all_uses_with(whole)
        elif any(n in apart for n in node.all_input_nodes):
            made = _row_by_row(graph, node, apart)
            if made is not None:
                apart[node] = made
    graph.eliminate_dead_code()


def _merges(node: Node) -> bool:
    """Whether a view lays rows of several dimensions, some dynamic, in one."""
    source = node.args[0]
    if not is_tensor(source):
        return False
    assert isinstance(source, Node)
    before, after = shape_of(source), shape_of(node)
    dynamic = [size for size in before[:-1] if size.free_symbols]
    return len(after) == 2 and len(before) > 2 and before[-1] == after[-1] and bool(dynamic)


def _row_by_row(graph: Graph, node: Node, apart: dict[Node, Node]) -> Node | None:
    """The call on rows as they were; None when it is not known to keep rows apart."""
    name = packet_name(node.target)
    merged = [n for n in node.all_input_nodes if n in apart]
    others = [n for n in node.all_input_nodes if n not in apart and is_tensor(n)]
    target: Any = node.target
    arguments = [apart.get(a, a) if isinstance(a, Node) else a for a in node.args]
    bias = None
    if name in _PRODUCTS:
        if merged != [node.args[_PRODUCTS[name]]] or node.kwargs:
            return None
        if name in ("aten.mm", "aten.addmm"):
            target = aten.matmul.default
            bias = node.args[0] if name == "aten.addmm" else None
            arguments = arguments[_PRODUCTS[name] :][:2]
    elif name == "aten.layer_norm":
        if len(node.args[1]) != 1:  # type: ignore[arg-type]
            return None
    elif torch.Tag.pointwise in getattr(node.target, "tags", ()) or name == "aten.dropout":
        if any(n.meta["val"].dim() > 1 for n in others):
            return None
    else:
        return None
    made = _call(graph, node, target, *arguments)
    if isinstance(bias, Node):
        made = _call(graph, node, aten.add.Tensor, made, bias)
    return made


def _call(graph: Graph, node: Node, target: Any, *arguments: Any) -> Node:
    """A call in front of `node`, with what is known of its result."""
    with graph.inserting_before(node):
        made = graph.call_function(
            target, arguments, {} if target is not node.target else dict(node.kwargs)
        )
    made.meta = {key: value for key, value in node.meta.items() if key != "val"}
    values = [a.meta["val"] if isinstance(a, Node) else a for a in arguments]
    mode = next(v.fake_mode for v in values if hasattr(v, "fake_mode"))
    with mode, torch.no_grad():
        made.meta["val"] = target(*values, **made.kwargs)
    return made
