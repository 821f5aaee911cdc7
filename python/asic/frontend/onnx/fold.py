# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX graphs made simpler: constants computed, batch norms in the weights in front of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto
from onnx.reference import ReferenceEvaluator

from asic.frontend.fold import FOLD_LIMIT
from asic.frontend.onnx.forms import define, rewrite
from asic.frontend.onnx.graph import OnnxGraph
from asic.frontend.onnx.quantized import make_signed
from asic.frontend.onnx.recurrent import unroll
from asic.tensors import Array

#: Never computed: random numbers, and quantisation, which the compiler reads.
_KEEP = frozenset(
    {
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "QuantizeLinear",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Bernoulli",
        "Multinomial",
        "If",
        "Loop",
        "Scan",
    }
)


def simplify(graph: OnnxGraph) -> None:
    """Infers all shapes, computes what is constant, unrolls recurrent nodes and folds batch
    norms, in place."""
    graph.infer_shapes()
    while _fold_constants(graph) or define(graph):
        graph.infer_shapes()
    make_signed(graph)
    graph.infer_shapes()
    while _fold_constants(graph) or unroll(graph) or rewrite(graph):
        graph.infer_shapes()
    _slice_gathers(graph)
    _fold_batch_norms(graph)
    _drop_unused(graph)
    graph.infer_shapes()


def _fold_constants(graph: OnnxGraph) -> bool:
    """Computes nodes whose inputs are known; returns whether shapes may follow from it."""
    shapes, kept, folded = graph.shapes(), [], False
    for node in graph.nodes:
        value = _evaluate(graph, node, shapes)
        if value is None:
            kept.append(node)
            continue
        folded = True
        for name, array in zip(node.output, value, strict=False):
            if name:
                graph.add(name, array)
    if folded:
        graph.replace_nodes(kept)
    return folded


