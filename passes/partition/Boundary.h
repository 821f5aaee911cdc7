// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Border casts: conversions that the runtime does between the user's tensors
// and the accelerator's.
#ifndef ASIC_PASSES_PARTITION_BOUNDARY_H
#define ASIC_PASSES_PARTITION_BOUNDARY_H

#include "passes/Support/TensorBuilder.h"

namespace mlir::asic {

/// Whether `op` is a cast with `asic.boundary`.
bool isBorderCast(Operation *op);

/// What a border cast stands for as ops on tensors, in front of `cast`: for
/// readers and producers that are not on the accelerator.
Value materializeBoundary(UnrealizedConversionCastOp cast);

} // namespace mlir::asic

#endif // ASIC_PASSES_PARTITION_BOUNDARY_H
