// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Groups: operations that are executed tile by tile, so that what passes
// between them stays on the chip.
#ifndef ASIC_PASSES_ACCEL_PLANGROUP_H
#define ASIC_PASSES_ACCEL_PLANGROUP_H

#include "passes/accel/PlanContraction.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::asic {

/// Attribute of every member of a group: the number that its #asic.plan has.
inline constexpr llvm::StringLiteral kGroupAttrName = "asic.group";
/// Attribute of the last member: its #asic.plan.
inline constexpr llvm::StringLiteral kPlanAttrName = "asic.plan";

/// An operation of a group.
struct GroupMember {
  linalg::GenericOp op;
  /// Per iterator the result dimension of the group's last member that tiles
  /// it; -1 when a tile spans all of it.
  SmallVector<int> tileOf;
  std::optional<Contraction> contraction;
};

/// A tensor from outside that a member reads, at `map` of its iterators.
struct GroupInput {
  Value source;
  unsigned member;
  AffineMap map;
  /// A padding lies between that is stored, as every one is that the array
  /// does not skip in its A.
  bool storedPadding;
};

/// Members in program order, the last one gives the group's result.
struct Group {
  SmallVector<GroupMember> members;
  /// Result dimensions of the last member that may not be tiled.
  SmallVector<bool> full;

  GroupMember &last() { return members.back(); }
  const GroupMember &last() const { return members.back(); }
  RankedTensorType getResultType() const {
    linalg::GenericOp op = last().op;
    return cast<RankedTensorType>(op.getResult(0).getType());
  }
  bool hasContraction() const {
    return llvm::any_of(members, [](const GroupMember &member) {
      return member.contraction.has_value();
    });
  }
};

/// The groups of `function`, in program order. Operations in `alone` are not
/// joined with their users.
std::vector<Group> formGroups(func::FuncOp function,
                              const ::asic::TargetModel &target,
                              const DenseSet<Operation *> &alone);

/// The groups that `asic.group` attributes name, in program order.
FailureOr<std::vector<Group>> readGroups(func::FuncOp function,
                                         const ::asic::TargetModel &target);

/// The tensors from outside that the group reads, in order of first use. The
/// same tensor may appear more than once, with different maps.
SmallVector<GroupInput> getInputs(const Group &group);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_PLANGROUP_H
