# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes compiling many small modules in one process faster."""

from __future__ import annotations

import gc


def install() -> None:
    """Keeps the garbage collector from looking at PyTorch's own objects again and again."""
    import torch  # noqa: F401

    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
