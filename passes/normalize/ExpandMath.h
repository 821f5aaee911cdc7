// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASIC_PASSES_NORMALIZE_EXPANDMATH_H
#define ASIC_PASSES_NORMALIZE_EXPANDMATH_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::asic {

/// Adds patterns that make scalar functions without a lane operation of those
/// that have one.
void populateExpandMathPatterns(RewritePatternSet &patterns);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_EXPANDMATH_H
