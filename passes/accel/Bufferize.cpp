// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-bufferize: the walk, and buffers of computed tiles.
#include "passes/accel/Bufferize.h"

#include "passes/Passes.h"
#include "passes/Support/LinearForm.h"
#include "passes/Support/PackedConstants.h"
#include "passes/Support/Target.h"
#include "passes/accel/Tiles.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::asic {
#define GEN_PASS_DEF_BUFFERIZEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

struct BufferizePass
    : public mlir::asic::impl::BufferizePassBase<BufferizePass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!isAcceleratorFunction(function))
      return;
    FailureOr<::asic::TargetModel> target = readTarget(function);
    if (failed(target) || failed(Bufferizer(function, *target).run()))
      return signalPassFailure();
  }
};

} // namespace

Space mlir::asic::spaceOf(Value memref) {
  return getSpace(cast<MemRefType>(memref.getType()));
}

/// A contiguous memref type in `space`.
static MemRefType bufferType(ArrayRef<int64_t> shape, Type element,
                             Space space) {
  return MemRefType::get(shape, element, MemRefLayoutAttrInterface(),
                         SpaceAttr::get(element.getContext(), space));
}

Value Bufferizer::allocate(Location loc, ArrayRef<int64_t> shape, Type element,
                           Space space) {
  return memref::AllocOp::create(builder, loc,
                                 bufferType(shape, element, space));
}

Value Bufferizer::bufferOf(Value tensor) {
  auto [it, isNew] = buffers.try_emplace(tensor, Value());
  if (!isNew)
    return it->second;
  auto type = cast<RankedTensorType>(tensor.getType());
  Value buffer = allocate(tensor.getLoc(), type.getShape(),
                          type.getElementType(), Space::dram);
  return buffers[tensor] = buffer;
}

/// True when every use is the initial value of a generic.
static bool isOnlyInit(Operation *op) {
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    auto generic = dyn_cast<linalg::GenericOp>(use.getOwner());
    return generic && generic.isDpsInit(&use);
  });
}

//===----------------------------------------------------------------------===//
// Generics
//===----------------------------------------------------------------------===//

void Bufferizer::cloneOnBuffers(linalg::GenericOp op, ValueRange inputs,
                                Value output) {
  auto clone = linalg::GenericOp::create(
      builder, op.getLoc(), TypeRange(), inputs, output,
      op.getIndexingMapsAttr(), op.getIteratorTypesAttr(), /*doc=*/nullptr,
      /*library_call=*/nullptr);
  // The old operation goes away; its body moves.
  clone.getRegion().takeBody(op.getRegion());
  if (Attribute group = op->getAttr("asic.group"))
    clone->setAttr("asic.group", group);
}

/// The iterators that move along a dimension of A; nothing when the address
/// generator cannot compare it: one iterator of m and one of k, forwards.
static std::optional<SmallVector<unsigned>>
comparedIterators(AffineExpr expr, const Contraction &contraction) {
  SmallVector<int64_t> steps(contraction.roles.size(), 0);
  int64_t first = 0;
  if (!addLinear(expr, 1, steps, first))
    return std::nullopt;
  SmallVector<unsigned> iterators;
  SmallVector<LoopRole> roles;
  for (auto [iterator, step] : llvm::enumerate(steps)) {
    if (step == 0)
      continue;
    LoopRole role = contraction.roles[iterator];
    if (step < 0 || llvm::is_contained(roles, role) ||
        (role != LoopRole::k && role != LoopRole::m))
      return std::nullopt;
    roles.push_back(role);
    iterators.push_back(iterator);
  }
  return iterators;
}

/// True when the address generator can skip the points of `pad`: it checks two
/// dimensions, x and y, each by iterators of its own.
static bool canSkip(tensor::PadOp pad, AffineMap map,
                    const Contraction &contraction) {
  unsigned padded = 0;
  DenseSet<unsigned> compared;
  for (auto [low, high, expr] : llvm::zip_equal(
           pad.getStaticLow(), pad.getStaticHigh(), map.getResults())) {
    if (low == 0 && high == 0)
      continue;
    auto iterators = comparedIterators(expr, contraction);
    if (!iterators || ++padded > 2)
      return false;
    for (unsigned iterator : *iterators)
      if (!compared.insert(iterator).second)
        return false;
  }
  return true;
}

