# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`asic.compile`: from whatever the user has to something that can be called."""

from __future__ import annotations

import os
import tempfile
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asic import _core, progress
from asic.errors import CompileError
from asic.options import CompileOptions
from asic.reading import Source, mlir_source, read_model
from asic.tensors import raw

if TYPE_CHECKING:
    from asic.compiled import Compiled
    from asic.target import Target


#: By the name of an input, and of an output: for each dimension an expression over the
#: symbols, how much of it a call uses, "" for all of it.
Extents = tuple[dict[str, list[str]], dict[str, list[str]]]


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
    if dynamic_shapes is not None:
        _check_dynamic(model)
    machine = None if host_only else Target.resolve(target)
    with progress.shown(options.progress) as step:
        step("import")
        if isinstance(model, (str, os.PathLike)) and Path(model).suffix == ".pt2":
            from asic.frontend.export import load

            model = load(Path(model))
        if is_dynamic(model, dynamic_shapes) and mlir_source(model) is None:
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
                return _remember(None if quantize else model, dynamic)
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
        compiled = compile_source(source, machine, fallback, options, start=start, step=step)
        return _remember(None if quantize else model, compiled)


def _remember(model: Any, compiled: Compiled) -> Compiled:
    """Notes which module was compiled, without keeping it alive."""
    if hasattr(model, "named_modules"):
        compiled.module = weakref.ref(model)
    return compiled


def compile_source(
    source: Source,
    target: Target | None,
    fallback: str = "host",
    options: CompileOptions | None = None,
    *,
    arithmetic: Target | None = None,
    start: float | None = None,
    step: progress.Step = lambda phase: None,
    extents: Extents | None = None,
) -> Compiled:
    """Compiles an imported model; `target` None means this computer.

    `arithmetic` is the target whose rounding and formats this computer then follows;
    `step` is called with the name of each phase; `extents` says what calls may use a part of.
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
        input_extents=extents[0] if extents else {},
        output_extents=extents[1] if extents else {},
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


def _check_dynamic(model: Any) -> None:
    """Models that bring their dimensions with them take no `dynamic_shapes`."""
    found = remedy = ""
    suffix = Path(model).suffix if isinstance(model, (str, os.PathLike)) else ""
    if hasattr(model, "range_constraints") or suffix == ".pt2":
        found, remedy = "an exported program", "pass dynamic_shapes to torch.export.export"
    elif suffix == ".onnx":
        found, remedy = "an ONNX file", "pass args of the sizes to compile for"
    elif isinstance(model, (str, os.PathLike)) or hasattr(model, "operation"):
        found, remedy = "MLIR", "write the sizes there"
    if found:
        raise _error(f"expected dynamic_shapes with an nn.Module, got {found}; {remedy}")


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
