# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From the torch dialect to linalg on tensors: the pass list, and what must hold after it.

The passes are torch-mlir's own, called without the wrapper that prints the whole module
before each pipeline; `skew.py` has the list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from asic.errors import CompileError
from asic.frontend import skew
from asic.frontend.skew import PassManager, ir

_CLEAN = ("func.func(canonicalize)", "cse", "symbol-dce")

_FOREIGN = re.compile(r'"torch\.operator".*name = "([\w.]+)"')
_OP_NAME = re.compile(r"""['"](torch\.[\w.]+)['"]""")


def lower_to_linalg(
    module: Any, context: Any, finish: Callable[[Any], None] = lambda module: None
) -> None:
    """Rewrites an imported module into linalg on tensors, in place.

    `finish(module)` changes it once more before the last clean-up.

    Raises:
        CompileError: an op has no lowering; the message names the op, its source
            line and module.
    """
    for passes in (skew.TO_BACKEND, skew.TO_LINALG):
        run_passes(module, context, passes, _unsupported)
    _erase(module, "cf.assert")
    finish(module)
    with context:
        PassManager.parse(f"builtin.module({','.join(_CLEAN)})").run(module.operation)
    _check(module)


def linalg_of(operation: Any) -> Any:
    """A module of torch-mlir in linalg on tensors; itself when it is that already.

    Raises:
        CompileError: an op has no lowering.
    """
    names: set[str] = set()
    walk(operation, lambda op: names.add(op.name))
    if not any(name.startswith("torch.") for name in names):
        return operation
    copy = operation.clone()
    lower_to_linalg(copy, copy.context)
    return copy


def run_passes(
    module: Any,
    context: Any,
    passes: Sequence[str],
    describe_failure: Callable[[Any, Any], CompileError],
) -> None:
    """Runs passes over a module; `describe_failure(module, problem)` is what is raised."""
    try:
        with context:
            PassManager.parse(f"builtin.module({','.join(passes)})").run(module.operation)
    except ir.MLIRError as problem:
        raise describe_failure(module, problem) from None


def walk(module: Any, visit: Callable[[Any], None]) -> None:
    """Calls `visit` for every op."""

    def callback(op: Any) -> Any:
        visit(op)
        return ir.WalkResult.ADVANCE

    module.operation.walk(callback)


def _erase(module: Any, name: str) -> None:
    found: list[Any] = []
    walk(module, lambda op: found.append(op) if op.name == name else None)
    for op in found:
        op.erase()


def describe(location: Any) -> str:
    """A location as a person reads it: file:line and module path."""
    text = str(location)
    file = re.search(r'"([^"]+)":(\d+):\d+', text)
    name = re.search(r'loc\("([^"]*)"\(', text)
    plain = re.fullmatch(r'loc\("([^"]*)"(\(fused<"onnx\..*)?\)', text)
    if plain:
        return f"node '{plain[1]}'"
    where = f"{file[1]}:{file[2]}" if file else "unknown source"
    return f"{where} (module '{name[1]}')" if name and name[1] else where


def _unsupported(module: Any, error: ir.MLIRError) -> CompileError:
    """The failed lowering as a message about the user's op."""
    diagnostics: list[str] = []
    op, where = "", ""
    for diagnostic in error.error_diagnostics:
        diagnostics.append(f"{describe(diagnostic.location)}: {diagnostic.message}")
        # An op that the torch dialect does not have says its name in an attribute.
        name = _FOREIGN.search(diagnostic.message) or _OP_NAME.search(diagnostic.message)
        if name and not op:
            op, where = name[1], describe(diagnostic.location)
    left = _leftovers(module)
    if not op or op.startswith(("torch.constant.", "torch.vtensor.")):
        op, where = left[0] if left else (op or "an op", where)
    op = op.removeprefix("torch.")
    return CompileError(
        f"cannot lower {op} at {where or 'unknown source'}; replace it by supported "
        "ops, or keep it outside the compiled model",
        phase="import",
        diagnostics=diagnostics,
    )


def _leftovers(module: Any) -> list[tuple[str, str]]:
    """(name, source) of the ops that the conversions before a failure left."""
    left: list[tuple[str, str]] = []

    def visit(op: Any) -> None:
        name = op.name
        if name == "torch.operator":
            name = ir.StringAttr(op.attributes["name"]).value
        if (
            name.startswith(("torch.aten.", "torch.prims.", "torch.torchvision."))
            or op.name == "torch.operator"
        ):
            left.append((name, describe(op.location)))

    walk(module, visit)
    return left


def _check(module: Any) -> None:
    """No op of the front end's own dialects is left, and no tensor of f64."""
    left: Counter[str] = Counter()
    wide: list[str] = []

    def visit(op: Any) -> None:
        if op.name.startswith(skew.FOREIGN_DIALECTS):
            left[f"{op.name} at {describe(op.location)}"] += 1
        for result in op.results:
            text = str(result.type)
            if text.startswith("tensor<") and text.endswith("xf64>"):
                wide.append(describe(op.location))

    walk(module, visit)
    if left:
        raise CompileError(
            f"cannot lower {next(iter(left))}; replace it by supported ops, or keep it "
            "outside the compiled model",
            phase="import",
            diagnostics=tuple(left),
        )
    if wide:
        raise CompileError(
            f"expected no float64 tensors, got one at {wide[0]}; compute in float32 there",
            phase="import",
            diagnostics=tuple(wide),
        )
