// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Other generics on buffers become asic.map.
#include "passes/accel/LowerToAsic.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "passes/Support/LinearForm.h"

using namespace mlir;
using namespace mlir::asic;

/// Loops of one map instruction.
static constexpr unsigned maxLoops = 5;

/// A view of `operand` with one dimension per iterator that moves in it, so
/// that every range is a plain dimension.
static Value flattenWindow(OpBuilder &builder, Location loc, Value operand,
                           AffineMap &map, ArrayRef<int64_t> ranges) {
  auto type = cast<MemRefType>(operand.getType());
  int64_t offset;
  SmallVector<int64_t> strides, sizes, newStrides;
  (void)type.getStridesAndOffset(strides, offset);
  SmallVector<int64_t> coefficients(map.getNumDims(), 0);
  int64_t constant = 0;
  for (auto [expr, stride] : llvm::zip_equal(map.getResults(), strides))
    addLinear(expr, stride, coefficients, constant);
  SmallVector<AffineExpr> results;
  for (auto [iterator, stride] : llvm::enumerate(coefficients)) {
    if (!map.isFunctionOfDim(iterator))
      continue;
    sizes.push_back(ranges[iterator]);
    newStrides.push_back(stride);
    results.push_back(builder.getAffineDimExpr(iterator));
  }
  map = AffineMap::get(map.getNumDims(), 0, results, builder.getContext());
  offset += constant;
  auto shaped = MemRefType::get(
      sizes, type.getElementType(),
      StridedLayoutAttr::get(builder.getContext(), offset, newStrides),
      type.getMemorySpace());
  return memref::ReinterpretCastOp::create(builder, loc, shaped, operand,
                                           offset, sizes, newStrides);
}

