# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementwise ops: activations, arithmetic with broadcasting, comparisons, conversions."""

from __future__ import annotations

import torch
from torch import Tensor

from asic.fuzz.generator import FLOATS, INTEGERS, Generator, NoFit, op


def _is_float(tensor: Tensor) -> bool:
    return tensor.is_floating_point()


def _is_integer(tensor: Tensor) -> bool:
    return tensor.dtype in INTEGERS


def _pick_integer(g: Generator) -> str:
    return g.pick_or(_is_integer, lambda: g.integer_input(*g.shape(g.integer(1, 3))))


#: In each text, {0} is the operand. Domains are kept away from poles.
_ACTIVATIONS = (
    *("F.relu({0})",) * 5,
    *("F.gelu({0})", "F.silu({0})", "torch.sigmoid({0})", "torch.tanh({0})") * 2,
    "F.gelu({0}, approximate='tanh')",
    "F.relu6({0})",
    "F.hardswish({0})",
    "F.hardsigmoid({0})",
    "F.hardtanh({0}, -0.7, 1.3)",
    "F.leaky_relu({0}, 0.1)",
    "F.elu({0})",
    "F.celu({0}, 0.7)",
    "F.selu({0})",
    "F.softplus({0})",
    "F.mish({0})",
    "F.logsigmoid({0})",
    "F.softsign({0})",
    "F.tanhshrink({0})",
    "F.hardshrink({0}, 0.3)",
    "F.softshrink({0}, 0.3)",
    "F.threshold({0}, 0.2, -0.5)",
)
_FUNCTIONS = (
    "{0}.abs()",
    "-{0}",
    "{0} * {0}",
    "{0}.square()",
    "{0}.clamp(-1.0, 0.7)",
    "{0}.clamp(min=0.1)",
    "{0}.clamp(max=0.3)",
    "torch.exp(-{0}.abs())",
    "torch.expm1({0}.clamp(max=1.0))",
    "torch.log({0}.abs() + 0.5)",
    "torch.log1p({0}.abs())",
    "torch.log2({0}.abs() + 1.0)",
    "torch.sqrt({0}.abs() + 0.1)",
    "torch.rsqrt({0}.abs() + 0.5)",
    "torch.reciprocal({0}.abs() + 0.5)",
    "torch.sin({0})",
    "torch.cos({0})",
    "torch.atan({0})",
    "torch.erf({0})",
    "torch.sinh({0}.clamp(-2, 2))",
    "({0}.abs() + 0.2) ** 0.7",
    "{0} ** 2",
    "{0} ** 3",
    "torch.floor({0})",
    "torch.ceil({0})",
    "torch.round({0})",
    "torch.trunc({0})",
    "torch.sign({0})",
    "{0}.frac()",
    "torch.nan_to_num({0})",
    "torch.full_like({0}, 0.3)",
    "torch.exp2({0}.clamp(-4, 4))",
    "torch.log10({0}.abs() + 1.0)",
    "torch.tan({0}.clamp(-1, 1))",
    "torch.cosh({0}.clamp(-2, 2))",
    "torch.asinh({0})",
    "torch.erfc({0})",
    "torch.logit({0}, eps=0.1)",
    "2.0 ** {0}.clamp(-4, 4)",
    "torch.round({0}, decimals=1)",
    "{0}.clamp(torch.tensor(-0.5), torch.tensor(0.9))",
    "{0} + torch.zeros_like({0})",
)


@op(12)
def activation(g: Generator) -> None:
    x = g.pick(_is_float)
    text = g.choice(_ACTIVATIONS)
    if "gelu" in text and not bool(torch.isfinite(g[x]).all()):
        raise NoFit  # PyTorch gives NaN for +inf.
    g.emit(text.format(x))


@op(8)
def function(g: Generator) -> None:
    g.emit(g.choice(_FUNCTIONS).format(g.pick(_is_float)))


@op(8)
def binary(g: Generator) -> None:
    a = g.pick(_is_float)
    b = g.pick_like(a)
    text = g.choice(
        [
            *("{0} + {1}",) * 5,
            *("{0} * {1}",) * 4,
            *("{0} - {1}",) * 2,
            "{0} / ({1}.abs() + 0.5)",
            "torch.maximum({0}, {1})",
            "torch.minimum({0}, {1})",
            "torch.add({0}, {1}, alpha=0.3)",
            "torch.addcmul({0}, {0}, {1}, value=0.5)",
            "torch.lerp({0}, {1}, 0.3)",
            "torch.hypot({0}, {1} + 0.1)",
            "torch.atan2({0}, {1}.abs() + 0.5)",
            "torch.rsub({0}, {1})",
            "torch.logaddexp({0}, {1})",
            "torch.xlogy({0}, {1}.abs() + 0.5)",
            "torch.copysign({0}, {1} + 0.1)",
            "torch.fmax({0}, {1})",
            "torch.fmin({0}, {1})",
            "({0}.abs() + 0.2) ** {1}.clamp(-2, 2)",
            "torch.addcdiv({0}, {1}, {1}.square() + 1, value=0.5)",
            "torch.fmod({0}, {1}.abs() + 0.5)",
            "torch.remainder({0}, {1}.abs() + 0.5)",
            "torch.floor_divide({0}, {1}.abs() + 0.5)",
        ]
    )
    g.emit(text.format(a, b))


