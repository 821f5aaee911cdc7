// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/Tiling.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

void mlir::asic::buildPlanPhase(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createPlanPass());
}

void mlir::asic::buildTilePhase(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createTilePass());
}

void mlir::asic::buildBufferizePhase(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createBufferizePass());
}

void mlir::asic::buildAsicPhase(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createLowerToAsicPass());
}
