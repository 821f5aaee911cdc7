# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seconds that the emulator takes for one inference, functional and timed.

python -m benchmarks.emulator --net resnet18 --target edge-tx1
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from benchmarks.command import compile_net, run
from benchmarks.record import Record

REPEATS = 3


def best_seconds(call: Callable[[], object]) -> float:
    """The shortest of a few runs, after one that warms up."""
    call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(net: str, target: str, quantize: str | None) -> Record:
    """Times the functional mode; the timed mode is reported beside it."""
    compiled, args = compile_net(net, target, quantize)
    functional = best_seconds(lambda: compiled(*args))
    timed = best_seconds(lambda: compiled.profile(*args))
    report = compiled.report().to_dict()
    return Record(
        net=net,
        target=target,
        quantize=quantize,
        report=report,
        ours=functional,
        unit="s",
        bound=None,
        details={
            "timed_seconds": timed,
            "macs_per_second": report["macs"] / functional,
            "emulated_cycles_per_second": report["cycles"] / timed,
        },
    )


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", measure))
