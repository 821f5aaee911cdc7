# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One row of the table: import, this computer, the accelerator; errors against PyTorch."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

import asic
from asic.compiler import compile_source
from asic.reading import read_model
from benchmarks.architectures.registry import Architecture, Model

TARGET = "edge-tx1"
_MESSAGE = 400
_ROOT = Path(__file__).resolve().parents[2]

Row = dict[str, Any]


def measure(architecture: Architecture, save: Callable[[Row], None]) -> Row:
    """The row of an architecture.

    `save` gets the row so far, with the phase that comes next in "running", so that a
    crash leaves what was known before it.
    """
    row: Row = architecture.row()

    def phase(name: str, run: Callable[[], Row]) -> bool:
        save({**row, "running": name})
        start = time.process_time()
        try:
            row[name] = {"ok": True, **run()}
        except asic.AsicError as problem:
            row[name] = {"ok": False, "message": _short(problem)}
        except Exception as problem:  # A row of its own kind: no user should see this.
            row[name] = {"ok": False, "message": f"{type(problem).__name__}: {_short(problem)}"}
            row[name]["bug"] = True
        row[name]["seconds"] = round(time.process_time() - start, 1)
        return bool(row[name]["ok"])

    state: dict[str, Any] = {}
    if phase("build", lambda: _build(architecture, state)) and phase(
        "import", lambda: _import(state)
    ):
        phase("cpu", lambda: _cpu(state))
        phase("accelerator", lambda: _accelerator(architecture, state))
    save(row)
    return row


def _build(architecture: Architecture, state: dict[str, Any]) -> Row:
    model = architecture.load()
    state["model"] = model
    if not architecture.refused:
        with torch.no_grad():
            state["expected"] = _leaves(model.module(*model.args, **model.kwargs))
    parameters = sum(p.numel() for p in model.module.parameters())
    inputs = pytree.tree_leaves((model.args, model.kwargs))
    return {"parameters": parameters, "inputs": [list(t.shape) for t in inputs]}


def _import(state: dict[str, Any]) -> Row:
    state["source"] = _source(state["model"], None, None)
    return {"text_bytes": len(state["source"].text)}


def _source(model: Model, quantize: str | None, calibration: Any) -> Any:
    return read_model(
        model.module,
        model.args,
        kwargs=model.kwargs,
        quantize=quantize,
        calibration=calibration,
        dynamic_shapes=None,
        target=asic.Target.resolve(TARGET),
        options=asic.CompileOptions(),
    )


def _cpu(state: dict[str, Any]) -> Row:
    compiled = compile_source(state["source"], None)
    model = state["model"]
    return {"error": largest_error(state["expected"], compiled(*model.args, **model.kwargs))}


def _accelerator(architecture: Architecture, state: dict[str, Any]) -> Row:
    start, model, source = time.process_time(), state["model"], state["source"]
    if architecture.mode == "int8":
        source = _source(model, "int8", architecture.calibration(model))
    compiled = compile_source(source, asic.Target.resolve(TARGET))
    seconds = time.process_time() - start
    result = compiled(*model.args, **model.kwargs)
    twin = compiled.on_host()(*model.args, **model.kwargs)
    report = compiled.report().to_dict()
    macs = report["macs"] + report["host_macs"]
    return {
        "error": largest_error(state["expected"], result),
        "twin_error": largest_error(_leaves(twin), result),
        "mac_share": report["macs"] / macs if macs else None,
        "macs": macs,
        "steps": len(compiled.steps),
        "host_steps": sum(step.on_host for step in compiled.steps),
        "cycles": report["cycles"],
        "compile_seconds": round(seconds, 1),
        "fallbacks": _fallbacks(report["fallbacks"]),
    }


def _fallbacks(records: list[dict[str, str]]) -> list[Row]:
    """The most frequent kinds of refusals: op, reason, count, one place."""
    places = {(r["op"], r["reason"]): r["location"] for r in reversed(records)}
    counts = Counter((r["op"], r["reason"]) for r in records)
    return [
        {
            "op": op,
            "reason": portable(reason)[:_MESSAGE],
            "count": count,
            "location": portable(places[op, reason]),
        }
        for (op, reason), count in counts.most_common(4)
    ]


def _leaves(value: Any) -> list[Any]:
    return [np.asarray(t) for t in pytree.tree_leaves(pytree.tree_map(_to_numpy, value))]


def _to_numpy(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach()
    return (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()


def largest_error(expected: list[Any], result: Any) -> float:
    """Largest difference over all outputs, relative to the largest magnitude of each.

    Infinite where shapes, kinds of numbers or the places of NaN and infinity differ. Of
    outputs that are no floats, the share of elements that differ.
    """
    actual = _leaves(result)
    if len(actual) != len(expected):
        return float("inf")
    return max((_error(a, b) for a, b in zip(expected, actual, strict=True)), default=0.0)


def _error(expected: Any, actual: Any) -> float:
    if expected.shape != actual.shape or expected.dtype.kind != actual.dtype.kind:
        return float("inf")
    if expected.dtype.kind != "f":
        return float(np.mean(expected != actual)) if expected.size else 0.0
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(actual)):
        return float("inf")
    want, got = expected[finite].astype(np.float64), actual[finite].astype(np.float64)
    if not want.size:
        return 0.0
    return float(np.abs(want - got).max() / max(np.abs(want).max(), 1e-30))


def _short(problem: Exception) -> str:
    """The message without what belongs to this machine: how to replay the failure."""
    return portable(str(problem).split("\nreplay with:")[0])[:_MESSAGE]


def portable(text: str) -> str:
    """The text with files named from the packages' folder or the repository's root."""
    return re.sub(rf"(?:/[^\s:'\"]*?/site-packages|{re.escape(str(_ROOT))})/", "", text)
