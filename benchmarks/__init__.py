# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Benchmarks: ours, the peers, and the physical bound, in one table and one JSON."""
