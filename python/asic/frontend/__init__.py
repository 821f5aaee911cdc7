# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch models into linalg-on-tensors text with the weights beside it."""

from asic.frontend.importer import Imported, TensorInfo, import_model
from asic.frontend.locations import Source

__all__ = ["Imported", "Source", "TensorInfo", "import_model"]
