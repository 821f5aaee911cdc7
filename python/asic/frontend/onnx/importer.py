# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX file in, linalg-on-tensors text and its weights out."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from torch_mlir.extras import onnx_importer

from asic.errors import CompileError
from asic.frontend.borders import TensorInfo, name_borders
from asic.frontend.importer import Imported, kept_resources
from asic.frontend.messages import error
from asic.frontend.onnx.fold import simplify
from asic.frontend.onnx.graph import OnnxGraph, dtype_of, read, shape_of
from asic.frontend.onnx.operators import expand
from asic.frontend.onnx.rewrite import Rewriter, raise_nodes
from asic.frontend.pipeline import lower_to_linalg, run_passes, walk
from asic.frontend.skew import ONNX_TO_TORCH, ir, new_context
from asic.frontend.weights import INLINE_LIMIT
from asic.structure import Structure
from asic.tensors import Array

_CONTROL = ("If", "Loop", "Scan")


def import_onnx(path: Path, args: tuple[Any, ...] | None = None) -> Imported:
    """Turns an ONNX file into linalg on tensors.

    Args:
        path: the file; data outside of it is read where it is used.
        args: example inputs, NumPy or torch; needed where a dimension of an input is not
            a number in the file.

    Raises:
        CompileError: with ``phase="import"``; the message names the node and a remedy.
    """
    graph = read(path, args)
    expand(graph)
    _check(graph)
    simplify(graph)
    _check_types(graph)
    context = new_context()
    names = _resource_names(graph)
    module = _import(graph, context, names)
    raise_nodes(module)
    run_passes(module, context, ONNX_TO_TORCH, _unsupported)
    Rewriter(module).run()
    lower_to_linalg(module, context)
    _check_static(module)
    inputs = _infos(graph.inputs())
    outputs = _infos(graph.model.graph.output)
    name_borders(module, inputs, outputs)
    text = module.operation.get_asm(enable_debug_info=True)
    kept = kept_resources(text)
    return Imported(
        mlir=text,
        weights={key: graph.arrays[name] for name, key in names.items() if key in kept},
        inputs=inputs,
        outputs=outputs,
        structure=Structure(),
        sources={},
        ranges={},
    )


def _infos(values: Any) -> tuple[TensorInfo, ...]:
    return tuple(TensorInfo(v.name, shape_of(v), dtype_of(v)) for v in values)


def _check(graph: OnnxGraph) -> None:
    """Refuses what the importer would take apart wrongly or not at all."""
    for node in graph.nodes:
        where = f"{node.op_type} at node '{node.name}'"
        if node.op_type in _CONTROL:
            raise error(
                f"expected a graph without control flow, got {where}; export the model with the "
                "branch or the number of steps fixed"
            )
    for info in (*graph.inputs(), *graph.model.graph.output):
        if dtype_of(info) in ("float64", "complex64", "complex128"):
            raise error(
                f"expected tensors of at most 32-bit real floats, got {dtype_of(info)} for "
                f"'{info.name}'; export the model in float32"
            )


def _check_types(graph: OnnxGraph) -> None:
    """Every value has a static shape."""
    shapes = graph.shapes()
    for node in graph.nodes:
        for name in node.output:
            if name and None in shapes.get(name, (None,)):
                raise error(
                    "expected shapes that follow from the inputs' shapes, got an unknown one for "
                    f"'{name}' of {node.op_type} at node '{node.name}'; keep that part outside "
                    "the compiled model"
                )


def _check_static(module: Any) -> None:
    """No shape was lost on the way."""
    dynamic: list[str] = []

    def visit(op: Any) -> None:
        if any(re.match(r"tensor<(\d+x)*\?", str(result.type)) for result in op.results):
            dynamic.append(_node_name(op.location))

    walk(module, visit)
    if dynamic:
        raise error(
            "expected shapes that follow from the inputs' shapes, got an unknown one at node "
            f"'{dynamic[0]}'; keep that part outside the compiled model"
        )


