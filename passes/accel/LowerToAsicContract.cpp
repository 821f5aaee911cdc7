// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions on buffers become asic.contract.
#include "passes/accel/LowerToAsic.h"
#include "passes/accel/Tiles.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::asic;

namespace {

/// What the address generator has.
constexpr unsigned maxM = 3, maxK = 3;

/// Where the sums start.
struct Start {
  bool accumulate = false;
  Value bias;
};

} // namespace

/// The iterator to split when the array cannot walk all dimensions at once;
/// nothing when it can. Outer dimensions are split first, since what is split
/// runs as often as it has values.
static std::optional<unsigned> findExcess(const TileSpace &space,
                                          bool depthwise, bool hasBias) {
  SmallVector<const SpaceDims::Dim *> m, k, n, batch;
  SpaceDims merged = mergeDims(space);
  for (const SpaceDims::Dim &dim : merged.dims) {
    if (dim.reduction)
      k.push_back(&dim);
    else if (dim.strides[1] == 0)
      m.push_back(&dim);
    else if (dim.strides[0] == 0)
      n.push_back(&dim);
    else
      batch.push_back(&dim);
  }
  if (n.empty() && !batch.empty() && depthwise)
    n.push_back(batch.pop_back_val());
  if (n.size() > 1)
    return n.front()->outermost;
  if (batch.size() > 1 || (hasBias && !batch.empty()))
    return batch.front()->outermost;
  if (m.size() + batch.size() > maxM)
    return m.front()->outermost;
  // Sums keep their order, and the innermost reduction has no check of its own:
  // a padded window without channels uses the outer two.
  if (k.size() > maxK ||
      (k.size() == maxK && isBounded(space, k.back()->outermost)))
    return k.front()->outermost;
  return std::nullopt;
}

/// Emits one contract, or one per value of an outer dimension.
static void emitContract(OpBuilder &builder, linalg::GenericOp op,
                         const Contraction &contraction, TileSpace space,
                         Start start) {
  if (auto iterator =
          findExcess(space, contraction.depthwise, bool(start.bias))) {
    bool isReduction = space.reduction[*iterator];
    bool first = true;
    unroll(builder, op.getLoc(), space, *iterator, [&](const TileSpace &part) {
      Start from = start;
      if (isReduction && !first)
        from = Start{/*accumulate=*/true, Value()};
      first = false;
      emitContract(builder, op, contraction, part, from);
    });
    return;
  }
  SmallVector<Attribute> iterators;
  for (bool reduction : space.reduction)
    iterators.push_back(
        builder.getStringAttr(reduction ? "reduction" : "parallel"));
  DenseI64ArrayAttr pad;
  if (space.pad)
    pad = builder.getDenseI64ArrayAttr(*space.pad);
  auto contract = ContractOp::create(
      builder, op.getLoc(), space.operands[0], space.operands[1], start.bias,
      space.operands[2], builder.getAffineMapArrayAttr(space.maps),
      builder.getArrayAttr(iterators),
      builder.getI64IntegerAttr(contraction.aZero),
      builder.getI64IntegerAttr(contraction.wZero),
      start.accumulate ? builder.getUnitAttr() : UnitAttr(), pad, IntegerAttr(),
      DenseI64ArrayAttr(), DenseI64ArrayAttr(), IntegerAttr());
  if (Attribute group = op->getAttr("asic.group"))
    contract->setAttr("asic.group", group);
}

/// The 1-D tensor of `broadcast` when it runs along the only iterator that W
/// and the sums share.
static Value biasOf(linalg::GenericOp broadcast, const Contraction &contraction,
                    AffineMap accMap) {
  AffineMap in = broadcast.getIndexingMapsArray()[0];
  AffineMap out = broadcast.getIndexingMapsArray()[1];
  Value bias = broadcast.getDpsInputs()[0];
  if (in.getNumResults() != 1 ||
      cast<MemRefType>(bias.getType()).getRank() != 1)
    return Value();
  // The result dimension that the bias follows, then the contraction's
  // iterator of it.
  auto place = out.getResultPosition(in.getResult(0));
  if (!place)
    return Value();
  auto iterator = dyn_cast<AffineDimExpr>(accMap.getResult(*place));
  if (!iterator)
    return Value();
  LoopRole role = contraction.roles[iterator.getPosition()];
  unsigned channels = llvm::count_if(contraction.roles, [&](LoopRole r) {
    return r == LoopRole::n || r == LoopRole::batch;
  });
  bool isChannel =
      role == LoopRole::n || (role == LoopRole::batch && contraction.depthwise);
  return isChannel && channels == 1 ? bias : Value();
}

LogicalResult TileLowering::lowerContraction(linalg::GenericOp op,
                                             const Contraction &contraction) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value output = op.getDpsInits()[0];
  TileSpace space;
  space.operands = {op.getDpsInputs()[contraction.a],
                    op.getDpsInputs()[contraction.w], output};
  space.maps = {maps[contraction.a], maps[contraction.w], maps[2]};
  space.ranges.assign(op.getStaticLoopRanges());
  for (utils::IteratorType type : op.getIteratorTypesArray())
    space.reduction.push_back(type == utils::IteratorType::reduction);
  if (auto cast = space.operands[0].getDefiningOp<memref::ReinterpretCastOp>())
    if (auto pad = cast->getAttrOfType<DenseI64ArrayAttr>(kPadAttrName)) {
      space.operands[0] = cast.getSource();
      space.pad = SmallVector<int64_t>(pad.asArrayRef());
    }

  Start start;
  Operation *init = takeInit(output);
  if (!init) {
    start.accumulate = true;
  } else if (auto fill = dyn_cast<linalg::FillOp>(init)) {
    Value value = fill.getInputs()[0];
    if (!matchPattern(value, m_Zero()) &&
        !matchPattern(value, m_AnyZeroFloat())) {
      start.accumulate = true;
      TypedAttr constant;
      if (!matchPattern(value, m_Constant(&constant)))
        return op.emitOpError("expected sums that start from a constant");
      emitMap(op, {}, output,
              builder.getMultiDimIdentityMap(
                  cast<MemRefType>(output.getType()).getRank()),
              TypedAttr(), [&](OpBuilder &nested, Block &) {
                Value number =
                    arith::ConstantOp::create(nested, op.getLoc(), constant);
                YieldOp::create(nested, op.getLoc(), number);
              });
    }
  } else {
    auto broadcast = cast<linalg::GenericOp>(init);
    start.bias = biasOf(broadcast, contraction, maps[2]);
    if (!start.bias) {
      // The vector unit spreads it over the accumulators.
      start.accumulate = true;
      emitMap(broadcast, broadcast.getDpsInputs(), output,
              broadcast.getIndexingMapsArray(), TypedAttr(),
              [&](OpBuilder &nested, Block &block) {
                YieldOp::create(nested, op.getLoc(), block.getArgument(0));
              });
    }
  }
  emitContract(builder, op, contraction, space, start);
  return success();
}
