# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table of architectures: measured, kept as JSON, written as a page.

    python -m benchmarks.architectures [--only NAME ...] --json rows.json --markdown page.md

Rows that the JSON file has already are kept; --again measures them anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.architectures import ARCHITECTURES
from benchmarks.architectures.page import page, verdict
from benchmarks.architectures.sweep import MEMORY, SECONDS, read, sweep

console = Console(highlight=False)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 2 for bad usage, else 0."""
    parser = argparse.ArgumentParser(prog="benchmarks.architectures", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these alone")
    parser.add_argument("--list", action="store_true", help="list the architectures")
    parser.add_argument("--again", action="store_true", help="measure rows that are there already")
    parser.add_argument("--jobs", type=int, default=1, help="how many to measure at a time")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="limit of one, processor time")
    parser.add_argument("--json", type=Path, help="file of the rows, read and extended")
    parser.add_argument("--markdown", type=Path, help="write the page here")
    options = parser.parse_args(argv)
    if options.list:
        for architecture in ARCHITECTURES.values():
            console.print(f"{architecture.name:28}{architecture.source:14}{architecture.family}")
        return 0
    unknown = sorted(set(options.only or []) - set(ARCHITECTURES))
    if unknown or options.json is None:
        what = f"names of --list, got {', '.join(unknown)}" if unknown else "--json FILE, got none"
        console.print(f"expected {what}", style="red")
        return 2
    wanted = [ARCHITECTURES[name] for name in options.only or ARCHITECTURES]
    if options.again:
        _forget(options.json, {a.name for a in wanted})
    rows = sweep(wanted, options.json, options.jobs, options.seconds, MEMORY, _print)
    if options.markdown:
        options.markdown.write_text(page(rows, list(ARCHITECTURES)))
    return 0


def _forget(path: Path, names: set[str]) -> None:
    if path.exists():
        content = json.loads(path.read_text())
        content["rows"] = [row for row in read(path) if row["name"] not in names]
        path.write_text(json.dumps(content, indent=1) + "\n")


def _print(row: dict[str, Any]) -> None:
    console.print(f"{row['name']:28}{verdict(row)}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