/// True when the range of every iterator is a dimension of some operand.
static bool rangesAreKnown(ArrayRef<AffineMap> maps, unsigned iterators) {
  SmallVector<bool> known(iterators, false);
  for (AffineMap map : maps)
    for (AffineExpr expr : map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        known[dim.getPosition()] = true;
  return llvm::all_of(known, [](bool is) { return is; });
}

/// The parallel iterator to split when there are too many; nothing when the
/// vector unit can walk all.
static std::optional<unsigned> findExcess(const TileSpace &space) {
  SpaceDims merged = mergeDims(space);
  if (merged.dims.size() <= maxLoops)
    return std::nullopt;
  for (const SpaceDims::Dim &dim : merged.dims)
    if (!dim.reduction)
      return dim.outermost;
  return std::nullopt;
}

static void emitSplit(OpBuilder &builder, Operation *op, const TileSpace &space,
                      TypedAttr init,
                      function_ref<void(OpBuilder &, Block &)> body) {
  if (std::optional<unsigned> iterator = findExcess(space)) {
    unroll(builder, op->getLoc(), space, *iterator, [&](const TileSpace &part) {
      emitSplit(builder, op, part, init, body);
    });
    return;
  }
  TileSpace final = space;
  if (!rangesAreKnown(final.maps, final.ranges.size()))
    for (unsigned i = 0; i + 1 < final.operands.size(); ++i)
      final.operands[i] =
          flattenWindow(builder, op->getLoc(), final.operands[i], final.maps[i],
                        final.ranges);
  SmallVector<Attribute> iterators;
  for (bool reduction : final.reduction)
    iterators.push_back(
        builder.getStringAttr(reduction ? "reduction" : "parallel"));
  auto map = MapOp::create(
      builder, op->getLoc(), ArrayRef(final.operands).drop_back(),
      final.operands.back(), builder.getAffineMapArrayAttr(final.maps),
      builder.getArrayAttr(iterators), init, IntegerAttr(), DenseI64ArrayAttr(),
      DenseI64ArrayAttr(), IntegerAttr());
  if (Attribute group = op->getAttr("asic.group"))
    map->setAttr("asic.group", group);
  Block &block = map.getBody().emplaceBlock();
  // The elements of the inputs and, of a reduction, the accumulator.
  for (Value operand : ArrayRef(final.operands).drop_back(init ? 0 : 1))
    block.addArgument(cast<MemRefType>(operand.getType()).getElementType(),
                      op->getLoc());
  OpBuilder nested = OpBuilder::atBlockEnd(&block);
  body(nested, block);
}

void TileLowering::emitMap(linalg::GenericOp op, ValueRange inputs,
                           Value output, ArrayRef<AffineMap> maps,
                           TypedAttr init,
                           function_ref<void(OpBuilder &, Block &)> body) {
  TileSpace space;
  space.operands.assign(inputs.begin(), inputs.end());
  space.operands.push_back(output);
  space.maps.assign(maps.begin(), maps.end());
  unsigned iterators = maps.back().getNumDims();
  if (iterators == op.getNumLoops()) {
    space.ranges.assign(op.getStaticLoopRanges());
    for (utils::IteratorType type : op.getIteratorTypesArray())
      space.reduction.push_back(type == utils::IteratorType::reduction);
  } else {
    auto shape = cast<MemRefType>(output.getType()).getShape();
    space.ranges.assign(shape.begin(), shape.end());
    space.reduction.assign(shape.size(), false);
  }
  emitSplit(builder, op, space, init, body);
}

/// Adds the initial value, a tensor that may be repeated, to what the reduction
/// gave, by the operation that combines the reduction.
void TileLowering::addBroadcast(linalg::GenericOp op,
                                linalg::GenericOp broadcast, Value output) {
  Operation *combine =
      op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  unsigned rank = cast<MemRefType>(output.getType()).getRank();
  AffineMap in = broadcast.getIndexingMapsArray()[0];
  AffineMap out = broadcast.getIndexingMapsArray()[1];
  AffineMap identity = builder.getMultiDimIdentityMap(rank);
  emitMap(broadcast, {output, broadcast.getDpsInputs()[0]}, output,
          {identity, in.compose(inversePermutation(out)), identity},
          TypedAttr(), [&](OpBuilder &nested, Block &block) {
            Operation *clone = nested.clone(*combine);
            clone->setOperands(block.getArguments());
            YieldOp::create(nested, op.getLoc(), clone->getResult(0));
          });
}

/// The value that changes nothing: 0 for a sum, 1 for a product, the identity
/// of the others; null when the reduction is not a known one.
static TypedAttr neutralOf(linalg::GenericOp op) {
  Operation *combine =
      op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  if (!combine)
    return TypedAttr();
  Type type = combine->getResult(0).getType();
  Builder builder(op.getContext());
  if (isa<arith::AddIOp, arith::AddFOp, arith::OrIOp>(combine))
    return builder.getZeroAttr(type);
  if (isa<arith::MulIOp, arith::MulFOp>(combine))
    return builder.getOneAttr(type);
  if (auto integer = dyn_cast<IntegerType>(type)) {
    unsigned width = integer.getWidth();
    if (isa<arith::MaxSIOp>(combine))
      return IntegerAttr::get(type, APInt::getSignedMinValue(width));
    if (isa<arith::MinSIOp>(combine))
      return IntegerAttr::get(type, APInt::getSignedMaxValue(width));
    if (isa<arith::AndIOp>(combine))
      return IntegerAttr::get(type, APInt::getAllOnes(width));
    return TypedAttr();
  }
  bool isMax = isa<arith::MaximumFOp, arith::MaxNumFOp>(combine);
  if (isMax || isa<arith::MinimumFOp, arith::MinNumFOp>(combine))
    return FloatAttr::get(
        type,
        APFloat::getInf(cast<FloatType>(type).getFloatSemantics(), isMax));
  return TypedAttr();
}

/// Whether `operand` is the only one that a loop of `op` indexes.
static bool givesRange(linalg::GenericOp op, OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  return llvm::any_of(llvm::seq(op.getNumLoops()), [&](unsigned loop) {
    return map.isFunctionOfDim(loop) &&
           llvm::none_of(op->getOpOperands(), [&](OpOperand &other) {
             return &other != &operand &&
                    op.getMatchingIndexingMap(&other).isFunctionOfDim(loop);
           });
  });
}

LogicalResult TileLowering::lowerMap(linalg::GenericOp op) {
  Value output = op.getDpsInits()[0];
  Block *body = op.getBody();
  BlockArgument accumulator = body->getArgument(op.getNumDpsInputs());
  bool reduces = op.getNumReductionLoops() > 0;
  bool readsOutput = !accumulator.use_empty();

  // Where a reduction starts; a tensor is added behind it.
  TypedAttr init;
  linalg::GenericOp broadcast;
  Operation *start = readsOutput ? takeInit(output) : nullptr;
  if (reduces) {
    if (auto fill = dyn_cast_or_null<linalg::FillOp>(start)) {
      if (!matchPattern(fill.getInputs()[0], m_Constant(&init)))
        return op.emitOpError("expected a reduction that starts from a "
                              "constant");
    } else {
      broadcast = dyn_cast_or_null<linalg::GenericOp>(start);
      init = neutralOf(op);
      if (!broadcast || !init)
        return op.emitOpError("expected a reduction with an initial value and "
                              "a neutral one, got one without");
    }
  } else if (start) {
    return op.emitOpError("expected an elementwise operation to read its "
                          "inputs only, got one that reads a filled output");
  }

  // Scalars are constants of the body, tensors that it does not read go away,
  // unless only they say how often a loop runs (the sum of a number).
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  SmallVector<BlockArgument> arguments;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    if (!isa<MemRefType>(operand->get().getType()) ||
        (argument.use_empty() && !givesRange(op, *operand)))
      continue;
    inputs.push_back(operand->get());
    maps.push_back(op.getMatchingIndexingMap(operand));
    arguments.push_back(argument);
  }
  if (!reduces && readsOutput) {
    inputs.push_back(output);
    maps.push_back(op.getMatchingIndexingMap(op.getDpsInitOperand(0)));
    arguments.push_back(accumulator);
  }
  maps.push_back(op.getMatchingIndexingMap(op.getDpsInitOperand(0)));
  if (reduces)
    arguments.push_back(accumulator);

  emitMap(op, inputs, output, maps, init, [&](OpBuilder &nested, Block &block) {
    IRMapping mapping;
    for (auto [from, to] : llvm::zip_equal(arguments, block.getArguments()))
      mapping.map(from, to);
    for (OpOperand *operand : op.getDpsInputOperands())
      if (!isa<MemRefType>(operand->get().getType()))
        mapping.map(op.getMatchingBlockArgument(operand), operand->get());
    for (Operation &inner : body->without_terminator())
      nested.clone(inner, mapping);
    YieldOp::create(
        nested, op.getLoc(),
        mapping.lookupOrDefault(body->getTerminator()->getOperand(0)));
  });
  if (broadcast)
    addBroadcast(op, broadcast, output);
  return success();
}
