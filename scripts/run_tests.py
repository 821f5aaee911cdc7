# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs every test suite, one after the other, and repeats their last lines.

A suite that finds no test fails: a broken set-up must not look like success.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JOBS = str(os.cpu_count() or 1)
BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Suite:
    """A test runner: its command and which of its lines sum it up."""

    name: str
    command: tuple[str, ...]
    summary: str  # regular expression, matched against whole lines
    folder: Path = ROOT


SUITES = (
    Suite(
        "lit",
        (str(BIN / "lit"), "-sv", "-j", JOBS, "--time-tests", "test"),
        r"(Total Discovered Tests|Testing Time)\b.*|\s+(Passed|Failed|Excluded|Unsupported|Unresolved|Timed Out)\s*:.*",
    ),
    Suite(
        "ctest",
        ("ctest", "--output-on-failure", "--no-tests=error", "-j", JOBS),
        r"\d+% tests passed.*",
        ROOT / "build",
    ),
    Suite(
        "pytest",
        (sys.executable, "-m", "pytest", "-q", "-n", JOBS, "--dist=worksteal", "--durations=10"),
        r".*\b\d+ (passed|failed|error).*",
    ),
)


def environment() -> dict[str, str]:
    """The caller's environment with this tree's tools and packages first."""
    first = {
        "PATH": [ROOT / "build/bin", BIN],
        "PYTHONPATH": [ROOT / "python", ROOT],
    }
    result = dict(os.environ)
    for name, folders in first.items():
        rest = [result[name]] if result.get(name) else []
        result[name] = os.pathsep.join([*map(str, folders), *rest])
    return result


@dataclass
class Outcome:
    """What a suite said: its exit status, last lines and seconds."""

    suite: Suite
    status: int
    lines: list[str]
    seconds: float


def run(suite: Suite, extra: Sequence[str]) -> Outcome:
    """Runs one suite, showing its output as it comes."""
    print(f"\n=== {suite.name}: {' '.join(suite.command[1:])}", flush=True)
    start = time.monotonic()
    process = subprocess.Popen(
        [*suite.command, *extra],
        cwd=suite.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        if re.fullmatch(suite.summary, line.rstrip("\n")):
            lines.append(line.strip())
    return Outcome(suite, process.wait(), lines, time.monotonic() - start)


def main() -> int:
    """Runs the chosen suites; returns 1 when any of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[s.name for s in SUITES])
    options, extra = parser.parse_known_args()
    if extra and not options.only:
        parser.error("further arguments need --only, to know whose they are")

    chosen = [s for s in SUITES if options.only in (None, s.name)]
    outcomes = [run(suite, extra) for suite in chosen]

    print("\n=== summary")
    for outcome in outcomes:
        verdict = "ok" if outcome.status == 0 else f"FAILED ({outcome.status})"
        print(f"{outcome.suite.name}: {verdict}, {outcome.seconds:.0f} s")
        for line in outcome.lines:
            print(f"  {line}")
    return int(any(outcome.status for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
