# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`asic.compile`: from whatever the user has to something that can be called."""

from __future__ import annotations

import importlib
import os
import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asic import _core, progress
from asic.errors import CompileError
from asic.mapped import map_weights
from asic.options import CompileOptions
from asic.structure import Structure
from asic.tensors import Array, TensorSpec, numpy_dtype, raw

if TYPE_CHECKING:
    from asic.compiled import Compiled
    from asic.target import Target


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
        program: the quantised program that the text was made of, if it is one.
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
    without_data: tuple[str, ...] = ()


def compile(
    model: Any,
    args: tuple[Any, ...] | None = None,
    *,
    kwargs: dict[str, Any] | None = None,
    target: str | os.PathLike[str] | Target = "edge-tx1",
    quantize: Any = None,
    calibration: Iterable[Any] | None = None,
    dynamic_shapes: Any = None,
    fallback: str = "host",
    options: CompileOptions | None = None,
) -> Compiled:
    """Compiles a model for an accelerator or for this computer.

    Args:
        model: an `nn.Module` in eval mode, an `ExportedProgram`, the path of a `.pt2`, `.onnx` or
            `.mlir` file, MLIR text or an MLIR module (linalg on tensors).
        args: example inputs, needed for an `nn.Module` and for dynamic dimensions of ONNX.
        kwargs: keyword example inputs, by the names of `forward`'s parameters.
        target: name of a preset, path of a target file, an `asic.Target`, or "cpu".
        quantize: None, "int8" (weights and activations), "int8-weight" (weights alone) or an
            `asic.quantization.Config`.
        calibration: iterable of inputs for static quantisation: tuples; dicts of keyword
            inputs; or pairs of both; "int8-weight" needs none.
        dynamic_shapes: as `torch.export.export` takes it; the result is then an
            `asic.DynamicCompiled`.
        fallback: what happens to operations that the accelerator cannot run: "host" runs
            them here and reports why, "error" refuses the model.
        options: see `asic.CompileOptions`.

    Returns:
        A `Compiled`: call it with torch tensors or NumPy arrays.

    Raises:
        CompileError: the model, its arguments or an option do not fit; the message says
            what to change, and `reproducer` is a file that replays the failure.
        TargetError: the target is unknown or malformed.
    """
    from asic.specialize import compile_dynamic, is_dynamic
    from asic.target import Target

    start = time.perf_counter()
    options = options or CompileOptions()
    if not isinstance(options, CompileOptions):
        raise _error(
            f"expected options to be an asic.CompileOptions, got {type(options).__name__}; "
            "write options=asic.CompileOptions(until=...)"
        )
    if fallback not in ("host", "error"):
        raise _error(f"expected fallback='host' or fallback='error', got {fallback!r}")
    host_only = isinstance(target, str) and target == "cpu"
    if isinstance(target, str) and target.split(":")[0] == "cuda":
        raise _error(
            "expected the name of an accelerator or 'cpu', got "
            f"{target!r}; this version has no CUDA back end"
        )
    machine = None if host_only else Target.resolve(target)
    with progress.shown(options.progress) as step:
        step("import")
        if is_dynamic(model, dynamic_shapes) and _mlir_text(model) is None:
            dynamic = compile_dynamic(
                model,
                args,
                kwargs,
                quantize=quantize,
                calibration=calibration,
                dynamic_shapes=dynamic_shapes,
                target=machine,
                fallback=fallback,
                options=options,
            )
            if dynamic is not None:
                return dynamic
        source = read_model(
            model,
            args,
            kwargs=kwargs,
            quantize=quantize,
            calibration=calibration,
            dynamic_shapes=dynamic_shapes,
            target=machine,
            options=options,
        )
        return compile_source(source, machine, fallback, options, start=start, step=step)


