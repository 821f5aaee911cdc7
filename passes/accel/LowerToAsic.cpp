// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-lower-to-asic: the walk, copies and fills.
#include "passes/accel/LowerToAsic.h"

#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/accel/Tiles.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::asic {
#define GEN_PASS_DEF_LOWERTOASICPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// Strided dimensions of a move beside its contiguous run.
constexpr unsigned maxMoveDims = 4;

struct LowerToAsicPass
    : public mlir::asic::impl::LowerToAsicPassBase<LowerToAsicPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!isAcceleratorFunction(function))
      return;
    FailureOr<::asic::TargetModel> target = readTarget(function);
    if (failed(target) || failed(TileLowering(function, *target).run()))
      return signalPassFailure();
  }
};

} // namespace

static Space spaceOf(Value memref) {
  return getSpace(cast<MemRefType>(memref.getType()));
}

/// The index space of a move: one iterator per dimension.
static TileSpace moveSpace(OpBuilder &builder, ArrayRef<Value> operands) {
  auto shape = cast<MemRefType>(operands[0].getType()).getShape();
  TileSpace space;
  space.operands.assign(operands.begin(), operands.end());
  space.maps.assign(operands.size(),
                    builder.getMultiDimIdentityMap(shape.size()));
  space.ranges.assign(shape.begin(), shape.end());
  space.reduction.assign(shape.size(), false);
  return space;
}

/// Emits one move, or one per value of an outer dimension, of at most
/// `maxDims` strided dimensions.
static void emitMove(OpBuilder &builder, Location loc, const TileSpace &space,
                     unsigned maxDims,
                     function_ref<void(ArrayRef<Value>)> emit) {
  SpaceDims merged = mergeDims(space);
  unsigned strided = merged.dims.size();
  if (strided > 0 && llvm::all_of(merged.dims.back().strides,
                                  [](int64_t stride) { return stride == 1; }))
    --strided;
  if (strided > maxDims) {
    unroll(builder, loc, space, merged.dims.front().outermost,
           [&](const TileSpace &part) {
             emitMove(builder, loc, part, maxDims, emit);
           });
    return;
  }
  emit(space.operands);
}

void TileLowering::lowerCopy(Location loc, Move move) {
  if (spaceOf(move.source) == Space::dram &&
      spaceOf(move.target) == Space::dram)
    return copyThroughSram(loc, move);
  TileSpace space = moveSpace(builder, {move.source, move.target});
  unsigned maxDims = maxMoveDims;
  // Rows that have an index each are one dimension of the move, whole.
  if (move.hasIndexPerRow()) {
    space.ranges[*move.dim] = 1;
    --maxDims;
  }
  emitMove(builder, loc, space, maxDims, [&](ArrayRef<Value> operands) {
    CopyOp::create(builder, loc, operands[0], operands[1], move.index,
                   move.dim);
  });
}

/// DMA engines have one end on the chip: a copy within dram goes through SRAM
/// in pieces of an eighth of it.
void TileLowering::copyThroughSram(Location loc, Move move) {
  auto type = cast<MemRefType>(move.source.getType());
  int64_t bytes =
      type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
  int64_t limit = std::max<int64_t>(target.sram.bytes / 8, 1);
  if (bytes > limit) {
    // Cut the outermost dimension into as few parts as fit.
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      int64_t size = type.getDimSize(dim);
      if (size == 1)
        continue;
      int64_t parts = std::min(size, (bytes + limit - 1) / limit);
      int64_t step = (size + parts - 1) / parts;
      for (int64_t at = 0; at < size; at += step) {
        int64_t extent = std::min(step, size - at);
        auto part = [&](Value whole, int64_t dim) -> Value {
          auto its = cast<MemRefType>(whole.getType());
          SmallVector<int64_t> offsets(its.getRank(), 0), sizes(its.getShape()),
              strides(its.getRank(), 1);
          offsets[dim] = at;
          // As many places as before, where there are several.
          sizes[dim] -= size - extent;
          auto partType = cast<MemRefType>(
              memref::SubViewOp::inferResultType(its, offsets, sizes, strides));
          return memref::SubViewOp::create(
              builder, loc, partType, whole,
              getAsIndexOpFoldResult(builder.getContext(), offsets),
              getAsIndexOpFoldResult(builder.getContext(), sizes),
              getAsIndexOpFoldResult(builder.getContext(), strides));
        };
        Move piece = move;
        piece.source = part(move.source, dim);
        // Rows that have an index each may go anywhere.
        if (move.hasIndexPerRow() && dim == *move.dim)
          piece.index = part(move.index, /*dim=*/0);
        else
          piece.target = part(move.target, dim);
        copyThroughSram(loc, piece);
      }
      return;
    }
  }
  Value tile = memref::AllocOp::create(
      builder, loc,
      MemRefType::get(type.getShape(), type.getElementType(),
                      MemRefLayoutAttrInterface(),
                      SpaceAttr::get(builder.getContext(), Space::sram)));
  lowerCopy(loc, {move.source, tile});
  lowerCopy(loc, {tile, move.target, move.index, move.dim});
}

