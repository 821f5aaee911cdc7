# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Indices that PyTorch reads while a model runs, as indices that stay tensors.

A tensor without dimensions as an index, ``ring[pointer]``, is a number to PyTorch, which takes
its value and makes a view there. A mask of truth values selects as many rows as it has ones.
Neither has a place in a program of fixed shapes; an index of one element has, and so have the
rows of a mask that is constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.overrides import TorchFunctionMode

from asic.frontend.fold import FOLD_LIMIT, known_values
from asic.frontend.nodes import insert_call, insert_constant

aten = torch.ops.aten

_ITEMS = frozenset({aten.item.default, aten._local_scalar_dense.default})
_MASKED = frozenset({aten.index.Tensor, aten.index_put.default, aten.index_put_.default})


class TensorIndices(TorchFunctionMode):
    """Inside, ``x[pointer] = value`` writes with an index of one element."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """The call, that of `__setitem__` with other arguments."""
        if func is torch.Tensor.__setitem__:
            args = _one_element(*args)
        return func(*args, **(kwargs or {}))


def _is_number(index: Any) -> bool:
    """Whether an index is a tensor that PyTorch takes for a number."""
    is_tensor = isinstance(index, Tensor) and index.dim() == 0
    return is_tensor and not (index.dtype == torch.bool or index.is_floating_point())


def _one_element(target: Tensor, index: Any, value: Any) -> tuple[Tensor, Any, Any]:
    """Arguments of a `__setitem__` that does the same, with indices of one element for numbers."""
    entries = list(index) if isinstance(index, tuple) else [index]
    rest = [entry for entry in entries if not _is_number(entry)]
    # Beside other tensors, which have dimensions of their own, a number is none of them.
    plain = (int, slice, torch.SymInt, type(None), type(Ellipsis))
    if len(rest) == len(entries) or not all(
        isinstance(entry, plain) and not isinstance(entry, bool) for entry in rest
    ):
        return target, index, value
    view = target[tuple(slice(None) if _is_number(entry) else entry for entry in entries)]
    positions = _positions(entries, target.dim())
    indices: list[Any] = [slice(None)] * view.dim()
    for position, number in zip(positions, filter(_is_number, entries), strict=True):
        indices[position] = number[None]
    if isinstance(value, Tensor):
        if torch._C._is_alias_of(value, target):  # type: ignore[attr-defined]
            value = value.clone()
        # Indices next to each other put their one dimension there, others in front.
        adjacent = positions[-1] - positions[0] == len(positions) - 1
        behind = view.dim() - len(positions) - (positions[0] if adjacent else 0)
        value = value.unsqueeze(value.dim() - behind) if value.dim() > behind else value
    return view, tuple(indices), value


def _positions(entries: list[Any], rank: int) -> list[int]:
    """Where the numbers are among the dimensions that `entries` with ``:`` for them leave."""
    taken = sum(entry is not None and entry is not Ellipsis for entry in entries)
    found, dim = [], 0
    for entry in entries:
        if _is_number(entry):
            found.append(dim)
        if entry is Ellipsis:
            dim += rank - taken
        elif entry is None or isinstance(entry, slice) or _is_number(entry):
            dim += 1
    return found


def settle(module: GraphModule) -> bool:
    """Rewrites the indices of an unlifted functional program, in place.

    Returns:
        Whether anything changed: what the nodes behind it hold is then to be found out again.
    """
    rules: dict[Any, Callable[[Node, Node], Node]] = {
        aten.select.int: _select,
        aten.select_scatter.default: _select_scatter,
    }
    changed = _settle_masks(module)
    for node in list(module.graph.nodes):
        position = node.args[-1] if node.target in rules else None
        if not isinstance(position, Node) or position.target not in _ITEMS:
            continue
        number: Any = position.args[0]
        if number.meta["val"].dtype != torch.int64:
            number = insert_call(node, aten._to_copy.default, number, dtype=torch.int64)
        if number.meta["val"].dim() == 0:
            number = insert_call(node, aten.unsqueeze.default, number, 0)
        node.replace_all_uses_with(rules[node.target](node, number))
        module.graph.erase_node(node)
        changed = True
    for node in reversed(list(module.graph.nodes)):
        if node.target in _ITEMS and not node.users:
            module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()
    return changed


def _dimension(node: Node, rank: int) -> int:
    """The non-negative dimension that a selection is from; `rank` is that of its tensor."""
    dim: Any = node.args[-2]
    return int(dim) % rank


def _select(node: Node, index: Node) -> Node:
    source: Any = node.args[0]
    dim = _dimension(node, source.meta["val"].dim())
    row = insert_call(node, aten.index.Tensor, source, [*[None] * dim, index])
    return insert_call(node, aten.squeeze.dim, row, dim)


def _select_scatter(node: Node, index: Node) -> Node:
    target: Any = node.args[0]
    dim = _dimension(node, target.meta["val"].dim())
    row = insert_call(node, aten.unsqueeze.default, node.args[1], dim)
    return insert_call(node, aten.index_put.default, target, [*[None] * dim, index], row)


def _settle_masks(module: GraphModule) -> bool:
    """Constant masks as the rows that they select."""
    masked = [node for node in module.graph.nodes if _masks(node)]
    if not masked:
        return False
    values = known_values(module, FOLD_LIMIT)
    changed = False
    for node in masked:
        if not all(mask in values for mask in _masks(node)):
            continue
        rows: list[Any] = []
        for index in node.args[1]:
            if index not in _masks(node):
                rows.append(index)
                continue
            for number, row in enumerate(torch.nonzero(values[index], as_tuple=True)):
                rows.append(insert_constant(module, f"{index.name}_rows_{number}", row, node))
        node.args = (node.args[0], rows, *node.args[2:])
        changed = True
    return changed


def _masks(node: Node) -> list[Node]:
    """Indices of a call that are masks."""
    if node.target not in _MASKED:
        return []
    indices: Any = node.args[1]
    return [
        i for i in indices if i is not None and i.meta["val"].dtype in (torch.bool, torch.uint8)
    ]
