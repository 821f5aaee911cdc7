// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/normalize/UnflattenBatch.h"

#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

/// What `value` was before its first dimension was made of several, when the
/// others are as they were; null otherwise.
static Value beforeFlattening(Value value) {
  auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>();
  if (!collapse)
    return {};
  SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
  bool onlyFirst = groups.front().size() > 1 &&
                   llvm::all_of(ArrayRef(groups).drop_front(),
                                [](auto &group) { return group.size() == 1; });
  return onlyFirst ? collapse.getSrc() : Value();
}

namespace {
/// batch_matmul(collapse(a), collapse(b)) becomes collapse(contraction(a, b)).
/// The reshape of the result meets the one that takes it back, so that a matrix
/// product and what follows it, above all the softmax of an attention, are ops
/// on one shape that are planned together; transpositions of heads reach the
/// contraction.
struct UnflattenBatch : OpRewritePattern<linalg::BatchMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::BatchMatmulOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    if (!op.hasPureTensorSemantics() || !llvm::all_of(maps, [](AffineMap map) {
          return map.isProjectedPermutation() && map.getDimPosition(0) == 0;
        }))
      return rewriter.notifyMatchFailure(op, "expected the batch first");
    SmallVector<Value> operands = op.getDpsInputs(), sources;
    for (Value operand : operands)
      sources.push_back(beforeFlattening(operand));
    Value known = sources[0] ? sources[0] : sources[1];
    if (!known)
      return rewriter.notifyMatchFailure(op, "expected a flattened batch");
    SmallVector<int64_t> batch(tensorType(known).getShape().drop_back(2));
    bool onlyUnits =
        llvm::count_if(batch, [](int64_t n) { return n != 1; }) < 2;
    for (Value source : sources)
      if (source ? tensorType(source).getShape().drop_back(2) != ArrayRef(batch)
                 : !onlyUnits)
        return rewriter.notifyMatchFailure(op, "expected equal batches");

    TensorBuilder b(op.getLoc(), rewriter);
    for (auto [operand, source] : llvm::zip(operands, sources)) {
      if (source)
        continue;
      SmallVector<int64_t> shape(batch);
      llvm::append_range(shape, tensorType(operand).getShape().drop_front());
      source = b.reshape(operand, shape);
    }
    RankedTensorType flat = tensorType(op.getResult(0));
    SmallVector<int64_t> shape(batch);
    llvm::append_range(shape, flat.getShape().drop_front());
    Value init = op.getDpsInits().front();
    if (auto fill = init.getDefiningOp<linalg::FillOp>())
      init = linalg::FillOp::create(b, fill.value(),
                                    b.empty(shape, flat.getElementType()))
                 .getResult(0);
    else
      init = b.reshape(init, shape);
    for (AffineMap &map : maps)
      map = unflatten(map, batch.size());
    SmallVector<utils::IteratorType> loops(batch.size() + 2,
                                           utils::IteratorType::parallel);
    loops.push_back(utils::IteratorType::reduction);
    auto product = linalg::GenericOp::create(b, TypeRange(init.getType()),
                                             sources, init, maps, loops);
    IRMapping mapping;
    op.getRegion().cloneInto(&product.getRegion(), mapping);
    rewriter.replaceOp(op, b.reshape(product.getResult(0), flat.getShape()));
    return success();
  }

  /// `map` with `count` loops in the place of the first one.
  static AffineMap unflatten(AffineMap map, unsigned count) {
    MLIRContext *context = map.getContext();
    SmallVector<AffineExpr> results;
    for (unsigned dim = 0; dim < count; ++dim)
      results.push_back(getAffineDimExpr(dim, context));
    for (unsigned i = 1; i < map.getNumResults(); ++i)
      results.push_back(
          getAffineDimExpr(map.getDimPosition(i) + count - 1, context));
    return AffineMap::get(map.getNumDims() + count - 1, 0, results, context);
  }
};
} // namespace

void mlir::asic::populateUnflattenBatchPatterns(RewritePatternSet &patterns) {
  patterns.add<UnflattenBatch>(patterns.getContext());
}
