// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/PlanSearch.h"

#include "passes/accel/PlanCost.h"

using namespace mlir;
using namespace mlir::asic;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t mlir::asic::getSramBudget(const ::asic::TargetModel &target) {
  return target.sram.bytes - target.sram.bytes / 8;
}

/// Tile sizes that cut `extent` into equal parts of whole `unit`s, largest
/// first. All numbers of parts up to 8, then ever coarser.
static SmallVector<int64_t> getCuts(int64_t extent, int64_t unit) {
  SmallVector<int64_t> sizes;
  int64_t blocks = ceilDiv(extent, unit);
  for (int64_t parts = 1; parts <= blocks;
       parts += std::max<int64_t>(1, parts / 4)) {
    int64_t size = std::min(extent, ceilDiv(blocks, parts) * unit);
    if (sizes.empty() || size < sizes.back())
      sizes.push_back(size);
  }
  if (sizes.back() > std::min(unit, extent))
    sizes.push_back(std::min(unit, extent));
  return sizes;
}

namespace {

/// Walks a bounded set of tilings of one group.
class TilingSearch {
public:
  TilingSearch(const Group &group, const ::asic::TargetModel &target,
               const Residency &residency)
      : group(group), target(target), cost(group, target, residency) {}

  std::optional<Tiling> run(Tiling &least);

private:
  void findChannel();
  void trySlabs(Tiling tiling);
  void tryOrders(Tiling tiling);
  bool splitReduction(SmallVectorImpl<int64_t> &reduce) const;
  void consider(Tiling &tiling);

  const Group &group;
  const ::asic::TargetModel &target;
  TilingCost cost;
  /// The result dimension that the array spreads over its columns, or -1.
  int channel = -1;
  std::optional<Tiling> best, smallest;
};

} // namespace

void TilingSearch::findChannel() {
  for (const GroupMember &member : group.members) {
    if (!member.contraction)
      continue;
    for (auto [role, dim] :
         llvm::zip_equal(member.contraction->roles, member.tileOf))
      if (dim >= 0 && (role == LoopRole::n || (member.contraction->depthwise &&
                                               role == LoopRole::batch)))
        channel = dim;
  }
}

void TilingSearch::consider(Tiling &tiling) {
  bool fits = cost.evaluate(tiling);
  auto excess = [&](const Tiling &t) {
    return std::max<int64_t>(t.sramBytes - getSramBudget(target), 0) +
           std::max<int64_t>(t.accBytes - int64_t(target.acc.bytes), 0);
  };
  if (!smallest || excess(tiling) < excess(*smallest))
    smallest = tiling;
  if (fits && (!best || tiling.cycles < best->cycles ||
               (tiling.cycles == best->cycles && tiling.bytes < best->bytes)))
    best = tiling;
}

/// Channels innermost (activations stay) and outermost (weights stay).
void TilingSearch::tryOrders(Tiling tiling) {
  SmallVector<int64_t> others;
  for (int64_t dim = 0; dim < int64_t(tiling.tile.size()); ++dim)
    if (dim != channel)
      others.push_back(dim);
  tiling.order = others;
  if (channel >= 0)
    tiling.order.push_back(channel);
  consider(tiling);
  bool isCut = channel >= 0 &&
               tiling.tile[channel] < group.getResultType().getDimSize(channel);
  if (!isCut)
    return;
  tiling.order.assign(1, channel);
  tiling.order.append(others);
  consider(tiling);
}

/// Slabs: outer dimensions one by one, one dimension cut, inner ones whole.
void TilingSearch::trySlabs(Tiling tiling) {
  ArrayRef<int64_t> shape = group.getResultType().getShape();
  SmallVector<int64_t> dims;
  for (int64_t dim = 0; dim < int64_t(shape.size()); ++dim)
    if (dim != channel && !group.full[dim] && shape[dim] > 1)
      dims.push_back(dim);
  if (dims.empty()) {
    tryOrders(tiling);
    return;
  }
  for (size_t cut = 0; cut < dims.size(); ++cut) {
    SmallVector<int64_t> sizes = getCuts(shape[dims[cut]], 1);
    // The whole dimension is the next outer cut's size 1.
    if (cut > 0)
      sizes.erase(sizes.begin());
    for (int64_t size : sizes) {
      tiling.tile[dims[cut]] = size;
      tryOrders(tiling);
    }
    tiling.tile[dims[cut]] = 1;
  }
}

/// Halves the reduction tile; false when it cannot go further. Sums of floats
/// keep their order only when the outermost iterator is cut.
bool TilingSearch::splitReduction(SmallVectorImpl<int64_t> &reduce) const {
  for (const GroupMember &member : group.members) {
    if (!member.contraction)
      continue;
    linalg::GenericOp op = member.op;
    SmallVector<int64_t> sizes;
    for (auto [role, size] :
         llvm::zip_equal(member.contraction->roles, op.getStaticLoopRanges()))
      if (role == LoopRole::k)
        sizes.push_back(size);
    if (reduce.empty())
      reduce.assign(sizes);
    bool isFloat = isa<FloatType>(getElementTypeOrSelf(op.getResult(0)));
    SmallVector<unsigned> candidates =
        llvm::to_vector(llvm::seq<unsigned>(0, reduce.size()));
    if (!isFloat)
      std::reverse(candidates.begin(), candidates.end());
    for (unsigned i : candidates) {
      int64_t unit = std::min<int64_t>(reduce[i], target.mxu.kRows);
      if (isFloat)
        unit = 1;
      if (reduce[i] <= unit || reduce[i] == 1)
        continue;
      reduce[i] = std::max(unit, ceilDiv(ceilDiv(reduce[i], 2), unit) * unit);
      return true;
    }
    return false;
  }
  return false;
}

std::optional<Tiling> TilingSearch::run(Tiling &least) {
  findChannel();
  ArrayRef<int64_t> shape = group.getResultType().getShape();
  Tiling start;
  start.tile.assign(shape.begin(), shape.end());
  bool wholeChannel = channel >= 0 && group.full[channel];
  while (true) {
    if (channel >= 0 && !wholeChannel)
      for (int64_t size : getCuts(shape[channel], target.mxu.nCols)) {
        Tiling tiling = start;
        tiling.tile[channel] = size;
        trySlabs(tiling);
      }
    else
      trySlabs(start);
    // Reductions are cut only when nothing else fits.
    if (best || !splitReduction(start.reduce))
      break;
  }
  if (smallest)
    least = *smallest;
  return best;
}

std::optional<Tiling>
mlir::asic::searchTiling(const Group &group, const ::asic::TargetModel &target,
                         const Residency &residency, Tiling &least) {
  return TilingSearch(group, target, residency).run(least);
}
