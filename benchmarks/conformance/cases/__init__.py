# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ops of the conformance list, a module for each family."""

from benchmarks.conformance.cases import elementwise, indexing, layers, reductions

FAMILIES = (elementwise.family, reductions.family, indexing.family, layers.family)
