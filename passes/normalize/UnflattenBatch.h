// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Batched matrix products with as many batch dimensions as the network has.
#ifndef ASIC_PASSES_NORMALIZE_UNFLATTENBATCH_H
#define ASIC_PASSES_NORMALIZE_UNFLATTENBATCH_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::asic {

/// Patterns that take the flattening of batch dimensions (batch, head) away
/// from matrix products.
void populateUnflattenBatchPatterns(RewritePatternSet &patterns);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_UNFLATTENBATCH_H
