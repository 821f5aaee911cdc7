// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace mlir::asic {
#define GEN_PASS_DEF_FOLDBOUNDARYPASS
#include "passes/Passes.h.inc"

namespace {

/// A step of a body that is a chain: an op and its constant operand, if any.
struct Step {
  Operation *op;
  std::optional<double> constant;
};

/// What a runtime copy does to an element.
struct Conversion {
  /// Set when the copy quantizes or dequantizes.
  std::optional<double> scale;
  int64_t zeroPoint = 0;
  /// Range of the quantized values.
  int64_t lo = 0, hi = 0;
};

/// The value of a scalar constant.
std::optional<double> readConstant(Value value) {
  APInt integer;
  if (matchPattern(value, m_ConstantInt(&integer)))
    return integer.getSExtValue();
  APFloat real(0.0f);
  if (matchPattern(value, m_ConstantFloat(&real))) {
    bool lossy;
    real.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
    return real.convertToDouble();
  }
  return std::nullopt;
}

/// The ops from the only input of `body` to its yield, when each uses the one
/// before and constants.
std::optional<SmallVector<Step>> readChain(linalg::GenericOp generic) {
  SmallVector<Step> chain;
  Value value = generic.getBody()->getArgument(0);
  Value last = generic.getBody()->getTerminator()->getOperand(0);
  while (value != last) {
    if (!value.hasOneUse())
      return std::nullopt;
    Operation *op = *value.getUsers().begin();
    if (op->getNumResults() != 1 || op->getNumOperands() > 2)
      return std::nullopt;
    Step step{op, std::nullopt};
    if (op->getNumOperands() == 2) {
      // The constant of a subtraction or division has to be on the right.
      bool isLeft = op->getOperand(0) == value;
      if (!isLeft && !op->hasTrait<OpTrait::IsCommutative>())
        return std::nullopt;
      step.constant = readConstant(op->getOperand(isLeft));
      if (!step.constant)
        return std::nullopt;
    }
    chain.push_back(step);
    value = op->getResult(0);
  }
  return chain;
}

/// Takes steps off the front of a chain.
class ChainReader {
public:
  explicit ChainReader(ArrayRef<Step> steps) : steps(steps) {}
  bool atEnd() const { return steps.empty(); }

