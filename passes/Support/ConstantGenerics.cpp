// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/ConstantGenerics.h"
#include "passes/Support/TensorBuilder.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// A generic that yields a constant is a fill.
struct FoldConstantGeneric : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumResults() != 1 ||
        !isParallel(op))
      return failure();
    Value yielded = op.getBody()->getTerminator()->getOperand(0);
    TypedAttr scalar;
    if (!matchPattern(yielded, m_Constant(&scalar)))
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    ArrayRef<int64_t> shape = tensorType(op.getResult(0)).getShape();
    rewriter.replaceOp(op, b.fill(shape, scalar));
    return success();
  }
};
} // namespace

void mlir::asic::populateConstantGenericPatterns(RewritePatternSet &patterns) {
  patterns.add<FoldConstantGeneric>(patterns.getContext());
}
