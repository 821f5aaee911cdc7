# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch models into linalg-on-tensors text with the weights beside it."""

from asic.frontend.borders import TensorInfo
from asic.frontend.importer import Imported, import_model
from asic.frontend.locations import Source
from asic.frontend.state import StateInfo

__all__ = ["Imported", "Source", "StateInfo", "TensorInfo", "import_model"]
