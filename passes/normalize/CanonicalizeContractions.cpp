// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::asic {
#define GEN_PASS_DEF_CANONICALIZECONTRACTIONSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// Whether every element of `value` is zero.
static bool isZeroFill(Value value) {
  std::optional<TypedAttr> scalar = matchFill(value);
  if (!scalar)
    return false;
  if (auto number = dyn_cast<FloatAttr>(*scalar))
    return number.getValue().isZero();
  auto number = dyn_cast<IntegerAttr>(*scalar);
  return number && number.getValue().isZero();
}

/// The contraction that makes `value`.
static linalg::GenericOp contractionOf(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  return op && op.hasPureTensorSemantics() && !isParallel(op) &&
                 matchMultiplyAccumulate(op)
             ? op
             : linalg::GenericOp();
}

namespace {
/// contract(init 0) + broadcast bias becomes contract(init bias).
struct FoldBiasIntoInit : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || !isParallel(op) ||
        op.getNumDpsInputs() != 2 || op.getNumResults() != 1)
      return failure();
    Block *body = op.getBody();
    if (!isPlainAddition(body))
      return failure();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (unsigned sum : {0u, 1u}) {
      Value bias = op.getOperand(1 - sum);
      linalg::GenericOp contraction = contractionOf(op.getOperand(sum));
      AffineMap biasMap = maps[1 - sum];
      if (!contraction || !contraction->hasOneUse() ||
          biasMap.getNumResults() != 1 || !biasMap.isProjectedPermutation() ||
          !maps[sum].isIdentity() || !maps[2].isIdentity() ||
          !isZeroFill(contraction.getDpsInits().front()) ||
          tensorType(bias).getElementType() !=
              tensorType(contraction.getResult(0)).getElementType())
        continue;
      rewriter.setInsertionPoint(op);
      TensorBuilder b(op.getLoc(), rewriter);
      Value init = b.broadcast(bias, biasMap.getDimPosition(0),
                               tensorType(op.getResult(0)).getShape());
      IRMapping mapping;
      mapping.map(contraction.getDpsInits().front(), init);
      Operation *biased = rewriter.clone(*contraction, mapping);
      biased->setLoc(rewriter.getFusedLoc({contraction.getLoc(), op.getLoc()}));
      rewriter.replaceOp(op, biased->getResults());
      rewriter.eraseOp(contraction);
      return success();
    }
    return failure();
  }

  /// Whether the body yields the sum of its first two arguments.
  static bool isPlainAddition(Block *body) {
    Operation *add = body->getTerminator()->getOperand(0).getDefiningOp();
    if (!add || !isa<arith::AddFOp, arith::AddIOp>(add))
      return false;
    Value first = body->getArgument(0), second = body->getArgument(1);
    Value lhs = add->getOperand(0), rhs = add->getOperand(1);
    return (lhs == first && rhs == second) || (lhs == second && rhs == first);
  }
};

/// Activations are the first input of a contraction, constants the second.
struct SwapConstantOperand : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || isParallel(op) ||
        !matchMultiplyAccumulate(op) || !isWeight(op.getOperand(0)) ||
        isWeight(op.getOperand(1)))
      return failure();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    std::swap(maps[0], maps[1]);
    TensorBuilder b(op.getLoc(), rewriter);
    auto swapped = linalg::GenericOp::create(
        b, op->getResultTypes(), ValueRange{op.getOperand(1), op.getOperand(0)},
        op.getDpsInits(), maps, op.getIteratorTypesArray());
    IRMapping mapping;
    op.getRegion().cloneInto(&swapped.getRegion(), mapping);
    Block *body = swapped.getBody();
    Value first = body->getArgument(0), second = body->getArgument(1);
    Type firstType = first.getType(), secondType = second.getType();
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : first.getUses())
      uses.push_back(&use);
    second.replaceAllUsesWith(first);
    for (OpOperand *use : uses)
      use->set(second);
    first.setType(secondType);
    second.setType(firstType);
    rewriter.replaceOp(op, swapped.getResults());
    return success();
  }

  /// Whether `value` is known at compile time.
  static bool isWeight(Value value) {
    Operation *op = value.getDefiningOp();
    if (op && op->getName().getStringRef() == "asic.dequantize")
      return getConstant(op->getOperand(0)) != nullptr;
    return getConstant(value) != nullptr;
  }
};

/// A contraction reads a tensor itself that was repeated along loops of it.
struct FoldBroadcastOperand : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || isParallel(op) ||
        !matchMultiplyAccumulate(op))
      return failure();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (unsigned i : {0u, 1u}) {
      auto repeat = op.getOperand(i).getDefiningOp<linalg::GenericOp>();
      if (!repeat || !isDataMovement(repeat))
        continue;
      AffineMap from = repeat.getIndexingMapsArray().front();
      AffineMap to = repeat.getIndexingMapsArray().back();
      if (!from.isProjectedPermutation() || !to.isPermutation() ||
          from.getNumResults() >= to.getNumResults())
        continue;
      AffineMap map = from.compose(inversePermutation(to)).compose(maps[i]);
      if (!isContraction(op, map, maps[1 - i]))
        continue;
      maps[i] = map;
      rewriter.modifyOpInPlace(op, [&] {
        op->setOperand(i, repeat.getOperand(0));
        op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
      });
      return success();
    }
    return failure();
  }

  /// Whether a factor with `map` has a parallel loop that `other` has not, and
  /// both together all loops.
  static bool isContraction(linalg::GenericOp op, AffineMap map,
                            AffineMap other) {
    bool hasOwn = false;
    for (auto [loop, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
      bool isRead = map.isFunctionOfDim(loop);
      if (!isRead && !other.isFunctionOfDim(loop))
        return false;
      hasOwn |= isRead && !other.isFunctionOfDim(loop) &&
                iterator == utils::IteratorType::parallel;
    }
    return hasOwn;
  }
};

struct CanonicalizeContractionsPass
    : mlir::asic::impl::CanonicalizeContractionsPassBase<
          CanonicalizeContractionsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldBiasIntoInit, FoldBroadcastOperand, SwapConstantOperand>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
