// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search for the tiles of a group.
#ifndef ASIC_PASSES_ACCEL_PLANSEARCH_H
#define ASIC_PASSES_ACCEL_PLANSEARCH_H

#include "passes/accel/PlanGroup.h"

namespace mlir::asic {

/// Where the tensors between groups live.
struct Residency {
  /// Sources that are in SRAM already: their tiles are not loaded.
  DenseSet<Value> inSram;
  /// The group's result stays in SRAM.
  bool resultInSram = false;
  /// SRAM bytes that tensors between groups take meanwhile.
  int64_t reservedBytes = 0;
};

/// One way to execute a group.
struct Tiling {
  /// Per result dimension of the group's last member.
  SmallVector<int64_t> tile;
  /// Per reduction iterator of the group's contractions; empty: not tiled.
  SmallVector<int64_t> reduce;
  /// Result dimensions, outermost loop first.
  SmallVector<int64_t> order;
  /// Inputs (indices of getInputs) whose tiles stay in SRAM for the group.
  SmallVector<int64_t> hold;
  /// Prediction: cycles and DRAM bytes.
  int64_t cycles = 0, bytes = 0;
  /// What it takes.
  int64_t sramBytes = 0, accBytes = 0;
};

/// The best tiling found, or nothing when none fits; `least` is then the one
/// that needs the least memory.
std::optional<Tiling> searchTiling(const Group &group,
                                   const ::asic::TargetModel &target,
                                   const Residency &residency, Tiling &least);

/// SRAM that planned tiles may fill; the rest is left for what the planner does
/// not see (alignment, prefetch across groups).
int64_t getSramBudget(const ::asic::TargetModel &target);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_PLANSEARCH_H
