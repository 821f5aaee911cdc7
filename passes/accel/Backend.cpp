// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/Backend.h"

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

void mlir::asic::buildSchedulePipeline(OpPassManager &pm) {
  // First, so that order and synchronisation see one buffer per state.
  pm.addNestedPass<func::FuncOp>(createAssignStatePass());
  // On-chip addresses are found with the order: how far loads run ahead is
  // decided by the space that they find.
  pm.addNestedPass<func::FuncOp>(createSchedulePass());
  // Lifetimes in dram are those of the final order.
  pm.addNestedPass<func::FuncOp>(createAllocateDramPass());
  // Last, because a reused address is a dependence, too.
  pm.addNestedPass<func::FuncOp>(createSynchronizePass());
}

void mlir::asic::buildVerifySchedulePipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createVerifySchedulePass());
}

void mlir::asic::buildIsaPipeline(OpPassManager &pm) {
  pm.addPass(createLowerToIsaPass());
}

void mlir::asic::buildVerifyIsaPipeline(OpPassManager &pm) {
  pm.addPass(createVerifyIsaPass());
}
