# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m benchmarks.conformance`: runs the list and writes it as a page."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from benchmarks.conformance.cases import FAMILIES
from benchmarks.conformance.check import Outcome, run_isolated


def main() -> int:
    """Exit status 1 when a case crashes or is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__)
    parser.add_argument("--targets", default="cpu,edge-tx1,npu-256", help="comma-separated")
    parser.add_argument("--dtypes", default="", help="comma-separated; default: all of a case")
    parser.add_argument("--ops", default="", help="only cases whose name contains one of these")
    parser.add_argument("--json", type=Path, help="write every outcome")
    parser.add_argument("--markdown", type=Path, help="write the page")
    arguments = parser.parse_args()
    words = [w for w in arguments.ops.split(",") if w]
    dtypes = [d for d in arguments.dtypes.split(",") if d]
    chosen = [
        (case, dtype)
        for family in FAMILIES
        for case in family.cases
        for dtype in case.dtypes
        if (not words or any(w in case.name for w in words))
        and (not dtypes or str(dtype).removeprefix("torch.") in dtypes)
    ]
    outcomes: list[Outcome] = []
    for found in run_isolated(chosen, tuple(arguments.targets.split(","))):
        outcomes += found
        for outcome in found:
            if not outcome.is_good or words:
                print(*dataclasses.astuple(outcome), sep=" | ", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(o) for o in outcomes], indent=1))
    bad = sum(not o.is_good for o in outcomes)
    print(f"{len(outcomes)} outcomes, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
