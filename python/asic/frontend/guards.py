# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Conditions on dynamic sizes that torch.export could not decide, tried for every size.

Its solver knows bounds and multiples. Of ``1 % (n // 5 - 1) != 0``, which is how it asks whether
a convolution's output has two or more points, it cannot say that all sizes from 40 on meet it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from asic.frontend.borders import symbol_ranges

#: Most combinations of sizes that one condition is tried for.
MOST_SIZES = 1 << 20

_SIZE = torch.ops.aten.sym_size.int
_ASSERTION = torch.ops.aten._assert_scalar.default


def remedy_for(program: ExportedProgram) -> str | None:
    """What to declare so that the program's conditions hold; "" when they do, None if unknown.

    Args:
        program: exported with its conditions as assertions in the graph.
    """
    ranges = symbol_ranges(program)
    for assertion in [n for n in program.graph.nodes if n.target is _ASSERTION]:
        symbols = _symbols(assertion)
        count = 1
        for symbol in symbols:
            if symbol not in ranges:
                return None
            count *= max(0, ranges[symbol][1] - max(1, ranges[symbol][0]) + 1)
        if count > MOST_SIZES:
            return None
        steps = _steps(assertion)
        every = [range(max(1, ranges[s][0]), ranges[s][1] + 1) for s in symbols]
        sizes = itertools.product(*every)
        if len(symbols) == 1:
            good = [size for (size,) in sizes if _holds(steps, {symbols[0]: size})]
            if len(good) < len(every[0]):
                return _declaration(good)
        elif not all(_holds(steps, dict(zip(symbols, s, strict=True))) for s in sizes):
            return None
    return ""


def _symbols(assertion: Node) -> list[str]:
    """Names of the sizes that a condition is about."""
    value = assertion.args[0].meta.get("val")  # type: ignore[union-attr]
    expression = getattr(getattr(value, "node", None), "expr", None)
    return sorted(str(symbol) for symbol in getattr(expression, "free_symbols", ()))


def _steps(assertion: Node) -> list[Node]:
    """The calls that compute a condition, in order, from sizes of inputs."""
    found: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node.target is not _SIZE:
            for source in node.all_input_nodes:
                visit(source)
        found.setdefault(node)

    visit(assertion.args[0])  # type: ignore[arg-type]
    return list(found)


def _holds(steps: list[Node], sizes: Mapping[str, int]) -> bool:
    """Whether the last of the steps is true for these sizes."""
    values: dict[Node, Any] = {}
    for node in steps:
        if node.target is _SIZE:
            expression = node.meta["val"].node.expr
            values[node] = sizes.get(str(expression)) or int(expression.subs(sizes))
            continue
        arguments = torch.fx.map_arg(node.args, values.__getitem__)
        try:
            values[node] = node.target(*arguments)  # type: ignore[operator]
        except ZeroDivisionError:
            return False
    return bool(values[steps[-1]])


def _declaration(good: list[int]) -> str | None:
    """A Dim of the sizes that are `good`, if there is one of a simple form."""
    if len(good) < 2:
        return None
    step = good[1] - good[0]
    if good != list(range(good[0], good[-1] + 1, step)):
        return None
    if step == 1:
        return f"declare it with min={good[0]}, max={good[-1]}"
    if good[0] % step:
        return None
    return f"declare it as {step}*Dim('k', min={good[0] // step}, max={good[-1] // step})"
