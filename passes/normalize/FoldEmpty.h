// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors without elements end in normalize: behind it only arguments and
// results of the network may be empty.
#ifndef ASIC_PASSES_NORMALIZE_FOLDEMPTY_H
#define ASIC_PASSES_NORMALIZE_FOLDEMPTY_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::asic {

/// Adds patterns after which nobody reads a tensor without elements: those are
/// `tensor.empty`, loops over nothing give their inits, paddings of nothing the
/// padding.
void populateFoldEmptyPatterns(RewritePatternSet &patterns);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_FOLDEMPTY_H
