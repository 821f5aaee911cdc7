# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws a module, running every op as it is drawn, so that shapes and dtypes always fit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asic.fuzz.program import Input, Kind, Layer, Program, Statement

#: Extents, small ones and neighbours of array dimensions.
SIZES = (1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33)

#: Largest tensor; larger ones only cost time.
MAX_ELEMENTS = 6000

#: Inputs of a module, at most: more would leave its parts unconnected.
_MOST_INPUTS = 3

#: Share of its draws in which an op fits, at least. Over thousands of modules the lowest is 0.45
#: (the modules hardly ever have what `patches` or `positions` need), the median 0.9.
FLOOR = 0.25

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32)


class NoFit(Exception):
    """No value fits what an op wants, or PyTorch refuses it; the generator draws another op."""


#: How PyTorch refuses values that do not fit. A TypeError is none of them, nor is an unknown name:
#: they say that the text is wrong, whatever the values. A mistake of an op that raises one of
#: these passes for a draw that did not fit: `Program.drawn` keeps those, the command names ops
#: that seldom fit, and a test wants every op to fit in `FLOOR` of its draws. NotImplementedError
#: is a RuntimeError.
_REFUSALS = (RuntimeError, ValueError, IndexError)


Op = Callable[["Generator"], None]
#: Name → (weight, op).
OPS: dict[str, tuple[float, Op]] = {}


def op(weight: float, name: str = "") -> Callable[[Op], Op]:
    """Registers an op under its function's name."""

    def register(function: Op) -> Op:
        OPS[name or function.__name__.strip("_")] = (weight, function)
        return function

    return register


class Generator:
    """State of one drawing. Ops read `values` and call `emit`, `layer` and the pickers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.values: dict[str, Tensor] = {}
        self.used: set[str] = set()
        self.dtype = torch.float32
        self.quantised = False
        self._inputs: list[Input] = []
        self._layers: list[Layer] = []
        self._statements: list[Statement] = []
        self._members = SimpleNamespace()
        self._count = 0
        self._drawn: list[tuple[str, bool]] = []

    # Randomness.

    def size(self, limit: int = 33) -> int:
        """An extent of at most `limit`."""
        return self.random.choice([s for s in SIZES if s <= limit])

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random.random() < probability

    def choice(self, options: Any) -> Any:
        """One of the options."""
        return self.random.choice(list(options))

    def integer(self, low: int, high: int) -> int:
        """An integer of [low, high]."""
        return self.random.randint(low, high)

    def shape(self, rank: int) -> tuple[int, ...]:
        """The shape of a vector, a matrix, a sequence, an image or a volume, by rank."""
        batch, size = self.choice([1, 1, 2, 3]), self.size
        if rank <= 2:
            return (size(9), size(33))[2 - rank :]
        if rank == 3:
            return (batch, size(9), size(33))
        if rank == 4:
            return (batch, size(17), size(12), size(12))
        return (1, size(5), size(5), size(6), size(6))

    def per_axis(self, axes: int, options: list[int]) -> int | tuple[int, ...]:
        """One of the options for all axes, seldom one for each."""
        if self.chance(0.8):
            return int(self.choice(options))
        return tuple(self.choice(options) for _ in range(axes))

    def scalar(self) -> float:
        """A float literal that is no power of two, most of the time."""
        return self.random.choice([0.5, 2.0, 0.1, 0.3, 0.7, 1.7, -0.4, -1.3, 3.0, 1e-3])

    # Values.

    def input(self, text: str, dtype: torch.dtype | None = None) -> str:
        """Adds an input; `text` makes a tensor, converted to `dtype` if that differs."""
        tensor = self._run(text)
        if dtype is not None and tensor.dtype != dtype:
            text += f".to({dtype})"
            tensor = tensor.to(dtype)
        name = f"x{len(self._inputs)}"
        self._inputs.append(Input(name, kind(tensor), text))
        self.values[name] = tensor
        return name

    def integer_input(self, *shape: int, low: int = -20, high: int = 20) -> str:
        """Adds an input of integers of [low, high), int64."""
        numbers = ", ".join(map(str, (self.integer(0, 9999), low, high, *shape)))
        return self.input(f"integers({numbers})")

    def mask_input(self, *shape: int) -> str:
        """Adds an input of truth values."""
        return self.input(f"normal({', '.join(map(str, (self.integer(0, 9999), *shape)))}) > 0")

    def float_input(self, *shape: int) -> str:
        """Adds a float input of the module's dtype."""
        seed = self.integer(0, 9999)
        return self.input(f"normal({', '.join(map(str, (seed, *shape)))})", self.dtype)

    def pick(self, fits: Callable[[Tensor], bool]) -> str:
        """A value that fits, a recent one most of the time."""
        fitting = [name for name, value in self.values.items() if fits(value)]
        if not fitting:
            raise NoFit
        fresh = [name for name in fitting if name not in self.used]
        if fresh and self.chance(0.7):
            return fresh[-1]
        return fitting[-1] if self.chance(0.6) else str(self.choice(fitting))

    def pick_float(self, *ranks: int) -> str:
        """A float value with elements, of one of the ranks; any rank when none is given.

        Layers of images or sequences get an input of their own when nothing before them fits, or
        hardly any module would have one.
        """

        def fits(tensor: Tensor) -> bool:
            has_rank = not ranks or tensor.dim() in ranks
            return tensor.is_floating_point() and tensor.numel() > 0 and has_rank

        if not ranks:
            return self.pick(fits)
        return self.pick_or(fits, lambda: self.float_input(*self.shape(self.choice(ranks))))

    def pick_or(self, fits: Callable[[Tensor], bool], make: Callable[[], str]) -> str:
        """A value that fits; when none does, what `make` adds as an input, if another may be."""
        try:
            return self.pick(fits)
        except NoFit:
            if len(self._inputs) >= _MOST_INPUTS:
                raise
            return make()

    def pick_like(self, name: str, other: bool = False) -> str:
        """A value of the dtype of `name` that broadcasts with it."""
        like = self.values[name]

        def fits(tensor: Tensor) -> bool:
            if tensor.dtype != like.dtype or (other and tensor is like):
                return False
            pairs = zip(reversed(tensor.shape), reversed(like.shape), strict=False)
            return all(a == b or 1 in (a, b) for a, b in pairs)

        return self.pick(fits)

    def __getitem__(self, name: str) -> Tensor:
        return self.values[name]

    # Building.

    def layer(self, text: str, lines: tuple[str, ...] = ()) -> str:
        """Adds a member; returns "self.name". "{}" in `lines` stands for it."""
        name = f"m{len(self._layers)}"
        lines = tuple(line.format(f"self.{name}") for line in lines)
        seed = self.integer(0, 9999)
        torch.manual_seed(seed)
        scope = {"self": self._members, **_NAMES}
        with _refusing(), torch.no_grad():
            member = eval(text, scope)
            setattr(self._members, name, member)
            for line in lines:
                exec(line, scope)
        if isinstance(member, nn.Module):
            member.eval().to(self.dtype)
        elif isinstance(member, Tensor) and member.is_floating_point():
            setattr(self._members, name, _as(member, self.dtype))
        self._layers.append(Layer(name, text, seed, lines))
        return f"self.{name}"

    def emit(self, text: str, results: int = 1, before: str = "", after: str = "") -> list[str]:
        """Adds a statement that assigns `text`; returns the names of its tensors.

        Args:
            results: how many tensors `text` gives, as a tuple when more than one.
            before, after: further lines; "{}" in `after` stands for the first result.
        """
        names = [f"v{self._count + i}" for i in range(results)]
        lines = [before] if before else []
        lines.append(f"{', '.join(names)} = {text}")
        if after:
            lines.extend(after.replace("{}", names[0]).split("\n"))
        scope = {"self": self._members, **_NAMES, **self.values}
        with _refusing(), torch.no_grad():
            exec("\n".join(lines), scope)
        made = [scope[name] for name in names]
        if not all(isinstance(t, Tensor) and acceptable(t) for t in made):
            raise NoFit
        statement = Statement(tuple(lines), tuple(names), tuple(kind(t) for t in made))
        self._count += results
        self.used |= statement.uses
        self._statements.append(statement)
        self.values.update(zip(names, made, strict=True))
        return names

    def attempt(self, name: str) -> bool:
        """Runs the op of a name; everything it did is undone when it does not fit."""
        state = (len(self._inputs), len(self._layers), len(self._statements), self._count)
        values, used = dict(self.values), set(self.used)
        fits = True
        try:
            OPS[name][1](self)
        except NoFit:
            inputs, layers, statements, self._count = state
            del self._inputs[inputs:], self._layers[layers:], self._statements[statements:]
            self.values, self.used = values, used
            fits = False
        self._drawn.append((name, fits))
        return fits

    @property
    def length(self) -> int:
        """Statements so far."""
        return len(self._statements)

    def program(self, most: int = 3) -> Program:
        """What was drawn, with the values that nobody reads as outputs."""
        defined = [name for s in self._statements for name in s.defines]
        free = [name for name in defined if name not in self.used]
        outputs = (free or defined)[-most:]
        dtype = "" if self.dtype == torch.float32 else str(self.dtype).removeprefix("torch.")
        return Program(
            tuple(self._inputs),
            tuple(self._layers),
            tuple(self._statements),
            tuple(outputs),
            dtype=dtype,
            drawn=tuple(self._drawn),
        ).pruned()

    def _run(self, text: str) -> Tensor:
        scope = dict(_NAMES)
        return eval(text, scope)  # type: ignore[no-any-return]


