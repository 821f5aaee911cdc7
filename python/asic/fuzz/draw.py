# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a seed to a module: its inputs, how many ops, and which."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch

from asic.fuzz import ops
from asic.fuzz.generator import OPS, Generator
from asic.fuzz.program import Program

assert ops, "importing the package registers the ops"

#: Attempts to find an op that fits.
_ATTEMPTS = 60


def _image(g: Generator) -> None:
    g.float_input(*g.shape(4))


def _sequence(g: Generator) -> None:
    g.float_input(*g.shape(3))


def _vector(g: Generator) -> None:
    g.float_input(*g.shape(2))


def _volume(g: Generator) -> None:
    g.float_input(*g.shape(5))


def _tokens(g: Generator) -> None:
    shape = [g.choice([1, 2, 3]), g.size(9)][g.integer(0, 1) :]
    g.integer_input(*shape, low=0)


def _any_rank(g: Generator) -> None:
    g.float_input(*(g.size(9) for _ in range(g.integer(0, 5))))


def _integers(g: Generator) -> None:
    shape = [g.size(9) for _ in range(g.integer(1, 4))]
    dtype = g.choice([torch.int64, torch.int64, torch.int32])
    for part in (shape, shape[g.integer(0, len(shape) - 1) :]):
        listed = ", ".join(map(str, (g.integer(0, 9999), -20, 20, *part)))
        g.input(f"integers({listed})", dtype)


def _mask(g: Generator) -> None:
    shape = [g.size(9) for _ in range(g.integer(1, 3))]
    g.float_input(*shape)
    g.mask_input(*shape)


def _specials(g: Generator) -> None:
    shape = [g.size(9) for _ in range(g.integer(1, 3))]
    text = f"normal({', '.join(map(str, (g.integer(0, 9999), *shape)))})"
    value = g.choice(["nan", "inf", "-inf"])
    g.input(f"torch.where({text} > 1, float('{value}'), {text})", g.dtype)


def _empty(g: Generator) -> None:
    """Nothing of an input that has elements: one without is refused."""
    shape = [g.size(5) for _ in range(g.integer(1, 4))]
    g.emit(f"{g.float_input(*shape)}.narrow({g.integer(0, len(shape) - 1)}, 0, 0)")


_STARTS: tuple[tuple[float, Callable[[Generator], None]], ...] = (
    (10, _image),
    (7, _sequence),
    (5, _vector),
    (1.5, _volume),
    (2, _tokens),
    (4, _any_rank),
    (2, _integers),
    (1.5, _mask),
    (0.7, _specials),
    (0.5, _empty),
)
#: Starts with float inputs of ordinary values: what a quantiser is for.
_QUANTISED = (_image, _sequence, _vector, _volume, _any_rank)

#: Ops that a quantised module always has one of.
_INTEGER_OPS = ("conv2d", "depthwise", "linear", "residual", "gram", "conv_transpose", "conv1d")


def draw(seed: int, *, quantised: bool = False, names: Collection[str] = ()) -> Program:
    """The module of a seed.

    Args:
        quantised: float32 only, with an op that has integer arithmetic.
        names: the ops to draw from, all when empty.
    """
    torch.set_num_threads(1)
    g = Generator(seed)
    g.quantised = quantised
    if not quantised:
        kinds = [torch.float32] * 8 + [torch.bfloat16, torch.float16]
        g.dtype = g.choice(kinds)
    starts = [(w, s) for w, s in _STARTS if not quantised or s in _QUANTISED]
    weights, options = zip(*starts, strict=True)
    g.random.choices(options, weights)[0](g)
    if g.chance(0.2):
        g.random.choices(options, weights)[0](g)
    if quantised and not names:
        for _ in range(_ATTEMPTS):
            if g.attempt(g.choice(_INTEGER_OPS)):
                break
    wanted = g.length + g.integer(1, 7)
    table = {n: entry for n, entry in OPS.items() if not names or n in names}
    for _ in range(_ATTEMPTS):
        if g.length >= wanted:
            break
        g.attempt(g.random.choices(list(table), [w for w, _ in table.values()])[0])
    if not g.length:
        g.emit(f"{next(iter(g.values))} + 1")
    return g.program()
