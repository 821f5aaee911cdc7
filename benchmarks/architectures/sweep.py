# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rows measured in processes of their own: a crash or a hang is a row, not the end."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from benchmarks.architectures.registry import Architecture
from benchmarks.record import machine, versions

#: Limits of one process: seconds of processor time, seconds by the clock, bytes.
SECONDS = 300
PATIENCE = 4
MEMORY = 6 << 30

#: Loaded once, by the process that all others are forked from.
_LIBRARIES = ["benchmarks.architectures.measure", "benchmarks.architectures.preload"]

Row = dict[str, Any]


def sweep(
    architectures: Sequence[Architecture],
    path: Path,
    jobs: int = 1,
    seconds: int = SECONDS,
    memory: int = MEMORY,
    done: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Measures architectures that `path` has no row of, and keeps `path` up to date.

    Args:
        jobs: how many to measure at a time, each on one thread.
        seconds, memory: limits of one process, in processor seconds and bytes.
        done: called with every new row.
    """
    rows = {row["name"]: row for row in read(path)}
    lock = Lock()
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)

    def one(architecture: Architecture) -> None:
        row = _isolated(context, architecture, seconds, memory)
        with lock:
            rows[row["name"]] = row
            _write(path, list(rows.values()))
            if done is not None:
                done(row)

    missing = [a for a in architectures if a.name not in rows]
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, missing))
    return list(rows.values())


def read(path: Path) -> list[Row]:
    """The rows in a file of `sweep`; none when there is no file."""
    if not path.exists():
        return []
    rows: list[Row] = json.loads(path.read_text())["rows"]
    return rows


def _write(path: Path, rows: list[Row]) -> None:
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"versions": versions(), "machine": machine(), "rows": rows}
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)


def _isolated(context: Any, architecture: Architecture, seconds: int, memory: int) -> Row:
    """Measures in a process with limits; what ended it early is in "crash"."""
    with TemporaryDirectory() as folder:
        output, log = Path(folder) / "row.json", Path(folder) / "log"
        arguments = (architecture.name, output, log, seconds, memory)
        process = context.Process(target=_measure, args=arguments)
        process.start()
        process.join(PATIENCE * seconds)
        if process.is_alive():
            process.kill()
            process.join()
            crash = f"took more than {PATIENCE * seconds} s"
        else:
            crash = _describe(process.exitcode, log, seconds)
        row: Row = json.loads(output.read_text()) if output.exists() else architecture.row()
    running = row.pop("running", "start")
    if crash:
        row["crash"] = f"{crash} in {running}"
    return row


def _measure(name: str, output: Path, log: Path, seconds: int, memory: int) -> None:
    """What the process does."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # Processor time counts from the fork server's start of this process.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import torch

    from benchmarks.architectures import ARCHITECTURES
    from benchmarks.architectures.measure import measure

    torch.set_num_threads(1)

    def save(row: Row) -> None:
        partial = output.with_suffix(".partial")
        partial.write_text(json.dumps(row))
        partial.replace(output)

    measure(ARCHITECTURES[name], save)


def _describe(status: int, log: Path, seconds: int) -> str:
    """Why a process ended with this status; "" when it is done."""
    if status == 0:
        return ""
    if -status == signal.SIGXCPU:
        return f"took more than {seconds} s"
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    last = f": {lines[-1][:200]}" if lines else ""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}{last}"
    return f"ended with status {status}{last}"
