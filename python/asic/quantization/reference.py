# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a device must return for a quantised model, bit for bit.

An interpreter of exported programs with Q/DQ markers that computes every integer op of
docs/quantization.md in integers. It shares nothing with the compiler or the emulator; it
runs on PyTorch alone. Convolutions and products use float64 as an exact carrier of
integers below 2^53.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

from asic.errors import CompileError
from asic.frontend.borders import input_nodes, output_nodes, structure_of
from asic.frontend.importer import is_normalized, normalize
from asic.frontend.state import written_buffers
from asic.quantization import numerics
from asic.quantization.ops import (
    AVERAGES,
    CLAMPS,
    CONCATS,
    MATMULS,
    MOVEMENT,
    REARRANGEMENT,
    argument,
    is_contraction,
)

aten = torch.ops.aten
quantized = torch.ops.quantized_decomposed
_INF = math.inf


@dataclass
class Codes:
    """An integer-backed value: (q, s, z) and the range of its codes."""

    q: Tensor
    scale: float
    zero: int
    low: int
    high: int

    def centered(self) -> Tensor:
        """Q - z, int64."""
        return self.q - self.zero

    def to_float(self) -> Tensor:
        return numerics.dequantize(self.q, self.scale, self.zero)

    def same_scale(self, other: Codes) -> bool:
        return (self.scale, self.zero) == (other.scale, other.zero)


@dataclass
class Channelwise:
    """A constant with one scale per index of `axis`."""

    q: Tensor
    scales: Tensor
    zeros: Tensor
    axis: int

    def to_float(self) -> Tensor:
        shape = [-1 if i == self.axis else 1 for i in range(self.q.dim())]
        return (self.q - self.zeros.reshape(shape)).float() * self.scales.float().reshape(shape)


@dataclass
class Pending:
    """Result of an integer op before it is known who reads it.

    Attributes:
        update: u of section 6, as a function of the reader's scale s_y.
        floating: the value for readers in float.
        clamps: real bounds of the clamps applied so far.
        over: of a sum, `update` of the sum divided by a constant.
    """

    update: Callable[[float], Tensor]
    floating: Callable[[], Tensor]
    clamps: list[tuple[float, float]] = field(default_factory=list)
    over: Callable[[float], Callable[[float], Tensor]] | None = None

    def to_float(self) -> Tensor:
        return self.floating()

    def bounds(self, scale: float, zero: int, low: int, high: int) -> tuple[int, int]:
        low_real, high_real = -_INF, _INF
        for a, b in self.clamps:
            low_real, high_real = (min(max(v, a), b) for v in (low_real, high_real))
        return numerics.clamp_bounds(low_real, high_real, scale, zero, low, high)


Value = Any  #: Codes, Channelwise, Pending, a tensor, or a non-tensor argument


def run(
    program: ExportedProgram,
    inputs: tuple[Any, ...],
    *,
    rounding: str = "sr",
    record: dict[str, Tensor] | None = None,
) -> Any:
    """Outputs of a quantised program, in the pytree that the model returns.

    Args:
        program: result of `asic.quantization.convert`, or any PT2E-converted program that
            carries example inputs.
        inputs: positional inputs, as the model takes them.
        rounding: the target's rounding mode of requantisation.
        record: filled with the codes of every quantised tensor, by node name.
    """
    return Reference(program, rounding).evaluate(inputs, {}, record)


