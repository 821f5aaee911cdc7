# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An ONNX graph whose weights are arrays beside it, and what makes one of a file.

The protobuf keeps nodes, types and small tensors; the data of everything else is taken
out before any tool copies the model, and shared with the file where it lies outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
from onnx import ModelProto, NodeProto, TensorProto, external_data_helper, numpy_helper

from asic.frontend.messages import error
from asic.frontend.weights import INLINE_LIMIT
from asic.tensors import Array, numpy_dtype, to_array

#: The operator set that older models are brought to.
OLDEST_OPSET = 13

_DOMAINS = ("", "ai.onnx")

#: Integers of less than a byte; their values are kept in a byte each.
_SMALL = (TensorProto.INT4, TensorProto.UINT4)


@dataclass
class OnnxGraph:
    """A model with static shapes and data of its own.

    Attributes:
        model: the protobuf; initializers above `INLINE_LIMIT` elements have no data.
        arrays: data of every initializer by name.
        path: where it came from, for messages.
    """

    model: ModelProto
    arrays: dict[str, Array]
    path: str

    @property
    def nodes(self) -> Any:
        """The nodes of the main graph, in order."""
        return self.model.graph.node

    def inputs(self) -> list[Any]:
        """The user's inputs: those without a value in the file."""
        return [i for i in self.model.graph.input if i.name not in self.arrays]

    def add(self, name: str, array: Array) -> str:
        """A new constant; returns its name, which may differ."""
        stem, count = name, 1
        while name in self.arrays:
            name, count = f"{stem}.{count}", count + 1
        self.arrays[name] = array
        self.model.graph.initializer.append(_tensor(name, array))
        return name

    def users(self) -> dict[str, list[NodeProto]]:
        """The readers of each value; an output of the graph counts as one more."""
        result: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                result.setdefault(name, []).append(node)
        for output in self.model.graph.output:
            result.setdefault(output.name, []).append(NodeProto())
        return result

    def replace_nodes(self, nodes: Iterable[NodeProto]) -> None:
        """Puts these in place of all nodes."""
        kept = [_copy(node) for node in nodes]
        del self.model.graph.node[:]
        self.model.graph.node.extend(kept)

    def lift_constants(self) -> None:
        """Constant nodes become initializers."""
        kept = []
        for node in self.nodes:
            value = next((a for a in node.attribute if a.name == "value"), None)
            if node.op_type != "Constant":
                kept.append(node)
            elif value is not None:
                self._name(node, _widened(np.asarray(numpy_helper.to_array(value.t))))
            else:
                self._name(node, _scalar(node))
        self.replace_nodes(kept)

    def _name(self, node: NodeProto, array: Array) -> None:
        self.arrays[node.output[0]] = array
        self.model.graph.initializer.append(_tensor(node.output[0], array))

    def infer_shapes(self) -> None:
        """Types of all values, from scratch."""
        del self.model.graph.value_info[:]
        try:
            self.model = onnx.shape_inference.infer_shapes(
                self.model, strict_mode=True, data_prop=True
            )
        except onnx.shape_inference.InferenceError as problem:
            raise error(
                f"expected a consistent model in {self.path}, got "
                f"{str(problem).strip().splitlines()[0]}; check it with onnx.checker",
                str(problem),
            ) from problem

    def types(self) -> dict[str, int]:
        """Known element types by value, as numbers of `TensorProto.DataType`."""
        graph = self.model.graph
        infos = (*graph.input, *graph.value_info, *graph.output)
        result = {info.name: info.type.tensor_type.elem_type for info in infos}
        result.update({tensor.name: tensor.data_type for tensor in graph.initializer})
        return result

    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Known shapes by value; a dimension is None when it is not known."""
        graph = self.model.graph
        result: dict[str, tuple[int | None, ...]] = {}
        for info in (*graph.input, *graph.value_info, *graph.output):
            if info.type.tensor_type.HasField("shape"):
                result[info.name] = shape_of(info)
        result.update({name: array.shape for name, array in self.arrays.items()})
        return result


def examples(path: Path, shapes: dict[str, tuple[int, ...]]) -> tuple[Array, ...]:
    """Zeros for the inputs of a file.

    Args:
        shapes: shape by name, for inputs with dynamic dimensions.

    Raises:
        CompileError: a name is not an input's, or an input without a shape is dynamic.
    """
    graph = OnnxGraph(_load(path), {}, str(path))
    stored = {tensor.name for tensor in graph.model.graph.initializer}
    inputs = {i.name: i for i in graph.model.graph.input if i.name not in stored}
    for name in shapes:
        if name not in inputs:
            raise error(f"expected inputs of {path} ({', '.join(inputs)}), got '{name}'")
    made = []
    for name, info in inputs.items():
        shape = [d or 0 for d in shapes.get(name, shape_of(info))]
        if name not in shapes and None in shape_of(info):
            raise error(f"expected a shape for the dynamic input '{name}', got none")
        made.append(np.zeros(shape, numpy_dtype(dtype_of(info))))
    return tuple(made)


def _load(path: Path) -> ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
    except FileNotFoundError:
        raise error(f"expected an ONNX file, got no file at {path}") from None
    except Exception as problem:  # Damage may look like anything to protobuf.
        raise error(
            f"expected an ONNX file, got other bytes in {path}; export it again"
        ) from problem
    if not model.graph.output:
        raise error(f"expected an ONNX file with results, got none in {path}; export it again")
    return model


def read(path: Path, args: tuple[Any, ...] | None) -> OnnxGraph:
    """Reads a file; dynamic dimensions become those of `args`.

    Raises:
        CompileError: the file is damaged or too old, or its inputs are not known or do not
            fit `args`.
    """
    model = _load(path)
    model = _updated(model, path)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    graph = OnnxGraph(model, {}, str(path))
    _name_nodes(model)
    _take_data(graph, path)
    graph.lift_constants()
    _fix_shapes(graph, args)
    return graph


def _updated(model: ModelProto, path: Path) -> ModelProto:
    """The model in an operator set that is understood."""
    version = next((o.version for o in model.opset_import if o.domain in _DOMAINS), OLDEST_OPSET)
    if version >= OLDEST_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, OLDEST_OPSET)
    except (
        RuntimeError,
        onnx.shape_inference.InferenceError,
        onnx.version_converter.ConvertError,
    ) as problem:
        raise error(
            f"expected operator set {OLDEST_OPSET} or newer in {path}, or nodes that "
            f"onnx.version_converter updates, got {version}; export the model again",
            str(problem),
        ) from problem


def _name_nodes(model: ModelProto) -> None:
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"


def _take_data(graph: OnnxGraph, path: Path) -> None:
    """Moves the data of the initializers into arrays."""
    for tensor in graph.model.graph.initializer:
        array = graph.arrays[tensor.name] = _widened(_array(tensor, path))
        kind = None if tensor.data_type in _SMALL else tensor.data_type
        tensor.CopyFrom(_tensor(tensor.name, array, kind))


def _widened(array: Array) -> Array:
    small = {"int4": np.int8, "uint4": np.uint8}
    return array.astype(small[array.dtype.name]) if array.dtype.name in small else array


def _array(tensor: TensorProto, path: Path) -> Array:
    try:
        if external_data_helper.uses_external_data(tensor):
            info = external_data_helper.ExternalDataInfo(tensor)
            file = (path.parent / info.location).resolve()
            if not file.is_relative_to(path.parent.resolve()):
                raise ValueError(f"data outside the model's folder, in {info.location}")
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
            shape = tuple(tensor.dims)
            if 0 in shape:
                return np.zeros(shape, dtype)
            if tensor.data_type in _SMALL:
                external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
                return np.asarray(numpy_helper.to_array(tensor))
            return np.memmap(file, dtype, "r", info.offset or 0, shape)
        if tensor.HasField("raw_data") and tensor.data_type not in _SMALL:
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
            return np.frombuffer(tensor.raw_data, dtype).reshape(tuple(tensor.dims))
        return np.asarray(numpy_helper.to_array(tensor))
    except (OSError, ValueError, TypeError) as problem:
        raise error(
            f"cannot read the data of '{tensor.name}' of {path}: {problem}; keep the files of the "
            "export together"
        ) from problem


def _tensor(name: str, array: Array, kind: int | None = None) -> TensorProto:
    """The initializer of an array, with data where it is small."""
    if kind is None:
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = TensorProto(name=name, data_type=kind, dims=array.shape)
    # Shapes are computed from vectors of integers, whose data ONNX reads whatever their size.
    if array.size <= INLINE_LIMIT or (array.ndim < 2 and array.dtype.kind in "iu"):
        tensor.raw_data = np.ascontiguousarray(array).tobytes()
    return tensor


def _scalar(node: NodeProto) -> Array:
    attribute = node.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    dtype: Any = np.float32 if attribute.name.startswith("value_float") else np.int64
    return np.asarray(value, dtype)


def _fix_shapes(graph: OnnxGraph, args: tuple[Any, ...] | None) -> None:
    """Gives every input the shape of its example."""
    inputs = graph.inputs()
    if args is not None and len(args) != len(inputs):
        names = ", ".join(i.name for i in inputs)
        raise error(f"expected {len(inputs)} inputs ({names}), got {len(args)} args")
    for number, info in enumerate(inputs):
        shape = shape_of(info)
        if args is not None:
            shape = _example_shape(info, to_array(args[number]), shape)
        for position, extent in enumerate(shape):
            if extent is None:
                symbol = info.type.tensor_type.shape.dim[position].dim_param or "?"
                raise error(
                    f"expected static shapes, got '{symbol}' for dimension {position} of input "
                    f"'{info.name}'; pass args with example inputs of the size to compile for"
                )
        if 0 in shape:
            raise error(
                f"expected inputs with elements, got shape {shape} for '{info.name}'; pass an "
                "example of the size that the model is to be compiled for"
            )
        dims = info.type.tensor_type.shape.dim
        for position, extent in enumerate(shape):
            dims[position].dim_value = extent
    for output in graph.model.graph.output:  # They follow from the inputs.
        output.type.tensor_type.ClearField("shape")


def _example_shape(
    info: Any, example: Array, declared: tuple[int | None, ...]
) -> tuple[int | None, ...]:
    fits = len(declared) == example.ndim and all(
        want is None or want == got for want, got in zip(declared, example.shape, strict=False)
    )
    if not fits:
        want = [d if d is not None else "?" for d in declared]
        raise error(
            f"expected shape {want} for input '{info.name}', got {list(example.shape)}; pass args "
            "that the model takes"
        )
    kind = dtype_of(info)
    if example.dtype != numpy_dtype(kind):
        raise error(
            f"expected {kind} for input '{info.name}', got {example.dtype.name}; convert the args"
        )
    return tuple(example.shape)


def shape_of(info: Any) -> tuple[int | None, ...]:
    """The declared shape of an input, output or value; None where it is not a number."""
    dims = info.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in dims)


def dtype_of(info: Any) -> str:
    """NumPy's name of the declared element type."""
    kind = info.type.tensor_type.elem_type
    if not kind:
        raise error(f"expected a tensor for '{info.name}', got another type; pass tensors only")
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)).name


def _copy(node: NodeProto) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    return copy
