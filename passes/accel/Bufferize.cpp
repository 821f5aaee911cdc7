// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-bufferize: from tiled tensors to linalg on memrefs in the spaces of the
// machine, in one walk over the block. Chains of insert_slice are in place by
// construction, so no alias analysis is needed.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/accel/Groups.h"
#include "passes/accel/SliceConstant.h"
#include "passes/accel/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

namespace mlir::asic {
#define GEN_PASS_DEF_BUFFERIZEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// Where a tensor value lives while the block is walked.
class BlockBufferizer {
public:
  explicit BlockBufferizer(func::FuncOp function)
      : function(function), builder(function.getContext()) {}

  LogicalResult run();

private:
  LogicalResult visit(Operation *op);
  LogicalResult visitGeneric(linalg::GenericOp op);
  LogicalResult visitContraction(linalg::GenericOp op, const Contraction &info);
  LogicalResult visitInsertSlice(tensor::InsertSliceOp op);
  LogicalResult visitPad(tensor::PadOp op);
  LogicalResult visitConcat(tensor::ConcatOp op);
  LogicalResult visitReturn(func::ReturnOp op);

  /// The memref of `tensor`, in whatever space it is.
  FailureOr<Value> bufferOf(Value tensor);
  /// The memref of `tensor` in sram or acc; loads it once when it is in dram.
  FailureOr<Value> onChip(Value tensor);
  /// A constant tensor, or a slice of one, in dram.
  FailureOr<Value> constantBuffer(Location loc, ElementsAttr value,
                                  tensor::ExtractSliceOp slice);
  Value allocate(Location loc, RankedTensorType type, Space space);
  void copy(Location loc, Value source, Value target) {
    memref::CopyOp::create(builder, loc, source, target);
  }
  /// The operand of `op` whose tile a contraction reads with implicit padding,
  /// null when padding has to be stored.
  tensor::PadOp implicitPad(linalg::GenericOp op, const Contraction &info);

  func::FuncOp function;
  OpBuilder builder;
  DenseMap<Value, Value> buffers, chip;
  DenseMap<std::pair<Attribute, ArrayAttr>, Value> constants;
};

struct BufferizePass : public mlir::asic::impl::BufferizePassBase<BufferizePass> {
  void runOnOperation() override {
    auto region =
        getOperation()->getAttrOfType<StringAttr>("asic.region");
    if (region && region.getValue() != "accelerator")
      return;
    if (failed(BlockBufferizer(getOperation()).run()))
      signalPassFailure();
  }
};

} // namespace

static MemRefType memrefType(RankedTensorType type, Space space) {
  return MemRefType::get(type.getShape(), type.getElementType(), AffineMap(),
                         SpaceAttr::get(type.getContext(), space));
}

static Space spaceOf(Value memref) {
  return getSpace(cast<MemRefType>(memref.getType()));
}

Value BlockBufferizer::allocate(Location loc, RankedTensorType type,
                                Space space) {
  return memref::AllocOp::create(builder, loc, memrefType(type, space));
}

FailureOr<Value> BlockBufferizer::constantBuffer(Location loc,
                                                 ElementsAttr value,
                                                 tensor::ExtractSliceOp slice) {
  auto type = cast<RankedTensorType>(value.getType());
  ArrayAttr place;
  if (slice) {
    SmallVector<int64_t> numbers(slice.getStaticOffsets());
    llvm::append_range(numbers, slice.getStaticSizes());
    place = builder.getI64ArrayAttr(numbers);
  }
  Value &known = constants[{value, place}];
  if (known)
    return known;
  TypedAttr data = cast<TypedAttr>(value);
  if (slice) {
    data = sliceConstant(value, slice.getStaticOffsets(),
                         slice.getStaticSizes());
    if (!data)
      return slice.emitOpError("expected data for the constant ")
             << getResourceName(value) << ", got none; pass its values to the "
                                         "compiler";
    type = cast<RankedTensorType>(data.getType());
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&function.getBody().front());
  known = ConstantOp::create(builder, loc, memrefType(type, Space::dram),
                             cast<ElementsAttr>(data), /*address=*/IntegerAttr());
  return known;
}

