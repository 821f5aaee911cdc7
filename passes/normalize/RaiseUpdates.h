// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes to one place of a tensor, as the operation that they are.
#ifndef ASIC_PASSES_NORMALIZE_RAISEUPDATES_H
#define ASIC_PASSES_NORMALIZE_RAISEUPDATES_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::asic {

/// Patterns that make `asic.update_slice` of selections by position from an
/// argument, and `tensor.insert_slice` of updates at a constant place.
void populateRaiseUpdatePatterns(RewritePatternSet &patterns);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_RAISEUPDATES_H
