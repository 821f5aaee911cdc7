# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX files into linalg-on-tensors text, through torch-mlir's importer."""

from asic.frontend.onnx.graph import examples
from asic.frontend.onnx.importer import import_onnx

__all__ = ["examples", "import_onnx"]
