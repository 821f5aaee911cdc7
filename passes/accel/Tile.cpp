// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-tile: executes the plan of every group as straight-line tiles.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/accel/PlanGroup.h"
#include "passes/accel/TileSlice.h"
#include "passes/accel/Tiles.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <map>

namespace mlir::asic {
#define GEN_PASS_DEF_TILEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// A tile of a tensor: its offsets, then its sizes.
using BoxKey = SmallVector<int64_t>;

BoxKey keyOf(const Box &box) {
  BoxKey key(box.offsets);
  key.append(box.sizes.begin(), box.sizes.end());
  return key;
}

/// Writes the tiles of one group.
class GroupTiler {
public:
  GroupTiler(const Group &group, PlanAttr plan, ConstantSlices &constants)
      : group(group), plan(plan), constants(constants),
        builder(group.last().op) {
    for (const GroupMember &member : group.members)
      members[member.op] = &member;
    SmallVector<GroupInput> inputs = getInputs(group);
    for (int64_t input : plan.getHold())
      if (input < int64_t(inputs.size()))
        held.insert(inputs[input].source);
  }

  void run();

private:
  Value tileValue(Value value, const Box &box);
  Value tileMember(const GroupMember &member, const Box &box);
  Value tileGeneric(linalg::GenericOp op, const Box &loops, Value init);
  Value tilePad(tensor::PadOp pad, const Box &box);
  Value load(Value source, const Box &box);
  RankedTensorType tileType(Value value, const Box &box) {
    return RankedTensorType::get(
        box.sizes, cast<ShapedType>(value.getType()).getElementType());
  }

  const Group &group;
  PlanAttr plan;
  ConstantSlices &constants;
  OpBuilder builder;
  DenseMap<Operation *, const GroupMember *> members;
  /// Tensors whose tiles stay for the whole group.
  DenseSet<Value> held;
  /// Loaded tiles, and the tile of the group that used them last.
  struct Loaded {
    Value value;
    int64_t lastUse;
  };
  DenseMap<Value, std::map<BoxKey, Loaded>> loaded;
  /// Results of members for the tile at hand.
  DenseMap<Value, std::map<BoxKey, Value>> computed;
  int64_t tileNumber = 0;
};

struct TilePass : public mlir::asic::impl::TilePassBase<TilePass> {
  void runOnOperation() override;
};

} // namespace

static SmallVector<OpFoldResult> attributesOf(OpBuilder &builder,
                                              ArrayRef<int64_t> values) {
  return getAsIndexOpFoldResult(builder.getContext(), values);
}

Value GroupTiler::load(Value source, const Box &box) {
  auto &tiles = loaded[source];
  auto [it, isNew] = tiles.try_emplace(keyOf(box), Loaded{});
  // A tile of a tensor that is not held is gone once another tile of the group
  // has passed without using it.
  bool isThere =
      !isNew && (held.contains(source) || it->second.lastUse + 1 >= tileNumber);
  it->second.lastUse = tileNumber;
  if (isThere)
    return it->second.value;
  Value from = source;
  Box at = box;
  if (Value slice = constants.slice(builder, source, box)) {
    from = slice;
    at.offsets.assign(box.offsets.size(), 0);
  }
  SmallVector<int64_t> strides(box.sizes.size(), 1);
  auto slice = tensor::ExtractSliceOp::create(
      builder, source.getLoc(), tileType(source, box), from,
      attributesOf(builder, at.offsets), attributesOf(builder, at.sizes),
      attributesOf(builder, strides));
  slice->setAttr(kLoadAttrName, builder.getUnitAttr());
  return it->second.value = slice;
}

/// The part of the source inside the box, with what the box has around it.
Value GroupTiler::tilePad(tensor::PadOp pad, const Box &box) {
  auto sourceType = cast<RankedTensorType>(pad.getSource().getType());
  ArrayRef<int64_t> padLow = pad.getStaticLow();
  SmallVector<int64_t> low, high;
  Box inner;
  bool isEmpty = false, isWhole = true;
  for (unsigned dim = 0; dim < box.sizes.size(); ++dim) {
    int64_t extent = sourceType.getDimSize(dim);
    int64_t begin = box.offsets[dim] - padLow[dim];
    int64_t end = begin + box.sizes[dim];
    int64_t first = std::clamp<int64_t>(begin, 0, extent);
    int64_t last = std::clamp<int64_t>(end, 0, extent);
    isEmpty |= first >= last;
    isWhole &= first == begin && last == end;
    inner.offsets.push_back(first);
    inner.sizes.push_back(last - first);
    low.push_back(first - begin);
    high.push_back(end - last);
  }
  if (isWhole)
    return tileValue(pad.getSource(), inner);
  Value value = pad.getConstantPaddingValue();
  RankedTensorType type = tileType(pad.getSource(), box);
  if (isEmpty) {
    Value empty = tensor::EmptyOp::create(builder, pad.getLoc(), box.sizes,
                                          type.getElementType());
    return linalg::FillOp::create(builder, pad.getLoc(), value, empty)
        .getResult(0);
  }
  Value source = tileValue(pad.getSource(), inner);
  return tensor::PadOp::create(builder, pad.getLoc(), type, source,
                               attributesOf(builder, low),
                               attributesOf(builder, high), value);
}