def compile_source(
    source: Source,
    target: Target | None,
    fallback: str = "host",
    options: CompileOptions | None = None,
    *,
    arithmetic: Target | None = None,
    start: float | None = None,
    step: progress.Step = lambda phase: None,
) -> Compiled:
    """Compiles an imported model; `target` None means this computer.

    `arithmetic` is the target whose rounding and formats this computer then follows;
    `step` is called with the name of each phase.
    """
    from asic.compiled import Compiled

    options = options or CompileOptions()
    complete = options.until in (None, "program")
    if complete and source.without_data:
        raise CompileError(
            f"expected weights with data to make a program, got {len(source.without_data)} on the "
            f"meta device, the first '{source.without_data[0]}'; load the checkpoint, or stop "
            "before with options=asic.CompileOptions(until='plan')",
            phase="import",
        )
    now = time.perf_counter()
    compilation = _core.Compilation(
        text=source.text,
        weights={name: raw(np.ascontiguousarray(a)) for name, a in source.weights.items()},
        target="" if (model := target or arithmetic) is None else model.canonical_json,
        file_name=source.file_name,
        host_only=target is None,
        fallback_is_error=fallback == "error",
        verify=options.verify,
        until="" if complete else str(options.until),
    )
    if not compilation.run(step):
        raise _failure(compilation, options)
    return Compiled.from_compilation(
        compilation,
        source,
        target=target,
        import_seconds=now - (now if start is None else start),
        start=now if start is None else start,
        complete=complete,
    )


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
    text = _mlir_text(model)
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
        structure=Structure(imported.in_spec, imported.out_spec),
        inputs=_specs(imported.inputs),
        outputs=_specs(imported.outputs),
        state={state.path: state.initial for state in imported.state},
        program=model if _is_quantized(model) else None,
    )


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
    graph = getattr(model, "graph", None)
    return graph is not None and any(
        "quantized_decomposed.quantize" in str(node.target) for node in graph.nodes
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


def _mlir_text(model: Any) -> Source | None:
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
    return str(operation.get_asm(enable_debug_info=True))


def _weights_beside(path: Path) -> dict[str, Array]:
    """Arrays of the `.safetensors` file of the same name, if there is one, mapped from it."""
    weights = path.with_suffix(".safetensors")
    return map_weights(weights) if weights.exists() else {}


def border(
    given: tuple[TensorSpec, ...] | None, found: list[tuple[str, Any, str]]
) -> tuple[tuple[TensorSpec, ...], dict[str, TensorSpec]]:
    """The user's tensors and the state by path, from what the compiler reads in the text.

    Args:
        given: the importer's specs of the user's tensors, if there are any.
        found: (name, (shape, type), path of the buffer or "") in the text's order.
    """
    user: list[TensorSpec] = []
    state: dict[str, TensorSpec] = {}
    for name, (shape, kind), path in found:
        spec = TensorSpec(name, tuple(shape), numpy_dtype(kind).name)
        if path:
            state[path] = spec
        elif state:
            raise _border_error(f"'{name}' behind the state '{next(iter(state))}'")
        else:
            user.append(spec)
    return tuple(user) if given is None else given, state


def check_state(before: dict[str, TensorSpec], after: dict[str, TensorSpec]) -> None:
    """Every buffer comes in and goes out, in the same order and type.

    Raises:
        CompileError: the text says otherwise.
    """
    for path in {**before, **after}:
        if path not in before or path not in after:
            raise _border_error(f"only one for '{path}'")
        if (before[path].shape, before[path].dtype) != (after[path].shape, after[path].dtype):
            raise _border_error(f"{before[path]} and {after[path]}")
    if list(before) != list(after):
        raise _border_error(f"the orders {', '.join(before)} and {', '.join(after)}")


def _border_error(found: str) -> CompileError:
    return CompileError(
        "expected one argument and one result of the same type for each asic.state, behind "
        f"the user's and in the same order, got {found}; correct the attributes of @main",
        phase="import",
    )


def _error(message: str) -> CompileError:
    return CompileError(message, phase="options")


def _failure(compilation: _core.Compilation, options: CompileOptions) -> CompileError:
    """The error of a failed compilation, its reproducer written to a file."""
    errors = [d for d in compilation.diagnostics if d["severity"] == "error"]
    lines = [describe(d) for d in compilation.diagnostics]
    message = describe(errors[0]) if errors else "the compiler failed without a message"
    if len(errors) > 1:
        message += f" (and {len(errors) - 1} more)"
    return CompileError(
        message,
        phase=compilation.failed_phase,
        diagnostics=lines,
        reproducer=_write_reproducer(compilation.reproducer, options.reproducers),
    )


def _write_reproducer(text: str, folder: str | None) -> str | None:
    if not text:
        return None
    try:
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
        handle, path = tempfile.mkstemp(prefix="asic-", suffix=".mlir", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None  # The error itself matters more than its reproducer.
    return path


def describe(diagnostic: dict[str, Any]) -> str:
    """The diagnostic as a line, "model.py:12: layer1.conv: message", and its notes."""
    parts = []
    if diagnostic["file"]:
        parts.append(f"{diagnostic['file']}:{diagnostic['line']}: ")
    if diagnostic["layer"]:
        parts.append(f"{diagnostic['layer']}: ")
    text = "".join(parts) + str(diagnostic["message"])
    for note in diagnostic.get("notes", ()):
        text += f"\n  note: {describe(note)}"
    return text
