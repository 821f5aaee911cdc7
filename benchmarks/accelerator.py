# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cycles of a net on an accelerator, beside the bound and the peers' figures.

python -m benchmarks.accelerator --net resnet18 --target npu-256 --json r.json
"""

from __future__ import annotations

import sys

import asic
from benchmarks import nets
from benchmarks.command import compile_net, run
from benchmarks.peers import anchors, products, scale_sim
from benchmarks.record import Record


def measure(net: str, target: str, quantize: str | None) -> Record:
    """Compiles the net, counts its cycles and looks up the peers."""
    compiled, _ = compile_net(net, target, quantize)
    report = compiled.report().to_dict()
    bound = report["lower_bound_cycles"]
    peers, sources = {}, {}
    if quantize == "int8":
        for anchor in anchors(net, target):
            peers[anchor.peer] = anchor.cycles
            sources[anchor.peer] = f"{anchor.kind}: {anchor.source}"
        mxu = asic.Target.resolve(target).engines.mxu
        work = products(*nets.get(net))
        for name, cycles in scale_sim(work, mxu.k_rows, mxu.n_cols).items():
            # It counts compute only; nobody is faster than the bound.
            peers[name] = max(cycles, bound)
            sources[name] = "computed: SCALE-Sim v3, compute cycles, at least the bound"
    return Record(
        net=net,
        target=target,
        quantize=quantize,
        report=report,
        ours=report["cycles"],
        unit="cycles",
        bound=bound,
        peers=peers,
        skipped={} if peers else {"peers": "their figures are for int8"},
        details={"sources": sources},
    )


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", measure))
