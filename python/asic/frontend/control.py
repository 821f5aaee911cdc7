# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Control flow as plain graphs: branches are both computed, loops of known length unrolled.

`torch.cond` becomes both branches and a selection, which every machine can do; `scan` and
`map` over a dimension of known size become that many copies of their body. A loop whose
number of steps depends on data is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node

from asic.errors import CompileError
from asic.frontend.export import error
from asic.frontend.fold import attribute
from asic.frontend.locations import source_of

aten = torch.ops.aten

#: Most calls that one loop may become.
UNROLL_LIMIT = 20_000

#: Not computed in a branch that is not taken: their operands may be out of range there.
_UNSAFE = (
    "aten::index",
    "aten::gather",
    "aten::embedding",
    "aten::scatter",
    "aten::take",
    "aten::select_scatter",
)
_DIVISIONS = ("aten::div", "aten::floor_divide", "aten::remainder", "aten::fmod")


def unroll(module: GraphModule, root: str | None = None) -> None:
    """Replaces every higher-order call of an unlifted program, in place.

    Raises:
        CompileError: a loop is too long or of unknown length, a branch cannot be computed
            when it is not taken, or the call is none of these.
    """
    rules: dict[str, Callable[[_Inliner, Node], None]] = {
        "cond": _cond,
        "scan": _scan,
        "map_impl": _map,
        "invoke_subgraph": _subgraph,
    }
    while calls := [n for n in module.graph.nodes if _is_higher_order(n)]:
        for node in calls:
            name = str(node.target.name())
            if name not in rules:
                raise _unknown(name, node, root)
            rules[name](_Inliner(module, node, root), node)
    module.graph.lint()
    module.recompile()


def _is_higher_order(node: Node) -> bool:
    return isinstance(node.target, torch._ops.HigherOrderOperator)


def _unknown(name: str, node: Node, root: str | None) -> CompileError:
    where = source_of(node, root)
    if name == "while_loop":
        return error(
            f"expected loops of a known number of steps, got while_loop at {where}; write a "
            "Python loop over a fixed range, or keep the loop outside the compiled model"
        )
    return error(
        f"expected torch.cond, scan or map for control flow, got {name} at {where}; rewrite it "
        "with these, or keep it outside the compiled model"
    )


class _Inliner:
    """Puts copies of subgraphs in front of a call, and values in place of its results."""

    def __init__(self, module: GraphModule, call: Node, root: str | None) -> None:
        self.graph = module.graph
        self._module = module
        self._call = call
        self._root = root

    def where(self) -> str:
        """The call's place in the user's source."""
        return str(source_of(self._call, self._root))

    def body(self, getter: Any) -> GraphModule:
        """The subgraph that a `get_attr` node reads."""
        found: GraphModule = attribute(self._module, str(getter.target))
        return found

    def inline(self, getter: Any, arguments: list[Any]) -> list[Any]:
        """A copy of the subgraph on these arguments; returns its results."""
        values: dict[Node, Any] = {}
        given = iter(arguments)
        for node in self.body(getter).graph.nodes:
            if node.op == "placeholder":
                values[node] = next(given)
            elif node.op == "output":
                return [values.get(r, r) for r in node.args[0]]
            else:
                with self.graph.inserting_before(self._call):
                    values[node] = self.graph.node_copy(node, lambda n: values[n])
                if node.op == "get_attr":
                    values[node].target = f"{getter.target}.{node.target}"
        raise AssertionError("a graph without an output")

    def emit(self, target: Any, *args: Any) -> Node:
        """A new call in front of the replaced one, at its source."""
        with self.graph.inserting_before(self._call):
            node = self.graph.call_function(target, args)
        kept = ("nn_module_stack", "stack_trace")
        node.meta = {k: v for k, v in self._call.meta.items() if k in kept}
        return node

    def finish(self, results: list[Any]) -> None:
        """Gives the readers of the call these values, and removes it."""
        for user in list(self._call.users):
            if user.target is not operator.getitem:
                raise AssertionError(f"a reader of a tuple, {user.target}")
            value = results[user.args[1]]  # type: ignore[index]
            if isinstance(value, Node):
                user.replace_all_uses_with(value)
            self.graph.erase_node(user)
        self.graph.erase_node(self._call)


