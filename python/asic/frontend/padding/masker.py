# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Masks for what mixes the padding of a tensor with its elements.

The invariant: a tensor whose size is e(s) along a dimension, compiled for sizes N of the
symbols s and called with sizes L <= N, holds in its first e(L) places along each such
dimension what the model computes for L. Behind them is padding: anything. Every operator
either keeps the invariant, or is given operands whose padding it can take, or is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import sympy
import torch
from torch.fx import Graph, GraphModule, Node

from asic.frontend.locations import source_of
from asic.frontend.messages import error
from asic.sizes import Hidden

aten = torch.ops.aten


class Fill(IntEnum):
    """What is known of the padding along a dimension."""

    ZERO = 0
    FINITE = 1
    ANY = 2


@dataclass(frozen=True)
class Padded:
    """A program whose padding cannot reach its results.

    Attributes:
        module: takes the flattened inputs, then the hidden ones; returns a flat tuple.
        hidden: the inputs behind the user's.
    """

    module: GraphModule
    hidden: tuple[Hidden, ...]


def expression(size: Any) -> sympy.Expr:
    """The size as an expression over symbols."""
    if isinstance(size, (torch.SymInt, torch.SymFloat)):
        return size.node.expr
    if isinstance(size, sympy.Expr):
        return size
    return sympy.Integer(int(size))


def is_dynamic(size: Any) -> bool:
    """Whether the size has symbols in it."""
    return bool(expression(size).free_symbols)


def shape_of(node: Node) -> tuple[sympy.Expr, ...]:
    """The symbolic shape of a tensor."""
    return tuple(expression(size) for size in node.meta["val"].shape)


def is_tensor(value: Any) -> bool:
    """Whether the node holds one tensor."""
    return isinstance(value, Node) and isinstance(value.meta.get("val"), torch.Tensor)


def is_size(value: Any) -> bool:
    """Whether the node holds a symbolic number."""
    return isinstance(value, Node) and isinstance(
        value.meta.get("val"), (torch.SymInt, torch.SymFloat)
    )