def _evaluate(graph: OnnxGraph, node: NodeProto, shapes: dict[str, Any]) -> list[Array] | None:
    """Values of the outputs of a node, None when they are not constant."""
    outputs = {o.name for o in graph.model.graph.output}
    if node.op_type in _KEEP or outputs & set(node.output):
        return None
    if node.op_type == "Shape" and None not in shapes.get(node.input[0], (None,)):
        shape = np.asarray(shapes[node.input[0]], np.int64)
        bounds = {a.name: a.i for a in node.attribute}
        return [shape[bounds.get("start", 0) : bounds.get("end", len(shape))]]
    if not all(name in graph.arrays for name in node.input if name):
        return None
    sizes = [shapes.get(name, (None,)) for name in node.output if name]
    if any(None not in size and np.prod(size) > FOLD_LIMIT for size in sizes):
        return None
    feeds = {name: graph.arrays[name] for name in node.input if name}
    made = onnx.helper.make_graph(
        [node],
        "constant",
        [_value(name, array) for name, array in feeds.items()],
        [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    model = onnx.helper.make_model(made, opset_imports=graph.model.opset_import)
    try:
        result = ReferenceEvaluator(model).run(None, feeds)
    except Exception:  # Whatever it cannot compute is left in the graph.
        return None
    arrays = [np.asarray(array) for array in result]
    return arrays if all(array.size <= FOLD_LIMIT for array in arrays) else None


def _value(name: str, array: Array) -> Any:
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, array.shape)


def _slice_gathers(graph: OnnxGraph) -> None:
    """Reads of constant neighbouring places, x[:, 3], become slices: nothing is looked up."""
    shapes, nodes = graph.shapes(), []
    for node in graph.nodes:
        index = graph.arrays.get(node.input[1]) if node.op_type == "Gather" else None
        shape = shapes.get(node.input[0], ()) if index is not None else ()
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        extent = shape[axis] if shape else None
        if index is None or extent is None or not _is_range(index, extent):
            nodes.append(node)
            continue
        start = int(index.reshape(-1)[0]) % extent
        bounds = [start, start + index.size, axis % len(shape)]
        names = [graph.add(f"{node.name}.bound", np.asarray([bound], np.int64)) for bound in bounds]
        output = node.output[0]
        sliced = f"{output}.slice" if index.ndim == 0 else output
        nodes.append(onnx.helper.make_node("Slice", [node.input[0], *names], [sliced], node.name))
        if index.ndim == 0:
            squeeze = onnx.helper.make_node("Squeeze", [sliced, names[2]], [output], node.name)
            nodes.append(squeeze)
    graph.replace_nodes(nodes)


def _is_range(index: Array, extent: int) -> bool:
    """Whether an index is one place or neighbours in order, inside the dimension."""
    places = index.reshape(-1).astype(np.int64)
    if index.ndim > 1 or not places.size or (places < -extent).any() or (places >= extent).any():
        return False
    places = places % extent
    return bool((np.diff(places) == 1).all())


def _fold_batch_norms(graph: OnnxGraph) -> None:
    """Removes every batch norm with constant statistics."""
    producers = {name: node for node in graph.nodes for name in node.output}
    users, nodes = graph.users(), []
    for node in graph.nodes:
        affine = _affine(graph, node)
        if affine is None:
            nodes.append(node)
            continue
        source = producers.get(node.input[0])
        if source is not None and len(users[node.input[0]]) == 1 and _absorb(graph, source, affine):
            source.output[0] = node.output[0]
        else:
            nodes += _multiply_add(graph, node, affine)
    graph.replace_nodes(nodes)


def _affine(graph: OnnxGraph, node: NodeProto) -> tuple[Array, Array] | None:
    """Per-channel (factor, offset) in float64 of a batch norm; None of any other node."""
    if node.op_type != "BatchNormalization" or not all(n in graph.arrays for n in node.input[1:]):
        return None
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if attributes.get("training_mode"):
        return None
    scale, bias, mean, variance = (graph.arrays[n].astype(np.float64) for n in node.input[1:])
    factor = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    return factor, bias - mean * factor


def _absorb(graph: OnnxGraph, source: NodeProto, affine: tuple[Array, Array]) -> bool:
    """Puts a factor and an offset per channel into a convolution or Gemm."""
    if source.op_type not in ("Conv", "Gemm") or not all(
        n in graph.arrays for n in source.input[1:]
    ):
        return False
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in source.attribute}
    if source.op_type == "Gemm" and attributes.get("beta", 1.0) != 1.0:
        return False
    factor, offset = affine
    weight = graph.arrays[source.input[1]]
    axis = 1 if source.op_type == "Gemm" and not attributes.get("transB") else 0
    shape = [-1 if i == axis else 1 for i in range(weight.ndim)]
    folded = (weight.astype(np.float64) * factor.reshape(shape)).astype(weight.dtype)
    bias = offset.astype(weight.dtype)
    if len(source.input) > 2 and source.input[2]:
        old = graph.arrays[source.input[2]].astype(np.float64)
        bias = (old * factor + offset).astype(weight.dtype)
    names = [graph.add(source.input[1], folded), graph.add(f"{source.name}.bias", bias)]
    del source.input[1:]
    source.input.extend(names)
    return True


def _multiply_add(
    graph: OnnxGraph, node: NodeProto, affine: tuple[Array, Array]
) -> list[NodeProto]:
    rank = len(graph.shapes()[node.input[0]])
    kind = graph.arrays[node.input[1]].dtype
    shape = [-1 if i == 1 else 1 for i in range(rank)]
    factor, offset = (
        graph.add(f"{node.name}.{role}", array.reshape(shape).astype(kind))
        for role, array in zip(("factor", "offset"), affine, strict=True)
    )
    product = f"{node.output[0]}.product"
    return [
        onnx.helper.make_node("Mul", [node.input[0], factor], [product], f"{node.name}.mul"),
        onnx.helper.make_node("Add", [product, offset], [node.output[0]], f"{node.name}.add"),
    ]


def _drop_unused(graph: OnnxGraph) -> None:
    """Removes nodes and constants that nobody reads."""
    wanted = {o.name for o in graph.model.graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    graph.replace_nodes(reversed(kept))
    constants = [t for t in graph.model.graph.initializer if t.name in wanted]
    del graph.model.graph.initializer[:]
    graph.model.graph.initializer.extend(constants)
    graph.arrays = {name: array for name, array in graph.arrays.items() if name in wanted}
