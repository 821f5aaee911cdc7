// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/normalize/FoldEmpty.h"
#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// A result without elements is a `tensor.empty`, whatever makes it.
struct FoldEmptyResults : RewritePattern {
  explicit FoldEmptyResults(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/2, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (isa<tensor::EmptyOp>(op) || op->getNumResults() == 0 ||
        !llvm::all_of(op->getResultTypes(), isStaticEmpty) ||
        !isMemoryEffectFree(op))
      return failure();
    SmallVector<Value> results;
    for (Type type : op->getResultTypes())
      results.push_back(tensor::EmptyOp::create(
          rewriter, op->getLoc(), cast<RankedTensorType>(type).getShape(),
          getElementTypeOrSelf(type)));
    rewriter.replaceOp(op, results);
    return success();
  }

  static bool isStaticEmpty(Type type) {
    return isEmptyTensor(type) && cast<ShapedType>(type).hasStaticShape();
  }
};

/// Loops that never run leave the inits: a sum over nothing, a product of
/// matrices with nothing between them.
struct FoldEmptyLoops : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() ||
        !llvm::is_contained(op.getStaticLoopRanges(), 0) ||
        ValueRange(op.getDpsInits()).getTypes() != op->getResultTypes())
      return failure();
    rewriter.replaceOp(op, op.getDpsInits());
    return success();
  }
};

/// What pads nothing is the padding alone.
struct FoldEmptyPad : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    Value padding = op.getConstantPaddingValue();
    RankedTensorType type = op.getResultType();
    if (!isEmptyTensor(op.getSourceType()) || !padding ||
        !type.hasStaticShape())
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    Value init = b.empty(type.getShape(), type.getElementType());
    rewriter.replaceOpWithNewOp<linalg::FillOp>(op, padding, init);
    return success();
  }
};

/// Empty parts of a concatenation go.
struct FoldEmptyParts : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> parts =
        llvm::to_vector(llvm::make_filter_range(op.getInputs(), [](Value part) {
          return !isEmptyTensor(part.getType());
        }));
    if (parts.empty() || parts.size() == op.getInputs().size())
      return failure();
    rewriter.replaceOpWithNewOp<tensor::ConcatOp>(op, op.getResultType(),
                                                  op.getDim(), parts);
    return success();
  }
};

/// Inserting nothing changes nothing.
struct FoldEmptyInsertion : OpRewritePattern<tensor::InsertSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::InsertSliceOp op,
                                PatternRewriter &rewriter) const override {
    if (!isEmptyTensor(op.getSourceType()))
      return failure();
    rewriter.replaceOp(op, op.getDest());
    return success();
  }
};
} // namespace

void mlir::asic::populateFoldEmptyPatterns(RewritePatternSet &patterns) {
  patterns.add<FoldEmptyResults, FoldEmptyLoops, FoldEmptyPad, FoldEmptyParts,
               FoldEmptyInsertion>(patterns.getContext());
}
