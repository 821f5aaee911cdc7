// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much work a partitioned network is for its accelerator, whatever the
// plan.
#ifndef ASIC_PASSES_WORK_H
#define ASIC_PASSES_WORK_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "target/TargetModel.h"

#include <cstdint>

namespace mlir::asic {

/// Work of the accelerator's regions, and how much the host has.
struct NetworkWork {
  /// Multiply-accumulates of the accelerator's contractions.
  uint64_t macs = 0;
  /// The same of the host's.
  uint64_t hostMacs = 0;
  /// Bytes of distinct constant tensors, as dram holds them.
  uint64_t weightsBytes = 0;
  /// Bytes of the regions' inputs and outputs.
  uint64_t ioBytes = 0;
  /// `::asic::lowerBoundCycles` of the above.
  uint64_t lowerBoundCycles = 0;
};

/// Multiply-accumulates of the contractions in `func`.
uint64_t countMacs(func::FuncOp func);

/// Measures the region functions of `module`, as the partition phase leaves
/// them.
NetworkWork measureWork(ModuleOp module, const ::asic::TargetModel &target);

} // namespace mlir::asic

#endif // ASIC_PASSES_WORK_H