/// A view of the unpadded tile with the shape of the padded one, for a
/// contraction that skips points outside; null where the array cannot. Only A
/// has an address generator, and the same tensor may be W as well.
Value Bufferizer::widen(tensor::PadOp pad, OpOperand &operand) {
  auto user = cast<linalg::GenericOp>(operand.getOwner());
  auto contraction = matchContraction(user, target);
  if (!contraction || operand.getOperandNumber() != contraction->a)
    return Value();
  Value padding = pad.getConstantPaddingValue();
  APInt integer;
  APFloat real(0.0f);
  bool isZero =
      padding &&
      ((matchPattern(padding, m_ConstantInt(&integer)) &&
        integer.getSExtValue() == contraction->aZero) ||
       (matchPattern(padding, m_ConstantFloat(&real)) && real.isZero()));
  AffineMap map = user.getMatchingIndexingMap(&operand);
  if (!isZero || !canSkip(pad, map, *contraction))
    return Value();

  Value source = bufferOf(pad.getSource());
  auto type = cast<MemRefType>(source.getType());
  int64_t offset;
  SmallVector<int64_t> strides;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return Value();
  // The view has the padded shape but starts at the first stored element, as
  // offsets may not be negative; `asic.pad` tells how far before it points lie.
  auto shape = cast<RankedTensorType>(pad.getType()).getShape();
  auto wide = MemRefType::get(
      shape, type.getElementType(),
      StridedLayoutAttr::get(builder.getContext(), offset, strides),
      type.getMemorySpace());
  auto cast = memref::ReinterpretCastOp::create(builder, pad.getLoc(), wide,
                                                source, offset, shape, strides);
  cast->setAttr(kPadAttrName, builder.getDenseI64ArrayAttr(pad.getStaticLow()));
  return cast;
}

/// The buffer that the operation reads for an operand.
FailureOr<Value>
Bufferizer::inputBuffer(OpOperand &operand,
                        const std::optional<Contraction> &contraction) {
  Value value = operand.get();
  if (!isa<RankedTensorType>(value.getType()))
    return value;
  if (auto pad = value.getDefiningOp<tensor::PadOp>()) {
    if (Value wide = widen(pad, operand))
      return wide;
    if (!buffers.count(value)) {
      auto type = pad.getType();
      Value buffer = allocate(pad.getLoc(), type.getShape(),
                              type.getElementType(), Space::sram);
      buffers[value] = buffer;
      if (failed(storePadded(pad, buffer)))
        return failure();
    }
    return buffers[value];
  }
  Value buffer = bufferOf(value);
  // The array reads its factors from SRAM only.
  if (contraction && spaceOf(buffer) == Space::acc)
    buffer = drain(buffer, operand.getOwner()->getLoc());
  return buffer;
}

/// Copies sums out of the accumulators with the vector unit.
Value Bufferizer::drain(Value buffer, Location loc) {
  auto type = cast<MemRefType>(buffer.getType());
  Value sram =
      allocate(loc, type.getShape(), type.getElementType(), Space::sram);
  linalg::GenericOp::create(
      builder, loc, buffer, sram,
      SmallVector<AffineMap>(2, builder.getMultiDimIdentityMap(type.getRank())),
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [](OpBuilder &nested, Location bodyLoc, ValueRange arguments) {
        linalg::YieldOp::create(nested, bodyLoc, arguments[0]);
      });
  return sram;
}

