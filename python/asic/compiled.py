# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The result of a compilation: something to call, inspect and save."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asic import _core
from asic.errors import CompileError, ProgramError
from asic.execution import Call, Executor
from asic.facts import Facts, Step
from asic.machine import Machine
from asic.stages import Stages
from asic.state import Kept, State, border, check_state
from asic.structure import Structure
from asic.tensors import (
    Array,
    TensorSpec,
    borrow,
    check_input,
    is_torch,
    to_torch,
)

if TYPE_CHECKING:
    from asic.explain import Explanation
    from asic.profile import Profile
    from asic.reading import Source
    from asic.report import Report
    from asic.sizes import Sizes
    from asic.target import Target


class Compiled:
    """A compiled model. Call it as the model is called.

    Attributes:
        inputs, outputs: name, shape and dtype of every tensor that the user passes and
            gets.
        state: path of each buffer that the model writes → its value; assign to change it.
            Every call that succeeds leaves the new values here.
        stages: phase → text of the module after it; a loaded model has "program" alone.
        target: the accelerator, None for this computer.
        source: what was compiled; None for a loaded model.
    """

    #: The module that was compiled without quantisation, as long as somebody else has it.
    module: Callable[[], Any] | None = None

    def __init__(
        self,
        *,
        target: Target | None,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        structure: Structure,
        steps: tuple[Step, ...],
        results: tuple[int, ...],
        machines: dict[str, Machine],
        host_text: str,
        host_constants: dict[str, Array],
        facts: Facts,
        state: State | None = None,
        compilation: _core.Compilation | None = None,
        source: Source | None = None,
        complete: bool = True,
    ) -> None:
        self.target = target
        self.inputs = inputs
        self.outputs = outputs
        self.facts = facts
        self._state = state or State((), (), {})
        #: Paths of the buffers in the order of the program's arguments and results.
        self.state_paths = tuple(self._state)
        self.structure = structure
        self.steps = steps
        self.results = results
        self.host_text = host_text
        self.host_constants = host_constants
        self.source = source
        self._complete = complete
        self._machines = machines
        host = self._load_host(compilation)
        # What stopped early has no programs yet.
        runnable = steps if complete else ()
        self._executor = Executor(runnable, machines, host, self._state, len(inputs), results)
        self.stages = self._stages(compilation)

    @classmethod
    def from_compilation(
        cls,
        compilation: _core.Compilation,
        source: Source,
        *,
        target: Target | None,
        import_seconds: float,
        start: float,
        complete: bool,
    ) -> Compiled:
        """From a native compilation that succeeded."""
        from asic.explain import record

        seconds = {"import": import_seconds, **dict(compilation.phase_seconds)}
        work, found = compilation.work, dict(compilation.placement)
        inputs, before = border(source.inputs, compilation.inputs)
        outputs, after = border(source.outputs, compilation.outputs)
        check_state(before, after)
        regions = {region["region"]: region for region in found["regions"]}
        clock = float(target.clock_mhz) if target else 1.0
        records = [record(entry, regions, clock) for entry in found.pop("records")]
        result = cls(
            target=target,
            inputs=inputs,
            outputs=outputs,
            state=State.of(before, source),
            structure=source.structure,
            steps=tuple(
                Step(s["function"], s["on_host"], tuple(s["inputs"]), tuple(s["outputs"]))
                for s in compilation.steps
            ),
            results=tuple(compilation.results),
            machines={
                name: Machine(compilation.machine(name)) for name in compilation.program_names
            },
            host_text=compilation.host_text,
            host_constants={
                name: borrow(address, size, compilation)
                for name, (address, size) in compilation.host_constants.items()
            },
            facts=Facts(),
            compilation=compilation,
            source=source,
            complete=complete,
        )
        result.facts = Facts(
            macs=work["macs"],
            host_macs=work["host_macs"],
            weights_bytes=work["weights_bytes"],
            lower_bound_cycles=work["lower_bound_cycles"],
            fallbacks=tuple(r for r in records if r["kind"] != "slow path"),
            slow_paths=tuple(r for r in records if r["kind"] == "slow path"),
            placement=found,
            compile_seconds=time.perf_counter() - start,
            phase_seconds=seconds,
        )
        return result

    def _stages(self, compilation: _core.Compilation | None) -> Stages:
        programs = ["program"] if self._machines else []
        phases = [] if compilation is None else [name for name, _ in compilation.phase_seconds]
        names = ["import", *phases] if compilation is not None else []
        unique = tuple(dict.fromkeys([*names, *programs]))
        return Stages(compilation, unique, self._machines, self.state.initial)

    def _load_host(self, compilation: _core.Compilation | None) -> _core.HostProgram | None:
        if not self.host_text or not self._complete:
            return None
        try:
            if compilation is not None:
                return compilation.host_program()
            return _core.HostProgram(self.host_text, self.host_constants)
        except ValueError as problem:
            raise CompileError(str(problem), phase="host") from problem

    @property
    def state(self) -> State:
        """The buffers that the model writes; assign to its items, or `update` it."""
        return self._state

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, as `asic-run --input` takes them."""
        return tuple(spec.name for spec in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(spec.name for spec in self.outputs)

    @property
    def programs(self) -> dict[str, bytes]:
        """The containers of the accelerator's programs, by the name of their region."""
        return {name: machine.serialize() for name, machine in self.machines.items()}

    @property
    def machines(self) -> dict[str, Machine]:
        """The emulated accelerator's programs, by the name of their region."""
        return self._machines

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the model.

        Args:
            args, kwargs: torch tensors or NumPy arrays, nested as at compile time.

        Returns:
            What the model returns; torch tensors when any input is one.

        Raises:
            ProgramError: shapes, dtypes or nesting do not fit.
            EmulatorFault: the emulated machine trapped; the state is as before.
        """
        leaves = self.structure.flatten(args, kwargs, len(self.inputs))
        outputs = self.run_flat(leaves)
        if any(is_torch(leaf) for leaf in leaves):
            return self.structure.unflatten([to_torch(array) for array in outputs])
        return self.structure.unflatten(outputs)

    def generate(self, prompt: Sequence[int], max_new_tokens: int, **options: Any) -> list[int]:
        """Greedy decoding with a language model of one token per call; see
        `asic.generation.generate` for what it expects and for the options."""
        from asic.generation import generate

        return generate(self, prompt, max_new_tokens, **options)

    def reset_state(self) -> None:
        """Gives every buffer the value that it had when the model was compiled."""
        self.state.reset()

    @property
    def kept_on_device(self) -> frozenset[str]:
        """The buffers that this program leaves on the accelerator."""
        return self._executor.keeps

    def share_state(self, state: State) -> None:
        """Calls go on from `state`, which has the same buffers and belongs to several models."""
        self._state = state
        self._executor.share(state)

    def free_regions(self) -> None:
        """Frees the memory of the accelerator's DRAM between calls; the state stays."""
        self._executor.forget()

    def run_flat(self, leaves: list[Any], sizes: Sizes | None = None) -> list[Array]:
        """Runs the model on its flattened inputs; returns its flattened outputs.

        The state changes when all of it has run. With `sizes` (of each symbol, of a program
        of this computer for many sizes) only that part of the outputs is meaningful.
        """
        call = self._executor.run(self._bind(leaves), sizes=sizes)
        count, arguments = len(self.outputs), len(self.inputs) + len(self.state_paths)
        # Where an output is the state as it was, its memory is not the caller's.
        state = range(len(self.inputs), arguments)
        outputs = [
            self._result(call, number, spec, is_shared=number in state)
            for number, spec in zip(self.results, self.outputs, strict=False)
        ]
        specs = self.state.specs
        new: dict[str, Array | Kept] = {
            # Memory of the caller, now or before, is not the state's.
            path: self._result(
                call, number, specs[path], number < arguments or self.results.count(number) > 1
            )
            for number, path in zip(self.results[count:], self.state_paths, strict=True)
            if path not in self._executor.keeps
        }
        self.state.replace({**new, **self._executor.commit(call)})
        return outputs

    def _result(self, call: Call, number: int, spec: TensorSpec, is_shared: bool) -> Array:
        array = np.asarray(self._executor.value(call, number), order="C")
        array = array.reshape(spec.shape).astype(spec.numpy, copy=False)
        return array.copy() if is_shared else array

    def _expect_complete(self) -> None:
        if not self._complete:
            raise ProgramError(
                "expected a complete compilation, got one that stopped early; compile "
                "without options.until"
            )

    def _bind(self, leaves: list[Any]) -> list[Array]:
        self._expect_complete()
        if len(leaves) != len(self.inputs):
            raise ProgramError(f"expected {len(self.inputs)} inputs, got {len(leaves)}")
        return [check_input(leaf, spec) for leaf, spec in zip(leaves, self.inputs, strict=True)]

    def on_host(self) -> Compiled:
        """The same model compiled for this computer, with the target's arithmetic.

        Raises:
            ProgramError: the model was loaded from a file, which holds only programs.
        """
        from asic.compiler import compile_source

        if self.source is None:
            raise ProgramError(
                "expected a model that was compiled in this process, got one from a file; "
                "compile it again"
            )
        return compile_source(self.source, None, arithmetic=self.target)

    def report(self) -> Report:
        """Where every cycle and byte goes."""
        from asic.report import Report

        self._expect_complete()
        return Report.of(self)

    def explain(self) -> Explanation:
        """Where every operation runs, and why not elsewhere; print it."""
        from asic import explain

        self._expect_complete()
        return explain.Explanation.of(self)

    def profile(self, *args: Any, **kwargs: Any) -> Profile:
        """Runs the model with the machine's clock and records every instruction.

        The run starts from the state and leaves it as it is.

        Raises:
            ProgramError: as for a call; or nothing of the model runs on an accelerator.
        """
        from asic.profile import Profile

        self._expect_complete()
        if not self._machines:
            where = "target='cpu'" if self.target is None else "every operation on the host"
            remedy = "compile it for one" if self.target is None else "explain() says why"
            raise ProgramError(
                f"expected a model that runs on an accelerator, whose clock is read, got {where}; "
                f"{remedy}, or time calls with time.perf_counter"
            )
        leaves = self.structure.flatten(args, kwargs, len(self.inputs))
        call = self._executor.run(self._bind(leaves), timed=True)
        return Profile(self, tuple(call.timings))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model, with its state, to a file that `asic.load` and `asic-run` take.

        The file appears complete or not at all. What the programs of several sizes have in
        common is in it once.

        Raises:
            ProgramError: the file cannot be written; or programs are made when sizes come.
        """
        from asic.storage import save

        self._expect_storable()
        save(self, path)

    def _expect_storable(self) -> None:
        self._expect_complete()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or a model that is sent to another process, is one that was saved and loaded."""
        from asic.storage import from_bytes, to_bytes

        self._expect_storable()
        return from_bytes, (to_bytes(self),)

    def __repr__(self) -> str:
        target = "cpu" if self.target is None else self.target.name
        inputs = ", ".join(str(spec) for spec in self.inputs)
        outputs = ", ".join(str(spec) for spec in self.outputs)
        return f"Compiled({inputs} -> {outputs}, target={target})"
