// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/Tiles.h"

#include "passes/Passes.h"
#include "passes/partition/Partition.h"

using namespace mlir;
using namespace mlir::asic;

bool mlir::asic::isAcceleratorFunction(func::FuncOp function) {
  auto region = function->getAttrOfType<StringAttr>(kRegionAttrName);
  return !function.isExternal() && region && region == kAcceleratorRegion;
}

void mlir::asic::buildPlanPipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createPlanPass());
}
void mlir::asic::buildVerifyPlanPipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createVerifyPlanPass());
}

void mlir::asic::buildTilePipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createTilePass());
}
void mlir::asic::buildVerifyTilePipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createVerifyTilePass());
}

void mlir::asic::buildBufferizePipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createBufferizePass());
}
void mlir::asic::buildVerifyBufferizePipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createVerifyBufferizePass());
}

void mlir::asic::buildLowerToAsicPipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createLowerToAsicPass());
}
void mlir::asic::buildVerifyAsicPipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createVerifyAsicPass());
}
