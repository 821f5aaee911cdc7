# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of a compiled model: its steps in order, on the host and on the accelerator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asic import _core
from asic.errors import ProgramError
from asic.facts import Step
from asic.machine import Machine, Timing
from asic.sizes import Sizes, evaluate
from asic.state import Kept, State
from asic.tensors import Array, numpy_dtype, raw


@dataclass
class Call:
    """One call under way: what its values are and what it leaves on the accelerator.

    Attributes:
        known: number → array. Old and new values of state on the accelerator are missing
            until somebody asks for them.
        kept: program → its state regions after the run.
        timings: of the programs, when the machine's clock ran.
    """

    known: dict[int, Array]
    kept: dict[str, Any] = field(default_factory=dict)
    timings: list[tuple[str, Timing]] = field(default_factory=list)


class Executor:
    """Runs the steps and keeps between calls what the programs keep in DRAM.

    A state stays on the accelerator when one program has a region for it, takes the model's
    old value there and makes the model's new one; any other is carried as an array.

    Args:
        arguments: how many inputs the user passes; the state's numbers come behind.
        results: numbers of the model's outputs, then those of the state's new values.
    """

    def __init__(
        self,
        steps: tuple[Step, ...],
        machines: dict[str, Machine],
        host: _core.HostProgram | None,
        state: State,
        arguments: int,
        results: tuple[int, ...],
    ) -> None:
        self._steps = steps
        self._machines = machines
        #: Program → its state regions after the last call; empty ones before the first.
        self._regions: dict[str, Any] = {}
        self._host = host
        self._state = state
        self._before = {arguments + number: path for number, path in enumerate(state)}
        #: Path → number of its new value.
        self._after = dict(zip(reversed(list(state)), reversed(results), strict=False))
        #: Number of a new value in a region → program and path.
        self._made: dict[int, tuple[str, str]] = {}
        #: The buffers that stay on the accelerator.
        self.keeps: frozenset[str] = frozenset()
        for step in steps:
            if step.on_host:
                continue
            for path, (taken, made) in machines[step.function].regions.items():
                self._made[step.outputs[made]] = (step.function, path)
                old = self._before.get(step.inputs[taken])
                if old == path and self._after[path] == step.outputs[made]:
                    self.keeps |= {path}
        state.keep_on_device(self.keeps)

    def share(self, state: State) -> None:
        """Calls go on from `state`, which has the same buffers."""
        self._state = state

    def run(self, given: list[Array], *, timed: bool = False, sizes: Sizes | None = None) -> Call:
        """Runs all steps; the state stays as it is until `commit`.

        Args:
            given: the inputs.
            timed: the machine's clock runs.
            sizes: of each symbol, of a program that stops where a call ends.

        Raises:
            ProgramError: a look-up on the host is outside its table.
            EmulatorFault: the emulated machine trapped.
        """
        call = Call(dict(enumerate(given)))
        for step in self._steps:
            if step.on_host:
                arrays = [self.value(call, number) for number in step.inputs]
                made: list[Array | None] = [*self._run_host(step.function, arrays, sizes)]
            else:
                made = self._run_machine(call, step, timed)
            call.known.update(
                (n, array) for n, array in zip(step.outputs, made, strict=True) if array is not None
            )
        return call

    def value(self, call: Call, number: int) -> Array:
        """A value of a call, read from the accelerator if it is there."""
        if number not in call.known:
            if number in self._before:
                call.known[number] = self._state[self._before[number]]
            else:
                function, path = self._made[number]
                machine = self._machines[function]
                call.known[number] = machine.read_state(call.kept[function], path)
        return call.known[number]

    def commit(self, call: Call) -> dict[str, Kept]:
        """Keeps what the programs have left in their regions; returns where each buffer is."""
        self._regions.update(call.kept)
        places = {path: self._made[self._after[path]] for path in self.keeps}
        return {
            path: Kept(self._machines[function], call.kept[function], region)
            for path, (function, region) in places.items()
        }

    def forget(self) -> None:
        """Frees the programs' regions. What the state has of them it still has."""
        self._regions.clear()

    def _run_machine(self, call: Call, step: Step, timed: bool) -> list[Array | None]:
        machine = self._machines[step.function]
        before = self._regions.get(step.function)
        kept = machine.empty_state() if before is None else before
        inside = {taken: path for path, (taken, _) in machine.regions.items()}
        arrays = []
        for position, number in enumerate(step.inputs):
            path = inside.get(position)
            if path is None:
                arrays.append(self.value(call, number))
            elif self._before.get(number) != path or not self._state.is_in(path, before):
                kept = machine.write_state(kept, path, self.value(call, number))
        ran = machine.run_from(kept, arrays, timed=timed)
        call.kept[step.function] = ran.kept
        if ran.timing is not None:
            call.timings.append((step.function, ran.timing))
        outputs: list[Array | None] = list(ran.outputs)
        for _, made in sorted(machine.regions.values(), key=lambda positions: positions[1]):
            outputs.insert(made, None)
        return outputs

    def _run_host(self, function: str, arrays: list[Array], sizes: Sizes | None) -> list[Array]:
        assert self._host is not None, "a host step without a host program"
        _, signature = self._host.signature(function)
        outputs = [np.empty(shape, numpy_dtype(kind)) for shape, kind in signature]
        contiguous = [np.asarray(array, order="C") for array in arrays]
        extents = []
        if sizes is not None:
            extents = [int(evaluate(name, sizes)) for name in self._host.extents(function)]
        try:
            self._host.call(
                function, [raw(a) for a in contiguous], [raw(o) for o in outputs], extents
            )
        except RuntimeError as problem:
            raise ProgramError(str(problem)) from problem
        return outputs
