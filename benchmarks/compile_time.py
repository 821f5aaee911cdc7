# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seconds that compiling a net takes, phase by phase.

python -m benchmarks.compile_time --net resnet18 --target edge-tx1
"""

from __future__ import annotations

import sys
import time

from benchmarks.command import compile_net, run
from benchmarks.record import Record


def measure(net: str, target: str, quantize: str | None) -> Record:
    """Compiles the net once; the clock includes the front end."""
    start = time.perf_counter()
    compiled, _ = compile_net(net, target, quantize)
    seconds = time.perf_counter() - start
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


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", measure))