class Reference:
    """The program prepared for repeated runs; see `run`.

    Attributes:
        float_operations: names of the nodes that computed in float in the last run; where
            there are none the outputs are exact.
        state: path of each buffer that the program writes → its value, kept between runs.
    """

    def __init__(self, program: ExportedProgram, rounding: str = "sr") -> None:
        if rounding not in numerics.ROUNDINGS:
            raise CompileError(
                f"expected rounding to be one of {', '.join(numerics.ROUNDINGS)}, got {rounding!r}",
                phase="quantize",
            )
        if not is_normalized(program):
            args, kwargs = program.example_inputs or ((), {})
            program = normalize(program, args, kwargs)
        self.program = program
        self.rounding = rounding
        self.float_operations: tuple[str, ...] = ()
        signature = program.graph_signature
        state = {**program.constants, **program.state_dict}
        names = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self._constants = {node: state[key].detach() for node, key in names.items()}
        self._written = written_buffers(program)
        self.state = {key: state[key].detach().clone() for key in self._written}
        self._paths = {node: key for node, key in names.items() if key in self._written}
        self._inputs = [node.name for node in input_nodes(program)]
        self._outputs = [node.name for _, node in output_nodes(program)]
        self._structure = structure_of(program)

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        return self.evaluate(inputs, named)

    def evaluate(
        self,
        inputs: tuple[Any, ...],
        named: dict[str, Any],
        record: dict[str, Tensor] | None = None,
    ) -> Any:
        """The outputs; `record` as `run` has it."""
        leaves = self._structure.flatten(inputs, named, len(self._inputs))
        values: dict[Node, Value] = {}
        self.float_operations = ()
        feeds = dict(zip(self._inputs, leaves, strict=True))
        with torch.no_grad():
            for node in self.program.graph.nodes:
                if node.op == "placeholder":
                    values[node] = self._placeholder(node.name, feeds)
                elif node.op == "call_function":
                    values[node] = self._call(node, values)
                    if record is not None and "quantized_decomposed.quantize" in str(node.target):
                        record[node.name] = values[node]
        by_name = {node.name: value for node, value in values.items()}
        self.state.update({p: _plain(by_name[n]).clone() for p, n in self._written.items()})
        return self._structure.unflatten([_plain(by_name[name]) for name in self._outputs])

    def _placeholder(self, name: str, feeds: dict[str, Any]) -> Any:
        if name in self._paths:
            return self.state[self._paths[name]]
        # Nobody reads the placeholder of a value that is no tensor.
        return self._constants[name] if name in self._constants else feeds.get(name)

    def _call(self, node: Node, values: dict[Node, Value]) -> Value:
        """Value of one call: an integer op where the document has one, else float."""

        def value(name: str) -> Value:
            found = argument(node, name)
            return values[found] if isinstance(found, Node) else found

        target = node.target
        result: Value = None
        if target is quantized.dequantize_per_tensor.default:
            result = _dequantize(node, value)
        elif target is quantized.dequantize_per_channel.default:
            result = Channelwise(
                value("input").to(torch.int64), value("scales"), value("zero_points"), value("axis")
            )
        elif target is quantized.quantize_per_tensor.default:
            result = self._quantize(value)
        elif is_contraction(node):
            result = self._contraction(node, values)
        elif target in MATMULS:
            result = self._matmul(node, values)
        elif target in _ELEMENTWISE:
            result = self._elementwise(node, values)
        elif target in AVERAGES and AVERAGES[target](node):
            result = self._average(node, values)
        elif target in CLAMPS:
            result = self._clamp(node, values)
        elif target in CONCATS:
            result = self._concat(node, values)
        elif target in DIVISIONS:
            result = self._divide(node, values)
        elif target in MOVEMENT and MOVEMENT[target](node):
            result = _move(node, values)
        if result is not None:
            return result
        if target in MOVEMENT or target is operator.getitem:
            return _float_op(node, values)
        return self._in_float(node, values)

    def _in_float(self, node: Node, values: dict[Node, Value]) -> Any:
        """The op itself, noted as one that computes in float."""
        self.float_operations += (node.name,)
        return _float_op(node, values)

    def _rescale(self, t: Tensor, r: float | Tensor, axis: int = 0) -> Tensor:
        return numerics.rescale(t, r, self.rounding, axis)

    def _quantize(self, value: Callable[[str], Value]) -> Tensor:
        """Codes, in the marker's integer type (sections 2, 5 and 6.6)."""
        source = value("input")
        scale, zero = float(value("scale")), int(value("zero_point"))
        low, high = int(value("quant_min")), int(value("quant_max"))
        dtype: torch.dtype = value("dtype")
        if isinstance(source, Codes):
            if (source.scale, source.zero, source.low, source.high) == (scale, zero, low, high):
                return source.q.to(dtype)
            source = self._change_of_scale(source)
        if not isinstance(source, Pending):
            return numerics.quantize(_plain(source), scale, zero, low, high).to(dtype)
        lower, upper = source.bounds(scale, zero, low, high)
        return torch.clamp(zero + source.update(scale), lower, upper).to(dtype)

    def _change_of_scale(self, source: Codes) -> Pending:
        return Pending(
            lambda s_y: self._rescale(source.centered(), source.scale / s_y), source.to_float
        )

    def _contraction(self, node: Node, values: dict[Node, Value]) -> Pending | None:
        """Section 6.1."""
        operands: Any = node.args[:2]
        x, weight = (values.get(a) for a in operands)
        bias = values.get(argument(node, "bias"))
        if not isinstance(x, Codes) or not (bias is None or isinstance(bias, (Channelwise, Codes))):
            return None
        w, scale = _weight(weight, x.scale)
        if w is None or scale is None:
            return None
        b = torch.zeros(w.shape[0], dtype=torch.int64) if bias is None else bias.q
        _check_overflow(node, x, w, b)
        rest = [a for a in node.args[3:]]
        acc = node.target(x.centered().double(), w.double(), None, *rest, **_keywords(node))  # type: ignore[operator]
        axis = acc.dim() - 1 if node.target is aten.linear.default else acc.dim() - w.dim() + 1
        shape = [-1 if i == axis else 1 for i in range(acc.dim())]
        total: Tensor = acc.to(torch.int64) + b.reshape(shape)

        def floating() -> Tensor:
            factor = scale.float()
            return total.float() * (factor.reshape(shape) if factor.dim() else factor)

        return Pending(lambda s_y: self._rescale(total, scale / s_y, axis), floating)

    def _matmul(self, node: Node, values: dict[Node, Value]) -> Pending | None:
        """Section 6.2."""
        operands: Any = node.args[:2]
        a, b = (values.get(n) for n in operands)
        if not isinstance(a, Codes) or not isinstance(b, Codes):
            return None
        acc = node.target(a.centered().double(), b.centered().double()).to(torch.int64)  # type: ignore[operator]
        scale = a.scale * b.scale
        factor = torch.tensor(scale, dtype=torch.float64).float()
        return Pending(lambda s_y: self._rescale(acc, scale / s_y), lambda: acc.float() * factor)

    def _elementwise(self, node: Node, values: dict[Node, Value]) -> Pending | None:
        """Section 6.3."""
        a, b = (values.get(n) if isinstance(n, Node) else None for n in node.args[:2])
        if not isinstance(a, Codes) or not isinstance(b, Codes) or node.kwargs.get("alpha", 1) != 1:
            return None
        left, right = a, b

        def product(s_y: float) -> Tensor:
            scale = left.scale * right.scale
            return self._rescale(left.centered() * right.centered(), scale / s_y)

        def total(s_y: float) -> Tensor:
            twice = 2 * max(left.scale, right.scale)
            i_a = self._rescale(left.centered() << 20, left.scale / twice)
            i_b = self._rescale(right.centered() << 20, right.scale / twice)
            combined = i_a - i_b if node.target is aten.sub.Tensor else i_a + i_b
            return self._rescale(combined, twice / (2.0**20 * s_y))

        update = product if node.target is aten.mul.Tensor else total
        return Pending(update, lambda: self._in_float(node, values))

    def _average(self, node: Node, values: dict[Node, Value]) -> Pending | None:
        """Section 6.4."""
        x = values.get(node.args[0])  # type: ignore[arg-type]
        if not isinstance(x, Codes):
            return None
        source = x
        acc, count = _window_sum(node, x.centered().double())

        def average(divisor: float) -> Callable[[float], Tensor]:
            return lambda s_y: self._rescale(acc.to(torch.int64), source.scale / (divisor * s_y))

        over = average if node.target is aten.sum.dim_IntList else None
        return Pending(average(count), lambda: self._in_float(node, values), over=over)

    def _divide(self, node: Node, values: dict[Node, Value]) -> Pending | None:
        """A sum over a constant (section 6.4)."""
        source, divisor = values.get(node.args[0]), node.args[1]  # type: ignore[arg-type]
        if not isinstance(source, Pending) or source.over is None or source.clamps:
            return None
        if not isinstance(divisor, (int, float)) or divisor <= 0:
            return None
        return Pending(source.over(float(divisor)), lambda: self._in_float(node, values))

    def _clamp(self, node: Node, values: dict[Node, Value]) -> Pending | None:
        """A clamp of a pending or integer-backed value (section 5)."""
        source = values.get(node.args[0])  # type: ignore[arg-type]
        if isinstance(source, Codes):
            source = self._change_of_scale(source)
        bounds = _clamp_bounds(node)
        if not isinstance(source, Pending) or bounds is None:
            return None
        return Pending(source.update, lambda: _float_op(node, values), [*source.clamps, bounds])

    def _concat(self, node: Node, values: dict[Node, Value]) -> Codes | Pending | None:
        """Sections 6.5 and 6.6."""
        operands: Any = node.args[0]
        parts = [values[n] for n in operands]
        if not all(isinstance(p, Codes) for p in parts):
            return None
        dim = argument(node, "dim")
        if all(p.same_scale(parts[0]) for p in parts):
            return _with_codes(parts[0], torch.cat([p.q for p in parts], dim))
        return Pending(
            lambda s_y: torch.cat([self._rescale(p.centered(), p.scale / s_y) for p in parts], dim),
            lambda: _float_op(node, values),
        )


