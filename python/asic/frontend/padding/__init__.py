# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of dynamic shape that stay right when their inputs are padded (docs/dynamic-shapes.md)."""

from asic.frontend.padding.masker import Padded, insert_masks

__all__ = ["Padded", "insert_masks"]
