# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cycles of a net on an accelerator, beside the bound and the peers' figures.

python -m benchmarks.accelerator --net resnet18 --target npu-256 --json r.json
"""

from __future__ import annotations

import sys

from benchmarks.command import compile_net, run
from benchmarks.peers import anchors
from benchmarks.record import Record


def measure(net: str, target: str, quantize: str | None) -> Record:
    """Compiles the net, counts its cycles and looks up the peers."""
    compiled, _ = compile_net(net, target, quantize)
    report = compiled.report().to_dict()
    known = anchors(net, target) if quantize == "int8" else []
    return Record(
        net=net,
        target=target,
        quantize=quantize,
        report=report,
        ours=report["cycles"],
        unit="cycles",
        bound=report["lower_bound_cycles"],
        peers={anchor.peer: anchor.cycles for anchor in known},
        skipped={} if known else {"peers": "no figure for this net and machine"},
        details={"sources": {a.peer: f"{a.kind}: {a.source}" for a in known}},
    )


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", measure))
