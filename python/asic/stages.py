# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The module as text after each phase."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asic import _core
from asic.errors import ProgramError
from asic.machine import Machine
from asic.tensors import Array, numpy_dtype


class Stages(Mapping[str, str]):
    """The text of the module after each phase, made when it is asked for."""

    def __init__(
        self,
        compilation: _core.Compilation | None,
        names: tuple[str, ...],
        machines: dict[str, Machine],
        state: dict[str, Array],
    ) -> None:
        self._compilation = compilation
        self._names = names
        self._machines = machines
        self._texts: dict[str, str] = {}
        self._state = state

    def __getitem__(self, phase: str) -> str:
        if phase not in self._names:
            raise KeyError(f"expected one of {', '.join(self._names)}, got {phase!r}")
        if phase == "program" and phase not in self._texts:
            texts = [machine.disassemble() for machine in self._machines.values()]
            self._texts[phase] = "\n".join(texts)
        if phase not in self._texts:
            assert self._compilation is not None, "a phase without a compilation"
            self._texts[phase] = self._compilation.stage(phase)
        return self._texts[phase]

    def write(self, phase: str, path: str | os.PathLike[str]) -> None:
        """Writes a phase to a file that compiles again, its weights beside it.

        Args:
            phase: a phase before "program".
            path: the `.mlir` file; the weights go to the `.safetensors` file of the same
                name, which `asic.compile` finds there.

        Raises:
            ProgramError: the model comes from a file, or a file cannot be written.
        """
        if self._compilation is None or phase == "program":
            raise ProgramError(
                f"expected a phase of a model that was compiled in this process, got '{phase}' of "
                f"{self!r}; compile it again"
            )
        text, weights = self._compilation.dump(phase)
        try:
            Path(path).write_text(text, encoding="utf-8")
            weights_path = Path(path).with_suffix(".safetensors")
            if weights or self._state:
                _write_weights(weights_path, weights, self._state)
            else:
                weights_path.unlink(missing_ok=True)
        except OSError as problem:
            raise ProgramError(f"cannot write {os.fspath(path)}: {problem.strerror}") from problem

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Stages({', '.join(self._names)})"


#: What the safetensors format calls NumPy's types; others are written as bytes.
_FORMAT_NAMES = {
    "bool": "BOOL",
    "int8": "I8",
    "uint8": "U8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}


def _write_weights(path: Path, weights: dict[str, Any], state: dict[str, Array]) -> None:
    """A safetensors file: the size of a header, the header, the data in its order."""
    tensors = {n: (array.shape, array.dtype.name, array.tobytes()) for n, array in state.items()}
    for name, ((shape, kind), data) in weights.items():
        tensors[name] = (shape, _numpy_name(kind), data)
    header: dict[str, Any] = {}
    end = 0
    for name, (shape, dtype, data) in tensors.items():
        known = dtype in _FORMAT_NAMES
        header[name] = {
            "dtype": _FORMAT_NAMES.get(dtype, "U8"),
            "shape": list(shape) if known else [len(data)],
            "data_offsets": [end, end := end + len(data)],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # So that tensors lie aligned in the file.
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(data for _, _, data in tensors.values())


def _numpy_name(kind: str) -> str:
    try:
        return str(numpy_dtype(kind).name)
    except (TypeError, AttributeError):  # No type of NumPy's.
        return ""
