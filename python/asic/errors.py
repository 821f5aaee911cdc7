# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every error that `asic` raises on purpose.

All derive from `AsicError`, so ``except asic.AsicError`` catches them and nothing
else. The message is complete: one sentence saying what was expected and what came,
and after a semicolon what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence


class AsicError(Exception):
    """Base of all errors of this package."""


class CompileError(AsicError):
    """A model could not be compiled.

    Cause: the model, its arguments or its quantisation are not what the phase
    accepts. Example: ``asic.compile(model)`` of an `nn.Module` without ``args``.
    Fix: the message names it.

    Attributes:
        phase: name of the phase that failed ("import", "quantize", "plan", ...).
        diagnostics: the compiler's messages, each one "location: text".
        reproducer: path of a file that ``asic-opt`` replays, or None when the phase
            does not run inside ``asic-opt``.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: str,
        diagnostics: Sequence[str] = (),
        reproducer: str | None = None,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.diagnostics = tuple(diagnostics)
        self.reproducer = reproducer

    def __str__(self) -> str:
        text = f"[{self.phase}] {super().__str__()}"
        if self.reproducer is not None:
            text += f"\nreplay with: asic-opt --run-reproducer {self.reproducer}"
        return text


class TargetError(AsicError):
    """A target description is malformed, contradictory or unknown.

    Example: ``clock_mhz: fast``. Fix: the message names the field and the unit.
    """


class ProgramError(AsicError):
    """A program file is truncated, damaged, foreign or too new, or inputs do not fit it."""


class EmulatorFault(AsicError):
    """The emulated machine trapped.

    Attributes:
        fault: name of the fault, as listed in the instruction set's documentation.
        pc: index of the faulting instruction.
        cycle: cycle of the fault, None in functional mode.
        instruction: its disassembly.
        layer: name of the layer that the instruction belongs to, None when unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        fault: str,
        pc: int,
        cycle: int | None = None,
        instruction: str = "",
        layer: str | None = None,
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.pc = pc
        self.cycle = cycle
        self.instruction = instruction
        self.layer = layer
