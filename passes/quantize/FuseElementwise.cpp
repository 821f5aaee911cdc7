// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/ConstantGenerics.h"
#include "passes/Support/LaneOps.h"
#include "passes/Support/TensorBuilder.h"
#include "runtime/LaneProgram.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::asic {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// Inputs of one pass of the vector unit, beside its result.
static constexpr unsigned kMaxInputs = 7;

static unsigned bitsOf(Value value) {
  return tensorType(value).getElementTypeBitWidth();
}

/// A generic of one input that walks all of it.
static bool isCopyShaped(linalg::GenericOp op) {
  return op && isParallel(op) && op.getNumDpsInputs() == 1 &&
         op.getNumResults() == 1 &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isPermutation(); });
}

/// A conversion of a network's input that the runtime can do: layout,
/// quantisation or a narrower float.
static bool isInputConversion(linalg::GenericOp op) {
  if (!isCopyShaped(op))
    return false;
  Value input = op.getOperand(0);
  if (!isa<BlockArgument>(input)) {
    auto before = input.getDefiningOp<linalg::GenericOp>();
    if (!before || !isDataMovement(before) || !isInputConversion(before))
      return false;
  }
  return isDataMovement(op) ||
         (isa<FloatType>(tensorType(input).getElementType()) &&
          bitsOf(op.getResult(0)) < bitsOf(input) &&
          bitsOf(op.getResult(0)) > 1);
}

/// A conversion of a network's result that the runtime can do.
static bool isOutputConversion(linalg::GenericOp op) {
  if (!isCopyShaped(op) || op->use_empty())
    return false;
  for (Operation *user : op->getUsers()) {
    if (isa<func::ReturnOp>(user))
      continue;
    auto after = dyn_cast<linalg::GenericOp>(user);
    if (!after || !isDataMovement(after) || !isOutputConversion(after))
      return false;
  }
  return isDataMovement(op) ||
         (isa<FloatType>(tensorType(op.getResult(0)).getElementType()) &&
          bitsOf(op.getOperand(0)) < bitsOf(op.getResult(0)) &&
          bitsOf(op.getOperand(0)) > 1);
}

/// Whether some input is read through a window or a sum of loops.
static bool hasWindow(linalg::GenericOp op) {
  return llvm::any_of(op.getIndexingMapsArray(), [](AffineMap map) {
    return !map.isProjectedPermutation();
  });
}

static unsigned countBodyOps(linalg::GenericOp op) {
  unsigned count = 0;
  for (Operation &scalar : op.getBody()->without_terminator())
    count += !isa<arith::ConstantOp>(scalar);
  return count;
}

/// Whether the body reads elements at computed places. No accelerator does;
/// what follows a gather is not to follow it to the host.
static bool isGather(linalg::GenericOp op) {
  return llvm::any_of(op.getBody()->getOperations(), [](Operation &scalar) {
    return isa<tensor::ExtractOp>(scalar);
  });
}

/// Whether the op makes truth values. They live in registers: no accelerator
/// stores them.
static bool isPredicate(linalg::GenericOp op) {
  return bitsOf(op.getResult(0)) == 1;
}

/// Whether the op reads 64-bit elements (positions, token numbers), which no
/// accelerator has.
static bool readsWide(linalg::GenericOp op) {
  return llvm::any_of(op.getInputs(),
                      [](Value input) { return bitsOf(input) > 32; });
}

/// Whether computing the op twice costs less than storing its result: it widens
/// small elements with a handful of simple ops, or makes truth values.
static bool isCheap(linalg::GenericOp op) {
  if (countBodyOps(op) > 4)
    return false;
  for (Operation &scalar : op.getBody()->without_terminator())
    if (isa<arith::DivFOp>(scalar) ||
        isa<math::MathDialect>(scalar.getDialect()))
      return false;
  if (isPredicate(op))
    return true;
  unsigned read = 0;
  for (OpOperand *input : op.getDpsInputOperands())
    if (op.getMatchingIndexingMap(input).getNumResults() == op.getNumLoops())
      read += bitsOf(input->get());
  return read <= bitsOf(op.getResult(0));
}

/// Whether `value` is the accumulator of a contraction.
static linalg::GenericOp contractionOf(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  return op && !isParallel(op) && matchMultiplyAccumulate(op)
             ? op
             : linalg::GenericOp();
}

/// The contraction that an elementwise op reads, if any.
static linalg::GenericOp contractionBehind(linalg::GenericOp op) {
  for (Value input : op.getInputs())
    if (linalg::GenericOp contraction = contractionOf(input))
      return contraction;
  return {};
}