@contextmanager
def _refusing() -> Iterator[None]:
    """Makes PyTorch's refusals `NoFit`."""
    try:
        yield
    except _REFUSALS as problem:
        raise NoFit(str(problem)) from problem


def divisor(g: Generator, *values: int) -> int:
    """A common divisor of the values."""
    low = min(values)
    return int(g.choice([d for d in range(1, low + 1) if all(v % d == 0 for v in values)]))


def kind(tensor: Tensor) -> Kind:
    """Shape and dtype of a tensor."""
    return Kind(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def acceptable(tensor: Tensor) -> bool:
    """Small, of a type that a model has, and of moderate values."""
    if tensor.numel() > MAX_ELEMENTS or tensor.dim() > 6:
        return False
    if tensor.dtype not in (*FLOATS, *INTEGERS, torch.bool, torch.int8, torch.uint8, torch.int16):
        return False
    if tensor.numel() == 0 or tensor.dtype == torch.bool:
        return True
    finite = tensor[torch.isfinite(tensor)] if tensor.is_floating_point() else tensor
    limit = 1e4 if tensor.is_floating_point() else 2**30
    return finite.numel() == 0 or bool(finite.abs().max() < limit)


def _as(member: Tensor, dtype: torch.dtype) -> Tensor:
    """The parameter in another dtype."""
    return nn.Parameter(member.to(dtype)) if isinstance(member, nn.Parameter) else member.to(dtype)


def _names() -> dict[str, Any]:
    """What the text of ops may refer to: the prelude of a printed program."""
    from asic.fuzz.program import _PRELUDE

    scope: dict[str, Any] = {"torch": torch, "F": F, "nn": nn}
    exec(_PRELUDE, scope)
    return scope


_NAMES = _names()
