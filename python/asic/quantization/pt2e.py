# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torchao's PT2E classes, imported without its remarks about missing CUDA libraries."""

import logging
import warnings

_logger = logging.getLogger("torchao")
_level = _logger.level
_pytree = logging.getLogger("torch.utils._pytree")
_pytree_level = _pytree.level
_logger.setLevel(logging.CRITICAL)
_pytree.setLevel(logging.ERROR)
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchao.quantization.pt2e.observer import ObserverBase
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import (
            QuantizationAnnotation,
            QuantizationSpec,
            SharedQuantizationSpec,
        )
        from torchao.quantization.pt2e.quantizer import (
            Quantizer as BaseQuantizer,
        )
finally:
    _logger.setLevel(_level)
    _pytree.setLevel(_pytree_level)

__all__ = [
    "BaseQuantizer",
    "ObserverBase",
    "QuantizationAnnotation",
    "QuantizationSpec",
    "SharedQuantizationSpec",
    "convert_pt2e",
    "prepare_pt2e",
]
