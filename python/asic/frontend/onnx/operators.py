# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantised operators of ONNX, and of ONNX Runtime, as the nodes that they stand for.

Operators of codes, QLinearConv and its like, become float nodes between DequantizeLinear and
QuantizeLinear, the form that `quantized.py` reads. What is quantised at run time,
DynamicQuantizeLinear in front of MatMulInteger, becomes arithmetic: codes of int8, 128 less
than ONNX's, a product of integers, and the zero points' share taken off it, to the bit.
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
            "ConvInteger": self._refuse,
            "DynamicQuantizeLinear": self._quantize_at_run_time,
            "MatMulInteger": self._integer_product,
            "MatMulNBits": self._packed_product,
            "QGemm": self._gemm,
            "QLinearConcat": self._concat,
            "QLinearConv": self._conv,
            "QLinearWhere": self._where,
        }
        #: Codes and zero points of uint8 → the same of int8 and int32, both 128 less.
        self.codes: dict[str, str] = {}
        self.zeros: dict[str, str] = {}

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
                    raise _error(node, "MatMulInteger for codes that are made at run time")
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

    def _refuse(self, node: NodeProto) -> None:
        raise error(
            f"expected MatMulInteger for what is quantised at run time, got {node.op_type} at node "
            f"'{node.name}'; quantise convolutions statically"
        )

    def _quantize_at_run_time(self, node: NodeProto) -> None:
        """Codes of [0, 255] over the range of the values and 0, as ONNX defines them."""
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
        steps = emit("Add", emit("Round", emit("Div", x, scale)), offset)
        places = emit("Sub", emit("Clip", steps, number[0], number[255]), number[128])
        self.codes[codes] = emit("Cast", places, to=TensorProto.INT8)
        offset = emit("Sub", offset, number[128])
        self.zeros[zero] = emit("Cast", offset, to=TensorProto.INT32)

    def _integer_product(self, node: NodeProto) -> None:
        """Σ (a - za)·(b - zb) = Σ a·b - zb·Σ a - za·(Σ b - K·zb), all in int32."""
        weight, wide, zero = self._weight(node)
        a, a_zero = self._activations(node)
        result = self.emit(node, "MatMul", a, self.emit(node, "Cast", weight, to=TensorProto.INT32))
        terms = []
        if zero.any():
            ones = self.constant(node, np.ones((len(wide), 1), np.int32))
            sums = self.emit(node, "MatMul", a, ones)
            terms.append(self.emit(node, "Mul", sums, self.constant(node, zero.astype(np.int32))))
        if a_zero:
            share = self.constant(node, (wide - zero).sum(0).astype(np.int32))
            terms.append(self.emit(node, "Mul", a_zero, share))
        for number, term in enumerate(terms, 1):
            output = node.output[0] if number == len(terms) else ""
            result = self.emit(node, "Sub", result, term, output=output)
        if not terms:
            self.emit(node, "Identity", result, output=node.output[0])

    def _weight(self, node: NodeProto) -> tuple[str, Array, Array]:
        """Codes of int8 of the second factor: their name, values, and zero points."""
        codes = self.array(node, 1)
        if codes.ndim != 2:
            raise _error(node, "a weight of two dimensions")
        wide, offset = codes.astype(np.int64), self.array(node, 3, 0).astype(np.int64)
        if codes.dtype == np.int8:
            return node.input[1], wide, offset
        wide, offset = wide - 128, offset - 128
        return self.constant(node, wide.astype(np.int8)), wide, offset

    def _activations(self, node: NodeProto) -> tuple[str, str]:
        """The first factor as int32, and the name of its zero point, "" if that is 0."""
        name = node.input[0]
        zero = node.input[2] if len(node.input) > 2 else ""
        if name not in self.codes or zero not in self.zeros:
            raise _error(node, "DynamicQuantizeLinear in front of it")
        wide = self.emit(node, "Cast", self.codes[name], to=TensorProto.INT32)
        return wide, self.zeros[zero]


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
