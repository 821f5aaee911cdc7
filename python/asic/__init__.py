# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch models on neural accelerators that are described by a file.

>>> import asic
>>> compiled = asic.compile(model, (example,), target="edge-tx1")  # doctest: +SKIP
>>> y = compiled(x)  # doctest: +SKIP

Names are imported when they are first used, so that ``import asic`` is quick and does
not import torch.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from asic.errors import AsicError, CompileError, EmulatorFault, ProgramError, TargetError

if TYPE_CHECKING:
    from asic import quantization
    from asic.buckets import DynamicCompiled
    from asic.compiled import Compiled
    from asic.compiler import compile
    from asic.dynamo import GraphReport, reports
    from asic.options import CompileOptions
    from asic.profile import Profile
    from asic.report import Report
    from asic.storage import load
    from asic.target import Target, targets
    from asic.verification import Verification, verify

#: Public name → module that has it.
_LAZY = {
    "Compiled": "asic.compiled",
    "DynamicCompiled": "asic.buckets",
    "CompileOptions": "asic.options",
    "GraphReport": "asic.dynamo",
    "Profile": "asic.profile",
    "Report": "asic.report",
    "Target": "asic.target",
    "Verification": "asic.verification",
    "compile": "asic.compiler",
    "load": "asic.storage",
    "quantization": "",
    "reports": "asic.dynamo",
    "targets": "asic.target",
    "verify": "asic.verification",
}

__all__ = [
    "AsicError",
    "CompileError",
    "CompileOptions",
    "Compiled",
    "DynamicCompiled",
    "EmulatorFault",
    "GraphReport",
    "Profile",
    "ProgramError",
    "Report",
    "Target",
    "TargetError",
    "Verification",
    "compile",
    "load",
    "quantization",
    "reports",
    "targets",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'asic' has no attribute '{name}'")
    module = _LAZY[name]
    if module:
        value = getattr(importlib.import_module(module), name)
    else:
        value = importlib.import_module(f"asic.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _EntryPoints:
    """Tells Python's metadata about the backend of `torch.compile`.

    An installed package says so in its own metadata, which then comes first; a source tree
    on the path has none.
    """

    @staticmethod
    def find_spec(*_: Any) -> None:
        """There is nothing to import here."""

    @staticmethod
    def find_distributions(context: Any) -> list[Any]:
        """This package, when everything or it is asked for."""
        if context.name not in (None, "asic-mlir"):
            return []
        from asic.metadata import SourceTree

        return [SourceTree()]


sys.meta_path.append(_EntryPoints)