def _cond(inliner: _Inliner, node: Node) -> None:
    """Both branches, and a selection of each result."""
    predicate, taken, other, operands = node.args[:4]
    arguments = list(operands)  # type: ignore[arg-type]
    if isinstance(predicate, bool):
        inliner.finish(inliner.inline(taken if predicate else other, arguments))
        return
    for branch in (taken, other):
        _check_branch(inliner, inliner.body(branch))
    value = predicate.meta.get("val")  # type: ignore[union-attr]
    if isinstance(value, torch.Tensor) and value.dim():
        predicate = inliner.emit(aten.reshape.default, predicate, [])
    pairs = zip(inliner.inline(taken, arguments), inliner.inline(other, arguments), strict=True)
    inliner.finish(
        [a if a is b else inliner.emit(aten.where.self, predicate, a, b) for a, b in pairs]
    )


def _check_branch(inliner: _Inliner, body: GraphModule) -> None:
    """A branch that is not taken is computed too: it must not fail on any value."""
    for node in body.graph.nodes:
        if not isinstance(node.target, torch._ops.OpOverload):
            continue
        name = node.target._schema.name
        value = node.meta.get("val")
        integers = isinstance(value, torch.Tensor) and not value.is_floating_point()
        if name.startswith(_UNSAFE) or (integers and name.startswith(_DIVISIONS)):
            raise error(
                f"expected branches that can be computed when they are not taken, got "
                f"{name.replace('::', '.')} in torch.cond at {inliner.where()}; move it in front "
                "of the condition"
            )


def _scan(inliner: _Inliner, node: Node) -> None:
    """One copy of the body per step, the last values of the carry and the stacked results."""
    combine, initial, sequences, extra = node.args[:4]
    carry, xs, more = list(initial), list(sequences), list(extra or ())  # type: ignore[arg-type]
    count = len(carry)
    steps = _steps(inliner, xs, combine, "scan")
    outputs: list[list[Any]] = []
    for step in range(steps):
        slices = [inliner.emit(aten.select.int, x, 0, step) for x in xs]
        results = inliner.inline(combine, [*carry, *slices, *more])
        carry = results[:count]
        outputs.append(results[count:])
    inliner.finish([*carry, *_stacked(inliner, outputs)])


def _map(inliner: _Inliner, node: Node) -> None:
    """One copy of the body per element of the first dimension."""
    body, sequences, extra = node.args[:3]
    xs, more = list(sequences), list(extra or ())  # type: ignore[arg-type]
    steps = _steps(inliner, xs, body, "map")
    outputs = [
        inliner.inline(body, [*(inliner.emit(aten.select.int, x, 0, i) for x in xs), *more])
        for i in range(steps)
    ]
    inliner.finish(_stacked(inliner, outputs))


def _subgraph(inliner: _Inliner, node: Node) -> None:
    """A region that was compiled once, as it would be without the mark."""
    inliner.finish(inliner.inline(node.args[0], list(node.args[2:])))


def _stacked(inliner: _Inliner, outputs: list[list[Any]]) -> list[Node]:
    """Results of all steps, along a new first dimension."""
    return [inliner.emit(aten.stack.default, list(column)) for column in zip(*outputs, strict=True)]


def _steps(inliner: _Inliner, xs: list[Node], body: Any, name: str) -> int:
    """Size of the first dimension, when unrolling it is bearable."""
    steps = xs[0].meta["val"].shape[0] if xs else 0
    if not isinstance(steps, int) or steps == 0:
        raise error(
            f"expected a first dimension of known size, got {steps} in {name} at "
            f"{inliner.where()}; declare the dimension static"
        )
    calls = sum(n.op == "call_function" for n in inliner.body(body).graph.nodes)
    if steps * calls > UNROLL_LIMIT:
        raise error(
            f"expected loops of at most {UNROLL_LIMIT} operations, got {steps} steps of {calls} in "
            f"{name} at {inliner.where()}; compile the body and call it once per step, with what it "
            "carries in registered buffers"
        )
    return steps
