# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rows that a model lays one behind the other, taken apart again.

``x.view(-1, c)`` of a batch of sequences has padding between its rows. Where what follows
works on each row alone and ends in a view that takes rows apart, the same operators work
on a tensor that never had them in one: `[L, B, h, d] -> [L * B, h * d] -> [L, B, h * d]`
of multi-head attention is `[L, B, h, d] -> [L, B, h * d]`.
"""

from __future__ import annotations

from typing import Any

import sympy
import torch
from torch.fx import Graph, GraphModule, Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.masker import is_tensor, shape_of
from asic.frontend.padding.support import VIEWS, source_of

aten = torch.ops.aten
#: Products of rows with a matrix, by the position of the rows.
_PRODUCTS = {"aten.mm": 0, "aten.addmm": 1, "aten.linear": 0, "aten.matmul": 0}

#: Elementwise operators that PyTorch does not tag so.
_ELEMENTWISE = (
    "aten.dropout",
    "quantized_decomposed.quantize_per_tensor",
    "quantized_decomposed.dequantize_per_tensor",
)


def take_apart(module: GraphModule) -> None:
    """Rewrites rows of merged dynamic dimensions wherever they are taken apart later."""
    graph = module.graph
    apart: dict[Node, Node] = {}
    for node in list(graph.nodes):
        if node.op != "call_function" or not is_tensor(node):
            continue
        is_view = packet_name(node.target) in VIEWS
        if is_view and _merges(node):
            rows = _rows_after(node)
            whole = None if rows is None else _with_rows(graph, node, rows)
            if whole is not None:
                apart[node] = whole
        elif is_view and node.args[0] in apart:
            _end(graph, node, apart[node.args[0]])
        elif any(n in apart for n in node.all_input_nodes):
            made = _row_by_row(graph, node, apart)
            if made is not None:
                apart[node] = made
    graph.eliminate_dead_code()


def _merges(node: Node) -> bool:
    """Whether a view makes rows of which something dynamic is a factor."""
    source = source_of(node)
    before, after = shape_of(source), shape_of(node)
    is_merged = len(after) == 2 and len(before) > 2 and bool(after[0].free_symbols)
    return is_merged and not after[1].free_symbols


def _rows_after(node: Node) -> tuple[sympy.Expr, ...] | None:
    """The dimensions that the rows of `node` are taken apart into, if they are."""
    count = shape_of(node)[0]
    reached = [node]
    for at in reached:
        for user in at.users:
            if user in reached or user.op != "call_function" or not is_tensor(user):
                continue
            shape = shape_of(user)
            if packet_name(user.target) in VIEWS:
                for rank in range(2, len(shape)):
                    if sympy.expand(sympy.Mul(*shape[:rank]) - count) == 0:
                        return shape[:rank]
            elif shape and shape[0] == count:
                reached.append(user)
    return None


def _with_rows(graph: Graph, node: Node, rows: tuple[sympy.Expr, ...]) -> Node | None:
    """What `node` is a view of, with its rows apart; None if their sizes are not at hand."""
    source = source_of(node)
    before, width = shape_of(source), shape_of(node)[1]
    if before == (*rows, width):
        return source
    sizes: list[Any] = []
    for size in rows:
        if size.is_Integer:
            sizes.append(int(size))
        elif size in before:
            sizes.append(_call(graph, node, aten.sym_size.int, source, before.index(size)))
        else:
            sizes.append(-1)
    if sizes.count(-1) > 1:
        return None
    return _call(graph, node, aten.reshape.default, source, [*sizes, int(width)])


def _end(graph: Graph, node: Node, whole: Node) -> None:
    """Takes a view that takes rows apart of a tensor whose rows are so."""
    rows, shape = shape_of(whole)[:-1], shape_of(node)
    if shape == shape_of(whole):
        node.replace_all_uses_with(whole)
    elif shape[: len(rows)] == rows and packet_name(node.target) in ("aten.view", "aten.reshape"):
        made = _call(graph, node, aten.reshape.default, whole, node.args[1])
        node.replace_all_uses_with(made)


def _row_by_row(graph: Graph, node: Node, apart: dict[Node, Node]) -> Node | None:
    """The call on rows as they were; None when it is not known to keep rows apart."""
    name = packet_name(node.target)
    merged = [n for n in node.all_input_nodes if n in apart]
    if len({shape_of(apart[n])[:-1] for n in merged}) > 1:
        return None
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
    elif torch.Tag.pointwise in getattr(node.target, "tags", ()) or name in _ELEMENTWISE:
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
    values = torch.fx.node.map_arg(arguments, lambda n: n.meta["val"])
    mode = next(v.fake_mode for v in values if hasattr(v, "fake_mode"))
    with mode, torch.no_grad():
        made.meta["val"] = target(*values, **made.kwargs)
    return made
