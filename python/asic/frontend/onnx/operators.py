# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantised operators of ONNX, and of ONNX Runtime, as the nodes that they stand for.

Operators of codes, QLinearConv and its like, become float nodes between DequantizeLinear and
QuantizeLinear, the form that `quantized.py` reads. What is quantised at run time,
DynamicQuantizeLinear in front of MatMulInteger or ConvInteger, becomes arithmetic: codes of
int8, 128 less than ONNX's, a product of integers, and the zero points' share taken off it, to
the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from asic.errors import CompileError
from asic.frontend.messages import error
from asic.frontend.onnx.graph import OnnxGraph
from asic.tensors import Array

_RUNTIME = "com.microsoft"

#: Operators of codes → the float node between the markers, of one operand or of two.
_ONE = {
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
}
_TWO = {"QLinearAdd": "Add", "QLinearMatMul": "MatMul", "QLinearMul": "Mul"}


def expand(graph: OnnxGraph) -> None:
    """Rewrites the graph, in place; types and shapes of its values need not be known.

    Raises:
        CompileError: an operator is of another domain than ONNX's own, or codes that are made
            at run time go elsewhere than into a product with a constant.
    """
    _Expander(graph).run()


class _Expander:
    """Replaces nodes one by one, in order."""

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph
        self.nodes: list[NodeProto] = []
        self.names = {name for node in graph.nodes for name in (*node.input, *node.output)}
        self.rules: dict[str, Callable[[NodeProto], None]] = {
            **dict.fromkeys(_ONE, self._one),
            **dict.fromkeys(_TWO, self._two),
            "ConvInteger": self._integer_conv,
            "DynamicQuantizeLinear": self._quantize_at_run_time,
            "MatMulInteger": self._integer_product,
            "MatMulNBits": self._packed_product,
            "QGemm": self._gemm,
            "QLinearConcat": self._concat,
            "QLinearConv": self._conv,
            "QLinearWhere": self._where,
        }
        #: Codes of uint8 that are made at run time → the node that makes them.
        self.codes: dict[str, NodeProto] = {}
        #: Its zero point → the same in int32, 128 less, and as float.
        self.zeros: dict[str, tuple[str, str]] = {}
        #: Codes and the padding around them → the same of int8, 128 less, in int32.
        self.wide: dict[tuple[str, tuple[int, ...]], str] = {}

    def run(self) -> None:
        for node in self.graph.nodes:
            if node.domain == _RUNTIME and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                node.domain = ""
            rule = self.rules.get(node.op_type)
            if node.domain not in ("", "ai.onnx") and (rule is None or node.domain != _RUNTIME):
                raise error(
                    f"expected operators of ONNX itself, got {node.domain}.{node.op_type} at node "
                    f"'{node.name}'; export the model without extensions"
                )
            for name in node.input:
                if rule is None and (name in self.codes or name in self.zeros):
                    raise _error(node, "integer products of codes that are made at run time")
            if rule is None:
                self.nodes.append(node)
            else:
                rule(node)
        for output in self.graph.model.graph.output:
            if output.name in self.codes or output.name in self.zeros:
                raise error(
                    f"expected outputs of floats, got codes of uint8 for '{output.name}'; end the "
                    "model with floats"
                )
        self.graph.replace_nodes(self.nodes)

    def emit(
        self, node: NodeProto, kind: str, *inputs: str, output: str = "", **attributes: Any
    ) -> str:
        """A new node of `node`'s name, whose output is a new value if it has no name."""
        output = output or self._fresh(node)
        self.nodes.append(helper.make_node(kind, inputs, [output], node.name, **attributes))
        return output

    def constant(self, node: NodeProto, value: Any) -> str:
        """A new constant."""
        return self.graph.add(self._fresh(node), np.asarray(value))

    def array(self, node: NodeProto, position: int, default: Any = None) -> Array:
        """The constant that a node reads, or what it stands for when it is left out."""
        name = node.input[position] if position < len(node.input) else ""
        if not name and default is not None:
            return np.asarray(default)
        if name not in self.graph.arrays:
            raise _error(node, "constant weights, scales and zero points")
        return self.graph.arrays[name]

    def _fresh(self, node: NodeProto) -> str:
        stem, count = f"{node.output[0]}.{node.op_type}", 1
        while (name := f"{stem}.{count}") in self.names:
            count += 1
        self.names.add(name)
        return name

    # Operators of codes.

    def _real(self, node: NodeProto, first: int, axis: int = 0) -> str:
        """The floats that codes, their scale and their zero point stand for."""
        inputs = [name for name in node.input[first : first + 3] if name]
        return self.emit(node, "DequantizeLinear", *inputs, axis=axis)

    def _store(self, node: NodeProto, value: str, first: int) -> None:
        """The codes of a result, under the node's name of it."""
        inputs = [name for name in node.input[first : first + 2] if name]
        self.emit(node, "QuantizeLinear", value, *inputs, output=node.output[0])

    def _one(self, node: NodeProto) -> None:
        kept = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if kept.pop("channels_last", 0):
            raise _error(node, "channels in dimension 1")
        if kept.pop("opset", 13) < 13:
            raise _error(node, "a softmax along one dimension")
        made = self.emit(node, _ONE[node.op_type], self._real(node, 0), **kept)
        self._store(node, made, 3)

    def _two(self, node: NodeProto) -> None:
        # A product has a scale for every column, if it has several.
        weight = self.graph.arrays.get(node.input[3])
        axis = weight.ndim - 1 if node.op_type == "QLinearMatMul" and weight is not None else 0
        values = self._real(node, 0), self._real(node, 3, axis)
        self._store(node, self.emit(node, _TWO[node.op_type], *values), 6)

    def _concat(self, node: NodeProto) -> None:
        parts = [self._real(node, first) for first in range(2, len(node.input), 3)]
        axis = helper.get_attribute_value(node.attribute[0])
        self._store(node, self.emit(node, "Concat", *parts, axis=axis), 0)

    def _where(self, node: NodeProto) -> None:
        parts = self._real(node, 1), self._real(node, 4)
        self._store(node, self.emit(node, "Where", node.input[0], *parts), 7)

    def _conv(self, node: NodeProto) -> None:
        kept = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [self._real(node, 0), self._real(node, 3)]
        if len(node.input) > 8 and node.input[8]:
            inputs.append(self._bias(node, 8, 1.0))
        self._store(node, self.emit(node, "Conv", *inputs, **kept), 6)

    def _gemm(self, node: NodeProto) -> None:
        kept = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        axis = 0 if kept.get("transB") else 1
        inputs = [self._real(node, 0), self._real(node, 3, axis)]
        if len(node.input) > 6 and node.input[6]:
            inputs.append(self._bias(node, 6, kept.get("alpha", 1.0)))
        if len(node.input) < 8 or not node.input[7]:
            self.emit(node, "Gemm", *inputs, output=node.output[0], **kept)
        else:
            self._store(node, self.emit(node, "Gemm", *inputs, **kept), 7)

    def _bias(self, node: NodeProto, position: int, factor: float) -> str:
        """A bias of int32, whose scale is the product of the factors' scales."""
        scale = np.float32(factor) * self.array(node, 1) * self.array(node, 4)
        scale_name = self.constant(node, scale.reshape(()) if scale.size == 1 else scale)
        return self.emit(node, "DequantizeLinear", node.input[position], scale_name, axis=0)

    def _packed_product(self, node: NodeProto) -> None:
        """A product with int4 or int8 codes that have a scale and a zero point per block."""
        kept = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        columns, rows, bits = kept["N"], kept["K"], kept.get("bits", 4)
        if bits not in (4, 8) or any(node.input[4:5]) or kept.get("weight_prepacked"):
            raise _error(node, "codes of 4 or 8 bits in their order")
        packed, scales = self.array(node, 1), self.array(node, 2).reshape(columns, -1, 1)
        codes = _unpacked(packed, bits).reshape(columns, scales.shape[1], -1)
        zeros = np.asarray(1 << (bits - 1))
        if any(node.input[3:4]):
            zeros = self.array(node, 3)
            if zeros.dtype == np.uint8:  # Each column's begin with a byte.
                zeros = _unpacked(zeros.reshape(columns, -1), bits)
            zeros = zeros.reshape(columns, -1, 1)[:, : scales.shape[1]]
        reals = (codes - zeros.astype(scales.dtype)) * scales
        weight = self.constant(node, reals.reshape(columns, -1)[:, :rows].T.copy())
        bias = any(node.input[5:6])
        output = "" if bias else node.output[0]
        made = self.emit(node, "MatMul", node.input[0], weight, output=output)
        if bias:
            self.emit(node, "Add", made, node.input[5], output=node.output[0])

    # What is quantised at run time.

    def _quantize_at_run_time(self, node: NodeProto) -> None:
        """Scale and zero point of codes of [0, 255] for the range of the values and 0."""
        x, (codes, scale, zero) = node.input[0], node.output
        number = {v: self.constant(node, np.float32(v)) for v in (0, 1, 128, 255)}

        def emit(kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
            return self.emit(node, kind, *inputs, output=output, **attributes)

        low = emit("Min", emit("ReduceMin", x, keepdims=0), number[0])
        high = emit("Max", emit("ReduceMax", x, keepdims=0), number[0])
        extent = emit("Sub", high, low)
        step = emit("Div", extent, number[255])
        emit("Where", emit("Equal", extent, number[0]), number[1], step, output=scale)
        place = emit("Neg", emit("Div", low, scale))
        offset = emit("Round", emit("Clip", place, number[0], number[255]))
        shifted = emit("Cast", emit("Sub", offset, number[128]), to=TensorProto.INT32)
        self.codes[codes], self.zeros[zero] = node, (shifted, offset)

    def _activations(self, node: NodeProto, pads: tuple[int, ...] = ()) -> tuple[str, str]:
        """The first factor as int32, padded with what stands for 0, and its zero point."""
        codes = node.input[0]
        maker = self.codes.get(codes)
        if maker is None or list(node.input[2:3]) != [maker.output[2]]:
            raise _error(node, "DynamicQuantizeLinear in front of it")
        zero, offset = self.zeros[maker.output[2]]
        if (codes, pads) not in self.wide:
            low, shift, high = (self.constant(maker, np.float32(v)) for v in (0, 128, 255))
            x = maker.input[0]
            if pads:
                x = self.emit(
                    maker, "Pad", x, self.constant(maker, np.asarray(pads, np.int64)), low
                )
            steps = self.emit(maker, "Round", self.emit(maker, "Div", x, maker.output[1]))
            places = self.emit(maker, "Clip", self.emit(maker, "Add", steps, offset), low, high)
            places = self.emit(maker, "Sub", places, shift)
            narrow = self.emit(maker, "Cast", places, to=TensorProto.INT8)
            self.wide[codes, pads] = self.emit(maker, "Cast", narrow, to=TensorProto.INT32)
        return self.wide[codes, pads], zero

    def _integer_product(self, node: NodeProto) -> None:
        """Σ (a - za)·(b - zb) = Σ a·b - zb·Σ a - za·(Σ b - K·zb), all in int32."""
        weight, wide, zero = self._weight(node)
        if wide.ndim != 2:
            raise _error(node, "a weight of two dimensions")
        a, a_zero = self._activations(node)
        result = self.emit(node, "MatMul", a, weight)
        if zero.any():
            ones = self.constant(node, np.ones((len(wide), 1), np.int32))
            sums = self.emit(node, "MatMul", a, ones)
            result = self._less(node, result, sums, zero)
        self._less(node, result, a_zero, (wide - zero).sum(0), node.output[0])

    def _integer_conv(self, node: NodeProto) -> None:
        """The same of convolutions, whose padding stands for 0: zero points of codes."""
        kept = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        weight, wide, zero = self._weight(node)
        groups, spatial = kept.get("group", 1), wide.ndim - 2
        if kept.pop("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise _error(node, "pads as numbers")
        pads = kept.pop("pads", [0] * 2 * spatial)
        around = (0, 0, *pads[:spatial], 0, 0, *pads[spatial:]) if any(pads) else ()
        a, a_zero = self._activations(node, around)
        result = self.emit(node, "Conv", a, weight, **kept)
        zero = zero.reshape(-1, *[1] * (spatial + 1))
        if zero.any():
            rows = 1 if groups == 1 else len(wide)  # A group sums its own channels.
            ones = self.constant(node, np.ones((rows, *wide.shape[1:]), np.int32))
            sums = self.emit(node, "Conv", a, ones, **kept)
            result = self._less(node, result, sums, zero[:, 0])
        share = (wide - zero).reshape(len(wide), -1).sum(1).reshape(-1, *[1] * spatial)
        self._less(node, result, a_zero, share, node.output[0])

    def _less(
        self, node: NodeProto, value: str, factor: str, share: Array, output: str = ""
    ) -> str:
        """`value - factor·share`, in int32."""
        term = self.emit(node, "Mul", factor, self.constant(node, share.astype(np.int32)))
        return self.emit(node, "Sub", value, term, output=output)

    def _weight(self, node: NodeProto) -> tuple[str, Array, Array]:
        """The second factor's codes as int8: their name in int32, values, and zero points."""
        codes = self.array(node, 1)
        values, zero = codes.astype(np.int64), self.array(node, 3, 0).astype(np.int64)
        name = node.input[1]
        if codes.dtype == np.uint8:
            values, zero = values - 128, zero - 128
            name = self.constant(node, values.astype(np.int8))
        return self.emit(node, "Cast", name, to=TensorProto.INT32), values, zero


def _unpacked(codes: Array, bits: int) -> Array:
    """Codes of 4 bits, the low ones of a byte first, as bytes."""
    if bits == 8:
        return codes
    return np.stack((codes & 15, codes >> 4), -1).reshape(*codes.shape[:-1], -1)


def _error(node: NodeProto, expected: str) -> CompileError:
    return error(
        f"expected {expected}, got {node.op_type} at node '{node.name or node.output[0]}'; export "
        "it as float nodes between QuantizeLinear and DequantizeLinear"
    )