FailureOr<Value> BlockBufferizer::bufferOf(Value tensor) {
  if (Value known = buffers.lookup(tensor))
    return known;
  Operation *op = tensor.getDefiningOp();
  Location loc = tensor.getLoc();
  Value memref;
  if (ElementsAttr constant = getConstant(tensor)) {
    FailureOr<Value> buffer = constantBuffer(loc, constant, {});
    if (failed(buffer))
      return failure();
    memref = *buffer;
  } else if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op)) {
    if (ElementsAttr constant = getConstant(slice.getSource());
        constant && slice.getType().getRank() == slice.getSourceType().getRank()) {
      FailureOr<Value> buffer = constantBuffer(loc, constant, slice);
      if (failed(buffer))
        return failure();
      memref = *buffer;
    } else {
      FailureOr<Value> source = bufferOf(slice.getSource());
      if (failed(source))
        return failure();
      auto type = memref::SubViewOp::inferRankReducedResultType(
          slice.getType().getShape(), cast<MemRefType>(source->getType()),
          slice.getStaticOffsets(), slice.getStaticSizes(),
          slice.getStaticStrides());
      memref = memref::SubViewOp::create(
          builder, loc, cast<MemRefType>(type), *source,
          slice.getMixedOffsets(), slice.getMixedSizes(),
          slice.getMixedStrides());
    }
  } else if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(op)) {
    auto space = empty->getAttrOfType<SpaceAttr>(kSpaceAttrName);
    memref = allocate(loc, empty.getType(),
                      space ? space.getValue() : Space::dram);
  } else if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op)) {
    FailureOr<Value> source = bufferOf(expand.getSrc());
    if (failed(source))
      return failure();
    memref = memref::ExpandShapeOp::create(
        builder, loc, expand.getResultType().getShape(), *source,
        expand.getReassociationIndices());
  } else if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
    FailureOr<Value> source = bufferOf(collapse.getSrc());
    if (failed(source))
      return failure();
    auto type = cast<MemRefType>(source->getType());
    if (!memref::CollapseShapeOp::isGuaranteedCollapsible(
            type, collapse.getReassociationIndices())) {
      Value dense = allocate(loc, collapse.getSrcType(), Space::dram);
      copy(loc, *source, dense);
      source = dense;
    }
    memref = memref::CollapseShapeOp::create(
        builder, loc, *source, collapse.getReassociationIndices());
  } else {
    return emitError(loc, "expected a value with a buffer, got one of ")
           << (op ? op->getName().getStringRef() : "a block argument");
  }
  buffers[tensor] = memref;
  return memref;
}

FailureOr<Value> BlockBufferizer::onChip(Value tensor) {
  FailureOr<Value> buffer = bufferOf(tensor);
  if (failed(buffer) || spaceOf(*buffer) != Space::dram)
    return buffer;
  Value &loaded = chip[tensor];
  if (!loaded) {
    loaded = allocate(tensor.getLoc(), cast<RankedTensorType>(tensor.getType()),
                      Space::sram);
    copy(tensor.getLoc(), *buffer, loaded);
  }
  return loaded;
}

tensor::PadOp BlockBufferizer::implicitPad(linalg::GenericOp op,
                                           const Contraction &info) {
  auto pad = op.getDpsInputs()[info.a].getDefiningOp<tensor::PadOp>();
  if (!pad)
    return {};
  Value value = pad.getConstantPaddingValue();
  APInt integer;
  if (value && matchPattern(value, m_ConstantInt(&integer)))
    return integer.getSExtValue() == info.aZero ? pad : tensor::PadOp();
  return value && matchPattern(value, m_AnyZeroFloat()) ? pad
                                                         : tensor::PadOp();
}

/// A contraction becomes `asic.contract` at once: padding that is not stored and a
/// sum that starts from a bias have no form in linalg on buffers.
LogicalResult BlockBufferizer::visitContraction(linalg::GenericOp op,
                                                const Contraction &info) {
  tensor::PadOp pad = implicitPad(op, info);
  FailureOr<Value> a =
      onChip(pad ? pad.getSource() : op.getInputs()[info.a]);
  FailureOr<Value> w = onChip(op.getInputs()[info.w]);
  if (failed(a) || failed(w))
    return failure();
  // A sum that another op has begun is continued in place.
  Value init = op.getDpsInits()[0], bias;
  Value acc = buffers.lookup(init);
  bool accumulate = bool(acc);
  if (!accumulate) {
    std::optional<Value> start = matchContractionInit(init);
    if (!start)
      return op.emitOpError("expected a sum that starts from 0, from a bias or "
                            "from a partial sum");
    acc = allocate(op.getLoc(), cast<RankedTensorType>(init.getType()),
                   Space::acc);
    if (*start) {
      FailureOr<Value> loaded = onChip(*start);
      if (failed(loaded))
        return failure();
      bias = *loaded;
    }
  }
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<Attribute> iterators;
  for (utils::IteratorType type : op.getIteratorTypesArray())
    iterators.push_back(
        builder.getStringAttr(utils::stringifyIteratorType(type)));
  ContractOp::create(
      builder, op.getLoc(), *a, *w, bias, acc,
      builder.getAffineMapArrayAttr({maps[info.a], maps[info.w], maps[2]}),
      builder.getArrayAttr(iterators), uint64_t(info.aZero),
      uint64_t(info.wZero), accumulate,
      pad ? builder.getDenseI64ArrayAttr(pad.getStaticLow())
          : DenseI64ArrayAttr(),
      /*engine=*/IntegerAttr(), /*waits=*/DenseI64ArrayAttr(),
      /*posts=*/DenseI64ArrayAttr(), /*tag=*/IntegerAttr());
  buffers[op.getResult(0)] = acc;
  return success();
}