/// Where the result goes: into the buffer it continues, into a resident tensor,
/// or into a new tile.
Value Bufferizer::placeOutput(linalg::GenericOp op, bool isContraction) {
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  Value init = op.getDpsInits()[0];
  // The next part of a sum. The vector unit begins each of its sums anew and
  // adds what was there, so that needs a place of its own.
  if (auto it = buffers.find(init);
      it != buffers.end() && init.hasOneUse() &&
      (isContraction || op.getNumReductionLoops() == 0) &&
      (spaceOf(it->second) == Space::acc) == isContraction &&
      spaceOf(it->second) != Space::dram)
    return it->second;
  if (isContraction)
    return allocate(op.getLoc(), type.getShape(), type.getElementType(),
                    Space::acc);
  if (op.getResult(0).hasOneUse())
    if (auto insert =
            dyn_cast<tensor::InsertSliceOp>(*op.getResult(0).user_begin()))
      if (auto it = buffers.find(insert.getDest());
          it != buffers.end() && spaceOf(it->second) == Space::sram)
        return view(it->second, insert.getStaticOffsets(),
                    insert.getStaticSizes());
  return allocate(op.getLoc(), type.getShape(), type.getElementType(),
                  Space::sram);
}

/// Gives `output` the values of the tensor `init` before the operation adds to
/// them.
LogicalResult Bufferizer::writeInit(linalg::GenericOp op, Value init,
                                    Value output) {
  if (auto it = buffers.find(init); it != buffers.end() && it->second == output)
    return success();
  if (auto fill = init.getDefiningOp<linalg::FillOp>()) {
    linalg::FillOp::create(builder, fill.getLoc(), fill.getInputs()[0], output);
    return success();
  }
  auto broadcast = init.getDefiningOp<linalg::GenericOp>();
  if (broadcast && isBroadcast(broadcast) && !buffers.count(init)) {
    Value source = bufferOf(broadcast.getDpsInputs()[0]);
    auto clone = linalg::GenericOp::create(
        builder, broadcast.getLoc(), TypeRange(), source, output,
        broadcast.getIndexingMapsAttr(), broadcast.getIteratorTypesAttr(),
        /*doc=*/nullptr, /*library_call=*/nullptr);
    IRMapping mapping;
    broadcast.getRegion().cloneInto(&clone.getRegion(), mapping);
    return success();
  }
  if (init.getDefiningOp<tensor::EmptyOp>())
    return success();
  Value source = bufferOf(init);
  unsigned rank = cast<ShapedType>(init.getType()).getRank();
  linalg::GenericOp::create(
      builder, op.getLoc(), source, output,
      SmallVector<AffineMap>(2, builder.getMultiDimIdentityMap(rank)),
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [](OpBuilder &nested, Location loc, ValueRange arguments) {
        linalg::YieldOp::create(nested, loc, arguments[0]);
      });
  return success();
}

LogicalResult Bufferizer::convertGeneric(linalg::GenericOp op) {
  if (op->getNumResults() != 1)
    return op.emitOpError("expected one result, got ")
           << op->getNumResults() << "; split the operation";
  // An initial value is written where it is used.
  if (isBroadcast(op) && isOnlyInit(op) && !op.use_empty())
    return success();
  std::optional<Contraction> contraction = matchContraction(op, target);
  SmallVector<Value> inputs;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    FailureOr<Value> buffer = inputBuffer(*operand, contraction);
    if (failed(buffer))
      return failure();
    inputs.push_back(*buffer);
  }
  Value init = op.getDpsInits()[0];
  Value output = placeOutput(op, contraction.has_value());
  bool readsInit =
      !op.getMatchingBlockArgument(op.getDpsInitOperand(0)).use_empty();
  if (readsInit && failed(writeInit(op, init, output)))
    return failure();
  cloneOnBuffers(op, inputs, output);
  buffers[op.getResult(0)] = output;
  return success();
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

