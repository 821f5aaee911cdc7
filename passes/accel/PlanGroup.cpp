// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/PlanGroup.h"

#include "dialects/Asic/Asic.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <map>

using namespace mlir;
using namespace mlir::asic;

/// The iterator of `op` behind every result dimension; empty when its result
/// map is no permutation of parallel iterators.
static SmallVector<unsigned> resultLoops(linalg::GenericOp op) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<unsigned> loops;
  if (!map.isProjectedPermutation())
    return {};
  for (AffineExpr expr : map.getResults())
    loops.push_back(cast<AffineDimExpr>(expr).getPosition());
  return loops;
}

/// A group of one: every result dimension tiles itself.
static Group makeGroup(linalg::GenericOp op,
                       const ::asic::TargetModel &target) {
  GroupMember member{op, SmallVector<int>(op.getNumLoops(), -1),
                     matchContraction(op, target)};
  SmallVector<unsigned> loops = resultLoops(op);
  for (auto [dim, loop] : llvm::enumerate(loops))
    member.tileOf[loop] = dim;
  Group group;
  int64_t rank = cast<ShapedType>(op.getResult(0).getType()).getRank();
  group.full.assign(rank, int64_t(loops.size()) != rank);
  group.members.push_back(std::move(member));
  return group;
}

/// Where each result dimension of `producer` lies for the user `member`: a tile
/// dimension or -1. Nothing when a user reads a window or a contraction.
static std::optional<SmallVector<int>> traceUse(OpOperand &use,
                                                const GroupMember &member) {
  linalg::GenericOp user = member.op;
  // The array loads its factors from SRAM as they were stored: they come from
  // outside, once for all tiles.
  if (member.contraction && !user.isDpsInit(&use))
    return std::nullopt;
  SmallVector<int> places;
  for (AffineExpr expr : user.getMatchingIndexingMap(&use).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return std::nullopt;
    places.push_back(member.tileOf[dim.getPosition()]);
  }
  return places;
}

/// Makes `places` fit a second user; false when the two need different tiles. A
/// dimension that no tile cuts is the same as a whole one.
static bool mergePlaces(SmallVectorImpl<int> &places, ArrayRef<int> other,
                        ArrayRef<bool> full) {
  auto isWhole = [&](int place) { return place < 0 || full[place]; };
  for (auto [mine, its] : llvm::zip_equal(places, other)) {
    if (mine == its)
      continue;
    if (!isWhole(mine) || !isWhole(its))
      return false;
    mine = std::max(mine, its);
  }
  return true;
}

/// Adds `op` in front of `group` when a tile of the group needs one tile of it
/// and no two tiles need the same.
static bool tryJoin(linalg::GenericOp op, Group &group,
                    const ::asic::TargetModel &target) {
  if (op->getNumResults() != 1)
    return false;
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  std::optional<SmallVector<int>> places;
  for (OpOperand &use : op->getUses()) {
    auto *member = llvm::find_if(group.members, [&](const GroupMember &m) {
      return m.op == use.getOwner();
    });
    if (member == group.members.end())
      return false;
    auto found = traceUse(use, *member);
    if (!found || (places && !mergePlaces(*places, *found, group.full)))
      return false;
    if (!places)
      places = found;
  }
  SmallVector<unsigned> loops = resultLoops(op);
  if (!places || int64_t(loops.size()) != type.getRank())
    return false;

  // A dimension that the tile spans whole must be the innermost one: rows.
  GroupMember joined{op, SmallVector<int>(op.getNumLoops(), -1),
                     matchContraction(op, target)};
  SmallVector<bool> used(group.full.size(), false);
  for (auto [dim, place] : llvm::enumerate(*places)) {
    joined.tileOf[loops[dim]] = place;
    if (place >= 0)
      used[place] = true;
    else if (int64_t(dim) + 1 != type.getRank() && type.getDimSize(dim) != 1)
      return false;
  }
  // What does not depend on a tile dimension would be computed again for every
  // tile of it, so that one must be whole, and innermost for the same reason.
  ArrayRef<int64_t> shape = group.getResultType().getShape();
  SmallVector<bool> full = group.full;
  for (unsigned dim = 0; dim < shape.size(); ++dim) {
    if (used[dim] || shape[dim] == 1)
      continue;
    if (joined.contraction || dim + 1 != shape.size())
      return false;
    full[dim] = true;
  }
  group.full = full;
  group.members.insert(group.members.begin(), std::move(joined));
  return true;
}

