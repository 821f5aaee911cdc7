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
from onnx import NodeProto
from onnx.helper import make_attribute

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


def is_marker(node: NodeProto) -> bool:
    """Whether the node quantises or dequantises with constant parameters."""
    return node.op_type in _PAIR


def make_signed(graph: OnnxGraph) -> None:
    """Brings the graph into the form above, in place; types have to be inferred again.

    Raises:
        CompileError: parameters are computed or of another type, or codes are an input or an output.
    """
    if not any(is_marker(node) for node in graph.nodes):
        return
    made = {name for node in graph.nodes for name in node.output}
    shifted: set[str] = set()
    kept = []
    for node in graph.nodes:
        if is_marker(node):
            if node.op_type == "DequantizeLinear" and not _is_known(graph, made, node):
                raise _error(
                    node, "codes that the graph makes", "begin the model with QuantizeLinear"
                )
            value = _rewrite(graph, node, shifted)
            if value is not None:
                graph.add(node.output[0], value)
                continue
        elif any(name in shifted for name in node.input):
            if node.op_type not in _MOVES:
                raise _error(node, "floats to compute with", "dequantise its input first")
            shifted.update(node.output)
        kept.append(node)
    for output in graph.model.graph.output:
        if output.name in shifted:
            raise error(
                f"expected outputs of floats, got codes of uint8 for '{output.name}'; end the model "
                "with DequantizeLinear"
            )
    graph.replace_nodes(kept)


def _rewrite(graph: OnnxGraph, node: NodeProto, shifted: set[str]) -> Array | None:
    """Makes a marker's codes int8; its value, when it is known."""
    quantizes = node.op_type == "QuantizeLinear"
    scale = _parameter(graph, node, 1)
    assert scale is not None
    if scale.dtype != np.float32:
        raise _error(node, "a scale of float32", "export the model in float32")
    if any(a.name == "block_size" and a.i for a in node.attribute):
        raise _error(node, "one scale per tensor or channel, not per block", "quantise by channel")
    zero = _parameter(graph, node, 2)
    source = graph.arrays.get(node.input[0])
    if zero is None:
        kind = np.uint8 if quantizes or source is None else source.dtype
        zero = np.zeros(scale.shape, kind)
    if zero.dtype == np.int32 and not quantizes and source is not None:
        return _dequantized(node, source, scale, zero)
    if zero.dtype not in (np.int8, np.uint8):
        raise _error(node, f"codes of int8 or uint8, not {zero.dtype}", "quantise to 8 bits")
    if zero.dtype == np.uint8:
        if quantizes:
            shifted.add(node.output[0])
        elif source is not None and source.dtype == np.uint8:
            codes = (source.astype(np.int16) - 128).astype(np.int8)
            node.input[0] = graph.add(f"{node.input[0]}.int8", codes)
        zero = (zero.astype(np.int16) - 128).astype(np.int8)
    if quantizes and source is not None:
        return _quantized(node, source, scale, zero)
    if scale.ndim and not any(a.name == "axis" for a in node.attribute):
        node.attribute.append(make_attribute("axis", 1))
    del node.input[1:]
    node.input.append(graph.add(f"{node.output[0]}.scale", scale))
    node.input.append(graph.add(f"{node.output[0]}.zero_point", zero))
    return None


def _is_known(graph: OnnxGraph, made: set[str], node: NodeProto) -> bool:
    return node.input[0] in made or node.input[0] in graph.arrays


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


def _dequantized(node: NodeProto, codes: Array, scale: Array, zero: Array) -> Array:
    shifted = codes.astype(np.int64) - _along(node, zero, codes.ndim).astype(np.int64)
    result: Array = shifted.astype(np.float32) * _along(node, scale, codes.ndim)
    return result


def _quantized(node: NodeProto, values: Array, scale: Array, zero: Array) -> Array:
    codes = np.rint(values / _along(node, scale, values.ndim)) + _along(node, zero, values.ndim)
    result: Array = np.clip(codes, -128, 127).astype(np.int8)
    return result


def _error(node: NodeProto, expected: str, remedy: str) -> CompileError:
    return error(
        f"expected {expected}, got {node.op_type} at node '{node.name or node.output[0]}'; {remedy}"
    )