@dataclass
class Masker:
    """Walks a graph once, in order, and keeps what is known of each tensor's padding."""

    module: GraphModule
    root: str | None = None
    fills: dict[Node, dict[int, Fill]] = field(default_factory=dict)
    hidden: dict[Hidden, Node] = field(default_factory=dict)
    _last_input: Node | None = None

    @property
    def graph(self) -> Graph:
        """What is being rewritten."""
        return self.module.graph

    def padded(self, node: Node) -> list[int]:
        """Dimensions of a tensor that have padding."""
        return [d for d, size in enumerate(shape_of(node)) if size.free_symbols]

    def fill(self, node: Node, dim: int) -> Fill:
        """What is known of the padding along `dim`; no padding counts as zeros."""
        unknown = Fill.ANY if dim in self.padded(node) else Fill.ZERO
        return self.fills.get(node, {}).get(dim, unknown)

    def set(self, node: Node, level: Fill | Callable[[int], Fill] = Fill.ANY) -> None:
        """Notes what the padding of a result is, by dimension or for all."""
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return
        bound = Fill.ANY if value.dtype.is_floating_point else Fill.FINITE
        self.fills[node] = {
            d: min(level(d) if callable(level) else level, bound) for d in self.padded(node)
        }

    def refuse(self, node: Node, found: str, remedy: str) -> Exception:
        """The error for an operator that mixes padding in."""
        return error(
            f"expected an operator that keeps padding apart along a dynamic dimension, got "
            f"{node.target} {found} at {source_of(node, self.root)}; {remedy}"
        )

    def input(self, hidden: Hidden) -> Node:
        """The placeholder of a hidden input."""
        if hidden not in self.hidden:
            names = {node.name for node in self.graph.nodes}
            name = f"{hidden.kind}_{len(self.hidden)}"
            while name in names:
                name += "_"
            assert self._last_input is not None, "a hidden input before the user's"
            with self.graph.inserting_after(self._last_input):
                self._last_input = self.graph.placeholder(name)
            self.hidden[hidden] = self._last_input
        return self.hidden[hidden]

    def call(self, before: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
        """A new call in front of `before`, with its source location."""
        with self.graph.inserting_before(before):
            made = self.graph.call_function(target, args, kwargs)
        for key in ("stack_trace", "nn_module_stack", "source_fn_stack"):
            if key in before.meta:
                made.meta[key] = before.meta[key]
        return made

    def count(self, before: Node, size: sympy.Expr, dtype: torch.dtype = torch.int64) -> Node:
        """The size of a call as a tensor of no dimension."""
        number = self.input(Hidden("size", str(size)))
        return self.call(before, aten._to_copy.default, number, dtype=dtype)

    def condition(self, before: Node, hidden: Hidden, dim: int, rank: int) -> Node:
        """A hidden vector as truth values that broadcast along `dim` of `rank`."""
        vector = self.input(hidden)
        for position in range(rank):
            if position != dim:
                vector = self.call(before, aten.unsqueeze.default, vector, position)
        return self.call(before, aten.gt.Scalar, vector, 0)

    def masked(self, user: Node, operand: Node, dims: Any, value: float) -> Node:
        """`operand` with `value` as its padding along `dims`, for `user` alone.

        What a quantiser put between stays next to `user`: its own zero is exact.
        """
        dims = [d for d in dims if d in self.padded(operand)]
        if value == 0:
            dims = [d for d in dims if self.fill(operand, d) != Fill.ZERO]
        if not dims:
            return operand
        quantized = operand.args[0] if _dequantizes(operand) else None
        zero = operand.args[2] if quantized is not None else None
        if value == 0 and isinstance(quantized, Node) and isinstance(zero, int):
            inner = self._where(operand, quantized, dims, zero)
            with self.graph.inserting_before(user):
                result = self.graph.node_copy(operand, lambda n: inner if n is quantized else n)
            self.fills[result] = {**self.fills[operand], **dict.fromkeys(dims, Fill.ZERO)}
        else:
            result = self._where(user, operand, dims, value)
        user.replace_input_with(operand, result)
        return result

    def _where(self, user: Node, operand: Node, dims: list[int], value: Any) -> Node:
        shape = shape_of(operand)
        result = operand
        for dim in dims:
            hidden = Hidden("valid", str(shape[dim]))
            condition = self.condition(user, hidden, dim, len(shape))
            result = self.call(user, aten.where.ScalarOther, condition, result, value)
        result.meta["val"] = operand.meta["val"]
        level = Fill.ZERO if value == 0 else Fill.ANY
        self.fills[result] = {**self.fills[operand], **dict.fromkeys(dims, level)}
        return result

    def start(self) -> None:
        """Inputs come padded with zeros."""
        for node in self.graph.nodes:
            if node.op == "placeholder":
                self._last_input = node
                self.set(node, Fill.ZERO)


def _dequantizes(node: Node) -> bool:
    return "quantized_decomposed.dequantize_per_tensor" in str(node.target)


def insert_masks(module: GraphModule, root: str | None = None) -> Padded:
    """Masks what would mix padding in; changes `module`.

    Args:
        module: takes flat inputs, gives a flat tuple (`asic.frontend.dynamic.flat_module`).
        root: folder that messages name source files relative to.

    Raises:
        CompileError: an operator mixes a dynamic dimension in a way that is not known.
    """
    from asic.frontend.padding.merging import take_apart
    from asic.frontend.padding.rules import apply

    take_apart(module)
    masker = Masker(module, root)
    masker.start()
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.target is not operator.getitem:
            apply(masker, node)
        elif node.op == "call_function":
            masker.set(node)
        elif node.op == "call_module":
            raise masker.refuse(node, "as a module", "export the model without submodule calls")
    module.graph.eliminate_dead_code()
    module.recompile()
    return Padded(module, tuple(masker.hidden))
