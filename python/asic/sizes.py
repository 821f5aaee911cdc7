# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes that are known when a model is called: expressions over symbols, as text."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from asic.errors import ProgramError
from asic.tensors import Array, TensorSpec

#: Size of each symbol.
Sizes = Mapping[str, int]

#: Sizes below this part of the largest one have no bucket of their own.
SMALLEST_PART = 16

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Min": min,
    "Max": max,
    "Mod": operator.mod,
    "FloorDiv": operator.floordiv,
    "CleanDiv": operator.floordiv,
    "CeilToInt": math.ceil,
    "floor": math.floor,
    "ceiling": math.ceil,
    "OpaqueUnaryFn_sqrt": math.sqrt,
    "sqrt": math.sqrt,
    "ToFloat": float,
    "FloatTrueDiv": operator.truediv,
    "IntTrueDiv": operator.truediv,
}


@lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def evaluate(text: str, sizes: Sizes) -> float:
    """The value of an expression such as "((s0 - 1)//2) + 1".

    Raises:
        ProgramError: it is no expression over the sizes.
    """
    try:
        value: float = _value(_parsed(text), sizes)
        return value
    except (KeyError, SyntaxError, TypeError, ZeroDivisionError) as problem:
        raise ProgramError(
            f"expected an expression over {', '.join(sizes)}, got '{text}' ({problem}); "
            "compile and save the model again"
        ) from problem


def _value(node: ast.expr, sizes: Sizes) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return sizes[node.id]
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, sizes), _value(node.right, sizes))
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_value(node.operand, sizes))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](*(_value(a, sizes) for a in node.args))
    raise TypeError(type(node).__name__)


def symbols_of(text: str) -> set[str]:
    """Names in an expression that are not functions."""
    names = {node.id for node in ast.walk(_parsed(text)) if isinstance(node, ast.Name)}
    return names - set(_FUNCTIONS)


def default_sizes(low: int, high: int) -> tuple[int, ...]:
    """Powers of two between the larger of `low` and a sixteenth of `high`, and `high`."""
    first = max(low, -(-high // SMALLEST_PART), 1)
    powers = (1 << exponent for exponent in range(high.bit_length()))
    return tuple(sorted({*(p for p in powers if first <= p < high), high}))


@dataclass(frozen=True)
class DynamicTensor:
    """An input or output whose shape has symbols in it.

    Attributes:
        name: as of a `TensorSpec`, like `dtype`.
        shape: an expression for each dimension.
    """

    name: str
    shape: tuple[str, ...]
    dtype: str

    def at(self, sizes: Sizes) -> TensorSpec:
        """The tensor at these sizes."""
        shape = tuple(int(evaluate(text, sizes)) for text in self.shape)
        return TensorSpec(self.name, shape, self.dtype)


@dataclass(frozen=True)
class Hidden:
    """An input that the runtime makes from the sizes of a call.

    Attributes:
        kind: "valid": ones in the first e(L) of e(N) places, zeros behind; "place": a one
            at e(L) + offset; "size": e(L) itself, a scalar.
        size: the expression e.
        offset: of "place", negative.
    """

    kind: str
    size: str
    offset: int = 0

    def value(self, sizes: Sizes, bucket: Sizes) -> Array:
        """The input, float32, for a call of `sizes` in a program for `bucket`."""
        true = evaluate(self.size, sizes)
        if self.kind == "size":
            return np.array(true, np.float32)
        result = np.zeros(int(evaluate(self.size, bucket)), np.float32)
        if self.kind == "valid":
            result[: int(true)] = 1
        else:
            result[int(true) + self.offset] = 1
        return result


@dataclass(frozen=True)
class Dimensions:
    """Which sizes a model takes.

    Attributes:
        ranges: smallest and largest size of each symbol.
        labels: what the user calls each symbol: the name of its Dim, or "x.shape[1]".
        inputs, outputs: flattened.
    """

    ranges: dict[str, tuple[int, int]]
    labels: dict[str, str]
    inputs: tuple[DynamicTensor, ...]
    outputs: tuple[DynamicTensor, ...]

    def sizes_of(self, shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
        """The size of every symbol in a call.

        Raises:
            ProgramError: the shapes do not fit the inputs, or are out of bounds.
        """
        sizes: dict[str, int] = {}
        for tensor, shape in zip(self.inputs, shapes, strict=True):
            if len(shape) != len(tensor.shape):
                raise self._misfit(tensor, shape)
            for size, text in zip(shape, tensor.shape, strict=True):
                if text in self.ranges:
                    sizes.setdefault(text, size)
        for tensor, shape in zip(self.inputs, shapes, strict=True):
            for size, text in zip(shape, tensor.shape, strict=True):
                self._derive(text, size, sizes)
        for symbol, (low, high) in self.ranges.items():
            if not low <= sizes.get(symbol, 0) <= high:
                found = sizes.get(symbol, "none that fits")
                raise ProgramError(
                    f"expected {low} to {high} for '{self.labels[symbol]}', got {found}; "
                    "compile with a Dim that includes it"
                )
        for tensor, shape in zip(self.inputs, shapes, strict=True):
            if shape != tensor.at(sizes).shape:
                raise self._misfit(tensor, shape)
        return sizes

    def _derive(self, text: str, size: int, sizes: dict[str, int]) -> None:
        """A symbol that is only in "2*s" has the first size that gives what came."""
        missing = symbols_of(text) - set(sizes)
        if len(missing) != 1:
            return
        (symbol,) = missing
        low, high = self.ranges[symbol]
        for candidate in range(low, high + 1):
            if evaluate(text, {**sizes, symbol: candidate}) == size:
                sizes[symbol] = candidate
                return

    def _misfit(self, tensor: DynamicTensor, shape: tuple[int, ...]) -> ProgramError:
        wanted = ", ".join(self.labels.get(text, text) for text in tensor.shape)
        return ProgramError(
            f"expected shape [{wanted}] for input '{tensor.name}', got {list(shape)}; sizes of "
            "one dimension agree in all inputs"
        )
