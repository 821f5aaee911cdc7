# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m benchmarks.conformance`: runs the list and writes it as a page."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import torch

from benchmarks.conformance.case import Case
from benchmarks.conformance.cases import FAMILIES
from benchmarks.conformance.check import Outcome, run_isolated
from benchmarks.conformance.page import write_page

#: Targets of the page: this computer, an accelerator with floats, one without.
TARGETS = "cpu,edge-tx1,npu-256"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__)
    parser.add_argument("--targets", default=TARGETS, help="comma-separated")
    parser.add_argument("--dtypes", default="", help="comma-separated; default: all of a case")
    parser.add_argument("--ops", default="", help="only cases whose name contains one of these")
    parser.add_argument("--json", type=Path, help="write every outcome, as soon as it is known")
    parser.add_argument(
        "--known", type=Path, nargs="*", default=[], help="files of --json to go on from"
    )
    parser.add_argument("--markdown", type=Path, help="write the page; with --ops, their lines")
    arguments = parser.parse_args()
    if arguments.markdown and (arguments.dtypes or arguments.targets != TARGETS):
        parser.error("a page has all targets and element types; leave out --targets and --dtypes")
    return arguments


def chosen(ops: str, dtypes: str) -> list[tuple[Case, torch.dtype]]:
    """Cases and element types that the command line asks for."""
    words = [w for w in ops.split(",") if w]
    names = [d for d in dtypes.split(",") if d]
    return [
        (case, dtype)
        for family in FAMILIES
        for case in family.cases
        for dtype in case.dtypes
        if (not words or any(w in case.name for w in words))
        and (not names or str(dtype).removeprefix("torch.") in names)
    ]


def main() -> int:
    """Exit status 1 when a case crashes or is wrong."""
    arguments = parse()
    read = [Outcome(**o) for path in arguments.known for o in json.loads(path.read_text())]
    outcomes = list({(o.case, o.dtype, o.target): o for o in read}.values())
    known = {(o.case, o.dtype) for o in outcomes}
    todo = [
        (case, dtype)
        for case, dtype in chosen(arguments.ops, arguments.dtypes)
        if (case.name, str(dtype).removeprefix("torch.")) not in known
    ]
    for found in run_isolated(todo, tuple(arguments.targets.split(","))):
        outcomes += found
        for outcome in found:
            if not outcome.is_good or arguments.ops:
                print(*dataclasses.astuple(outcome), sep=" | ", flush=True)
        if arguments.json:
            text = json.dumps([dataclasses.asdict(o) for o in outcomes], indent=1)
            arguments.json.write_text(text)
    if arguments.markdown:
        old = arguments.markdown.read_text(encoding="utf-8") if arguments.ops else ""
        arguments.markdown.write_text(write_page(FAMILIES, outcomes, old), encoding="utf-8")
    bad = sum(not o.is_good for o in outcomes)
    print(f"{len(outcomes)} outcomes, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
