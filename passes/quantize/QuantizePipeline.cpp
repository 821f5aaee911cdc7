// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/quantize/QuantizePipeline.h"
#include "passes/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

void mlir::asic::buildQuantizePipeline(OpPassManager &pm) {
  pm.addPass(createConvertWeightOnlyPass());
  pm.addPass(createQuantizePass());
  pm.addPass(createLegalizeContractionsPass());
  pm.addPass(createFoldZeroPointsPass());
  pm.addPass(createCSEPass());
  // After formats are chosen, so that conversions fuse as well.
  pm.addPass(createFuseElementwisePass());
  // After fusion: predicates that one body makes and reads are never stored.
  pm.addPass(createConvertPredicatesPass());
  pm.addPass(createCSEPass());
}
