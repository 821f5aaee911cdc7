// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantisation markers as float arithmetic.
#ifndef ASIC_PASSES_SUPPORT_MARKERS_H
#define ASIC_PASSES_SUPPORT_MARKERS_H

#include "dialects/Asic/Asic.h"
#include "passes/Support/TensorBuilder.h"

namespace mlir::asic {

/// clamp(roundeven(x * (1 / scale)) + zero point, lo, hi), the clamp in front
/// of the addition so that everything fits in 32 bits. Does not replace the
/// marker.
Value lowerMarker(TensorBuilder &b, QuantizeOp op);

/// (q - zero point) * scale; of a constant, now. Does not replace the marker.
Value lowerMarker(TensorBuilder &b, DequantizeOp op);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_MARKERS_H
