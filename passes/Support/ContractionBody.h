// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The body of a contraction as the matrix unit computes it.
#ifndef ASIC_PASSES_SUPPORT_CONTRACTIONBODY_H
#define ASIC_PASSES_SUPPORT_CONTRACTIONBODY_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <array>
#include <optional>

namespace mlir::asic {

/// `acc + (ext(x) - z0) * (ext(y) - z1)` over inputs 0 and 1, in any order of
/// the factors; the zero points fit int8. A factor of another kind than the sum
/// (int8 weights among floats) is converted exactly.
struct ContractionBody {
  /// By number of the input; 0 where nothing is subtracted.
  std::array<int64_t, 2> zeroPoints;
};

/// None when the generic reduces nothing or its body is something else, such as
/// the square in a variance.
std::optional<ContractionBody> matchContractionBody(linalg::GenericOp op);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_CONTRACTIONBODY_H
