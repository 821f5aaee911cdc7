# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seconds that compiling a net takes, phase by phase.

python -m benchmarks.compile_time --net resnet18 --target edge-tx1
python -m benchmarks.compile_time --lstm

With --lstm, an LSTM of more and more steps, which are unrolled, and the exponent with which each
phase grows: 1 is linear. The total is of processor time; those of phases are of the clock, and say
something on an idle machine only.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Sequence

import torch
from torch import nn

import asic
from benchmarks.command import compile_net, console, parser, run, table
from benchmarks.record import Record, write

STEPS = (25, 50, 100, 200)
#: Phases below this many seconds at the largest size are not measured well enough.
SHORTEST = 0.02


def measure(net: str, target: str, quantize: str | None) -> Record:
    """Compiles the net once; the clock includes the front end."""
    start = time.perf_counter()
    compiled, _ = compile_net(net, target, quantize)
    seconds = time.perf_counter() - start
    return _record(compiled, net, target, quantize, seconds)


def lstm(target: str, steps: Sequence[int] = STEPS) -> list[Record]:
    """Compiles `nn.LSTM(64, 64)` of each number of steps, in float; times are the processor's."""
    torch.manual_seed(0)
    model = nn.LSTM(64, 64, batch_first=True).eval()
    # What PyTorch and torch-mlir do once per process is nobody's growth.
    asic.compile(nn.Linear(4, 4).eval(), (torch.zeros(1, 4),), target=target)
    records = []
    for count in steps:
        args = (torch.randn(1, count, 64),)
        start = time.process_time()
        compiled = asic.compile(model, args, target=target)
        seconds = time.process_time() - start
        records.append(_record(compiled, f"lstm, {count} steps", target, None, seconds))
    return records


def exponents(steps: Sequence[int], seconds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Exponent b of each phase, the best fit of `seconds = a * steps ** b`."""
    found = {}
    logs = [math.log(count) for count in steps]
    for phase, last in seconds[-1].items():
        if last >= SHORTEST:
            values = [math.log(max(s[phase], 1e-6)) for s in seconds]
            found[phase] = statistics.linear_regression(logs, values).slope
    return found


def _record(
    compiled: asic.Compiled, net: str, target: str, quantize: str | None, seconds: float
) -> Record:
    report = compiled.report().to_dict()
    return Record(
        net=net,
        target=target,
        quantize=quantize,
        report=report,
        ours=seconds,
        unit="s",
        bound=None,
        details={
            "compile_seconds": report["compile_seconds"],
            "phase_seconds": report["phase_seconds"],
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark that is asked for; returns the exit status."""
    kind = argparse.ArgumentParser(add_help=False)
    kind.add_argument("--lstm", action="store_true")
    chosen, others = kind.parse_known_args(argv)
    if not chosen.lstm:
        return run(__doc__ or "", measure, others)
    options = parser(__doc__ or "").parse_args(others)
    records = []
    for target in options.target or ["edge-tx1"]:
        found = lstm(target)
        seconds = [
            {"total": r.ours, **{str(k): float(v) for k, v in r.details["phase_seconds"].items()}}
            for r in found
        ]
        growth = exponents(STEPS, seconds)
        console.print(table(found))
        console.print("exponents:", ", ".join(f"{k} {v:.2f}" for k, v in growth.items()))
        records += found
    if options.json:
        write(options.json, records)
        console.print(f"written to {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