std::vector<Group> mlir::asic::formGroups(func::FuncOp function,
                                          const ::asic::TargetModel &target,
                                          const DenseSet<Operation *> &alone) {
  std::vector<Group> groups;
  DenseMap<Operation *, size_t> groupOf;
  // Users come first, so that an operation knows whether all of them are in
  // one group.
  for (Operation &op : llvm::reverse(function.getBody().front())) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || isAbsorbed(&op))
      continue;
    std::optional<size_t> only;
    bool sameGroup = !op.use_empty() && !alone.contains(&op);
    for (Operation *user : op.getUsers()) {
      auto it = groupOf.find(user);
      sameGroup &= it != groupOf.end() && (!only || *only == it->second);
      if (it != groupOf.end())
        only = it->second;
    }
    if (sameGroup && tryJoin(generic, groups[*only], target)) {
      groupOf[&op] = *only;
      continue;
    }
    groupOf[&op] = groups.size();
    groups.push_back(makeGroup(generic, target));
  }
  std::reverse(groups.begin(), groups.end());
  return groups;
}

FailureOr<std::vector<Group>>
mlir::asic::readGroups(func::FuncOp function,
                       const ::asic::TargetModel &target) {
  std::vector<Group> groups;
  std::map<int64_t, size_t> byNumber;
  for (Operation &op : llvm::reverse(function.getBody().front())) {
    auto number = op.getAttrOfType<IntegerAttr>(kGroupAttrName);
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!number || !generic)
      continue;
    if (op.getAttrOfType<PlanAttr>(kPlanAttrName)) {
      byNumber[number.getInt()] = groups.size();
      groups.push_back(makeGroup(generic, target));
      continue;
    }
    auto it = byNumber.find(number.getInt());
    if (it == byNumber.end() || !tryJoin(generic, groups[it->second], target))
      return op.emitOpError("expected all users in group ")
             << number.getInt()
             << ", each reading whole tiles; give the operation a group of "
                "its own";
  }
  std::reverse(groups.begin(), groups.end());
  return groups;
}

SmallVector<GroupInput> mlir::asic::getInputs(const Group &group) {
  SmallVector<GroupInput> inputs;
  DenseSet<Operation *> members;
  for (const GroupMember &member : group.members)
    members.insert(member.op);
  for (auto [number, member] : llvm::enumerate(group.members)) {
    linalg::GenericOp op = member.op;
    for (OpOperand &operand : op->getOpOperands()) {
      Value source = operand.get();
      if (!isa<RankedTensorType>(source.getType()))
        continue;
      AffineMap map = op.getMatchingIndexingMap(&operand);
      bool storedPadding = false;
      // Look through what the group absorbs.
      while (Operation *def = source.getDefiningOp()) {
        if (members.contains(def) || !isAbsorbed(def))
          break;
        if (auto pad = dyn_cast<tensor::PadOp>(def)) {
          source = pad.getSource();
          storedPadding = !member.contraction ||
                          operand.getOperandNumber() != member.contraction->a;
        } else if (auto broadcast = dyn_cast<linalg::GenericOp>(def)) {
          source = broadcast.getInputs()[0];
          SmallVector<AffineMap> maps = broadcast.getIndexingMapsArray();
          map = maps[0].compose(inversePermutation(maps[1]).compose(map));
        } else {
          source = nullptr;
          break;
        }
      }
      if (!source || members.contains(source.getDefiningOp()))
        continue;
      inputs.push_back({source, unsigned(number), map, storedPadding});
    }
  }
  return inputs;
}
