# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What other systems need for the same network on a machine of the same size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

ANCHORS = Path(__file__).with_name("anchors.yaml")


@dataclass(frozen=True)
class Anchor:
    """A figure of another system: cycles for a net on a machine of this size.

    `kind` is "measured" (the tool was run on the same work) or "published";
    `source` says by whom and under which conditions.
    """

    target: str
    net: str
    peer: str
    cycles: int
    kind: str
    source: str


def anchors(net: str, target: str) -> list[Anchor]:
    """The figures known for `net` on `target`, fastest first."""
    entries = [Anchor(**entry) for entry in yaml.safe_load(ANCHORS.read_text())]
    chosen = [a for a in entries if (a.net, a.target) == (net, target)]
    return sorted(chosen, key=lambda a: a.cycles)
