# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ops that modules are drawn from, registered when their file is imported."""

from asic.fuzz.ops import indexing, layers, movement, patterns, pointwise, recurrent, reductions

__all__ = ["indexing", "layers", "movement", "patterns", "pointwise", "recurrent", "reductions"]
