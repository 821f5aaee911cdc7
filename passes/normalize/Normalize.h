// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The normalize phase.
#ifndef ASIC_PASSES_NORMALIZE_NORMALIZE_H
#define ASIC_PASSES_NORMALIZE_NORMALIZE_H

#include "mlir/Pass/PassManager.h"

namespace mlir::asic {

/// Appends the passes of the normalize phase, without its verifier.
void buildNormalizePipeline(OpPassManager &pm);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_NORMALIZE_H
