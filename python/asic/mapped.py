# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights in a `.safetensors` file, mapped into memory: what nobody reads is never loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from asic.errors import CompileError
from asic.tensors import Array, numpy_dtype

#: Names of element types in the format, where they are not NumPy's own.
_TYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "U32": "uint32",
    "I64": "int64",
    "U64": "uint64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}

#: Longest header that the format allows.
_HEADER = 100_000_000


def map_weights(path: Path) -> dict[str, Array]:
    """Read-only arrays of every tensor in the file, backed by the file.

    Raises:
        CompileError: the file cannot be read, is damaged, or has types that NumPy lacks.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length <= _HEADER else None
        if not isinstance(header, dict):
            raise ValueError("no header")
        data = np.memmap(path, np.uint8, "r", offset=8 + length) if _size(header) else _EMPTY
        header.pop("__metadata__", None)
        return {name: _view(data, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, OverflowError) as problem:
        raise CompileError(
            f"expected a .safetensors file, got a damaged one at {path} ({problem}); save it again",
            phase="import",
        ) from problem
    except OSError as problem:
        raise CompileError(f"cannot read {path}: {problem.strerror}", phase="import") from problem


_EMPTY = np.empty(0, np.uint8)


def _size(header: dict[str, Any]) -> int:
    """Bytes of all tensors."""
    return max((e["data_offsets"][1] for n, e in header.items() if n != "__metadata__"), default=0)


def _view(data: Array, entry: dict[str, Any]) -> Array:
    if entry["dtype"] not in _TYPES:
        raise ValueError(f"type {entry['dtype']}")
    kind = numpy_dtype(_TYPES[entry["dtype"]])
    begin, end = entry["data_offsets"]
    if not 0 <= begin <= end <= data.size:
        raise ValueError(f"expected {end} bytes, got {data.size}")
    array = np.ndarray.view(data[begin:end], np.ndarray).view(kind).reshape(entry["shape"])
    return np.require(array, requirements="A")  # A copy where the file is not aligned.
