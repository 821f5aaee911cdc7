# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The JSON record of one benchmark run, and where it was measured."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = ("asic-mlir", "torch", "torch-mlir", "torchao", "numpy")


def versions() -> dict[str, str]:
    """The versions of the packages that a result depends on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "development tree"
    return found


def machine() -> dict[str, str | int]:
    """The computer that ran the benchmark."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(s.split(":")[1].strip() for s in lines if "model name" in s)
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model,
        "cores": os.cpu_count() or 1,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Record:
    """One run of one net on one target.

    `peers` maps a name to its time or cycles, in the unit of `ours`;
    `ratio_to_best` is ours / best peer (None without peers); `bound` is the
    least that physics allows, in the same unit.
    """

    net: str
    target: str
    quantize: str | None
    report: Mapping[str, Any]
    ours: float
    unit: str
    bound: float | None
    peers: Mapping[str, float] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio_to_best(self) -> float | None:
        """Ours divided by the best peer; below 1 is better than all of them."""
        return self.ours / min(self.peers.values()) if self.peers else None

    def to_dict(self) -> dict[str, Any]:
        """The record with everything that the JSON schema asks for."""
        return {
            **asdict(self),
            "ratio_to_best": self.ratio_to_best,
            "versions": versions(),
            "machine": machine(),
        }


def write(path: Path, records: Sequence[Record]) -> None:
    """Writes one object per run: an object for one, a list for several.

    The file appears whole or not at all.
    """
    entries = [record.to_dict() for record in records]
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = entries[0] if len(entries) == 1 else entries
    partial.write_text(json.dumps(content, indent=2) + "\n")
    partial.replace(path)
