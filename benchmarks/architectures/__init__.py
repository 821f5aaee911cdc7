# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Architectures with random weights, and the table of how each of them fares.

    python -m benchmarks.architectures --json rows.json --markdown docs/architectures.md

`ARCHITECTURES` maps names to definitions. Libraries are imported when a model is built.
"""

from __future__ import annotations

from benchmarks.architectures import (
    detection,
    driving,
    generative,
    language,
    segmentation,
    sequence,
    vision,
)
from benchmarks.architectures.registry import Architecture, Model

__all__ = ["ARCHITECTURES", "Architecture", "Model"]

_MODULES = (vision, detection, segmentation, driving, generative, sequence, language)


def _collect() -> dict[str, Architecture]:
    found: dict[str, Architecture] = {}
    for module in _MODULES:
        for architecture in module.ARCHITECTURES:
            if architecture.name in found:
                raise ValueError(f"expected unique names, got {architecture.name!r} twice")
            found[architecture.name] = architecture
    return found


#: Every architecture by name, in the order of the table.
ARCHITECTURES: dict[str, Architecture] = _collect()
