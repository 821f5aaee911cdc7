// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the border between accelerator and host runs (Rationale.md).
#ifndef ASIC_PASSES_PARTITION_PLACEMENT_H
#define ASIC_PASSES_PARTITION_PLACEMENT_H

#include "passes/partition/Sides.h"
#include "target/TargetModel.h"

namespace mlir::asic {

/// Moves ops that the accelerator could run to the host where that is cheaper
/// than crossing the border for them; marks them with `asic.moved`.
/// Contractions stay where they are.
void minimizeCrossings(func::FuncOp main, const ::asic::TargetModel &target,
                       Sides &sides);

/// Bytes of a tensor type of static shape, 0 of any other type.
uint64_t tensorBytes(Type type);

} // namespace mlir::asic

#endif // ASIC_PASSES_PARTITION_PLACEMENT_H
