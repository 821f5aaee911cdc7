// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases from tensors to tile operations: plan, tile, bufferize, asic.
#ifndef ASIC_PASSES_ACCEL_TILING_H
#define ASIC_PASSES_ACCEL_TILING_H

#include "mlir/Pass/PassManager.h"

namespace mlir::asic {

void buildPlanPhase(OpPassManager &pm);
void buildTilePhase(OpPassManager &pm);
void buildBufferizePhase(OpPassManager &pm);
void buildAsicPhase(OpPassManager &pm);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_TILING_H
