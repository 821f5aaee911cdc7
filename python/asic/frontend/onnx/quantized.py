# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantised ONNX models in QDQ form: QuantizeLinear and DequantizeLinear around float nodes.

The two become the markers that PyTorch's quantised programs have (docs/quantization.md), so
that the same phases make integers of them. What quantisers write besides is brought into
that form here: codes of uint8 become codes of int8, 128 less with a zero point 128 less;
weights that are quantised in the graph are quantised now; biases of int32 become the floats
that they stand for, of which the compiler makes the same integers again.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper

from asic.errors import CompileError
from asic.frontend.messages import error
from asic.frontend.onnx.graph import OnnxGraph
from asic.tensors import Array

_PAIR = ("QuantizeLinear", "DequantizeLinear")
#: Nodes that hand codes on as they are.
_MOVES = frozenset(
    {
        "Concat",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "MaxPool",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)


def make_signed(graph: OnnxGraph) -> None:
    """Brings the graph into the form above, in place; constants are computed, types inferred.

    Raises:
        CompileError: parameters are computed or of another type, or codes are not made by
            QuantizeLinear or constants.
    """
    if any(node.op_type in _PAIR for node in graph.nodes):
        _Signer(graph).run()


class _Signer:
    """Follows codes of uint8 from where they are made to where they are read."""

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph
        self.types = graph.types()
        self.users = graph.users()
        #: Values of codes that are 128 less than in the file.
        self.shifted: set[str] = set()

    def run(self) -> None:
        kept = []
        for node in self.graph.nodes:
            value = None
            if node.op_type == "QuantizeLinear":
                value = self._quantize(node)
            elif node.op_type == "DequantizeLinear":
                value = self._dequantize(node)
            else:
                self._pass_on(node)
            if value is None:
                kept.append(node)
            else:
                self.graph.add(node.output[0], value)
        for output in self.graph.model.graph.output:
            if output.name in self.shifted:
                raise error(
                    f"expected outputs of floats, got codes of uint8 for '{output.name}'; end the "
                    "model with DequantizeLinear"
                )
        self.graph.replace_nodes(kept)

    def _quantize(self, node: NodeProto) -> Array | None:
        if self.types.get(node.input[0]) != TensorProto.FLOAT:
            raise _error(node, "float32 to quantise", "export the model in float32")
        kind = next((a.i for a in node.attribute if a.name == "output_dtype" and a.i), None)
        scale, zero = self._parameters(node, kind or TensorProto.UINT8)
        if zero.dtype == np.uint8:
            self.shifted.add(node.output[0])
            zero = _shift(zero)
        source = self.graph.arrays.get(node.input[0])
        if source is not None:
            return _quantized(node, source, scale, zero)
        for attribute in list(node.attribute):
            if attribute.name == "output_dtype":
                node.attribute.remove(attribute)
        self._set(node, scale, zero)
        return None

    def _dequantize(self, node: NodeProto) -> Array | None:
        name = node.input[0]
        kind, source = self.types.get(name), self.graph.arrays.get(name)
        block = next((int(a.i) for a in node.attribute if a.name == "block_size"), 0)
        if source is not None and (kind == TensorProto.INT32 or block):
            scale, zero = self._parameters(node, kind, block)
            return _dequantized(node, source, scale, zero, block)
        scale, zero = self._parameters(node, kind)
        if source is not None:
            # Weights without a zero point need no correction of sums.
            centred = source.astype(np.int16) - _along(node, zero, source.ndim)
            if not centred.size or (centred.min() >= -128 and centred.max() <= 127):
                node.input[0] = self.graph.add(f"{name}.centred", centred.astype(np.int8))
                self._set(node, scale, np.zeros_like(zero, np.int8))
                return None
        if zero.dtype == np.uint8:
            node.input[0] = self._shifted_input(node, name)
            zero = _shift(zero)
        elif source is None and name in {i.name for i in self.graph.inputs()}:
            raise _error(node, "codes that the graph makes", "begin the model with QuantizeLinear")
        self._set(node, scale, zero)
        return None

    def _pass_on(self, node: NodeProto) -> None:
        """A node that is no marker: it moves codes, or has nothing to do with any."""
        codes = [n for n in node.input if self.types.get(n) == TensorProto.UINT8]
        if not any(name in self.shifted for name in codes) and not self._makes_codes(node, codes):
            return
        if node.op_type in ("Shape", "Size"):
            return
        if node.op_type not in _MOVES:
            raise _error(node, "floats to compute with", "dequantise its input first")
        for position, name in enumerate(node.input):
            if name in codes:
                node.input[position] = self._shifted_input(node, name)
        outputs = node.output[:1] if node.op_type == "MaxPool" else node.output
        self.shifted.update(name for name in outputs if name)

    def _makes_codes(self, node: NodeProto, codes: list[str]) -> bool:
        """Whether a node moves a constant that is dequantised behind it: a table of codes."""
        return (
            node.op_type in _MOVES
            and any(name in self.graph.arrays for name in codes)
            and all(self._is_dequantized(name) for name in node.output[:1])
        )

    def _is_dequantized(self, name: str) -> bool:
        """Whether every reader dequantises, or moves to one that does."""
        users = self.users.get(name, [])
        return bool(users) and all(
            user.op_type == "DequantizeLinear"
            or (user.op_type in _MOVES and self._is_dequantized(user.output[0]))
            for user in users
        )

    def _shifted_input(self, node: NodeProto, name: str) -> str:
        """The name of the codes `name`, 128 less."""
        if name in self.shifted:
            return name
        if name in self.graph.arrays:
            return self.graph.add(f"{name}.int8", _shift(self.graph.arrays[name]))
        raise _error(node, "codes that the graph makes", "begin the model with QuantizeLinear")

    def _parameters(self, node: NodeProto, kind: int | None, block: int = 0) -> tuple[Array, Array]:
        """Scale and zero point; a zero point that is left out is 0 of the element type `kind`."""
        scale = _parameter(self.graph, node, 1)
        assert scale is not None
        if scale.dtype != np.float32:
            raise _error(node, "a scale of float32", "export the model in float32")
        if not block and any(a.name == "block_size" and a.i for a in node.attribute):
            raise _error(
                node, "one scale per tensor or channel, not per block", "quantise by channel"
            )
        zero = _parameter(self.graph, node, 2)
        found = TensorProto.DataType.Name(kind or 0)
        if zero is not None:
            kind = helper.np_dtype_to_tensor_dtype(zero.dtype)
            found = str(zero.dtype)
        constant = kind == TensorProto.INT32 and node.input[0] in self.graph.arrays
        if kind not in (TensorProto.INT8, TensorProto.UINT8) and not constant:
            raise _error(node, f"codes of int8 or uint8, not {found}", "quantise to 8 bits")
        if zero is None:
            zero = np.zeros(scale.shape, helper.tensor_dtype_to_np_dtype(int(kind or 0)))
        return scale, zero

    def _set(self, node: NodeProto, scale: Array, zero: Array) -> None:
        """Gives a marker its parameters as constants of its own."""
        if scale.ndim and not any(a.name == "axis" for a in node.attribute):
            node.attribute.append(helper.make_attribute("axis", 1))
        del node.input[1:]
        node.input.append(self.graph.add(f"{node.output[0]}.scale", scale))
        node.input.append(self.graph.add(f"{node.output[0]}.zero_point", zero))


def _shift(codes: Array) -> Array:
    """Codes or zero points of uint8 as int8."""
    result: Array = (codes.astype(np.int16) - 128).astype(np.int8)
    return result


def _parameter(graph: OnnxGraph, node: NodeProto, position: int) -> Array | None:
    """The scale or the zero point; None where it is left out."""
    if position >= len(node.input) or not node.input[position]:
        return None
    array = graph.arrays.get(node.input[position])
    if array is None:
        raise _error(node, "constant scales and zero points", "quantise statically")
    return array.reshape(()) if array.size == 1 else array


def axis_of(node: NodeProto, rank: int) -> int:
    """The dimension that several scales lie along."""
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    return int(axis) % max(rank, 1)


def _along(node: NodeProto, values: Array, rank: int) -> Array:
    """Values of every channel, to broadcast with a tensor."""
    if values.ndim == 0:
        return values
    shape = [1] * rank
    shape[axis_of(node, rank)] = values.size
    return values.reshape(shape)


def _dequantized(node: NodeProto, codes: Array, scale: Array, zero: Array, block: int) -> Array:
    if block:  # One scale for so many neighbours along the axis.
        axis = axis_of(node, codes.ndim)
        places = np.arange(codes.shape[axis]) // block
        scale, zero = (np.take(values, places, axis) for values in (scale, zero))
    else:
        scale, zero = (_along(node, values, codes.ndim) for values in (scale, zero))
    shifted = codes.astype(np.int32) - zero.astype(np.int32)
    result: Array = shifted.astype(np.float32) * scale
    return result


def _quantized(node: NodeProto, values: Array, scale: Array, zero: Array) -> Array:
    codes = np.rint(values / _along(node, scale, values.ndim)) + _along(node, zero, values.ndim)
    result: Array = np.clip(codes, -128, 127).astype(np.int8)
    return result


def _error(node: NodeProto, expected: str, remedy: str) -> CompileError:
    return error(
        f"expected {expected}, got {node.op_type} at node '{node.name or node.output[0]}'; {remedy}"
    )
