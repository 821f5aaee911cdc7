// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much work a partitioned network is for its accelerator, whatever the
// plan.
#ifndef ASIC_PASSES_WORK_H
#define ASIC_PASSES_WORK_H

#include "mlir/IR/BuiltinOps.h"
#include "target/TargetModel.h"

#include <cstdint>

namespace mlir::asic {

/// Work of the accelerator's regions.
struct NetworkWork {
  /// Multiply-accumulates of contractions.
  uint64_t macs = 0;
  /// Bytes of distinct constant tensors.
  uint64_t weightsBytes = 0;
  /// Bytes of the regions' inputs and outputs.
  uint64_t ioBytes = 0;
  /// `::asic::lowerBoundCycles` of the above.
  uint64_t lowerBoundCycles = 0;
};

/// Measures the accelerator functions of `module`, as the partition phase
/// leaves them.
NetworkWork measureWork(ModuleOp module, const ::asic::TargetModel &target);

} // namespace mlir::asic

#endif // ASIC_PASSES_WORK_H
