# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Control flow as plain graphs: branches are both computed, loops of known length unrolled.

`torch.cond` becomes both branches and a selection, which every machine can do; `scan` and
`map` over a dimension of known size become that many copies of their body, and so does a
`while_loop` whose condition depends on constants only. Any other loop is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node

from asic.errors import CompileError
from asic.frontend.fold import attribute, constant, evaluate
from asic.frontend.locations import source_of
from asic.frontend.messages import error
from asic.frontend.nodes import insert_call

aten = torch.ops.aten

#: Most calls that one loop may become.
UNROLL_LIMIT = 20_000

#: Largest constant that a condition is computed from.
CONSTANT_LIMIT = 1024

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
        "while_loop": _while,
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
    return error(
        f"expected torch.cond, while_loop, scan or map for control flow, got {name} at "
        f"{source_of(node, root)}; rewrite it with these, or keep it outside the compiled model"
    )


class _Inliner:
    """Puts copies of subgraphs in front of a call, and values in place of its results."""

    def __init__(self, module: GraphModule, call: Node, root: str | None) -> None:
        self.graph = module.graph
        self._module = module
        self._call = call
        self._root = root
        self._constants: dict[Any, torch.Tensor | None] = {}

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
                results = node.args[0]
                many = results if isinstance(results, (tuple, list)) else (results,)
                return [values.get(r, r) for r in many]
            else:
                with self.graph.inserting_before(self._call):
                    values[node] = self.graph.node_copy(node, lambda n: values[n])
                if node.op == "get_attr":
                    values[node].target = f"{getter.target}.{node.target}"
        raise AssertionError("a graph without an output")

    def constant(self, value: Any) -> torch.Tensor | None:
        """The value of a node that depends on constants only; None of any other."""
        if value not in self._constants:
            self._constants[value] = self._evaluate(value)
        return self._constants[value]

    def _evaluate(self, node: Any) -> torch.Tensor | None:
        if not isinstance(node, Node) or node.op != "call_function":
            return constant(self._module, node)
        sources = {source: self.constant(source) for source in node.all_input_nodes}
        if any(value is None for value in sources.values()):
            return None
        result: torch.Tensor | None = evaluate(node, sources, CONSTANT_LIMIT)
        return result

    def emit(self, target: Any, *args: Any) -> Node:
        """A new call in front of the replaced one, at its source."""
        return insert_call(self._call, target, *args)

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


def _while(inliner: _Inliner, node: Node) -> None:
    """One copy of the body per step, as long as the condition can be computed now."""
    condition, body, initial, extra = node.args[:4]
    carry, more = list(initial), list(extra or ())  # type: ignore[arg-type]
    calls = sum(n.op == "call_function" for n in inliner.body(body).graph.nodes)
    steps = 0
    while True:
        value = inliner.constant(inliner.inline(condition, [*carry, *more])[0])
        if value is None:
            raise error(
                "expected loops of a known number of steps, got a while_loop whose condition "
                f"depends on inputs at {inliner.where()}; write a Python loop over a fixed range, "
                "or keep the loop outside the compiled model"
            )
        if not bool(value):
            break
        steps += 1
        if steps * calls > UNROLL_LIMIT:
            raise _too_long(inliner, f"more than {steps - 1}", calls, "while_loop")
        carry = inliner.inline(body, [*carry, *more])
    inliner.finish(carry)


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
        raise _too_long(inliner, str(steps), calls, name)
    return steps


def _too_long(inliner: _Inliner, steps: str, calls: int, name: str) -> CompileError:
    return error(
        f"expected loops of at most {UNROLL_LIMIT} operations, got {steps} steps of {calls} in "
        f"{name} at {inliner.where()}; compile the body and call it once per step, with what it "
        "carries in registered buffers"
    )
