# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a compiled model remembers from call to call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from asic.errors import CompileError, ProgramError
from asic.tensors import Array, TensorSpec, check_input, numpy_dtype

if TYPE_CHECKING:
    from asic.reading import Source


class State(MutableMapping[str, Array]):
    """Path of each buffer that the model writes → its value.

    Reading gives an array that cannot be written to; assign a whole one instead. Shape
    and dtype are those of the buffer. The keys are fixed. A value that lies on the
    accelerator is read when it is asked for; one that is assigned goes there with the next call.
    """

    def __init__(
        self,
        paths: Sequence[str],
        specs: Sequence[TensorSpec],
        initial: dict[str, Array],
    ) -> None:
        self._specs = dict(zip(paths, specs, strict=True))
        self._initial = {path: self._checked(path, initial[path]) for path in paths}
        self._values: dict[str, Array | None] = dict(self._initial)
        self._readers: dict[str, Callable[[], Array]] = {}

    @classmethod
    def of(cls, specs: dict[str, TensorSpec], source: Source) -> State:
        """The state that a text declares, with the source's values.

        A buffer without a value in the source starts with zeros.
        """
        values: dict[str, Array] = {}
        types: list[TensorSpec] = []
        for path, spec in specs.items():
            if path in source.state:
                # The text does not know unsigned integers.
                spec = replace(spec, dtype=source.state[path].dtype.name)
                values[path] = source.state[path]
            else:
                zeros = np.zeros(spec.shape, spec.numpy)
                values[path] = source.weights.get(path, zeros)
            types.append(spec)
        return cls(tuple(specs), types, values)

    @property
    def specs(self) -> dict[str, TensorSpec]:
        """Name, shape and dtype by path."""
        return dict(self._specs)

    @property
    def initial(self) -> dict[str, Array]:
        """The values that `reset` goes back to."""
        return dict(self._initial)

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers."""
        return sum(spec.nbytes for spec in self._specs.values())

    def reset(self) -> None:
        """Goes back to the values that the module had when it was compiled."""
        self._values = dict(self._initial)

    def put_on_device(self, path: str, read: Callable[[], Array]) -> None:
        """From the next call on the accelerator keeps this buffer; `read` gives its value."""
        self._readers[path] = read

    @property
    def on_device(self) -> tuple[str, ...]:
        """The buffers that the accelerator keeps between calls; the host carries the others."""
        return tuple(path for path in self._specs if path in self._readers)

    def is_on_device(self, path: str) -> bool:
        """True when the accelerator has the value, with no assigned one waiting."""
        return self._values[path] is None

    def replace(self, arrays: dict[str, Array]) -> None:
        """Takes the results of a call; they are not copied. What is missing is on the device."""
        for array in arrays.values():
            array.flags.writeable = False
        self._values = {path: arrays.get(path) for path in self._specs}

    def __getitem__(self, path: str) -> Array:
        self._expect(path)
        value = self._values[path]
        if value is None:
            spec = self._specs[path]
            value = self._readers[path]().reshape(spec.shape).astype(spec.numpy, copy=False)
            value.flags.writeable = False
        return value

    def __setitem__(self, path: str, value: Any) -> None:
        self._expect(path)
        self._values[path] = self._checked(path, value)

    def __delitem__(self, path: str) -> None:
        raise ProgramError(
            f"expected a value for the state '{path}', got a deletion; reset_state() brings "
            "the initial values back"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __repr__(self) -> str:
        return (
            f"State({', '.join(f'{p}: {s.dtype}{list(s.shape)}' for p, s in self._specs.items())})"
        )

    def _expect(self, path: str) -> None:
        if path not in self._specs:
            raise KeyError(
                f"{path!r}; the state has {', '.join(map(repr, self._specs)) or 'nothing'}"
            )

    def _checked(self, path: str, value: Any) -> Array:
        """A copy of `value` with the shape and dtype of the buffer."""
        array = check_input(value, self._specs[path], kind="state").copy()
        array.flags.writeable = False
        return array


def border(
    given: tuple[TensorSpec, ...] | None, found: list[tuple[str, Any, str]]
) -> tuple[tuple[TensorSpec, ...], dict[str, TensorSpec]]:
    """The user's tensors and the state by path, from what the compiler reads in the text.

    Args:
        given: the importer's specs of the user's tensors, if there are any.
        found: (name, (shape, type), path of the buffer or "") in the text's order.
    """
    user: list[TensorSpec] = []
    state: dict[str, TensorSpec] = {}
    for name, (shape, kind), path in found:
        spec = TensorSpec(name, tuple(shape), numpy_dtype(kind).name)
        if path:
            state[path] = spec
        elif state:
            raise _border_error(f"'{name}' behind the state '{next(iter(state))}'")
        else:
            user.append(spec)
    return tuple(user) if given is None else given, state


def check_state(before: dict[str, TensorSpec], after: dict[str, TensorSpec]) -> None:
    """Every buffer comes in and goes out, in the same order and type.

    Raises:
        CompileError: the text says otherwise.
    """
    for path in {**before, **after}:
        if path not in before or path not in after:
            raise _border_error(f"only one for '{path}'")
        if (before[path].shape, before[path].dtype) != (after[path].shape, after[path].dtype):
            raise _border_error(f"{before[path]} and {after[path]}")
    if list(before) != list(after):
        raise _border_error(f"the orders {', '.join(before)} and {', '.join(after)}")


def _border_error(found: str) -> CompileError:
    return CompileError(
        "expected one argument and one result of the same type for each asic.state, behind "
        f"the user's and in the same order, got {found}; correct the attributes of @main",
        phase="import",
    )
