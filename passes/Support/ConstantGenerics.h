// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Generics that compute nothing.
#ifndef ASIC_PASSES_SUPPORT_CONSTANTGENERICS_H
#define ASIC_PASSES_SUPPORT_CONSTANTGENERICS_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::asic {

/// Adds the pattern that turns a generic that yields a constant into a fill.
void populateConstantGenericPatterns(RewritePatternSet &patterns);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_CONSTANTGENERICS_H
