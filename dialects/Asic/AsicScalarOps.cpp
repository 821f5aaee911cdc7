// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the quantisation markers.
#include "dialects/Asic/Asic.h"

using namespace mlir;
using namespace mlir::asic;

/// Checks what quantize and dequantize share: shapes agree, scales are positive
/// and finite, one parameter per tensor or per index of the axis.
static LogicalResult verifyMarker(Operation *op, RankedTensorType input,
                                  RankedTensorType result,
                                  ArrayRef<double> scales,
                                  ArrayRef<int64_t> zeroPoints,
                                  std::optional<int64_t> axis) {
  if (input.getShape() != result.getShape())
    return op->emitOpError("expected equal shapes, got ")
           << input << " and " << result;
  int64_t expected = 1;
  if (axis) {
    if (*axis < 0 || *axis >= input.getRank())
      return op->emitOpError("expected an axis in [0, ")
             << input.getRank() << "), got " << *axis;
    expected = input.getDimSize(*axis);
  }
  if (int64_t(scales.size()) != expected ||
      int64_t(zeroPoints.size()) != expected)
    return op->emitOpError("expected ")
           << expected << " scales and zero points, got " << scales.size()
           << " and " << zeroPoints.size();
  for (double scale : scales)
    if (!(scale > 0) || !std::isfinite(scale))
      return op->emitOpError("expected positive finite scales, got ") << scale;
  return success();
}

LogicalResult QuantizeOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (!isa<FloatType>(input.getElementType()) ||
      !isa<IntegerType>(result.getElementType()))
    return emitOpError("expected float to integer, got ")
           << input << " to " << result;
  int64_t lo = getLo(), hi = getHi();
  if (lo > hi)
    return emitOpError("expected lo <= hi, got ") << lo << " > " << hi;
  return verifyMarker(*this, input, result, getScales(), getZeroPoints(),
                      getAxis());
}

LogicalResult DequantizeOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (!isa<IntegerType>(input.getElementType()) ||
      !isa<FloatType>(result.getElementType()))
    return emitOpError("expected integer to float, got ")
           << input << " to " << result;
  return verifyMarker(*this, input, result, getScales(), getZeroPoints(),
                      getAxis());
}
