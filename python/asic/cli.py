# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`asic-compile`: a model file in, a program file out."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from asic.errors import AsicError, CompileError

#: Exit status of wrong usage and of bad files.
BAD_INPUT = 2


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)
    try:
        return _compile(options)
    except AsicError as problem:
        print(f"asic-compile: error: {problem}", file=sys.stderr)
        for line in getattr(problem, "diagnostics", ())[1:]:
            print(f"  {line}", file=sys.stderr)
        return BAD_INPUT
    except OSError as problem:
        print(f"asic-compile: error: {problem.filename}: {problem.strerror}", file=sys.stderr)
        return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asic-compile",
        description="Compile a model for an accelerator that a file describes.",
    )
    parser.add_argument(
        "model",
        help="file.py:factory (returns (model, args[, kwargs[, dynamic_shapes]])), a .pt2, .onnx or .mlir file",
    )
    parser.add_argument("-o", "--output", type=Path, help="file to write; default: standard output")
    parser.add_argument("--target", default="edge-tx1", help="preset, target file, or cpu")
    parser.add_argument(
        "--quantize", choices=["int8", "int8-weight"], help="post-training quantisation"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="folder of .npz files, one per sample, or .npy",
    )
    parser.add_argument("--fallback", choices=["host", "error"], default="host")
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=N,N,…",
        help="sizes of an input of an ONNX file with dynamic dimensions; repeatable",
    )
    parser.add_argument("--until", metavar="PHASE", help="the last phase to run")
    parser.add_argument("--emit", choices=["program", "mlir", "asm"], default="program")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as JSON")
    parser.add_argument(
        "--explain", action="store_true", help="print where every operation runs and why"
    )
    return parser


def _compile(options: argparse.Namespace) -> int:
    import asic

    if options.until and options.emit == "asm":
        raise CompileError(
            "expected a whole compilation for --emit asm, got --until; use --emit mlir",
            phase="options",
        )
    if options.until:
        options.emit = "mlir"
    if options.until and options.report is not None:
        raise CompileError(
            "expected a whole compilation for --report, got --until; leave one out",
            phase="options",
        )
    if options.until and options.explain:
        raise CompileError(
            "expected a whole compilation for --explain, got --until; leave one out",
            phase="options",
        )
    if options.emit == "program" and options.output is None and not options.explain:
        raise CompileError("expected -o FILE for a program, got none", phase="options")
    if options.quantize == "int8" and options.calibration is None:
        raise CompileError(
            "expected --calibration DIR with --quantize int8, got none; save typical inputs as .npz "
            "files, one per sample, or use --quantize int8-weight, which needs no data",
            phase="options",
        )
    if options.quantize != "int8" and options.calibration is not None:
        found = f"--quantize {options.quantize}" if options.quantize else "no --quantize"
        raise CompileError(
            f"expected --quantize int8 with --calibration, got {found}; leave --calibration out, or "
            "add --quantize int8",
            phase="options",
        )
    model, args, kwargs, dynamic_shapes = _model(options.model)
    if options.shape:
        args = _examples(options.model, options.shape)
    compiled = asic.compile(
        model,
        args,
        kwargs=kwargs,
        target=options.target,
        quantize=options.quantize,
        calibration=None if options.calibration is None else list(samples(options.calibration)),
        dynamic_shapes=dynamic_shapes,
        fallback=options.fallback,
        options=asic.CompileOptions(until=options.until),
    )
    if options.emit == "mlir":
        phase = options.until or [name for name in compiled.stages if name != "program"][-1]
        if options.output is None or phase == "program":
            _write(options.output, compiled.stages[phase])
        else:
            compiled.stages.write(phase, options.output)
    elif options.emit == "asm":
        _write(options.output, "".join(m.disassemble() for m in compiled.machines.values()))
    elif options.output is not None:
        compiled.save(options.output)
    if options.report is not None:
        options.report.write_text(compiled.report().to_json() + "\n", encoding="utf-8")
    if options.explain:
        print(compiled.explain())
    elif not options.until:
        for line in compiled.explain().lines():
            print(line, file=sys.stderr)
    return 0