/// One pass drains one contraction. Of several that end in `consumer`, the last
/// in the program is drained there, all others before.
static bool drainsLastContraction(linalg::GenericOp producer,
                                  linalg::GenericOp consumer) {
  linalg::GenericOp contraction = contractionBehind(producer);
  if (!contraction)
    return true;
  for (Value input : consumer.getInputs()) {
    if (linalg::GenericOp read = contractionOf(input)) {
      if (read != contraction)
        return false;
      continue;
    }
    auto other = input.getDefiningOp<linalg::GenericOp>();
    if (!other || other == producer || !isParallel(other))
      continue;
    linalg::GenericOp rival = contractionBehind(other);
    if (rival && rival != contraction && other->hasOneUse() &&
        contraction->isBeforeInBlock(rival))
      return false;
  }
  return true;
}

static bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || !isParallel(producer) ||
      producer->getBlock() != consumer->getBlock())
    return false;
  if (isInputConversion(producer))
    return isInputConversion(consumer);
  if (isOutputConversion(consumer))
    return isOutputConversion(producer);
  if (hasWindow(consumer) || hasWindow(producer) || isGather(producer))
    return false;
  // What is made of wide elements is small; what reads it may be large.
  if (readsWide(producer) && !readsWide(consumer))
    return false;
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  // A reduction takes in what is computed for it alone; what drains a
  // contraction stays with the contraction.
  if (!isParallel(consumer) &&
      (matchMultiplyAccumulate(consumer) ||
       (!producer->hasOneUse() && !isPredicate(producer)) ||
       map.getNumResults() != consumer.getNumLoops() ||
       contractionBehind(producer)))
    return false;
  // A transposition that rests is a copy of its own.
  if (isDataMovement(producer) &&
      tensorType(producer.getOperand(0)).getRank() ==
          tensorType(producer.getResult(0)).getRank())
    return false;
  // Computing a small tensor once per element of a large one is a waste.
  bool repeats = map.getNumResults() < consumer.getNumLoops();
  if (repeats && !isDataMovement(producer) && !isCheap(producer))
    return false;
  if (!producer->hasOneUse() && !isDataMovement(producer) && !isCheap(producer))
    return false;
  if (producer.getNumDpsInputs() + consumer.getNumDpsInputs() - 1 >
          kMaxInputs ||
      countLaneOps(producer) + countLaneOps(consumer) > ::asic::isa::maxLaneOps)
    return false;
  return drainsLastContraction(producer, consumer);
}

namespace {
/// extsi(trunci(x)) of an x that has been clamped to the narrow type.
struct FoldClampedRoundTrip : OpRewritePattern<arith::ExtSIOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtSIOp op,
                                PatternRewriter &rewriter) const override {
    auto trunc = op.getIn().getDefiningOp<arith::TruncIOp>();
    if (!trunc || trunc.getIn().getType() != op.getType())
      return failure();
    auto min = trunc.getIn().getDefiningOp<arith::MinSIOp>();
    auto max =
        min ? min.getLhs().getDefiningOp<arith::MaxSIOp>() : arith::MaxSIOp();
    APInt lo, hi;
    if (!max || !matchPattern(min.getRhs(), m_ConstantInt(&hi)) ||
        !matchPattern(max.getRhs(), m_ConstantInt(&lo)))
      return failure();
    unsigned width = trunc.getType().getIntOrFloatBitWidth();
    if (!lo.isSignedIntN(width) || !hi.isSignedIntN(width) || lo.sgt(hi))
      return failure();
    rewriter.replaceOp(op, trunc.getIn());
    return success();
  }
};

/// A generic that yields what it starts from (weights that are all zero) does
/// nothing.
struct FoldIdleGeneric : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumResults() != 1 ||
        op.getBody()->getTerminator()->getOperand(0) !=
            op.getRegionOutputArgs().front())
      return failure();
    rewriter.replaceOp(op, op.getDpsInits().front());
    return success();
  }
};

struct FuseElementwisePass
    : mlir::asic::impl::FuseElementwisePassBase<FuseElementwisePass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::EmptyOp::getCanonicalizationPatterns(patterns, context);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      if (op.getDialectNamespace() == "arith")
        op.getCanonicalizationPatterns(patterns, context);
    patterns.add<FoldClampedRoundTrip, FoldIdleGeneric>(context);
    populateConstantGenericPatterns(patterns);
    GreedyRewriteConfig config;
    config.setUseTopDownTraversal(true);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};
} // namespace
