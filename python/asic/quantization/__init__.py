# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Post-training quantisation whose integer arithmetic is exact and written down."""

from asic.quantization.config import Config
from asic.quantization.flow import calibrate, convert, prepare, quantize
from asic.quantization.quantizer import Quantizer
from asic.quantization.weights import quantize_weights

__all__ = ["Config", "Quantizer", "calibrate", "convert", "prepare", "quantize", "quantize_weights"]
