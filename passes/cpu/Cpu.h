// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host path: functions on tensors become machine code of this computer.

#ifndef ASIC_PASSES_CPU_CPU_H
#define ASIC_PASSES_CPU_CPU_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

#include <string>
#include <vector>

namespace mlir::asic {

/// Argument attribute: the resource (`dense_resource`) whose bytes the caller
/// passes here.
inline constexpr llvm::StringLiteral kConstantAttrName = "asic.constant";

/// Argument attribute: the caller passes here how much a call uses of the
/// dimensions that `asic.extents` gives this name.
inline constexpr llvm::StringLiteral kExtentAttrName = "asic.extent";

/// Names of the extents of a function's arguments and results, each once, in
/// order.
std::vector<std::string> collectExtents(func::FuncOp function);

/// Appends the passes that take linalg-on-tensors functions to the LLVM
/// dialect: constants become arguments, results become output arguments.
void buildHostPipeline(OpPassManager &pm);

} // namespace mlir::asic

#endif // ASIC_PASSES_CPU_CPU_H
