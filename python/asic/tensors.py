# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors at the border of a compiled model: names, types, torch and NumPy."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from asic.errors import ProgramError

Array = np.ndarray[Any, Any]

#: MLIR's element types and NumPy's names.
_NUMPY_NAMES = {
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "f64": "float64",
    "f8E4M3FN": "float8_e4m3fn",
    "f8E5M2": "float8_e5m2",
    "i1": "bool",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "ui8": "uint8",
    "si8": "int8",
}


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of an MLIR or NumPy type name, e.g. "bf16" or "float32"."""
    name = _NUMPY_NAMES.get(name, name)
    if is_small_float(name):
        import ml_dtypes

        kind: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return kind
    return np.dtype(name)


def is_small_float(name: str) -> bool:
    """Whether NumPy has the type of this name only through ml_dtypes."""
    return name.startswith(("bfloat", "float8", "float4"))


def _carrier(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The integers that a small float travels as between torch and NumPy."""
    return np.dtype(np.int16 if dtype.itemsize == 2 else np.uint8)


def is_array(value: Any) -> bool:
    """Whether a value is a NumPy array or a torch tensor."""
    return isinstance(value, np.ndarray) or is_torch(value)


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and NumPy dtype name of an input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def numpy(self) -> np.dtype[Any]:
        """The dtype as NumPy has it."""
        return numpy_dtype(self.dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole tensor."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.numpy.itemsize

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}{list(self.shape)}"


def is_torch(value: Any) -> bool:
    """Whether `value` is a torch tensor, without importing torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_array(value: Any) -> Array:
    """A torch tensor or anything that NumPy understands, as an array.

    Of a tensor it is contiguous, and shares the memory where that is contiguous already.
    """
    if not is_torch(value):
        return np.asarray(value)
    tensor = value.detach().cpu().contiguous()
    name = str(tensor.dtype).removeprefix("torch.")
    if not is_small_float(name):
        array: Array = tensor.numpy()
        return array
    import torch

    dtype = numpy_dtype(name)
    array = tensor.view(getattr(torch, _carrier(dtype).name)).numpy().view(dtype)
    return array


def to_torch(array: Array) -> Any:
    """The array as a torch tensor that owns it."""
    import torch

    name = array.dtype.name
    if is_small_float(name):
        return torch.from_numpy(array.view(_carrier(array.dtype))).view(getattr(torch, name))
    return torch.from_numpy(array)


def check_dtype(array: Array, spec: TensorSpec, kind: str = "input") -> None:
    """Expects the dtype of `spec`.

    Raises:
        ProgramError: it is another; nothing is converted silently.
    """
    if array.dtype != spec.numpy:
        raise ProgramError(
            f"expected {spec.dtype} for {kind} '{spec.name}', got {array.dtype.name}; "
            f"convert it first"
        )


def check_input(value: Any, spec: TensorSpec, kind: str = "input") -> Array:
    """`value` as a contiguous array of exactly the shape and dtype of `spec`.

    Raises:
        ProgramError: shape or dtype differ, or the tensor has no data; nothing is converted
            silently.
    """
    _check_data(value, spec, kind)
    array = to_array(value)
    check_dtype(array, spec, kind)
    if array.shape != spec.shape:
        raise ProgramError(
            f"expected shape {list(spec.shape)} for {kind} '{spec.name}', got "
            f"{list(array.shape)}; the program was compiled for one shape"
        )
    return np.asarray(array, order="C")


def _check_data(value: Any, spec: TensorSpec, kind: str) -> None:
    """A torch tensor has its elements one after the other in memory."""
    if not is_torch(value):
        return
    if value.is_meta:
        raise ProgramError(
            f"expected data for {kind} '{spec.name}', got a tensor on the meta device, which has "
            "none; make it on the cpu"
        )
    if str(value.layout) != "torch.strided":
        raise ProgramError(
            f"expected a dense tensor for {kind} '{spec.name}', got one of layout {value.layout}; "
            "pass its to_dense()"
        )


class _Borrowed:
    """Memory of `owner` as NumPy takes it."""

    def __init__(self, address: int, size: int, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, True),
            "shape": (size,),
            "typestr": "|u1",
            "version": 3,
        }


def borrow(address: int, size: int, owner: Any) -> Array:
    """Read-only bytes of `owner`, which lives as long as the array."""
    return np.asarray(_Borrowed(address, size, owner))


def raw(array: Array) -> Array:
    """The bytes of a contiguous array, shared."""
    return array.reshape(-1).view(np.uint8)
