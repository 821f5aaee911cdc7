# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The conformance list: every ATen op by element type and target."""