LogicalResult TileLowering::lowerFill(linalg::FillOp fill) {
  Value output = fill.getOutputs()[0];
  // The next operation may start from the value instead.
  auto user = dyn_cast_or_null<linalg::GenericOp>(fill->getNextNode());
  if (spaceOf(output) == Space::acc ||
      (user && user.getDpsInits()[0] == output &&
       user.getNumReductionLoops() > 0)) {
    pending[output] = fill;
    return success();
  }
  TypedAttr value;
  if (!matchPattern(fill.getInputs()[0], m_Constant(&value)))
    return fill.emitOpError("expected a constant to fill with");
  Location loc = fill.getLoc();
  emitMove(builder, loc, moveSpace(builder, output), maxMoveDims,
           [&](ArrayRef<Value> operands) {
             FillOp::create(builder, loc, value, operands[0], IntegerAttr(),
                            DenseI64ArrayAttr(), DenseI64ArrayAttr(),
                            IntegerAttr());
           });
  return success();
}

Operation *TileLowering::takeInit(Value output) {
  auto it = pending.find(output);
  if (it == pending.end())
    return nullptr;
  Operation *init = it->second;
  pending.erase(it);
  return init;
}

LogicalResult TileLowering::lowerGeneric(linalg::GenericOp op) {
  Value output = op.getDpsInits()[0];
  auto user = dyn_cast_or_null<linalg::GenericOp>(op->getNextNode());
  if (user && user.getDpsInits()[0] == output &&
      user.getNumReductionLoops() > 0) {
    // Sums of the matrix unit start from what is there, those of the vector
    // unit get it added behind.
    if (isBroadcast(op) ||
        (linalg::isaCopyOpInterface(op) && !matchContraction(user, target))) {
      pending[output] = op;
      return success();
    }
  }
  if (auto contraction = matchContraction(op, target))
    return lowerContraction(op, *contraction);
  return lowerMap(op);
}

LogicalResult TileLowering::run() {
  Block &block = function.getBody().front();
  SmallVector<Operation *> old;
  for (Operation &op : block) {
    builder.setInsertionPoint(&op);
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      lowerCopy(op.getLoc(), {copy.getSource(), copy.getTarget()});
    } else if (auto copy = dyn_cast<CopyOp>(op); copy && copy.getIndex()) {
      // The one tile operation that bufferize makes.
      lowerCopy(op.getLoc(), {copy.getSource(), copy.getTarget(),
                              copy.getIndex(), copy.getDim()});
    } else if (auto fill = dyn_cast<linalg::FillOp>(op)) {
      if (failed(lowerFill(fill)))
        return failure();
    } else if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
      if (failed(lowerGeneric(generic)))
        return failure();
    } else {
      continue;
    }
    old.push_back(&op);
  }
  for (Operation *op : llvm::reverse(old))
    op->erase();
  // Views and scalars that nothing reads any more.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (op.use_empty() && isPure(&op) && !op.hasTrait<OpTrait::IsTerminator>())
      op.erase();
  return success();
}