def _write(path: Path | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
    else:
        path.write_text(text, encoding="utf-8")


def _examples(model: str, shapes: list[str]) -> tuple[Any, ...]:
    """Zeros of the given shapes for an ONNX file's inputs."""
    if not model.endswith(".onnx"):
        raise CompileError(
            f"expected --shape with an ONNX file, got {model}; the factory of a .py file returns "
            "example inputs",
            phase="options",
        )
    from asic.reading import import_onnx_support

    sizes: dict[str, tuple[int, ...]] = {}
    for text in shapes:
        name, _, numbers = text.rpartition("=")
        try:
            sizes[name] = tuple(int(n) for n in numbers.split(",") if n)
        except ValueError:
            name = ""
        if not name:
            raise CompileError(
                f"expected --shape NAME=N,N,…, got '{text}'; write --shape x=1,3,224,224",
                phase="options",
            )
    made: tuple[Any, ...] = import_onnx_support().examples(Path(model), sizes)
    return made


def _model(text: str) -> tuple[Any, Any, dict[str, Any] | None, Any]:
    """The model that `text` names, its example inputs by place and by name, dynamic shapes."""
    if text.endswith(".py"):
        raise CompileError(
            f"expected a function in {text}, got none; write {text}:FUNCTION, a function that "
            "returns (model, args)",
            phase="options",
        )
    file, colon, factory = text.rpartition(":")
    if not colon or not file.endswith(".py"):
        return text, None, None, None
    path = Path(file)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise CompileError(f"expected a Python file, got no file at {path}", phase="import")
    module, loader = importlib.util.module_from_spec(spec), spec.loader
    sys.path.insert(0, str(path.resolve().parent))
    _run(lambda: loader.exec_module(module), path)
    if not hasattr(module, factory):
        raise CompileError(
            f"expected a function '{factory}' in {path}, got none; write FILE.py:FUNCTION",
            phase="import",
        )
    made = _run(getattr(module, factory), path)
    parts = made if isinstance(made, tuple) else ()
    model, args, kwargs, dynamic_shapes = (*parts, None, None, None, None)[:4]
    if (
        not 2 <= len(parts) <= 4
        or not isinstance(args, (tuple, list))
        or not isinstance(kwargs, (dict, type(None)))
    ):
        found = type(made).__name__
        if isinstance(made, tuple):
            found = f"({', '.join(type(part).__name__ for part in made)})"
        raise CompileError(
            f"expected '{factory}' to return (model, args[, kwargs[, dynamic_shapes]]) with a "
            f"tuple and a dict of inputs, got {found}; write `return model, (x,)`",
            phase="import",
        )
    return model, tuple(args), kwargs, dynamic_shapes


def _run(code: Callable[[], Any], path: Path) -> Any:
    """What the user's code returns; its exceptions are about the user's file."""
    try:
        return code()
    except Exception as problem:
        own = {str(path), str(path.absolute())}
        frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename in own]
        place = f"{path}:{frames[-1].lineno}" if frames else str(path)
        raise CompileError(
            f"{place}: {type(problem).__name__}: {problem}", phase="import"
        ) from problem


def samples(folder: Path) -> Iterator[tuple[Any, ...]]:
    """Input tuples: the arrays of each .npz in order, or each .npy as one input."""
    import numpy as np

    files = sorted(p for p in folder.glob("*") if p.suffix in (".npz", ".npy"))
    if not files:
        raise CompileError(
            f"expected .npz or .npy files in {folder}, got none; save one sample per file",
            phase="quantize",
        )
    for path in files:
        try:
            loaded = np.load(path)
            item = tuple(loaded.values()) if path.suffix == ".npz" else (loaded,)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
            raise CompileError(
                f"expected arrays that numpy has saved in {path}, got another or a damaged file "
                f"({problem}); save it again, or take it out of the folder",
                phase="quantize",
            ) from problem
        yield item


if __name__ == "__main__":
    sys.exit(main())