#: Divisions, which make an average of a sum.
DIVISIONS = frozenset({aten.div.Tensor, aten.div.Scalar})

_ELEMENTWISE = frozenset({aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor})


def _plain(value: Value) -> Any:
    """The float tensor that a value stands for; anything else as it is."""
    if isinstance(value, (Codes, Channelwise, Pending)):
        return value.to_float()
    return value


def _with_codes(like: Codes, q: Tensor) -> Codes:
    return Codes(q, like.scale, like.zero, like.low, like.high)


def _dequantize(node: Node, value: Callable[[str], Value]) -> Codes:
    return Codes(
        value("input").to(torch.int64),
        float(value("scale")),
        int(value("zero_point")),
        int(value("quant_min")),
        int(value("quant_max")),
    )


def _float_op(node: Node, values: dict[Node, Value]) -> Any:
    """The op itself, on float operands (section 7)."""
    args: Any = torch.fx.node.map_arg(node.args, lambda n: _plain(values[n]))
    kwargs = torch.fx.node.map_arg(node.kwargs, lambda n: _plain(values[n]))
    if node.target is operator.getitem:
        return args[0][args[1]]
    return node.target(*args, **kwargs)  # type: ignore[operator]


def _keywords(node: Node) -> dict[str, Any]:
    return {k: v for k, v in node.kwargs.items() if k not in ("bias", "weight", "input")}


