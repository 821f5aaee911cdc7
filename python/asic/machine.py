# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One program on the emulated accelerator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from asic import _core
from asic.errors import EmulatorFault, ProgramError
from asic.tensors import Array, numpy_dtype


@dataclass(frozen=True)
class Timing:
    """When and where a program spends its cycles; the same for every input.

    Attributes:
        cycles: from start to halt.
        engines: busy, stall and idle cycles by engine; they sum to `cycles`.
        layers: name, source, engine, cycles, macs and bytes of each layer.
        dram_read_bytes, dram_write_bytes: traffic.
        sram_peak_bytes: one past the highest scratchpad byte that is used.
        program_bytes: instructions.
        energy_uj: None when the target gives no energies.
        trace: Perfetto JSON of every instruction; empty unless asked for.
    """

    cycles: int
    engines: dict[str, dict[str, int]]
    layers: tuple[dict[str, Any], ...]
    dram_read_bytes: int
    dram_write_bytes: int
    sram_peak_bytes: int
    program_bytes: int
    energy_uj: float | None
    trace: str = ""


@dataclass(frozen=True)
class Run:
    """A run from a state.

    Attributes:
        outputs: in the container's order, without those in state regions.
        kept: the regions after it.
        timing: when the machine's clock ran.
    """

    outputs: list[Array]
    kept: Any
    timing: Timing | None


class Machine:
    """A program container and the emulator that runs it.

    Attributes:
        regions: path of each state region → positions of its old value among the inputs and
            of its new one among the outputs.

    Args:
        program: bytes of the container, or a machine of the native core.

    Raises:
        ProgramError: they are not a program that this version runs.
    """

    def __init__(self, program: bytes | _core.Machine) -> None:
        try:
            self._native: Any = program
            if isinstance(program, bytes):
                self._native = _core.Machine.load(program)
        except ValueError as problem:
            raise ProgramError(str(problem)) from None
        described = self._native.describe()
        self._program_bytes = int(described["text_bytes"])
        self._inputs = [entry["name"] for entry in described["io"]["inputs"]]
        self._dtypes = [numpy_dtype(entry["dtype"]) for entry in described["io"]["inputs"]]
        self._outputs = [entry["name"] for entry in described["io"]["outputs"]]
        before, after = (
            {entry.get("state"): position for position, entry in enumerate(described["io"][side])}
            for side in ("inputs", "outputs")
        )
        self.regions: dict[str, tuple[int, int]] = {
            entry["path"]: (before[entry["path"]], after[entry["path"]])
            for entry in described["io"].get("state", ())
        }

    def run(self, arrays: list[Array], *, check: bool = False) -> list[Array]:
        """Runs the program; inputs and outputs in the container's order.

        Args:
            arrays: one per input.
            check: look for faults that need bookkeeping too: races, uninitialised reads.

        Raises:
            EmulatorFault: the machine trapped.
        """
        result = self._run(arrays, mode="functional", check=check)
        return [result["outputs"][name] for name in self._outputs]

    def run_from(self, kept: Any, arrays: list[Array], *, timed: bool = False) -> Run:
        """Runs the program with its state regions as they are in `kept`, which stays.

        Args:
            arrays: one per input that is in no region.
            timed: with the machine's clock, every instruction recorded.

        Raises:
            EmulatorFault: the machine trapped.
        """
        mode = {"mode": "timed", "trace": True} if timed else {"mode": "functional"}
        result = self._run(arrays, state=kept, **mode)
        outputs = [result["outputs"][n] for n in self._outputs if n in result["outputs"]]
        timing = self._timing(result["stats"], result["trace"]) if timed else None
        return Run(outputs, result["state"], timing)

    def empty_state(self) -> Any:
        """State regions full of zeros."""
        return self._native.empty_state()

    def read_state(self, kept: Any, path: str) -> Array:
        """The value of a region."""
        array: Array = self._native.read_state(kept, path)
        return array

    def write_state(self, kept: Any, path: str, array: Array) -> Any:
        """The regions with another value in one of them."""
        position = self.regions[path][0]
        return self._native.write_state(kept, path, _signed(array, self._dtypes[position]))

    def timing(self) -> Timing:
        """Times the program without data."""
        return self._timing(self._native.time())

    def serialize(self, key: str = "", value: str = "") -> bytes:
        """The bytes of the container; JSON text `value` becomes entry `key` of its metadata."""
        data: bytes = self._native.serialize(key, value)
        return data

    def disassemble(self) -> str:
        """The program as assembly text."""
        return str(self._native.disassemble())

    def _run(self, arrays: list[Array], **options: Any) -> dict[str, Any]:
        inside = {taken for taken, _ in self.regions.values()} if "state" in options else set()
        expected = [
            entry
            for position, entry in enumerate(zip(self._inputs, self._dtypes, strict=True))
            if position not in inside
        ]
        inputs = {
            name: _signed(array, dtype)
            for (name, dtype), array in zip(expected, arrays, strict=True)
        }
        try:
            result: dict[str, Any] = self._native.run(inputs, **options)
        except ValueError as problem:
            raise ProgramError(str(problem)) from None
        if result["fault"] is not None:
            _raise_fault(result["fault"])
        return result

    def _timing(self, stats: dict[str, Any], trace: str = "") -> Timing:
        return Timing(
            cycles=stats["cycles"],
            engines={
                name: {key: times[key] for key in ("busy", "stall", "idle")}
                for name, times in stats["engines"].items()
            },
            layers=tuple(_layer(entry) for entry in stats["layers"]),
            dram_read_bytes=stats["dram_read_bytes"],
            dram_write_bytes=stats["dram_write_bytes"],
            sram_peak_bytes=stats["sram_peak_bytes"],
            program_bytes=self._program_bytes,
            energy_uj=stats["energy_uj"],
            trace=trace,
        )


def _signed(array: Array, dtype: np.dtype[Any]) -> Array:
    """The compiler's integers have no sign, so that its names for them are signed."""
    return array.view(dtype) if array.dtype.kind == "u" and dtype.kind == "i" else array


def _layer(entry: dict[str, Any]) -> dict[str, Any]:
    """A row of the report: the engine that is busy longest stands for the layer."""
    busy = {name: cycles for name, cycles in entry["busy"].items() if cycles}
    engines = dict(sorted(busy.items(), key=lambda item: (-item[1], item[0])))
    engine = next(iter(engines), "ctrl")
    return {
        "name": entry["layer"] if entry["tag"] else "start and end of the program",
        "source": entry["source"],
        "engine": engine,
        "cycles": engines.get(engine, 0),
        "engines": engines,
        "macs": entry["macs"],
        "bytes": entry["dram_read_bytes"] + entry["dram_write_bytes"],
    }


def _raise_fault(fault: dict[str, Any]) -> NoReturn:
    raise EmulatorFault(
        fault["text"],
        fault=fault["fault"],
        pc=-1 if fault["pc"] is None else fault["pc"],
        cycle=fault["cycle"],
        instruction=fault["instruction"],
        layer=fault["layer"] or None,
    )
