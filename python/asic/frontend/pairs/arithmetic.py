# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules of complex arithmetic, products, and what reads a complex number as real ones.

Every rule takes the builder and the arguments of the op that it is for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from asic.frontend.pairs.builder import Builder, Pair, Part, is_zero

aten = torch.ops.aten


def _add(b: Builder, x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    left, right = b.pair(x), b.times(b.pair(y), b.pair(alpha))
    return Pair(b.add(left.real, right.real), b.add(left.imag, right.imag))


def _sub(b: Builder, x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    left, right = b.pair(x), b.times(b.pair(y), b.pair(alpha))
    return Pair(b.sub(left.real, right.real), b.sub(left.imag, right.imag))


def _rsub(b: Builder, x: Any, y: Any, alpha: Any = 1) -> Pair:
    return _sub(b, y, x, alpha=alpha)


def _mul(b: Builder, x: Any, y: Any) -> Pair:
    return b.times(b.pair(x), b.pair(y))


def _div(b: Builder, x: Any, y: Any) -> Pair:
    return b.over(b.pair(x), b.pair(y))


def _reciprocal(b: Builder, x: Node) -> Pair:
    return b.over(Pair(1.0, 0.0), b.pair(x))


def _neg(b: Builder, x: Node) -> Pair:
    pair = b.pair(x)
    return Pair(b.neg(pair.real), b.neg(pair.imag))


def _conj(b: Builder, x: Node) -> Pair:
    pair = b.pair(x)
    return Pair(pair.real, b.neg(pair.imag))


def _square(b: Builder, x: Node) -> Pair:
    return b.times(b.pair(x), b.pair(x))


def _pow(b: Builder, x: Node, exponent: Any) -> Pair:
    """Small whole powers as products."""
    if isinstance(exponent, complex) or exponent != int(exponent) or not 1 <= abs(exponent) <= 16:
        b.refuse("powers of complex numbers by whole numbers from 1 to 16")
    square, left = b.pair(x), abs(int(exponent))
    result = Pair(1.0, 0.0)
    while left:
        result = b.times(result, square) if left & 1 else result
        left >>= 1
        square = b.times(square, square) if left else square
    return b.over(Pair(1.0, 0.0), result) if exponent < 0 else result


def _wave(b: Builder, length: Part, angle: Part) -> Pair:
    """The number of this absolute value and angle."""
    if not isinstance(angle, Node):
        return Pair(b.mul(length, math.cos(angle)), b.mul(length, math.sin(angle)))
    cosine, sine = b.call(aten.cos.default, angle), b.call(aten.sin.default, angle)
    return Pair(b.mul(length, cosine), b.mul(length, sine))


def _exp(b: Builder, x: Node) -> Pair:
    pair = b.pair(x)
    real = pair.real
    growth = b.call(aten.exp.default, real) if isinstance(real, Node) else math.exp(real)
    return _wave(b, growth, pair.imag)


def _polar(b: Builder, length: Node, angle: Node) -> Pair:
    return _wave(b, b.pair(length).real, b.pair(angle).real)


def _complex(b: Builder, real: Node, imag: Node) -> Pair:
    return Pair(b.pair(real).real, b.pair(imag).real)


def _log(b: Builder, x: Node) -> Pair:
    return Pair(b.call(aten.log.default, _abs(b, x)), _angle(b, x))


def _factors(count: int) -> Callable[..., Pair]:
    """Rule of an op that is linear in each of its first arguments."""

    def rule(b: Builder, *args: Any, **kwargs: Any) -> Pair:
        operands, rest = args[:count], args[count:]

        def product(*parts: Part) -> Node:
            tensors = [
                b.tensor(part, operand.meta["val"].shape)
                for part, operand in zip(parts, operands, strict=True)
            ]
            return b.call(b.node.target, *tensors, *rest, **kwargs)

        return b.linear([b.pair(operand) for operand in operands], product)

    return rule


def _einsum(b: Builder, equation: str, operands: Any, **kwargs: Any) -> Pair:
    def product(*parts: Part) -> Node:
        tensors = [
            b.tensor(part, operand.meta["val"].shape)
            for part, operand in zip(parts, operands, strict=True)
        ]
        return b.call(aten.einsum.default, equation, tensors)

    return b.linear([b.pair(operand) for operand in operands], product)


def _layer(
    b: Builder, x: Node, weight: Node, bias: Node | None = None, *rest: Any, **kwargs: Any
) -> Pair:
    """A linear layer or a convolution: each part of the bias goes into one product."""
    value, factor = b.pair(x), b.pair(weight)
    offset = b.pair(0.0 if bias is None else bias)
    shape, kernel = x.meta["val"].shape, weight.meta["val"].shape

    def product(left: Part, right: Part, add: Part) -> Part:
        if is_zero(left) or is_zero(right):
            left = right = 0.0
            if is_zero(add):
                return 0.0
        added = None if is_zero(add) else b.tensor(add, kernel[:1])
        operands = b.tensor(left, shape), b.tensor(right, kernel)
        return b.call(b.node.target, *operands, added, *rest, **kwargs)

    real = product(value.real, factor.real, offset.real)
    imag = product(value.real, factor.imag, offset.imag)
    return Pair(
        b.sub(real, product(value.imag, factor.imag, 0.0)),
        b.add(imag, product(value.imag, factor.real, 0.0)),
    )


def _addmm(b: Builder, bias: Node, x: Node, y: Node, *, beta: Any = 1, alpha: Any = 1) -> Pair:
    def product(left: Part, right: Part) -> Node:
        shapes = x.meta["val"].shape, y.meta["val"].shape
        return b.call(aten.mm.default, b.tensor(left, shapes[0]), b.tensor(right, shapes[1]))

    scaled = b.times(b.linear([b.pair(x), b.pair(y)], product), b.pair(alpha))
    offset = b.times(b.pair(bias), b.pair(beta))
    return Pair(b.add(scaled.real, offset.real), b.add(scaled.imag, offset.imag))


def _abs(b: Builder, x: Node) -> Node:
    pair = b.pair(x)
    for part, other in (pair, pair[::-1]):
        if isinstance(part, Node) and is_zero(other):
            return b.call(aten.abs.default, part)
    return b.call(aten.sqrt.default, b.tensor(b.squares(pair), x.meta["val"].shape))


def _angle(b: Builder, x: Node) -> Node:
    pair, shape = b.pair(x), x.meta["val"].shape
    return b.call(aten.atan2.default, b.tensor(pair.imag, shape), b.tensor(pair.real, shape))


def _norm(b: Builder, x: Node, *args: Any, **kwargs: Any) -> Node:
    return b.call(b.node.target, _abs(b, x), *args, **kwargs)


def _part(place: int) -> Callable[..., Node]:
    def rule(b: Builder, x: Node) -> Node:
        return b.tensor(b.pair(x)[place], x.meta["val"].shape)

    return rule


def arithmetic() -> dict[Any, Callable[..., Any]]:
    """The rules of this file."""
    layers = [aten.linear, aten.conv1d, aten.conv2d, aten.conv3d, aten.convolution]
    products = [aten.matmul, aten.mm, aten.bmm, aten.mv, aten.dot, aten.outer, aten.tensordot]
    return {
        **{op.default: _layer for op in layers},
        **{op.padding: _layer for op in layers[1:4]},
        **{op.default: _factors(2) for op in products},
        aten._conj.default: _conj,
        aten._conj_physical.default: _conj,
        aten.abs.default: _abs,
        aten.add.Scalar: _add,
        aten.add.Tensor: _add,
        aten.addmm.default: _addmm,
        aten.angle.default: _angle,
        aten.complex.default: _complex,
        aten.conj.default: _conj,
        aten.conj_physical.default: _conj,
        aten.div.Scalar: _div,
        aten.div.Tensor: _div,
        aten.einsum.default: _einsum,
        aten.exp.default: _exp,
        aten.imag.default: _part(1),
        aten.linalg_vector_norm.default: _norm,
        aten.log.default: _log,
        aten.mul.Scalar: _mul,
        aten.mul.Tensor: _mul,
        aten.neg.default: _neg,
        aten.polar.default: _polar,
        aten.pow.Tensor_Scalar: _pow,
        aten.real.default: _part(0),
        aten.reciprocal.default: _reciprocal,
        aten.rsub.Scalar: _rsub,
        aten.rsub.Tensor: _rsub,
        aten.square.default: _square,
        aten.sub.Scalar: _sub,
        aten.sub.Tensor: _sub,
    }
