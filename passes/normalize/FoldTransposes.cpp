// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/normalize/TransposeUtils.h"

#include "dialects/Asic/Asic.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::asic {
#define GEN_PASS_DEF_FOLDTRANSPOSESPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// The shape with unit dimensions left out, except a leading one.
static SmallVector<int64_t> withoutUnits(ArrayRef<int64_t> shape,
                                         bool keepFirst) {
  SmallVector<int64_t> sizes;
  for (auto [dim, size] : llvm::enumerate(shape))
    if (size != 1 || (keepFirst && dim == 0))
      sizes.push_back(size);
  return sizes;
}

namespace {
/// A transposition that moves only unit dimensions is a reshape.
struct FoldUnitTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType from = tensorType(op.getInput());
    int64_t last = -1;
    for (int64_t dim : op.getPermutation()) {
      if (from.getDimSize(dim) == 1)
        continue;
      if (dim < last)
        return failure();
      last = dim;
    }
    TensorBuilder b(op.getLoc(), rewriter);
    bool keepFirst = op.getPermutation().front() == 0;
    Value dense =
        b.reshape(op.getInput(), withoutUnits(from.getShape(), keepFirst));
    rewriter.replaceOp(
        op, b.reshape(dense, tensorType(op.getResult()[0]).getShape()));
    return success();
  }
};

struct FoldTransposesPass
    : mlir::asic::impl::FoldTransposesPassBase<FoldTransposesPass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    auto apply = [&](bool settle) {
      RewritePatternSet patterns(context);
      populateFoldTransposePatterns(patterns);
      tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
      tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
      tensor::EmptyOp::getCanonicalizationPatterns(patterns, context);
      linalg::FillOp::getCanonicalizationPatterns(patterns, context);
      if (settle)
        patterns.add<FoldUnitTranspose>(context);
      else
        populateSinkTransposePatterns(patterns);
      return applyPatternsGreedily(getOperation(), std::move(patterns));
    };
    // Down as far as they go, so that pairs meet and cancel …
    if (failed(apply(/*settle=*/false)))
      return signalPassFailure();
    // … then up, those that end in an argument or a constant …
    IRRewriter rewriter(context);
    hoistTransposes(rewriter, getOperation());
    // … where the constants fold.
    if (failed(apply(/*settle=*/true)))
      return signalPassFailure();
    generalize(rewriter);
  }

  /// Transpositions and broadcasts that rest become generics.
  void generalize(IRRewriter &rewriter) {
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isa<linalg::TransposeOp, linalg::BroadcastOp>(op))
        ops.push_back(op);
    });
    for (linalg::LinalgOp op : ops) {
      rewriter.setInsertionPoint(op);
      (void)linalg::generalizeNamedOp(rewriter, op);
    }
  }
};
} // namespace
