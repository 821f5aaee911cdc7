// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host path: functions on tensors become machine code of this computer.

#ifndef ASIC_PASSES_CPU_CPU_H
#define ASIC_PASSES_CPU_CPU_H

#include "mlir/Pass/Pass.h"
#include "llvm/ADT/StringRef.h"

namespace mlir::asic {

/// Argument attribute: the resource (`dense_resource`) whose bytes the caller
/// passes here.
inline constexpr llvm::StringLiteral kConstantAttrName = "asic.constant";

/// Appends the passes that take linalg-on-tensors functions to the LLVM
/// dialect: constants become arguments, results become output arguments.
void buildHostPipeline(OpPassManager &pm);

} // namespace mlir::asic

#endif // ASIC_PASSES_CPU_CPU_H