@op(5)
def with_scalar(g: Generator) -> None:
    text = g.choice(["{0} + {1}", "{0} * {1}", "{1} - {0}", "{0} / {1}", "{1} / ({0}.abs() + 1)"])
    g.emit(text.format(g.pick(_is_float), g.scalar()))


@op(4)
def with_parameter(g: Generator) -> None:
    x = g.pick(lambda t: _is_float(t) and t.dim() >= 1 and t.numel() > 0)
    shape = [s if g.chance(0.6) else 1 for s in g[x].shape]
    shape = shape[g.integer(0, len(shape) - 1) :]
    text = f"nn.Parameter(normal({', '.join(map(str, (g.integer(0, 9999), *shape)))}))"
    member = g.layer(text)
    if g[x].dtype != g.dtype:
        raise NoFit
    g.emit(g.choice(["{0} * {1}", "{0} + {1}", "{1} - {0}"]).format(x, member))


@op(1)
def prelu(g: Generator) -> None:
    x = g.pick(lambda t: t.dtype == g.dtype and t.dim() >= 2 and t.numel() > 0)
    g.emit(f"{g.layer(f'nn.PReLU({g[x].shape[1] if g.chance(0.5) else 1})')}({x})")


@op(1)
def glu(g: Generator) -> None:
    def fits(t: torch.Tensor) -> bool:
        return _is_float(t) and t.dim() >= 1 and t.numel() > 0 and t.shape[-1] % 2 == 0

    x = g.pick_or(fits, lambda: g.float_input(g.size(9), 2 * g.size(16)))
    g.emit(f"F.glu({x}, -1)")


@op(4)
def integer_binary(g: Generator) -> None:
    a = _pick_integer(g)
    b = g.pick_like(a)
    text = g.choice(
        [
            "{0} + {1}",
            "{0} - {1}",
            "{0} * {1}.clamp(-9, 9)",
            "torch.maximum({0}, {1})",
            "{0} // ({1}.abs() + 1)",
            "{0} % ({1}.abs() + 1)",
            "torch.div({0}, {1}.abs() + 1, rounding_mode='trunc')",
            "torch.remainder({0}, {1}.abs() + 2)",
            "{0} & {1}",
            "{0} | {1}",
            "{0} ^ {1}",
            "{0} >> {1}",
            "({0} << {1}) % 97",
        ]
    )
    g.emit(text.format(a, b))


@op(3)
def integer_unary(g: Generator) -> None:
    text = g.choice(
        [
            "{0} + 3",
            "{0} * 2 - 1",
            "{0} // 3",
            "{0} % 5",
            "{0}.abs()",
            "-{0}",
            "{0}.clamp(-4, 5)",
            "{0} >> 1",
            "{0} << 2",
            "{0} / 3",
            "torch.bitwise_not({0})",
            "torch.sign({0})",
        ]
    )
    g.emit(text.format(_pick_integer(g)))


@op(3)
def comparison(g: Generator) -> None:
    a = g.pick(lambda t: t.dtype != torch.bool)
    if g.chance(0.1):
        g.emit(f"torch.{g.choice(['isnan', 'isinf', 'isfinite', 'logical_not'])}({a})")
        return
    symbol = g.choice(["<", "<=", ">", ">=", "==", "!="])
    if g.chance(0.5):
        g.emit(f"{a} {symbol} {g.choice([0, 0.3, 1, -2])}")
    else:
        g.emit(f"{a} {symbol} {g.pick_like(a, other=True)}")


@op(2)
def logic(g: Generator) -> None:
    a = g.pick_or(lambda t: t.dtype == torch.bool, lambda: g.mask_input(*g.shape(g.integer(1, 3))))
    b = g.pick_like(a)
    g.emit(
        g.choice(
            [
                "{0} & {1}",
                "{0} | {1}",
                "~{0}",
                "{0} ^ {1}",
                "torch.logical_and({0}, {1})",
                "torch.logical_xor({0}, {1})",
            ]
        ).format(a, b)
    )


@op(3)
def where(g: Generator) -> None:
    x = g.pick(lambda t: t.dtype != torch.bool and t.dim() >= 1)
    shape = g[x].shape

    def broadcasts(tensor: Tensor) -> bool:
        pairs = zip(reversed(tensor.shape), reversed(shape), strict=False)
        return tensor.dtype == torch.bool and all(a == b or 1 in (a, b) for a, b in pairs)

    try:
        mask = g.pick(broadcasts)
    except NoFit:
        if not g[x].is_floating_point():
            raise
        (mask,) = g.emit(f"{x} > {g.choice([0, 0.3, -0.7])}")
    if g.chance(0.5):
        g.emit(f"torch.where({mask}, {x}, {g.pick_like(x)})")
    elif g.chance(0.5):
        g.emit(f"{x}.masked_fill({mask}, {g.choice([0, -1, 5])})")
    else:
        g.emit(f"torch.where({mask}, {x}, {g.choice([0, 1])})")


@op(3)
def convert(g: Generator) -> None:
    x = g.pick(lambda t: True)
    kinds = [*FLOATS, *INTEGERS, torch.bool, torch.int8, torch.uint8]
    target = g.choice(["float32", "float32", *(str(k).removeprefix("torch.") for k in kinds)])
    bounded = f"{x}.clamp(0, 100)" if g[x].dtype != torch.bool and "int8" in target else x
    g.emit(f"{bounded}.to(torch.{target})")
