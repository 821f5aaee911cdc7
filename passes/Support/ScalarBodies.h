// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading bodies of float generics and writing bodies of integer ones.
#ifndef ASIC_PASSES_SUPPORT_SCALARBODIES_H
#define ASIC_PASSES_SUPPORT_SCALARBODIES_H

#include "dialects/Asic/Asic.h"
#include "passes/Support/TensorBuilder.h"
#include "target/Rescale.h"

namespace mlir::asic {

/// `min(max(x, lo), hi)` of the only input.
struct ClampBody {
  double lo, hi;
};

/// Recognises a chain of maxima, minima and compare-and-selects with constants.
std::optional<ClampBody> matchClamp(linalg::GenericOp op);

/// The constant that the only input is divided by.
std::optional<double> matchDivision(linalg::GenericOp op);

/// `lhs op rhs` of two inputs.
struct BinaryBody {
  enum Kind { add, sub, mul } kind;
  unsigned lhs, rhs;
};
std::optional<BinaryBody> matchBinary(linalg::GenericOp op);

/// Whether the body combines the first input with the accumulator by `OpTy` and
/// uses no other input.
template <typename OpTy>
bool matchesReduction(linalg::GenericOp op) {
  Block *body = op.getBody();
  auto combine = body->getTerminator()->getOperand(0).getDefiningOp<OpTy>();
  if (!combine || op.getNumDpsInputs() > 2 ||
      (op.getNumDpsInputs() == 2 && !body->getArgument(1).use_empty()))
    return false;
  Value input = body->getArgument(0);
  Value accumulator = op.getRegionOutputArgs().front();
  Value lhs = combine->getOperand(0), rhs = combine->getOperand(1);
  return (lhs == input && rhs == accumulator) ||
         (lhs == accumulator && rhs == input);
}

/// `value` as i32.
Value widenInteger(ImplicitLocOpBuilder &b, Value value);

/// `value - zeroPoint`; nothing to do for 0.
Value subtractZero(ImplicitLocOpBuilder &b, Value value, int64_t zeroPoint);

/// `asic.rescale` with scalar constants.
Value emitRescale(ImplicitLocOpBuilder &b, Value value,
                  const ::asic::Rescale &rescale, RoundingAttr rounding);

/// `clamp(value + zeroPoint, lo, hi)` of an i32 as `type`.
Value clampToCodes(ImplicitLocOpBuilder &b, Value value, int64_t zeroPoint,
                   int64_t lo, int64_t hi, Type type);

/// An f32 as the float type `type`, and back.
Value narrowFloat(ImplicitLocOpBuilder &b, Value value, Type type);
Value widenFloat(ImplicitLocOpBuilder &b, Value value);

/// A float or a signed integer as f32.
Value widenToFloat(ImplicitLocOpBuilder &b, Value value);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_SCALARBODIES_H
