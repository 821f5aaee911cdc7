# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a compiled model remembers from call to call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from asic.errors import CompileError, ProgramError
from asic.tensors import Array, TensorSpec, check_input, numpy_dtype

if TYPE_CHECKING:
    from asic.machine import Machine
    from asic.reading import Source


@dataclass(frozen=True)
class Kept:
    """The value of a buffer where a program left it, in its DRAM.

    It is read when somebody wants it. What the program does later is not seen here.

    Attributes:
        machine: the program.
        regions: its state regions after the run.
        path: of the buffer.
    """

    machine: Machine
    regions: Any
    path: str

    def read(self, spec: TensorSpec) -> Array:
        """The value as `spec` says, which cannot be written to."""
        value = self.machine.read_state(self.regions, self.path)
        value = value.reshape(spec.shape).astype(spec.numpy, copy=False)
        value.flags.writeable = False
        return value


class State(MutableMapping[str, Array]):
    """Path of each buffer that the model writes → its value.

    Reading gives an array that cannot be written to; assign a whole one instead. Shape
    and dtype are those of the buffer. The keys are fixed. A value that lies on the
    accelerator is read when it is asked for; one that is assigned goes there with the next call,
    and so does one that another program has left on the accelerator.
    """

    def __init__(
        self,
        paths: Sequence[str],
        specs: Sequence[TensorSpec],
        initial: dict[str, Array],
    ) -> None:
        self._specs = dict(zip(paths, specs, strict=True))
        self._initial = {path: self._checked(path, initial[path]) for path in paths}
        self._values: dict[str, Array | Kept] = dict(self._initial)
        self._on_device: frozenset[str] = frozenset()

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

    def keep_on_device(self, paths: Iterable[str]) -> None:
        """From the next call on the accelerator keeps these buffers."""
        self._on_device = frozenset(paths)

    @property
    def on_device(self) -> tuple[str, ...]:
        """The buffers that the accelerator keeps between calls; the host carries the others."""
        return tuple(path for path in self._specs if path in self._on_device)

    def is_in(self, path: str, regions: Any) -> bool:
        """True when the value is in these regions of a program, with no assigned one waiting."""
        value = self._values[path]
        return isinstance(value, Kept) and value.regions is regions

    def replace(self, values: Mapping[str, Array | Kept]) -> None:
        """Takes what a call made of every buffer; arrays are not copied."""
        for value in values.values():
            if not isinstance(value, Kept):
                value.flags.writeable = False
        self._values = {path: values[path] for path in self._specs}

    def take(self, other: State, paths: Mapping[str, str]) -> None:
        """Takes values of another state, without moving what an accelerator keeps.

        Args:
            other: it and its values stay as they are.
            paths: path here → path there, of the same shape and dtype.
        """
        self._values.update({path: other._values[its] for path, its in paths.items()})

    def __getitem__(self, path: str) -> Array:
        self._expect(path)
        value = self._values[path]
        return value.read(self._specs[path]) if isinstance(value, Kept) else value

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
