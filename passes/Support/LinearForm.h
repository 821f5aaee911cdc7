// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Affine expressions that are sums of dimensions with constant factors.
#ifndef ASIC_PASSES_SUPPORT_LINEARFORM_H
#define ASIC_PASSES_SUPPORT_LINEARFORM_H

#include "mlir/IR/AffineExpr.h"

namespace mlir::asic {

/// Adds `factor * expr` to per-dimension coefficients and a constant; false
/// when `expr` is no sum of dimensions with constant factors.
bool addLinear(AffineExpr expr, int64_t factor,
               MutableArrayRef<int64_t> coefficients, int64_t &constant);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_LINEARFORM_H
