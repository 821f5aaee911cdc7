// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases plan, tile, bufferize and asic: from linalg on tensors to tile
// operations on memrefs.
#ifndef ASIC_PASSES_ACCEL_TILES_H
#define ASIC_PASSES_ACCEL_TILES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"

namespace mlir::asic {

/// plan: groups and how each is executed.
void buildPlanPipeline(OpPassManager &pm);
void buildVerifyPlanPipeline(OpPassManager &pm);

/// tile: straight-line tiles with constant offsets.
void buildTilePipeline(OpPassManager &pm);
void buildVerifyTilePipeline(OpPassManager &pm);

/// bufferize: memrefs in #asic.space.
void buildBufferizePipeline(OpPassManager &pm);
void buildVerifyBufferizePipeline(OpPassManager &pm);

/// asic: contract, map, copy and fill only.
void buildLowerToAsicPipeline(OpPassManager &pm);
void buildVerifyAsicPipeline(OpPassManager &pm);

/// True for a function with a body that runs on the accelerator.
bool isAcceleratorFunction(func::FuncOp function);

/// Unit attribute of a tensor.extract_slice that loads a tile.
inline constexpr llvm::StringLiteral kLoadAttrName = "asic.load";
/// Attribute of the tensor.empty of a group's result: its #asic.space.
inline constexpr llvm::StringLiteral kSpaceAttrName = "asic.space";
/// Attribute of a memref.reinterpret_cast that widens a contraction's input by
/// its padding: points before the first element, per dimension.
inline constexpr llvm::StringLiteral kPadAttrName = "asic.pad";

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_TILES_H
