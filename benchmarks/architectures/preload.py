# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loads the libraries that architectures come from, where they are installed."""

import contextlib
import importlib

from benchmarks.architectures.libraries import import_torchvision

with contextlib.suppress(ImportError):
    import_torchvision()
for _name in ("timm", "transformers"):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)