def _resource_names(graph: OnnxGraph) -> dict[str, str]:
    """Name in the text of every constant that is not in the text itself."""
    result: dict[str, str] = {}
    for name, array in graph.arrays.items():
        if array.size <= INLINE_LIMIT or array.dtype == np.bool_:
            continue
        key = stem = re.sub(r"[^\w.:/-]", "_", name)
        count = 1
        while key in result.values():
            key, count = f"{stem}.{count}", count + 1
        result[name] = key
    return result


class _Importer(onnx_importer.NodeImporter):  # type: ignore[misc]
    """torch-mlir's importer, with constants by name."""

    __slots__ = ("arrays", "module", "names")

    @classmethod
    def of(cls, graph: OnnxGraph, context: Any, names: dict[str, str]) -> _Importer:
        """An importer into a new module; its function is called main."""
        graph.model.graph.name = "main"
        info = onnx_importer.ModelInfo(graph.model)
        module = info.create_module(context=context)
        plain = onnx_importer.NodeImporter.define_function(info.main_graph, module.operation)
        importer = cls(
            info.main_graph,
            parent_op=plain._p,
            block=plain._b,
            context_cache=plain._cc,
            module_op=plain._m,
            module_cache=plain._mc,
        )
        importer._nv_map.update(plain._nv_map)
        importer.arrays, importer.names, importer.module = graph.arrays, names, module
        return importer

    def import_initializer(self, initializer: Any, extern_name: str | None = None) -> Any:
        name = extern_name or initializer.name
        with ir.InsertionPoint(self._b), ir.Location.name(name):
            kind = self._cc.tensor_proto_to_builtin_type(initializer)
            if name in self.names:
                # torch-mlir's own constants have to have data.
                op, key = "torch.vtensor.literal", "value"
                value = ir.Attribute.parse(f'dense_resource<"{self.names[name]}"> : {kind}')
                attributes = {}
            else:
                op, key = "torch.operator", "torch.onnx.value"
                value = _dense(self.arrays[name], kind)
                attributes = {"name": ir.StringAttr.get("onnx.Constant")}
            literal = ir.Operation.create(
                op,
                results=[self._cc.tensor_proto_to_type(initializer)],
                attributes={**attributes, key: value},
            )
        self._nv_map[name] = literal.result
        return literal.result


def _dense(array: Array, kind: Any) -> Any:
    array = np.ascontiguousarray(array)
    if array.dtype in (np.float16, ml_dtypes.bfloat16):
        array = array.view(np.uint16)
    return ir.DenseElementsAttr.get(array, type=kind.element_type, shape=kind.shape)


def _import(graph: OnnxGraph, context: Any, names: dict[str, str]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importer = _Importer.of(graph, context, names)
            importer.import_all()
            walk(importer.module, _name_operator)
    except (onnx_importer.OnnxImportError, KeyError, TypeError, ValueError) as problem:
        raise error(
            f"cannot import {graph.path}: {str(problem).splitlines()[0]}; export the model again "
            "with torch.onnx.export(dynamo=True)",
            repr(problem),
        ) from problem
    return importer.module


def _name_operator(op: Any) -> None:
    """Puts the ONNX operator into a node's location, where locations of PyTorch have theirs."""
    if op.name == "torch.operator":
        with op.context:
            operator = ir.Location.fused([ir.Location.unknown()], op.attributes["name"])
            op.location = ir.Location.name(_node_name(op.location), operator)


def _unsupported(module: Any, problem: ir.MLIRError) -> CompileError:
    """The ONNX node that torch-mlir has no lowering for."""
    left: dict[str, str] = {}

    def visit(op: Any) -> None:
        if op.name == "torch.operator":
            name = ir.StringAttr(op.attributes["name"]).value.removeprefix("onnx.")
            if name != "Constant":  # All of these are left, whatever failed.
                left[_node_name(op.location)] = name

    walk(module, visit)
    blamed = [_node_name(d.location) for d in problem.error_diagnostics]
    node = next((name for name in (*blamed, *left) if name in left), "?")
    return error(
        f"cannot lower {left.get(node, 'an operator')} at node '{node}'; export the model without "
        "it, or with another operator set",
        *(d.message for d in problem.error_diagnostics),
    )


def _node_name(location: Any) -> str:
    found = re.search(r'"([^"]*)"', str(location))
    return found[1] if found else "?"
