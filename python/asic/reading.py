# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whatever the user calls a model, as what the compiler takes."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asic.errors import CompileError
from asic.mapped import map_weights
from asic.options import CompileOptions
from asic.structure import Structure, positional_names
from asic.tensors import Array, TensorSpec

if TYPE_CHECKING:
    from asic.state import State
    from asic.target import Target

#: How operations begin that torch-mlir makes for other compilers.
_OTHER_FORMS = ("tosa.", "stablehlo.", "chlo.")


@dataclass(frozen=True)
class Source:
    """A model as the native compiler takes it.

    Attributes:
        text: MLIR, linalg on tensors.
        weights: array of every resource that the text names.
        file_name: what messages call the text.
        structure: how inputs and outputs are nested.
        inputs, outputs: borders as the user knows them, without state; None: as the
            text says.
        state: path of each buffer that the model writes → its value at first.
        program: the program that the text was made of, as PyTorch runs it; None for text
            and ONNX, and where weights have no data.
        quantized: whether activations of the program are quantised.
        without_data: resources that the text names and nobody has, weights of the meta device.
    """

    text: str
    weights: dict[str, Array]
    file_name: str = "model.mlir"
    structure: Structure = field(default_factory=Structure)
    inputs: tuple[TensorSpec, ...] | None = None
    outputs: tuple[TensorSpec, ...] | None = None
    state: dict[str, Array] = field(default_factory=dict)
    program: Any = None
    quantized: bool = False
    without_data: tuple[str, ...] = ()


def read_model(
    model: Any,
    args: tuple[Any, ...] | None,
    *,
    kwargs: dict[str, Any] | None = None,
    quantize: Any,
    calibration: Iterable[Any] | None,
    dynamic_shapes: Any,
    target: Target | None,
    options: CompileOptions,
) -> Source:
    """Imports `model`, quantised if asked."""
    text = mlir_source(model)
    if text is not None:
        if quantize is not None:
            raise _error("expected a PyTorch model to quantise, got MLIR; quantise before export")
        return text
    if isinstance(model, (str, os.PathLike)) and Path(model).suffix == ".onnx":
        if quantize is not None or calibration is not None:
            raise _error(
                "expected a PyTorch model to quantise, got an ONNX file; compile the "
                "nn.Module that it was exported from"
            )
        return _read_onnx(Path(model), args)
    positional = positional_names(model, args, kwargs)
    if quantize is not None:
        model = _quantized(model, args, kwargs, calibration, target, quantize)
        args = kwargs = None
    elif calibration is not None:
        raise _error(
            "expected quantize='int8' with calibration data, got quantize=None; "
            "pass both or neither"
        )
    from asic.frontend import import_model
    from asic.frontend.export import capture

    if _is_quantized(model) and not hasattr(model, "graph_signature"):
        # What a PT2E quantiser converted: the reference wants it as a program.
        model, args, kwargs = capture(model, args, kwargs)
    imported = import_model(
        model, args, kwargs, dynamic_shapes=dynamic_shapes, source_root=options.source_root
    )
    return Source(
        text=imported.mlir,
        weights=imported.weights,
        without_data=imported.without_data,
        structure=replace(imported.structure, positional=positional),
        inputs=_specs(imported.inputs),
        outputs=_specs(imported.outputs),
        state={state.path: state.initial for state in imported.state},
        program=None if imported.without_data else imported.program,
        quantized=_is_quantized(model),
    )


def state_of(program: Any) -> State:
    """The buffers that a functional exported program writes, with the values that it has."""
    from asic.frontend.state import explicit
    from asic.state import State

    _, infos = explicit(program, frozenset())
    specs = _specs(info.tensor for info in infos) or ()
    values = {info.path: info.initial for info in infos}
    return State(tuple(values), specs, values)


def import_onnx_support() -> Any:
    """The package that reads ONNX files.

    Raises:
        CompileError: the package 'onnx' is not installed.
    """
    try:
        importlib.import_module("onnx")
    except ModuleNotFoundError:
        raise _error(
            "expected the package 'onnx' to read ONNX files, got none; pip install asic-mlir[onnx]"
        ) from None
    return importlib.import_module("asic.frontend.onnx")


def _read_onnx(path: Path, args: tuple[Any, ...] | None) -> Source:
    imported = import_onnx_support().import_onnx(path, args)
    return Source(
        text=imported.mlir,
        weights=imported.weights,
        inputs=_specs(imported.inputs),
        outputs=_specs(imported.outputs),
    )


def _is_quantized(model: Any) -> bool:
    """Whether `model` is a graph with quantised activations."""
    # A script module has a graph of another kind.
    nodes = getattr(getattr(model, "graph", None), "nodes", None)
    return not (nodes is None or callable(nodes)) and any(
        "quantized_decomposed.quantize" in str(node.target) for node in nodes
    )


def _specs(infos: Iterable[Any]) -> tuple[TensorSpec, ...] | None:
    """Specs of the importer's tensors; None when a dimension is not known."""
    infos = tuple(infos)
    if any(d is None for info in infos for d in info.shape):
        return None
    return tuple(TensorSpec(info.name, tuple(info.shape), info.dtype) for info in infos)


def _quantized(
    model: Any,
    args: tuple[Any, ...] | None,
    kwargs: dict[str, Any] | None,
    calibration: Iterable[Any] | None,
    target: Target | None,
    quantize: Any,
) -> Any:
    from asic import quantization

    config = quantization.Config.of(quantize)
    return quantization.quantize(
        model, args, calibration, target=target, config=config, kwargs=kwargs
    )


def mlir_source(model: Any) -> Source | None:
    """The source when `model` is MLIR in one of its forms."""
    operation = getattr(model, "operation", None)
    if operation is not None and hasattr(operation, "get_asm"):
        return Source(_module_text(operation), {})
    if isinstance(model, str) and re.search(r"\bfunc\.func\b", model):
        return Source(model, {})
    if not isinstance(model, (str, os.PathLike)) or Path(model).suffix != ".mlir":
        return None
    path = Path(model)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise CompileError(f"cannot read {path}: {problem.strerror}", phase="import") from problem
    except UnicodeDecodeError as problem:
        raise CompileError(
            f"expected MLIR text in {path}, got other bytes", phase="import"
        ) from problem
    return Source(text, _weights_beside(path), file_name=str(path))


def _module_text(operation: Any) -> str:
    """Text of an MLIR module, lowered to linalg when it is of torch-mlir's torch dialect."""
    if type(operation).__module__.startswith("torch_mlir."):
        from asic.frontend.pipeline import linalg_of

        operation = linalg_of(operation)
        _check_dialects(operation)
    return str(operation.get_asm(enable_debug_info=True))


def _check_dialects(operation: Any) -> None:
    """A module of torch-mlir's is linalg on tensors, not another of the forms that it makes."""
    from asic.frontend.pipeline import describe, walk

    found: list[Any] = []
    walk(operation, lambda op: found.append(op) if op.name.startswith(_OTHER_FORMS) else None)
    if found:
        raise CompileError(
            f"expected linalg on tensors, got {found[0].name} at {describe(found[0].location)}; make "
            'the module with torch_mlir.fx.export_and_import(..., output_type="linalg-on-tensors"), '
            "or pass the PyTorch module itself",
            phase="import",
        )


def _weights_beside(path: Path) -> dict[str, Array]:
    """Arrays of the `.safetensors` file of the same name, if there is one, mapped from it."""
    weights = path.with_suffix(".safetensors")
    return map_weights(weights) if weights.exists() else {}


def _error(message: str) -> CompileError:
    return CompileError(message, phase="options")