/// True when every use of `value` is the start of a contraction's sum.
static bool onlyStartsContractions(Value value) {
  return llvm::all_of(value.getUses(), [](OpOperand &use) {
    auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
    return user && user.isDpsInit(&use) && matchContraction(user);
  });
}

LogicalResult BlockBufferizer::visitGeneric(linalg::GenericOp op) {
  if (std::optional<Contraction> info = matchContraction(op))
    return visitContraction(op, *info);
  if (matchContractionInit(op.getResult(0)) &&
      onlyStartsContractions(op.getResult(0)))
    return success(); // becomes the bias
  SmallVector<Value> operands;
  for (Value input : op.getDpsInputs()) {
    FailureOr<Value> memref = onChip(input);
    if (failed(memref))
      return failure();
    operands.push_back(*memref);
  }
  Value init = op.getDpsInits()[0];
  auto type = cast<RankedTensorType>(init.getType());
  Value output;
  if (op.getNumReductionLoops() > 0)
    output = buffers.lookup(init); // begun by a fill
  if (!output)
    output = allocate(op.getLoc(), type, Space::sram);
  operands.push_back(output);
  auto lowered = linalg::GenericOp::create(
      builder, op.getLoc(), TypeRange{}, ArrayRef(operands).drop_back(),
      ArrayRef(operands).take_back(), op.getIndexingMaps(),
      op.getIteratorTypes(), /*doc=*/StringAttr(),
      /*library_call=*/StringAttr());
  lowered.getRegion().takeBody(op.getRegion());
  buffers[op.getResult(0)] = output;
  return success();
}

LogicalResult BlockBufferizer::visitInsertSlice(tensor::InsertSliceOp op) {
  FailureOr<Value> target = bufferOf(op.getDest());
  FailureOr<Value> source = bufferOf(op.getSource());
  if (failed(target) || failed(source))
    return failure();
  auto type = memref::SubViewOp::inferRankReducedResultType(
      op.getSourceType().getShape(), cast<MemRefType>(target->getType()),
      op.getStaticOffsets(), op.getStaticSizes(), op.getStaticStrides());
  auto makeView = [&] {
    return memref::SubViewOp::create(
               builder, op.getLoc(), cast<MemRefType>(type), *target,
               op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())
        .getResult();
  };
  auto alloc = source->getDefiningOp<memref::AllocOp>();
  if (spaceOf(*target) == Space::sram && alloc &&
      spaceOf(*source) == Space::sram) {
    // The tile is written where it belongs.
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(alloc);
    Value view = makeView();
    alloc.replaceAllUsesWith(view);
    alloc.erase();
    buffers[op.getSource()] = view;
  } else {
    copy(op.getLoc(), *source, makeView());
  }
  buffers[op.getResult()] = *target;
  return success();
}

/// Padding that the consumer cannot imply is stored around the data.
LogicalResult BlockBufferizer::visitPad(tensor::PadOp op) {
  bool isNeeded = llvm::any_of(op->getUsers(), [&](Operation *user) {
    auto generic = dyn_cast<linalg::GenericOp>(user);
    std::optional<Contraction> info =
        generic ? matchContraction(generic) : std::nullopt;
    return !info || implicitPad(generic, *info) != op;
  });
  if (!isNeeded)
    return success();
  Value value = op.getConstantPaddingValue();
  Attribute constant;
  if (!value || !matchPattern(value, m_Constant(&constant)) ||
      !op.getType().hasStaticShape())
    return op.emitOpError("expected a constant padding value and static sizes");
  FailureOr<Value> source = bufferOf(op.getSource());
  if (failed(source))
    return failure();
  Value padded = allocate(op.getLoc(), op.getResultType(), Space::sram);
  FillOp::create(builder, op.getLoc(), cast<TypedAttr>(constant), padded,
                 IntegerAttr(), DenseI64ArrayAttr(), DenseI64ArrayAttr(),
                 IntegerAttr());
  SmallVector<OpFoldResult> sizes, ones(op.getSourceType().getRank(),
                                        builder.getIndexAttr(1));
  for (int64_t size : op.getSourceType().getShape())
    sizes.push_back(builder.getIndexAttr(size));
  SmallVector<OpFoldResult> low =
      getAsIndexOpFoldResult(builder.getContext(), op.getStaticLow());
  Value view = memref::SubViewOp::create(builder, op.getLoc(), padded, low,
                                         sizes, ones);
  copy(op.getLoc(), *source, view);
  buffers[op.getResult()] = padded;
  return success();
}

