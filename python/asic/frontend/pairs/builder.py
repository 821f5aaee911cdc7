# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pairs of real nodes, and how rules make new ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import torch
from torch.fx import GraphModule, Node

from asic.errors import CompileError
from asic.frontend.fold import content
from asic.frontend.locations import operator_of, source_of
from asic.frontend.messages import error
from asic.frontend.meta import has_data
from asic.frontend.nodes import insert_call, insert_constant

aten = torch.ops.aten

#: Half of a complex value: a real node, or one number everywhere, mostly nothing.
Part = Node | float


class Pair(NamedTuple):
    """A complex value; a part that is a node has the shape of the value."""

    real: Part
    imag: Part

    @property
    def is_zero(self) -> bool:
        return is_zero(self.real) and is_zero(self.imag)


def is_zero(part: Part) -> bool:
    """Whether a part is known to be nothing, so that products with it need no node."""
    return not isinstance(part, Node) and part == 0


def refused(node: Node, reason: str, remedy: str) -> CompileError:
    """The error of a complex node that cannot become a pair."""
    where = f"{operator_of(node) or node.target} at {source_of(node)}"
    return error(f"expected {reason}, got {where}; {remedy}")


class Builder:
    """Makes real nodes in front of a complex one, with its location.

    Attributes:
        node: the node whose rule is being applied.
        pairs: what the complex nodes before it have become.
        halves: pairs that a real node holds along its last dimension.
    """

    def __init__(self, module: GraphModule) -> None:
        self.module = module
        self.pairs: dict[Node, Pair] = {}
        self.halves: dict[Node, Pair] = {}
        self.node: Any = None
        self._constants: dict[Any, Node] = {}

    def call(self, target: Any, *args: Any, **kwargs: Any) -> Node:
        """A new node with this call."""
        return insert_call(self.node, target, *args, **kwargs)

    def constant(self, suffix: str, value: torch.Tensor) -> Node:
        """A constant, named after the node that is the first to need it."""
        key = content(value) if has_data(value) else object()
        if key not in self._constants:
            name = f"{self.node.name}_{suffix}"
            self._constants[key] = insert_constant(self.module, name, value, self.node)
        return self._constants[key]

    def only_part(self) -> int | None:
        """The place of the one part of the node that is read; None where both are."""
        places: set[Any] = set()
        for user in self.node.users:
            if user.target is aten.view_as_real.default:
                last = self.node.meta["val"].dim()
                for reader in user.users:
                    is_half = reader.target is aten.select.int and reader.args[1] in (-1, last)
                    places.add(reader.args[2] if is_half else None)
            else:
                places.add({aten.real.default: 0, aten.imag.default: 1}.get(user.target))
        place = places.pop() if len(places) == 1 else None
        return place if place in (0, 1) else None

    def refuse(
        self, reason: str, remedy: str = "keep that part outside the compiled model"
    ) -> NoReturn:
        """Ends the compilation at the node."""
        raise refused(self.node, reason, remedy)

    def pair(self, value: Any) -> Pair:
        """What an operand is, complex or not: a node or a Python number."""
        if not isinstance(value, Node):
            number = complex(value)
            return Pair(number.real, number.imag)
        if value in self.pairs:
            return self.pairs[value]
        if value.meta["val"].dtype != torch.float32:
            value = self.call(aten.to.dtype, value, torch.float32)
        return Pair(value, 0.0)

    def tensor(self, part: Part, shape: Sequence[int] = ()) -> Node:
        """A part as a node: a number fills the shape."""
        if isinstance(part, Node):
            return part
        return self.call(aten.full.default, list(self.static(shape)), part, dtype=torch.float32)

    def static(self, shape: Sequence[int]) -> Sequence[int]:
        """A shape that is known now."""
        if not all(isinstance(extent, int) for extent in shape):
            self.refuse("complex tensors of static shape", "leave their dimensions static")
        return shape

    def fit(self, pair: Pair, shape: Sequence[int]) -> Pair:
        """The pair with its nodes broadcast to a shape."""

        def wide(part: Part) -> Part:
            if not isinstance(part, Node) or part.meta["val"].shape == shape:
                return part
            return self.call(aten.expand.default, part, list(self.static(shape)))

        return Pair(wide(pair.real), wide(pair.imag))

    # Real arithmetic that leaves out what does nothing.

    def neg(self, x: Part) -> Part:
        return self.call(aten.neg.default, x) if isinstance(x, Node) else -x

    def add(self, x: Part, y: Part) -> Part:
        if is_zero(x) or is_zero(y):
            return y if is_zero(x) else x
        if isinstance(x, Node):
            return self.call(aten.add.Tensor, x, y)
        return self.call(aten.add.Tensor, y, x) if isinstance(y, Node) else x + y

    def sub(self, x: Part, y: Part) -> Part:
        if is_zero(y):
            return x
        if isinstance(x, Node):
            return self.call(aten.sub.Tensor, x, y)
        return self.add(self.neg(y), x)

    def mul(self, x: Part, y: Part) -> Part:
        if is_zero(x) or is_zero(y):
            return 0.0
        if not isinstance(x, Node):
            return self.mul(y, x) if isinstance(y, Node) else x * y
        if not isinstance(y, Node) and abs(y) == 1:
            return x if y == 1 else self.neg(x)
        return self.call(aten.mul.Tensor, x, y)

    def div(self, x: Part, y: Part) -> Part:
        if not isinstance(y, Node):
            return self.mul(x, 1 / y) if y else self.refuse("divisors that are not zero")
        if is_zero(x):
            return 0.0
        if isinstance(x, Node):
            return self.call(aten.div.Tensor, x, y)
        return self.mul(self.call(aten.reciprocal.default, y), x)

    def squares(self, pair: Pair) -> Part:
        """real² + imag²."""
        return self.add(self.mul(pair.real, pair.real), self.mul(pair.imag, pair.imag))

    def linear(self, factors: Sequence[Pair], product: Callable[..., Part]) -> Pair:
        """A product that is linear in each factor: signed products of their parts."""
        parts: list[Part] = [0.0, 0.0]
        for choice in itertools.product((0, 1), repeat=len(factors)):
            chosen = [factor[place] for factor, place in zip(factors, choice, strict=True)]
            if any(is_zero(part) for part in chosen):
                continue
            turns = sum(choice)
            join = self.sub if turns % 4 >= 2 else self.add
            parts[turns % 2] = join(parts[turns % 2], product(*chosen))
        return Pair(*parts)

    def times(self, x: Pair, y: Pair) -> Pair:
        return self.linear([x, y], self.mul)

    def over(self, x: Pair, y: Pair) -> Pair:
        if is_zero(y.imag):
            return Pair(self.div(x.real, y.real), self.div(x.imag, y.real))
        upper = self.times(x, Pair(y.real, self.neg(y.imag)))
        lower = self.squares(y)
        return Pair(self.div(upper.real, lower), self.div(upper.imag, lower))
