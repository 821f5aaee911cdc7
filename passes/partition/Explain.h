// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Why every op is where it is, read from a partitioned module.
#ifndef ASIC_PASSES_PARTITION_EXPLAIN_H
#define ASIC_PASSES_PARTITION_EXPLAIN_H

#include "passes/Support/Locations.h"
#include "target/TargetModel.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace mlir::asic {

/// An op that does not run where it runs best.
struct PlacementRecord {
  /// "refused": the accelerator cannot run it; "moved": it could, but the way
  /// there costs more; "slow path": it runs there on an engine that is not made
  /// for it.
  std::string kind;
  std::string op;
  /// What was expected, what was found; and what to do about it.
  std::string reason, remedy;
  /// The function that it is part of.
  std::string region;
  SourceLocation location;
  /// Cycles of a slow path above those of the matrix unit, both at their best.
  uint64_t lostCycles = 0;
};

/// What a host region exchanges with the accelerator's regions.
struct RegionCrossing {
  std::string region;
  uint64_t bytesIn = 0, bytesOut = 0;
  /// Cycles of DRAM traffic for it.
  uint64_t cycles = 0;
};

/// Where the ops of a module are.
struct Placement {
  std::vector<PlacementRecord> records;
  std::vector<RegionCrossing> regions;
  uint64_t acceleratorOps = 0, hostOps = 0;
  /// Times that control changes sides between two steps.
  uint64_t crossings = 0;
};

/// What of `op` a person recognises: the look-up in a body that was fused with
/// others, and the operators of all of them.
SourceLocation locateOperation(Operation &op);

/// The user's operator, "aten.embedding"; the op's own name when it is unknown.
std::string operatorName(Operation &op);

/// Reads what the partition phase left in `module`.
Placement explainPlacement(ModuleOp module, const ::asic::TargetModel &target);

} // namespace mlir::asic

#endif // ASIC_PASSES_PARTITION_EXPLAIN_H
