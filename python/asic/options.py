# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Options of `asic.compile` that few people need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asic import _core
from asic.errors import CompileError

#: Names of the compiler's phases, in order.
PHASES: tuple[str, ...] = (*_core.phases(), "program")


@dataclass(frozen=True)
class CompileOptions:
    """How to compile.

    Attributes:
        until: the last phase to run; the result then has stages but cannot be called.
            None runs all.
        verify: whether each phase ends with a check of what it promises.
        source_root: folder that source files are named relative to in reports and
            messages; None keeps the paths as Python has them.
        buckets: sizes of a dynamic dimension, by the name of its Dim, that get a program;
            None takes powers of two and the largest size, on this computer the sizes of calls.
        reproducers: folder that reproducers of failed compilations are written to;
            None takes the system's folder of temporary files.
        progress: whether the phases are shown on stderr; None: when it is a terminal.

    Raises:
        CompileError: an option has a value that it cannot have.
    """

    until: str | None = None
    verify: bool = True
    source_root: str | None = None
    reproducers: str | None = None
    buckets: Mapping[str, Sequence[int]] | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        if self.until is not None and self.until not in PHASES:
            raise CompileError(
                f"expected until to be one of {', '.join(PHASES)}, got {self.until!r}",
                phase="options",
            )
        if not isinstance(self.verify, bool):
            raise CompileError(
                f"expected verify to be True or False, got {self.verify!r}", phase="options"
            )
