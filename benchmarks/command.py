# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the benchmark programs share: their options, compiling a net, a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import asic
from benchmarks import nets
from benchmarks.record import Record, write

console = Console()


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark takes."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--net", action="append", help="a net of --list; repeatable")
    result.add_argument("--target", action="append", help="a preset or YAML file; repeatable")
    result.add_argument("--quantize", default="int8", help='"none" for float')
    result.add_argument("--json", type=Path, help="write the records here")
    result.add_argument("--list", action="store_true", help="list nets and targets")
    return result


def compile_net(name: str, target: str, quantize: str | None) -> tuple[Any, nets.Inputs]:
    """Compiles a net; returns the program and inputs to run it on."""
    model, args = nets.get(name)
    compiled = asic.compile(
        model,
        args,
        target=target,
        quantize=quantize,
        calibration=nets.calibration(name) if quantize else None,
    )
    return compiled, args


Measure = Callable[[str, str, str | None], Record]


def run(description: str, measure: Measure, argv: Sequence[str] | None = None) -> int:
    """Runs `measure` over every net and target asked for; prints and writes.

    Returns the exit status: 1 when a run failed, 2 for bad usage.
    """
    options = parser(description).parse_args(argv)
    if options.list:
        console.print("nets:", ", ".join(nets.names()))
        console.print("targets:", ", ".join(asic.targets()))
        return 0
    unknown = sorted(set(options.net or []) - set(nets.names()))
    if unknown or not options.net:
        what = f"got {', '.join(unknown)}" if unknown else "got none"
        console.print(f"expected --net with a name of --list, {what}", style="red")
        return 2

    quantize = None if options.quantize == "none" else options.quantize
    records, failed = [], False
    for net in options.net:
        for target in options.target or ["edge-tx1"]:
            try:
                records.append(measure(net, target, quantize))
            except (asic.CompileError, asic.TargetError, asic.EmulatorFault) as error:
                console.print(f"{net} on {target}: {error}", style="red")
                failed = True
    if records:
        console.print(table(records))
    if options.json and records:
        write(options.json, records)
        console.print(f"written to {options.json}")
    return int(failed)


def table(records: Sequence[Record]) -> Table:
    """Ours, the bound and the peers, one row each."""
    result = Table("net", "target", "who", "value", "unit", "x bound", "ours / this")
    for record in records:
        rows = [("asic-mlir", record.ours), *record.peers.items()]
        if record.bound is not None:
            rows.append(("lower bound", record.bound))
        for who, value in rows:
            result.add_row(
                record.net,
                record.target,
                who,
                f"{value:,.4g}" if value < 1000 else f"{value:,.0f}",
                record.unit,
                f"{value / record.bound:.2f}" if record.bound else "-",
                f"{record.ours / value:.2f}" if value else "-",
            )
        for who, reason in record.skipped.items():
            result.add_row(record.net, record.target, who, "skipped", reason, "", "")
        result.add_section()
    return result