LogicalResult BlockBufferizer::visitConcat(tensor::ConcatOp op) {
  Value target = allocate(op.getLoc(), op.getResultType(), Space::dram);
  int64_t rank = op.getResultType().getRank(), dim = op.getDim();
  SmallVector<OpFoldResult> offsets(rank, builder.getIndexAttr(0)),
      ones(rank, builder.getIndexAttr(1));
  int64_t at = 0;
  for (Value input : op.getInputs()) {
    FailureOr<Value> source = bufferOf(input);
    if (failed(source))
      return failure();
    auto shape = cast<RankedTensorType>(input.getType()).getShape();
    offsets[dim] = builder.getIndexAttr(at);
    Value view = memref::SubViewOp::create(
        builder, op.getLoc(), target, offsets,
        getAsIndexOpFoldResult(builder.getContext(), shape), ones);
    copy(op.getLoc(), *source, view);
    at += shape[dim];
  }
  buffers[op.getResult()] = target;
  return success();
}

LogicalResult BlockBufferizer::visitReturn(func::ReturnOp op) {
  SmallVector<Value> results;
  for (Value operand : op.getOperands()) {
    FailureOr<Value> buffer = bufferOf(operand);
    if (failed(buffer))
      return failure();
    // A result is a whole buffer of its own in dram.
    Value base = *buffer;
    while (Operation *view = base.getDefiningOp()) {
      if (!isa<memref::ExpandShapeOp, memref::CollapseShapeOp>(view))
        break;
      base = view->getOperand(0);
    }
    if (!base.getDefiningOp<memref::AllocOp>() ||
        spaceOf(base) != Space::dram || llvm::is_contained(results, *buffer)) {
      Value own = allocate(op.getLoc(),
                           cast<RankedTensorType>(operand.getType()),
                           Space::dram);
      copy(op.getLoc(), *buffer, own);
      results.push_back(own);
    } else {
      results.push_back(*buffer);
    }
  }
  func::ReturnOp::create(builder, op.getLoc(), ValueRange(results));
  function.setType(builder.getFunctionType(function.getArgumentTypes(),
                                           ValueRange(results).getTypes()));
  return success();
}

LogicalResult BlockBufferizer::visit(Operation *op) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return visitGeneric(generic);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return visitInsertSlice(insert);
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return visitPad(pad);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return visitConcat(concat);
  if (auto ret = dyn_cast<func::ReturnOp>(op))
    return visitReturn(ret);
  if (auto fill = dyn_cast<linalg::FillOp>(op)) {
    if (onlyStartsContractions(fill.getResult(0)))
      return success();
    Value output = allocate(
        op->getLoc(), cast<RankedTensorType>(fill.getType(0)), Space::sram);
    linalg::FillOp::create(builder, op->getLoc(), fill.getInputs(), output);
    buffers[fill.getResult(0)] = output;
    return success();
  }
  if (isa<arith::ConstantOp, tensor::EmptyOp, tensor::ExtractSliceOp,
          tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return success(); // made where they are used
  return op->emitOpError("expected an operation that the tile phase leaves; "
                         "partition should have refused this one");
}

LogicalResult BlockBufferizer::run() {
  Block &block = function.getBody().front();
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  unsigned count = block.getNumArguments();
  for (unsigned i = 0; i < count; ++i) {
    BlockArgument argument = block.getArgument(i);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      return function.emitOpError("expected tensor arguments, got ")
             << argument.getType();
    buffers[argument] = block.addArgument(memrefType(type, Space::dram),
                                          argument.getLoc());
  }
  for (Operation *op : ops) {
    builder.setInsertionPoint(op);
    if (failed(visit(op)))
      return failure();
  }
  for (Operation *op : llvm::reverse(ops))
    if (!isa<arith::ConstantOp>(op) ||
        isa<ShapedType>(op->getResult(0).getType()))
      op->erase();
  block.eraseArguments(0, count);
  function.setType(builder.getFunctionType(block.getArgumentTypes(),
                                           function.getResultTypes()));
  return success();
}