Value GroupTiler::tileGeneric(linalg::GenericOp op, const Box &loops,
                              Value init) {
  SmallVector<Value> inputs;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isa<RankedTensorType>(input->get().getType())) {
      inputs.push_back(input->get());
      continue;
    }
    inputs.push_back(tileValue(
        input->get(), imageOf(op.getMatchingIndexingMap(input), loops)));
  }
  OpOperand *initOperand = op.getDpsInitOperand(0);
  if (!init)
    init = tileValue(initOperand->get(),
                     imageOf(op.getMatchingIndexingMap(initOperand), loops));
  auto tile = linalg::GenericOp::create(
      builder, op.getLoc(), TypeRange(init.getType()), inputs, init,
      op.getIndexingMapsAttr(), op.getIteratorTypesAttr(), /*doc=*/nullptr,
      /*library_call=*/nullptr);
  IRMapping mapping;
  op.getRegion().cloneInto(&tile.getRegion(), mapping);
  tile->setAttr(kGroupAttrName, builder.getI64IntegerAttr(plan.getGroup()));
  return tile.getResult(0);
}

/// The tile `box` of a member's result; a contraction sums its parts in
/// ascending order of K.
Value GroupTiler::tileMember(const GroupMember &member, const Box &box) {
  linalg::GenericOp op = member.op;
  Box loops;
  loops.sizes.assign(op.getStaticLoopRanges());
  loops.offsets.assign(loops.sizes.size(), 0);
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  for (auto [dim, expr] : llvm::enumerate(out.getResults())) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    loops.offsets[loop] = box.offsets[dim];
    loops.sizes[loop] = box.sizes[dim];
  }
  if (!member.contraction || plan.getReduce().empty())
    return tileGeneric(op, loops, Value());

  SmallVector<unsigned> reductions;
  for (auto [loop, role] : llvm::enumerate(member.contraction->roles))
    if (role == LoopRole::k)
      reductions.push_back(loop);
  Box part = loops;
  Value sum;
  std::function<void(unsigned)> visit = [&](unsigned depth) {
    if (depth == reductions.size()) {
      sum = tileGeneric(op, part, sum);
      return;
    }
    unsigned loop = reductions[depth];
    int64_t step = depth < plan.getReduce().size() ? plan.getReduce()[depth]
                                                   : loops.sizes[loop];
    for (int64_t k = 0; k < loops.sizes[loop]; k += step) {
      part.offsets[loop] = k;
      part.sizes[loop] = std::min(step, loops.sizes[loop] - k);
      visit(depth + 1);
    }
  };
  visit(0);
  return sum;
}

Value GroupTiler::tileValue(Value value, const Box &box) {
  Operation *def = value.getDefiningOp();
  auto it = members.find(def);
  bool isMember = def && it != members.end();
  if (!isMember && (!def || !isAbsorbed(def)))
    return load(value, box);
  auto &known = computed[value];
  if (auto found = known.find(keyOf(box)); found != known.end())
    return found->second;
  Value tile;
  if (isMember) {
    tile = tileMember(*it->second, box);
  } else if (auto pad = dyn_cast<tensor::PadOp>(def)) {
    tile = tilePad(pad, box);
  } else if (auto generic = dyn_cast<linalg::GenericOp>(def)) {
    Box loops;
    loops.offsets.resize(generic.getNumLoops());
    loops.sizes.resize(generic.getNumLoops());
    AffineMap out = generic.getIndexingMapsArray()[1];
    for (auto [dim, expr] : llvm::enumerate(out.getResults())) {
      unsigned loop = cast<AffineDimExpr>(expr).getPosition();
      loops.offsets[loop] = box.offsets[dim];
      loops.sizes[loop] = box.sizes[dim];
    }
    tile = tileGeneric(generic, loops, Value());
  } else {
    tile = tensor::EmptyOp::create(
        builder, def->getLoc(), box.sizes,
        cast<ShapedType>(value.getType()).getElementType());
    if (auto fill = dyn_cast<linalg::FillOp>(def))
      tile = linalg::FillOp::create(builder, def->getLoc(), fill.getInputs()[0],
                                    tile)
                 .getResult(0);
  }
  return computed[value][keyOf(box)] = tile;
}

void GroupTiler::run() {
  linalg::GenericOp last = group.last().op;
  RankedTensorType type = group.getResultType();
  Location loc = last.getLoc();
  auto empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                       type.getElementType());
  empty->setAttr(kSpaceAttrName,
                 SpaceAttr::get(builder.getContext(), plan.getSpace()));
  Value result = empty;
  SmallVector<int64_t> strides(type.getRank(), 1);
  Box box;
  box.offsets.resize(type.getRank());
  box.sizes.resize(type.getRank());
  std::function<void(unsigned)> visit = [&](unsigned depth) {
    if (depth == plan.getOrder().size()) {
      computed.clear();
      Value tile = tileMember(group.last(), box);
      result = tensor::InsertSliceOp::create(
          builder, loc, tile, result, attributesOf(builder, box.offsets),
          attributesOf(builder, box.sizes), attributesOf(builder, strides));
      ++tileNumber;
      return;
    }
    int64_t dim = plan.getOrder()[depth], step = plan.getTile()[dim];
    for (int64_t i = 0; i < type.getDimSize(dim); i += step) {
      box.offsets[dim] = i;
      box.sizes[dim] = std::min(step, type.getDimSize(dim) - i);
      visit(depth + 1);
    }
  };
  visit(0);
  last.getResult(0).replaceAllUsesWith(result);
}

void TilePass::runOnOperation() {
  func::FuncOp function = getOperation();
  if (!isAcceleratorFunction(function))
    return;
  FailureOr<::asic::TargetModel> target = readTarget(function);
  if (failed(target))
    return signalPassFailure();
  FailureOr<std::vector<Group>> groups = readGroups(function, *target);
  if (failed(groups))
    return signalPassFailure();
  ConstantSlices constants;
  for (const Group &group : *groups) {
    linalg::GenericOp last = group.last().op;
    GroupTiler(group, last->getAttrOfType<PlanAttr>(kPlanAttrName), constants)
        .run();
  }
  if (failed(constants.status()))
    return signalPassFailure();
  // What the tiles have replaced.
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}
