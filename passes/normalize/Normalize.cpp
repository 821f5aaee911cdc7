// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/normalize/Normalize.h"
#include "passes/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

void mlir::asic::buildNormalizePipeline(OpPassManager &pm) {
  pm.addPass(createConvertCompositesPass());
  pm.addPass(createFoldImportPass());
  // Equal markers of one tensor become one, so that what follows sees each
  // value in one layout.
  pm.addPass(createCSEPass());
  pm.addPass(createConvertLayoutPass());
  pm.addPass(createFoldTransposesPass());
  pm.addPass(createNarrowContractionsPass());
  pm.addPass(createCanonicalizeContractionsPass());
  // Reshapes and unit maps that met when the transpositions went away.
  pm.addPass(createFoldImportPass());
  pm.addPass(createCSEPass());
}
