# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX files into linalg-on-tensors text, through torch-mlir's importer."""

from asic.frontend.onnx.importer import import_onnx

__all__ = ["import_onnx"]
