// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a group costs for a choice of tiles: the planner's view of target/Cost.h.
#ifndef ASIC_PASSES_ACCEL_GROUPCOST_H
#define ASIC_PASSES_ACCEL_GROUPCOST_H

#include "passes/accel/Structure.h"
#include "target/Cost.h"

namespace mlir::asic {

/// Tile sizes of the result and of the reduction, loop order, prediction.
struct GroupChoice {
  SmallVector<int64_t> tile, reduce, order;
  int64_t cycles = 0, bytes = 0;
};

/// A tensor that crosses the border of the group.
struct GroupInput {
  RankedTensorType type;
  AffineMap map;
  bool isConstant = false;
  /// Read by the contraction (its loops index the map), else by the last op.
  bool ofContraction = false;
};

/// Prices choices for one group.
class GroupCost {
public:
  static FailureOr<GroupCost> build(linalg::GenericOp last,
                                    const ::asic::TargetModel &target);

  /// The cheapest choice that fits the memories; none when no tile fits.
  std::optional<GroupChoice> search();

  /// Explains that even the smallest tile does not fit.
  LogicalResult reportNoTile();

private:
  GroupCost(linalg::GenericOp last, const ::asic::TargetModel &target)
      : last(last), target(target) {}

  struct Tile {
    SmallVector<int64_t> lastLoops, contractionLoops;
  };
  Tile tileOf(ArrayRef<int64_t> tile, ArrayRef<int64_t> reduce);
  SmallVector<int64_t> sizesOf(unsigned dim);
  std::optional<GroupChoice> price(ArrayRef<int64_t> tile,
                                   ArrayRef<int64_t> reduce,
                                   ArrayRef<int64_t> order);
  bool dependsOn(const GroupInput &input, unsigned resultDim);
  ::asic::Cost loadCost(const GroupInput &input, ArrayRef<int64_t> shape);
  uint64_t vectorCycles(ArrayRef<int64_t> loops);

  linalg::GenericOp last, contraction;
  std::optional<Contraction> info;
  AffineMap accMap;
  const ::asic::TargetModel &target;
  SmallVector<GroupInput> inputs;
  SmallVector<int64_t> shape;
  unsigned laneOps = 0;
  int64_t smallestSram = -1, smallestAcc = -1;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_GROUPCOST_H
