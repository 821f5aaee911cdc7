// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tiling of a group costs, by the functions that the emulator counts
// with.
#ifndef ASIC_PASSES_ACCEL_PLANCOST_H
#define ASIC_PASSES_ACCEL_PLANCOST_H

#include "passes/accel/PlanSearch.h"
#include "target/Cost.h"

namespace mlir::asic {

/// Prices tilings of one group.
class TilingCost {
public:
  TilingCost(const Group &group, const ::asic::TargetModel &target,
             const Residency &residency);

  /// Fills in `hold`, cycles, bytes and memory of `tiling`; true when it fits.
  bool evaluate(Tiling &tiling) const;

private:
  /// An input of the group and its tile.
  struct Load {
    unsigned member = 0;
    AffineMap map;
    SmallVector<int64_t> shape;
    int64_t elementBytes = 1;
    /// Dram holds two elements a byte.
    bool packed = false;
    bool inSram = false;
    /// The vector unit reads it with its padding, stored.
    bool storedPadding = false;
    /// First input with the same source and map: loaded once for all.
    bool repeated = false;
  };
  /// A load under one tiling.
  struct LoadUse {
    int64_t tileBytes = 0, totalBytes = 0, count = 0, distinct = 0;
    int64_t cyclesEach = 0;
  };

  SmallVector<int64_t> loopSizes(const GroupMember &member,
                                 const Tiling &tiling) const;
  LoadUse useOf(const Load &load, const Tiling &tiling,
                ArrayRef<int64_t> counts) const;
  int64_t moveCycles(ArrayRef<int64_t> shape, ArrayRef<int64_t> tile,
                     int64_t elementBytes) const;
  int64_t unpackCycles(int64_t elements) const;
  int64_t contractCycles(const GroupMember &member, ArrayRef<int64_t> loops,
                         bool accumulate) const;
  int64_t mapCycles(const GroupMember &member, unsigned number,
                    ArrayRef<int64_t> loops) const;

  const Group &group;
  const ::asic::TargetModel &target;
  const Residency &residency;
  SmallVector<Load> loads;
  /// Lane operations per point, by member.
  SmallVector<int64_t> laneOps;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_PLANCOST_H
