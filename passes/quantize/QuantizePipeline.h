// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The quantize phase.
#ifndef ASIC_PASSES_QUANTIZE_QUANTIZEPIPELINE_H
#define ASIC_PASSES_QUANTIZE_QUANTIZEPIPELINE_H

#include "mlir/Pass/PassManager.h"

namespace mlir::asic {

/// Appends the passes of the quantize phase, without its verifier.
void buildQuantizePipeline(OpPassManager &pm);

} // namespace mlir::asic

#endif // ASIC_PASSES_QUANTIZE_QUANTIZEPIPELINE_H