LogicalResult Bufferizer::convert(Operation *op) {
  builder.setInsertionPoint(op);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<arith::ConstantOp>([&](arith::ConstantOp constant) {
        if (auto value = dyn_cast<ElementsAttr>(constant.getValue())) {
          auto type = cast<RankedTensorType>(constant.getType());
          Type element = type.getElementType();
          if (Type packed = getPackedType(constant))
            element = packed;
          buffers[constant.getResult()] = ConstantOp::create(
              builder, op->getLoc(),
              bufferType(type.getShape(), element, Space::dram), value,
              IntegerAttr());
        }
        return success();
      })
      .Case<tensor::EmptyOp>([&](tensor::EmptyOp empty) {
        if (auto space = op->getAttrOfType<SpaceAttr>(kSpaceAttrName))
          buffers[empty.getResult()] =
              allocate(op->getLoc(), empty.getType().getShape(),
                       empty.getType().getElementType(), space.getValue());
        return success();
      })
      .Case<linalg::FillOp>([&](linalg::FillOp fill) {
        if (isOnlyInit(fill))
          return success();
        // A tile that lies in the padding whole is read like any other.
        auto type = cast<RankedTensorType>(fill.getResult(0).getType());
        bool isTile =
            llvm::any_of(op->getUsers(), llvm::IsaPred<linalg::GenericOp>);
        Value buffer =
            allocate(op->getLoc(), type.getShape(), type.getElementType(),
                     isTile ? Space::sram : Space::dram);
        linalg::FillOp::create(builder, op->getLoc(), fill.getInputs()[0],
                               buffer);
        buffers[fill.getResult(0)] = buffer;
        return success();
      })
      .Case<linalg::GenericOp>(
          [&](linalg::GenericOp generic) { return convertGeneric(generic); })
      .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp slice) {
        convertSlice(slice);
        return success();
      })
      .Case<tensor::InsertSliceOp>(
          [&](tensor::InsertSliceOp insert) { return convertInsert(insert); })
      .Case<UpdateSliceOp>([&](UpdateSliceOp update) {
        convertUpdate(update);
        return success();
      })
      .Case<tensor::ConcatOp>([&](tensor::ConcatOp concat) {
        convertConcat(concat);
        return success();
      })
      .Case<tensor::PadOp>([&](tensor::PadOp pad) { return convertPad(pad); })
      .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp>(
          [&](Operation *reshape) {
            convertReshape(reshape);
            return success();
          })
      .Case<func::ReturnOp>(
          [&](func::ReturnOp ret) { return convertReturn(ret); })
      .Default([&](Operation *other) {
        return other->emitOpError("expected linalg, tensor and constants in an "
                                  "accelerator function; the partition phase "
                                  "sends everything else to the host");
      });
}

LogicalResult Bufferizer::run() {
  Block &block = function.getBody().front();
  // Functions that come as tile operations have nothing to convert.
  bool hasTensors =
      llvm::any_of(function.getArgumentTypes(), llvm::IsaPred<TensorType>) ||
      llvm::any_of(function.getResultTypes(), llvm::IsaPred<TensorType>);
  if (!hasTensors)
    return success();
  SmallVector<Operation *> old;
  for (Operation &op : block)
    old.push_back(&op);
  // Arguments become memrefs; their attributes stay.
  unsigned numArguments = block.getNumArguments();
  SmallVector<Type> inputs, results;
  for (unsigned i = 0; i < numArguments; ++i) {
    BlockArgument argument = block.getArgument(i);
    Type type = argument.getType();
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      type =
          bufferType(tensor.getShape(), tensor.getElementType(), Space::dram);
    inputs.push_back(type);
    Value buffer = block.addArgument(type, argument.getLoc());
    buffers[argument] = buffer;
  }
  for (Operation *op : old)
    if (failed(convert(op)))
      return failure();
  Operation *terminator = block.getTerminator();
  for (Value result : terminator->getOperands())
    results.push_back(result.getType());
  // The converted return is behind the old one.
  for (Operation *op : llvm::reverse(old)) {
    if (isa<func::ReturnOp>(op) ||
        llvm::any_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>))
      op->erase();
  }
  block.eraseArguments(0, numArguments);
  function.setFunctionType(
      FunctionType::get(function.getContext(), inputs, results));
  return success();
}
