# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of a compiled model beside its programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One call of a region: values are numbered, the model's inputs first."""

    function: str
    on_host: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Facts:
    """What a compilation knows and a program does not say.

    Attributes:
        macs: multiply-accumulates of the accelerator's contractions.
        host_macs: multiply-accumulates of the host's contractions.
        weights_bytes: bytes of the accelerator's distinct constants, as DRAM holds them.
        lower_bound_cycles: cycles that no program for this work can go below.
        fallbacks: operations on the host: op, location, reason and more (`asic.explain`).
        slow_paths: the same of operations that run on a slower engine than they could.
        placement: operations on either side, crossings and what each host region exchanges.
        compile_seconds: from the call of `asic.compile` to its return.
        phase_seconds: the same by phase, "import" first.
    """

    macs: int = 0
    host_macs: int = 0
    weights_bytes: int = 0
    lower_bound_cycles: int = 0
    fallbacks: tuple[dict[str, Any], ...] = ()
    slow_paths: tuple[dict[str, Any], ...] = ()
    placement: dict[str, Any] = field(default_factory=dict)
    compile_seconds: float = 0.0
    phase_seconds: dict[str, float] = field(default_factory=dict)
