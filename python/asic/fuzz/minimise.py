# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a finding small: fewer statements, fewer outputs, smaller inputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from asic.fuzz.program import Input, Kind, Program, Statement

#: Whether a candidate fails as the original does.
Fails = Callable[[Program], bool]


def minimise(program: Program, fails: Fails, budget: int = 120) -> Program:
    """The smallest module found that still fails.

    Args:
        fails: the test; it is called at most `budget` times.
    """
    left = budget
    progress = True
    while progress and left > 0:
        progress = False
        for candidate in _candidates(program):
            left -= 1
            if fails(candidate):
                program, progress = candidate, True
                break
            if left <= 0:
                break
    return program


def _candidates(program: Program) -> Iterator[Program]:
    """Smaller programs, the most promising first; some of them cannot run."""
    yield from _fewer_outputs(program)
    yield from _earlier_outputs(program)
    yield from _cut_off(program)
    yield from _bypassed(program)
    yield from _smaller_inputs(program)


def _fewer_outputs(program: Program) -> Iterator[Program]:
    if len(program.outputs) > 1:
        for name in program.outputs:
            yield replace(program, outputs=(name,)).pruned()


def _earlier_outputs(program: Program) -> Iterator[Program]:
    """What the last statements read, instead of what they make."""
    for output in program.outputs:
        for statement in program.statements:
            if output not in statement.defines or len(program.statements) == 1:
                continue
            for used in sorted(statement.uses):
                if used.startswith("v"):
                    yield replace(program, outputs=(used,)).pruned()


def _cut_off(program: Program) -> Iterator[Program]:
    """A value becomes an input, and everything in front of it goes."""
    for position in range(len(program.statements) - 1, -1, -1):
        statement = program.statements[position]
        if set(statement.defines) & set(program.outputs) and len(program.statements) == 1:
            continue
        names = {i.name for i in program.inputs}
        renamed, inputs = program, list(program.inputs)
        for name, kind in zip(statement.defines, statement.kinds, strict=True):
            fresh = next(f"x{n}" for n in range(100) if f"x{n}" not in names)
            names.add(fresh)
            inputs.append(Input(fresh, kind, _text(kind)))
            renamed = _rename(renamed, name, fresh)
        if set(renamed.outputs) & {i.name for i in inputs}:
            continue
        statements = list(renamed.statements)
        del statements[position]
        candidate = replace(renamed, inputs=tuple(inputs), statements=tuple(statements)).pruned()
        if candidate.statements:
            yield candidate


def _bypassed(program: Program) -> Iterator[Program]:
    """Readers of a value get one of its operands of the same kind instead."""
    kinds = {i.name: i.kind for i in program.inputs}
    for statement in program.statements:
        kinds.update(zip(statement.defines, statement.kinds, strict=True))
    for position, statement in enumerate(program.statements):
        if len(statement.defines) > 1:
            continue
        for used in sorted(statement.uses):
            if kinds.get(used) != statement.kinds[0]:
                continue
            statements = list(program.statements)
            del statements[position]
            candidate = replace(program, statements=tuple(statements))
            candidate = _rename(candidate, statement.defines[0], used).pruned()
            if candidate.statements and not set(candidate.outputs) & {
                i.name for i in candidate.inputs
            }:
                yield candidate


def _smaller_inputs(program: Program) -> Iterator[Program]:
    """One extent of one input becomes 1, or half; most layers do not mind the spatial ones."""
    for number, given in enumerate(program.inputs):
        for axis, extent in enumerate(given.kind.shape):
            for smaller in dict.fromkeys((1, extent // 2, extent - 1)):
                if not 1 <= smaller < extent:
                    continue
                shape = (*given.kind.shape[:axis], smaller, *given.kind.shape[axis + 1 :])
                kind = Kind(shape, given.kind.dtype)
                inputs = list(program.inputs)
                inputs[number] = Input(given.name, kind, _text(kind))
                yield replace(program, inputs=tuple(inputs))


def _text(kind: Kind) -> str:
    """An expression for an input of this kind."""
    shape = ", ".join(map(str, kind.shape))
    if kind.dtype == "bool":
        return f"normal({', '.join(filter(None, ('1', shape)))}) > 0"
    if "int" in kind.dtype:
        text = f"integers({', '.join(filter(None, ('1', '0, 4', shape)))})"
        return text if kind.dtype == "int64" else f"{text}.to(torch.{kind.dtype})"
    text = f"normal({', '.join(filter(None, ('1', shape)))})"
    return text if kind.dtype == "float32" else f"{text}.to(torch.{kind.dtype})"


def _rename(program: Program, old: str, new: str) -> Program:
    pattern = re.compile(rf"\b{old}\b")

    def renamed(statement: Statement) -> Statement:
        lines = tuple(pattern.sub(new, line) for line in statement.lines)
        defines = tuple(new if d == old else d for d in statement.defines)
        return Statement(lines, defines, statement.kinds)

    outputs = tuple(new if name == old else name for name in program.outputs)
    return replace(
        program, statements=tuple(renamed(s) for s in program.statements), outputs=outputs
    )
