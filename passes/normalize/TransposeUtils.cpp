// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/normalize/TransposeUtils.h"

using namespace mlir;
using namespace mlir::asic;

bool mlir::asic::isIdentity(ArrayRef<int64_t> permutation) {
  for (auto [index, dim] : llvm::enumerate(permutation))
    if (int64_t(index) != dim)
      return false;
  return true;
}

SmallVector<int64_t> mlir::asic::compose(ArrayRef<int64_t> first,
                                         ArrayRef<int64_t> second) {
  return permuted(first, second);
}

std::optional<SmallVector<int64_t>> mlir::asic::loopsOf(AffineMap map) {
  SmallVector<int64_t> loops;
  for (AffineExpr expr : map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || llvm::is_contained(loops, int64_t(dim.getPosition())))
      return std::nullopt;
    loops.push_back(dim.getPosition());
  }
  return loops;
}

SmallVector<int64_t> mlir::asic::orderLike(ArrayRef<int64_t> dims,
                                           ArrayRef<int64_t> loops) {
  // Groups of one dimension whose loop is known and the followers behind it.
  struct Group {
    int64_t rank;
    SmallVector<int64_t> members;
  };
  SmallVector<Group> groups{{-1, {}}};
  for (auto [index, loop] : llvm::enumerate(dims)) {
    auto position = llvm::find(loops, loop);
    if (position != loops.end())
      groups.push_back({position - loops.begin(), {}});
    groups.back().members.push_back(index);
  }
  llvm::sort(groups,
             [](const Group &a, const Group &b) { return a.rank < b.rank; });
  SmallVector<int64_t> permutation;
  for (const Group &group : groups)
    permutation.append(group.members);
  return permutation;
}

bool mlir::asic::isPermutable(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumResults() != 1)
    return false;
  for (AffineMap map : op.getIndexingMapsArray())
    if (!loopsOf(map))
      return false;
  return isParallel(op) || !matchMultiplyAccumulate(op);
}

bool mlir::asic::isPlainContraction(linalg::GenericOp op) {
  return op && op.hasPureTensorSemantics() && !isParallel(op) &&
         matchMultiplyAccumulate(op) &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return loopsOf(map).has_value(); });
}

/// The body's `linalg.index` ops after loop `l` became loop `position[l]`.
static void renumberIndexOps(linalg::GenericOp op, ArrayRef<int64_t> position) {
  op.getBody()->walk(
      [&](linalg::IndexOp index) { index.setDim(position[index.getDim()]); });
}

linalg::GenericOp mlir::asic::rebuild(TensorBuilder &b, linalg::GenericOp op,
                                      ValueRange inputs,
                                      ArrayRef<AffineMap> inputMaps, Value init,
                                      AffineMap outputMap,
                                      ArrayRef<int64_t> like) {
  unsigned numLoops = op.getNumLoops();
  SmallVector<int64_t> order = *loopsOf(outputMap);
  SmallVector<int64_t> rest(like);
  llvm::append_range(rest, llvm::seq<int64_t>(0, numLoops));
  for (int64_t loop : rest)
    if (!llvm::is_contained(order, loop))
      order.push_back(loop);

  SmallVector<int64_t> position(numLoops);
  SmallVector<AffineExpr> renamed(numLoops);
  SmallVector<utils::IteratorType> iterators;
  for (auto [index, loop] : llvm::enumerate(order)) {
    position[loop] = index;
    renamed[loop] = b.getAffineDimExpr(index);
    iterators.push_back(op.getIteratorTypesArray()[loop]);
  }
  SmallVector<AffineMap> maps;
  for (AffineMap map : inputMaps)
    maps.push_back(map.replaceDimsAndSymbols(renamed, {}, numLoops, 0));
  maps.push_back(outputMap.replaceDimsAndSymbols(renamed, {}, numLoops, 0));
  auto result = linalg::GenericOp::create(b, TypeRange(init.getType()), inputs,
                                          ValueRange(init), maps, iterators);
  IRMapping mapping;
  op.getRegion().cloneInto(&result.getRegion(), mapping);
  renumberIndexOps(result, position);
  result->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  return result;
}

linalg::TransposeOp mlir::asic::sinkable(Value value) {
  auto op = value.getDefiningOp<linalg::TransposeOp>();
  return op && !op->hasAttr(kPinnedAttr) ? op : linalg::TransposeOp();
}
