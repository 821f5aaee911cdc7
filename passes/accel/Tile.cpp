// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-tile: applies `#asic.plan`. Every tile becomes straight-line IR with constant
// offsets; TilingInterface makes the tiled ops, producers of the group are
// recomputed per tile in front of their consumer.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/accel/Groups.h"
#include "passes/accel/Structure.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Transforms/TilingInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/IR/TensorTilingInterfaceImpl.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace mlir::asic {
#define GEN_PASS_DEF_TILEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

using Sizes = SmallVector<OpFoldResult>;

/// Tiles one group.
class GroupTiler {
public:
  GroupTiler(linalg::GenericOp last, PlanAttr plan)
      : last(last), plan(plan), builder(last) {}

  LogicalResult run();

private:
  LogicalResult tileAt(ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes);
  /// Replaces slices of values made inside the group by tiles made here, and slices
  /// that the previous tile has loaded already by its own.
  LogicalResult resolve(ArrayRef<Operation *> slices);
  FailureOr<Value> makeTile(Operation *producer, tensor::ExtractSliceOp slice);
  FailureOr<Value> makeContraction(linalg::GenericOp op,
                                   tensor::ExtractSliceOp slice);
  bool isInGroup(Operation *op) const {
    auto group = op ? op->getAttrOfType<IntegerAttr>(kGroupAttrName) : nullptr;
    return group && group.getInt() == plan.getGroup();
  }

  linalg::GenericOp last;
  PlanAttr plan;
  OpBuilder builder;
  Value destination;
  /// Slice of a group input that was made last, by input and offsets.
  DenseMap<Value, std::pair<ArrayAttr, Value>> loaded;
};

struct TilePass : public mlir::asic::impl::TilePassBase<TilePass> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> groups;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op->hasAttr(kPlanAttrName))
        groups.push_back(op);
    });
    for (linalg::GenericOp op : groups)
      if (failed(GroupTiler(op, op->getAttrOfType<PlanAttr>(kPlanAttrName))
                     .run()))
        return signalPassFailure();
    eraseDeadOps();
  }

  /// Erases group members that no tile needs any more, consumers first.
  void eraseDeadOps() {
    for (Block &block : getOperation().getBody())
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
        if (isOpTriviallyDead(&op))
          op.erase();
  }
};

} // namespace

static Sizes constants(OpBuilder &builder, ArrayRef<int64_t> values) {
  return getAsIndexOpFoldResult(builder.getContext(), values);
}

FailureOr<Value> GroupTiler::makeContraction(linalg::GenericOp op,
                                             tensor::ExtractSliceOp slice) {
  auto tiling = cast<TilingInterface>(op.getOperation());
  Sizes offsets, sizes;
  if (failed(tiling.getIterationDomainTileFromResultTile(
          builder, 0, slice.getMixedOffsets(), slice.getMixedSizes(), offsets,
          sizes)))
    return failure();
  std::optional<Contraction> contraction = matchContraction(op);
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<unsigned> loops(contraction->k);
  SmallVector<int64_t> steps(plan.getReduce());
  if (steps.empty())
    for (unsigned loop : loops)
      steps.push_back(ranges[loop]);

  // One op per chunk of the reduction, in the order of the sum.
  SmallVector<int64_t> at(loops.size(), 0);
  Value accumulator;
  while (true) {
    for (auto [index, loop] : llvm::enumerate(loops)) {
      offsets[loop] = builder.getIndexAttr(at[index]);
      sizes[loop] = builder.getIndexAttr(
          std::min(steps[index], ranges[loop] - at[index]));
    }
    FailureOr<TilingResult> tile =
        tiling.getTiledImplementation(builder, offsets, sizes);
    if (failed(tile))
      return failure();
    auto tiled = cast<linalg::GenericOp>(tile->tiledOps.front());
    tiled->removeAttr(kGroupAttrName);
    tiled->removeAttr(kPlanAttrName);
    SmallVector<Operation *> slices(tile->generatedSlices);
    if (accumulator) {
      Operation *init = tiled.getDpsInits()[0].getDefiningOp();
      tiled.getDpsInitsMutable()[0].set(accumulator);
      llvm::erase(slices, init);
      if (init && init->use_empty())
        init->erase();
    }
    if (failed(resolve(slices)))
      return failure();
    builder.setInsertionPointAfter(tiled);
    accumulator = tiled.getResult(0);
    // Next chunk: the last loop is the innermost.
    int64_t digit = int64_t(loops.size()) - 1;
    for (; digit >= 0; --digit) {
      at[digit] += steps[digit];
      if (at[digit] < ranges[loops[digit]])
        break;
      at[digit] = 0;
    }
    if (digit < 0)
      return accumulator;
  }
}

