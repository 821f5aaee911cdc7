// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Declarations and registration of every pass (Passes.td). A pass's .cpp
// defines GEN_PASS_DEF_NAME and includes Passes.h.inc inside namespace
// mlir::asic.
#ifndef ASIC_PASSES_PASSES_H
#define ASIC_PASSES_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include <memory>

namespace mlir::asic {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace mlir::asic

#endif // ASIC_PASSES_PASSES_H
