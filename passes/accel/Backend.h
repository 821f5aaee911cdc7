// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases behind `asic`: schedule and isa.
#ifndef ASIC_PASSES_ACCEL_BACKEND_H
#define ASIC_PASSES_ACCEL_BACKEND_H

#include "mlir/Pass/PassManager.h"

namespace mlir::asic {

/// schedule: engines, order, addresses, waits and posts on every tile
/// operation.
void buildSchedulePipeline(OpPassManager &pm);
/// The verifier that closes schedule.
void buildVerifySchedulePipeline(OpPassManager &pm);

/// isa: one isa.program per accelerator function.
void buildIsaPipeline(OpPassManager &pm);
/// The verifier that closes isa.
void buildVerifyIsaPipeline(OpPassManager &pm);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_BACKEND_H