def _weight(weight: Value, x_scale: float) -> tuple[Tensor | None, Tensor | None]:
    """(w - z_w as int64, s_x · s_w in float64) of a quantised weight."""
    if isinstance(weight, Codes):
        return weight.centered(), torch.tensor(x_scale * weight.scale, dtype=torch.float64)
    if isinstance(weight, Channelwise) and weight.axis == 0 and not bool(weight.zeros.any()):
        return weight.q, x_scale * weight.scales.double()
    return None, None


def _check_overflow(node: Node, x: Codes, w: Tensor, b: Tensor) -> None:
    reach = max(abs(x.low - x.zero), abs(x.high - x.zero))
    bound = int((reach * w.abs().flatten(1).sum(1) + b.abs()).max())
    if bound >= 2**31:
        raise CompileError(
            f"expected accumulators below 2^31, got up to {bound} in '{node.name}'; use "
            "fewer input channels or smaller weight scales",
            phase="quantize",
        )


def _window_sum(node: Node, x: Tensor) -> tuple[Tensor, int]:
    """(sum of x over each window, number the op divides by)."""
    if node.target in (aten.mean.dim, aten.sum.dim_IntList):
        dims = argument(node, "dim")
        total = x.sum(dims, keepdim=bool(argument(node, "keepdim")))
        is_sum = node.target is aten.sum.dim_IntList
        return total, 1 if is_sum else math.prod(x.shape[d] for d in dims)
    if node.target is aten.avg_pool2d.default:
        kernel = _pair(argument(node, "kernel_size"))
        stride = argument(node, "stride") or kernel
        padding = argument(node, "padding") or 0
        total = torch.nn.functional.avg_pool2d(x, kernel, stride, padding, divisor_override=1)
        return total, int(argument(node, "divisor_override") or math.prod(kernel))
    size = node.meta["val"].shape[-2:]
    kernel = [i // o for i, o in zip(x.shape[-2:], size, strict=True)]
    total = torch.nn.functional.avg_pool2d(x, kernel, kernel, divisor_override=1)
    return total, math.prod(kernel)


def _pair(value: Any) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * 2 if len(values) == 1 else values


def _clamp_bounds(node: Node) -> tuple[float, float] | None:
    """Real bounds of a clamp with constant bounds."""
    if node.target is aten.relu.default:
        return 0.0, _INF
    if node.target is aten.relu6.default:
        return 0.0, 6.0
    names = ("min_val", "max_val") if node.target is aten.hardtanh.default else ("min", "max")
    low, high = (argument(node, name) for name in names)
    if isinstance(low, Node) or isinstance(high, Node):
        return None
    return (-_INF if low is None else float(low)), (_INF if high is None else float(high))


def _move(node: Node, values: dict[Node, Value]) -> Codes | Pending | None:
    """Section 6.5: the op on centred codes, so that padding with 0 is padding with z."""
    x = values.get(node.args[0])  # type: ignore[arg-type]

    def moved(integers: Tensor) -> Tensor:
        result: Tensor = node.target(integers.double(), *node.args[1:], **node.kwargs)  # type: ignore[operator]
        return result.to(torch.int64)

    if isinstance(x, Codes):
        return _with_codes(x, moved(x.centered()) + x.zero)
    if not isinstance(x, Pending) or node.target not in REARRANGEMENT:
        return None
    source, over = x, x.over
    return Pending(
        lambda s_y: moved(source.update(s_y)),
        lambda: _float_op(node, values),
        source.clamps,
        None if over is None else lambda divisor: lambda s_y: moved(over(divisor)(s_y)),
    )