FailureOr<Value> GroupTiler::makeTile(Operation *producer,
                                      tensor::ExtractSliceOp slice) {
  if (auto generic = dyn_cast<linalg::GenericOp>(producer))
    if (matchContraction(generic))
      return makeContraction(generic, slice);
  FailureOr<TilingResult> tile;
  if (auto pad = dyn_cast<tensor::PadOp>(producer))
    tile = tensor::bubbleUpPadSlice(builder, pad, slice.getMixedOffsets(),
                                    slice.getMixedSizes(),
                                    /*generateZeroSliceGuard=*/false);
  else
    tile = cast<TilingInterface>(producer).generateResultTileValue(
        builder, 0, slice.getMixedOffsets(), slice.getMixedSizes());
  if (failed(tile))
    return failure();
  for (Operation *op : tile->tiledOps) {
    op->removeAttr(kGroupAttrName);
    op->removeAttr(kPlanAttrName);
  }
  SmallVector<Operation *> slices(tile->generatedSlices);
  if (isa<tensor::PadOp>(producer) && slices.empty())
    for (Operation *op : tile->tiledOps)
      for (Value operand : op->getOperands())
        if (auto inner = operand.getDefiningOp<tensor::ExtractSliceOp>())
          slices.push_back(inner);
  Value value = tile->tiledValues.front();
  if (failed(resolve(slices)))
    return failure();
  return value;
}

LogicalResult GroupTiler::resolve(ArrayRef<Operation *> slices) {
  for (Operation *op : slices) {
    auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op);
    if (!slice || slice->use_empty())
      continue;
    Value source = slice.getSource();
    Operation *producer = source.getDefiningOp();
    if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(producer)) {
      builder.setInsertionPoint(slice);
      Value tile = tensor::EmptyOp::create(
          builder, slice.getLoc(), slice.getType().getShape(),
          slice.getType().getElementType());
      slice.replaceAllUsesWith(tile);
      slice.erase();
      continue;
    }
    if (isInGroup(producer)) {
      builder.setInsertionPoint(slice);
      FailureOr<Value> tile = makeTile(producer, slice);
      if (failed(tile))
        return producer->emitOpError("cannot be tiled with its group");
      slice.replaceAllUsesWith(*tile);
      slice.erase();
      continue;
    }
    SmallVector<Attribute> key;
    auto append = [&](ArrayRef<OpFoldResult> values) {
      for (OpFoldResult value : values)
        key.push_back(dyn_cast<Attribute>(value));
    };
    append(slice.getMixedOffsets());
    append(slice.getMixedSizes());
    if (llvm::is_contained(key, Attribute()))
      return slice.emitOpError("expected constant offsets and sizes");
    ArrayAttr place = builder.getArrayAttr(key);
    auto [it, isNew] = loaded.try_emplace(source, place, slice.getResult());
    if (isNew)
      continue;
    if (it->second.first == place) {
      slice.replaceAllUsesWith(it->second.second);
      slice.erase();
      continue;
    }
    it->second = {place, slice.getResult()};
  }
  return success();
}

LogicalResult GroupTiler::tileAt(ArrayRef<int64_t> offsets,
                                 ArrayRef<int64_t> sizes) {
  Operation *anchor = last;
  builder.setInsertionPoint(anchor);
  // Make the tile through a slice of the result, like every producer.
  Value slice = tensor::ExtractSliceOp::create(
      builder, last.getLoc(), last.getResult(0), constants(builder, offsets),
      constants(builder, sizes),
      constants(builder, SmallVector<int64_t>(offsets.size(), 1)));
  // The slice stands before its source for a moment only.
  auto sliceOp = slice.getDefiningOp<tensor::ExtractSliceOp>();
  FailureOr<Value> tile = makeTile(last, sliceOp);
  if (failed(tile))
    return last.emitOpError("cannot be tiled");
  sliceOp->erase();
  builder.setInsertionPoint(anchor);
  destination = tensor::InsertSliceOp::create(
      builder, last.getLoc(), *tile, destination, constants(builder, offsets),
      constants(builder, sizes),
      constants(builder, SmallVector<int64_t>(offsets.size(), 1)));
  return success();
}

LogicalResult GroupTiler::run() {
  auto type = cast<RankedTensorType>(last.getResult(0).getType());
  destination = tensor::EmptyOp::create(builder, last.getLoc(), type.getShape(),
                                        type.getElementType());
  destination.getDefiningOp()->setAttr(
      kSpaceAttrName, SpaceAttr::get(last.getContext(), plan.getSpace()));
  int64_t rank = type.getRank();
  SmallVector<int64_t> offsets(rank, 0), sizes(rank);
  ArrayRef<int64_t> order = plan.getOrder(), tile = plan.getTile();
  while (true) {
    for (int64_t d = 0; d < rank; ++d)
      sizes[d] = std::min(tile[d], type.getDimSize(d) - offsets[d]);
    if (failed(tileAt(offsets, sizes)))
      return failure();
    int64_t digit = rank - 1;
    for (; digit >= 0; --digit) {
      int64_t d = order[digit];
      offsets[d] += tile[d];
      if (offsets[d] < type.getDimSize(d))
        break;
      offsets[d] = 0;
    }
    if (digit < 0)
      break;
  }
  last.getResult(0).replaceAllUsesWith(destination);
  return success();
}