  /// The next step if it is one of `Ops`.
  template <typename... Ops>
  const Step *take() {
    if (steps.empty() || !isa<Ops...>(steps.front().op))
      return nullptr;
    const Step *step = &steps.front();
    steps = steps.drop_front();
    return step;
  }

private:
  ArrayRef<Step> steps;
};

/// Whether `value` is an integer that a zero point or a bound can be.
bool isInteger(double value) {
  return std::isinf(value) ||
         (std::abs(value) <= double(1 << 24) && value == std::trunc(value));
}

/// Whether every constant of the chain but that of `scale` is an integer.
bool allIntegers(ArrayRef<Step> chain, const Step *scale) {
  return llvm::all_of(chain, [&](const Step &step) {
    return &step == scale || !step.constant || isInteger(*step.constant);
  });
}

bool isScale(double value) { return std::isfinite(value) && value > 0; }

/// `clamp(roundeven(x * (1 / scale)) + zero)`; zero and clamp before or after
/// the conversion to an integer.
std::optional<Conversion> matchQuantize(ArrayRef<Step> chain, Type result) {
  ChainReader reader(chain);
  Conversion conversion;
  const Step *multiply = reader.take<arith::MulFOp>();
  if (!multiply || !result.isInteger() || !reader.take<math::RoundEvenOp>())
    return std::nullopt;
  unsigned width = result.getIntOrFloatBitWidth();
  if (width > 32)
    return std::nullopt;
  // The range moves along when the zero point is added behind the clamp.
  double lo = -HUGE_VAL, hi = HUGE_VAL;
  auto readRange = [&](const Step *low, const Step *high) {
    lo = low ? std::max(lo, *low->constant) : lo;
    hi = high ? std::min(hi, *high->constant) : hi;
  };
  auto readZero = [&](const Step *zero) {
    if (!zero)
      return;
    conversion.zeroPoint += *zero->constant;
    lo += *zero->constant;
    hi += *zero->constant;
  };
  readZero(reader.take<arith::AddFOp>());
  const Step *low = reader.take<arith::MaximumFOp, arith::MaxNumFOp>();
  readRange(low, reader.take<arith::MinimumFOp, arith::MinNumFOp>());
  if (!reader.take<arith::FPToSIOp>())
    return std::nullopt;
  readZero(reader.take<arith::AddIOp>());
  low = reader.take<arith::MaxSIOp>();
  readRange(low, reader.take<arith::MinSIOp>());
  // The runtime saturates, a truncation wraps: only inside the type they agree.
  double lowest = llvm::minIntN(width), highest = llvm::maxIntN(width);
  if (reader.take<arith::TruncIOp>() && (lo < lowest || hi > highest))
    return std::nullopt;
  if (!isInteger(lo) || !isInteger(hi) || !allIntegers(chain, multiply))
    return std::nullopt;
  conversion.lo = std::max(lo, lowest);
  conversion.hi = std::min(hi, highest);
  // The runtime multiplies by float(1 / scale): that has to be this factor.
  double scale = 1.0 / *multiply->constant;
  if (!reader.atEnd() || !isScale(scale) ||
      float(1.0 / scale) != float(*multiply->constant))
    return std::nullopt;
  conversion.scale = scale;
  return conversion;
}

/// `(q - zero) * scale`.
std::optional<Conversion> matchDequantize(ArrayRef<Step> chain, Type input) {
  ChainReader reader(chain);
  Conversion conversion;
  if (!input.isInteger() || input.getIntOrFloatBitWidth() > 32)
    return std::nullopt;
  // Without room above the codes a subtraction may wrap, or be rounded in f32.
  bool hasRoom = input.getIntOrFloatBitWidth() <= 16;
  bool isWide = reader.take<arith::ExtSIOp>();
  if (isWide && hasRoom) {
    if (const Step *zero = reader.take<arith::SubIOp>())
      conversion.zeroPoint = *zero->constant;
    else if (const Step *zero = reader.take<arith::AddIOp>())
      conversion.zeroPoint = -*zero->constant;
  }
  if (!reader.take<arith::SIToFPOp>())
    return std::nullopt;
  if (hasRoom)
    if (const Step *zero = reader.take<arith::SubFOp>())
      conversion.zeroPoint += *zero->constant;
  const Step *multiply = reader.take<arith::MulFOp>();
  if (!multiply || !reader.atEnd() || !isScale(*multiply->constant) ||
      !allIntegers(chain, multiply))
    return std::nullopt;
  conversion.scale = *multiply->constant;
  conversion.lo = llvm::minIntN(input.getIntOrFloatBitWidth());
  conversion.hi = llvm::maxIntN(input.getIntOrFloatBitWidth());
  return conversion;
}

/// A copy that changes a float format and nothing else.
template <typename CastOp>
bool isFloatCast(ArrayRef<Step> chain) {
  return chain.size() == 1 && isa<CastOp>(chain[0].op);
}

struct FoldBoundaryPass : impl::FoldBoundaryPassBase<FoldBoundaryPass> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>(kEntryName);
    if (!main || main.isExternal()) {
      getOperation().emitError("expected a function '@main' with a body, got "
                               "none; name the entry function main");
      return signalPassFailure();
    }
    DenseSet<BlockArgument> unfolded;
    auto results = main.getBody().back().getTerminator()->getOpOperands();
    for (OpOperand &operand : results)
      if (auto argument = oldValue(main, operand.getOperandNumber()))
        if (wouldDiffer(argument, operand))
          unfolded.insert(argument);
    for (BlockArgument argument : main.getArguments())
      if (!unfolded.contains(argument))
        foldInput(argument);
    for (OpOperand &operand : results)
      if (!unfolded.contains(oldValue(main, operand.getOperandNumber())))
        foldOutput(operand);
  }

  /// A generic that only converts elements and permutes dimensions: one
  /// tensor to one of the same rank and elements.
  static bool isCopy(linalg::GenericOp op) {
    if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
        op.getNumLoops() != op.getNumParallelLoops())
      return false;
    auto maps = op.getIndexingMapsArray();
    auto type = dyn_cast<RankedTensorType>(op.getDpsInputs()[0].getType());
    return type && type.hasStaticShape() && maps[0].isPermutation() &&
           maps[1].isPermutation();
  }

  /// For each dimension of the device's tensor the dimension of the user's.
  static SmallVector<int64_t> permutation(AffineMap device, AffineMap logical) {
    // device: loops -> device dims; logical: loops -> logical dims.
    SmallVector<int64_t> result;
    for (AffineExpr expr : device.getResults()) {
      unsigned loop = llvm::cast<AffineDimExpr>(expr).getPosition();
      result.push_back(*logical.getResultPosition(
          getAffineDimExpr(loop, logical.getContext())));
    }
    return result;
  }

  static DictionaryAttr makeBoundary(RankedTensorType logical,
                                     ArrayRef<int64_t> permutation,
                                     const Conversion &conversion) {
    Builder b(logical.getContext());
    NamedAttrList attrs;
    attrs.append("shape", b.getDenseI64ArrayAttr(logical.getShape()));
    attrs.append("type", TypeAttr::get(logical.getElementType()));
    SmallVector<int64_t> identity(
        llvm::to_vector(llvm::seq<int64_t>(0, permutation.size())));
    if (permutation != ArrayRef<int64_t>(identity))
      attrs.append("permutation", b.getDenseI64ArrayAttr(permutation));
    if (conversion.scale) {
      attrs.append("scale", b.getF64FloatAttr(*conversion.scale));
      attrs.append("zero_point", b.getI64IntegerAttr(conversion.zeroPoint));
      attrs.append("lo", b.getI64IntegerAttr(conversion.lo));
      attrs.append("hi", b.getI64IntegerAttr(conversion.hi));
    }
    return attrs.getDictionary(logical.getContext());
  }

  static bool isReshape(Operation *op) {
    return isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op);
  }

  /// The same reshape of `source`, whatever its elements are.
  static Value cloneReshape(OpBuilder &builder, Operation *op, Value source) {
    auto type = llvm::cast<RankedTensorType>(op->getResult(0).getType())
                    .clone(getElementTypeOrSelf(source));
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
      return tensor::CollapseShapeOp::create(
          builder, op->getLoc(), type, source,
          collapse.getReassociationIndices());
    return tensor::ExpandShapeOp::create(
        builder, op->getLoc(), type, source,
        llvm::cast<tensor::ExpandShapeOp>(op).getReassociationIndices());
  }

  /// A copy that converts elements where they are.
  static bool isInPlace(linalg::GenericOp op) {
    auto maps = op.getIndexingMapsArray();
    return isCopy(op) && maps[0] == maps[1];
  }

  /// A quantization behind reshapes of an input moves in front of them.
  void foldReshapedInput(BlockArgument argument, Value value,
                         SmallVectorImpl<Operation *> &reshapes) {
    for (Operation *user : llvm::make_early_inc_range(value.getUsers())) {
      if (isReshape(user)) {
        reshapes.push_back(user);
        foldReshapedInput(argument, user->getResult(0), reshapes);
        reshapes.pop_back();
        if (user->use_empty())
          user->erase();
        continue;
      }
      auto op = dyn_cast<linalg::GenericOp>(user);
      if (reshapes.empty() || !op || !isInPlace(op))
        continue;
      Type device = getElementTypeOrSelf(op.getResult(0));
      auto chain = readChain(op);
      auto quantize = chain ? matchQuantize(*chain, device) : std::nullopt;
      if (!quantize)
        continue;
      if (onlyResult(op))
        continue;
      OpBuilder builder(op);
      auto logical = llvm::cast<RankedTensorType>(argument.getType());
      auto identity = llvm::to_vector(llvm::seq<int64_t>(0, logical.getRank()));
      Value result =
          makeCast(builder, op.getLoc(), argument, logical.clone(device),
                   makeBoundary(logical, identity, *quantize));
      for (Operation *reshape : reshapes)
        result = cloneReshape(builder, reshape, result);
      replaceInside(op, result);
    }
  }

  /// Whether nothing inside the network reads the copy.
  static bool onlyResult(linalg::GenericOp op) {
    return llvm::all_of(op->getUsers(), [](Operation *reader) {
      return reader->hasTrait<OpTrait::IsTerminator>();
    });
  }

  /// Replaces uses of a copy's result but for those that are the network's
  /// results: nothing would be left to do the conversion.
  static void replaceInside(linalg::GenericOp op, Value value) {
    op.getResult(0).replaceUsesWithIf(value, [](OpOperand &use) {
      return !use.getOwner()->hasTrait<OpTrait::IsTerminator>();
    });
    if (op->use_empty())
      op.erase();
  }

  /// A dequantization in front of reshapes of a result moves behind them.
  void foldReshapedOutput(OpOperand &operand) {
    SmallVector<Operation *> reshapes;
    Value value = operand.get();
    while (isReshape(value.getDefiningOp())) {
      reshapes.push_back(value.getDefiningOp());
      value = value.getDefiningOp()->getOperand(0);
    }
    auto op = value.getDefiningOp<linalg::GenericOp>();
    if (reshapes.empty() || !op || !isInPlace(op))
      return;
    Value device = op.getDpsInputs()[0];
    if (isInput(device))
      return;
    auto chain = readChain(op);
    auto dequantize =
        chain ? matchDequantize(*chain, getElementTypeOrSelf(device))
              : std::nullopt;
    if (!dequantize)
      return;
    OpBuilder builder(operand.getOwner());
    for (Operation *reshape : llvm::reverse(reshapes))
      device = cloneReshape(builder, reshape, device);
    auto logical = llvm::cast<RankedTensorType>(operand.get().getType());
    auto identity = llvm::to_vector(llvm::seq<int64_t>(0, logical.getRank()));
    operand.set(makeCast(builder, op.getLoc(), device, logical,
                         makeBoundary(logical, identity, *dequantize)));
    for (Operation *reshape : reshapes)
      if (reshape->use_empty())
        reshape->erase();
    if (op->use_empty())
      op.erase();
  }

  /// What the border records for a copy of an input; null when it stays.
  static DictionaryAttr boundaryOfInput(BlockArgument argument,
                                        Operation *user) {
    auto op = dyn_cast<linalg::GenericOp>(user);
    if (!op || !isCopy(op))
      return nullptr;
    std::optional<SmallVector<Step>> chain = readChain(op);
    if (!chain)
      return nullptr;
    Type device = getElementTypeOrSelf(op.getResult(0));
    Conversion conversion;
    if (auto quantize = matchQuantize(*chain, device))
      conversion = *quantize;
    else if (!chain->empty() && !isFloatCast<arith::TruncFOp>(*chain))
      return nullptr;
    if (onlyResult(op))
      return nullptr;
    auto maps = op.getIndexingMapsArray();
    return makeBoundary(llvm::cast<RankedTensorType>(argument.getType()),
                        permutation(maps[1], maps[0]), conversion);
  }

  /// Replaces copies of an input by casts.
  void foldInput(BlockArgument argument) {
    SmallVector<Operation *> reshapes;
    foldReshapedInput(argument, argument, reshapes);
    for (Operation *user : llvm::make_early_inc_range(argument.getUsers())) {
      DictionaryAttr boundary = boundaryOfInput(argument, user);
      if (!boundary)
        continue;
      auto op = cast<linalg::GenericOp>(user);
      OpBuilder builder(op);
      replaceInside(op, makeCast(builder, op.getLoc(), argument,
                                 op.getResult(0).getType(), boundary));
    }
  }

  /// An input of the network, converted or not.
  static bool isInput(Value value) {
    if (auto cast = value.getDefiningOp<UnrealizedConversionCastOp>())
      value = cast.getOperand(0);
    return isa<BlockArgument>(value);
  }

  /// What the border records for the copy that makes a result; null when it
  /// stays.
  static DictionaryAttr boundaryOfOutput(OpOperand &operand) {
    auto op = operand.get().getDefiningOp<linalg::GenericOp>();
    if (!op || !isCopy(op) || isInput(op.getDpsInputs()[0]))
      return nullptr;
    std::optional<SmallVector<Step>> chain = readChain(op);
    if (!chain)
      return nullptr;
    Type device = getElementTypeOrSelf(op.getDpsInputs()[0]);
    Conversion conversion;
    if (auto dequantize = matchDequantize(*chain, device))
      conversion = *dequantize;
    else if (!chain->empty() && !isFloatCast<arith::ExtFOp>(*chain))
      return nullptr;
    auto maps = op.getIndexingMapsArray();
    return makeBoundary(llvm::cast<RankedTensorType>(operand.get().getType()),
                        permutation(maps[0], maps[1]), conversion);
  }

  /// Replaces the copy that makes a result by a cast.
  void foldOutput(OpOperand &operand) {
    foldReshapedOutput(operand);
    DictionaryAttr boundary = boundaryOfOutput(operand);
    if (!boundary)
      return;
    auto op = operand.get().getDefiningOp<linalg::GenericOp>();
    OpBuilder builder(operand.getOwner());
    operand.set(makeCast(builder, op.getLoc(), op.getDpsInputs()[0],
                         operand.get().getType(), boundary));
    if (op->use_empty())
      op.erase();
  }

  /// The argument that a result is the next value of, or null.
  static BlockArgument oldValue(func::FuncOp main, unsigned result) {
    auto state = main.getResultAttrOfType<StringAttr>(result, kStateAttrName);
    for (BlockArgument argument : main.getArguments())
      if (state &&
          state == main.getArgAttr(argument.getArgNumber(), kStateAttrName))
        return argument;
    return nullptr;
  }

  /// True when the old value of a state would lie in another order or float
  /// format than the new one: then neither is converted at the border, so that
  /// both can be one buffer. Codes are worth a border of their own.
  static bool wouldDiffer(BlockArgument argument, OpOperand &result) {
    DictionaryAttr after = boundaryOfOutput(result);
    bool differs = false, quantizes = after && after.get("scale");
    for (Operation *user : argument.getUsers()) {
      DictionaryAttr before = boundaryOfInput(argument, user);
      differs |= before != after;
      quantizes |= before && before.get("scale");
    }
    return differs && !quantizes;
  }

  static Value makeCast(OpBuilder &builder, Location loc, Value value,
                        Type type, DictionaryAttr boundary) {
    auto cast = UnrealizedConversionCastOp::create(builder, loc, type, value);
    cast->setAttr(kBoundaryAttrName, boundary);
    return cast.getResult(0);
  }
};

} // namespace
} // namespace mlir::asic
