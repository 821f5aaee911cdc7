// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reshapes between transpositions, constants and what computes.
#include "passes/Support/Constants.h"
#include "passes/normalize/TransposeUtils.h"

#include "dialects/Asic/Asic.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// For markers and elementwise ops of one input: op(expand(x)) becomes
/// expand(op(x)), so that reshapes meet; op(collapse(x)) becomes
/// collapse(op(x)) where x is a transposition, so that flattening a
/// channels-last tensor meets the contraction, or a reduction, so that the op
/// is computed with it.
struct MoveReshapeBelow : RewritePattern {
  explicit MoveReshapeBelow(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isUnary(op))
      return failure();
    Operation *reshape = op->getOperand(0).getDefiningOp();
    if (!isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
            reshape) ||
        (isa<tensor::CollapseShapeOp>(reshape) &&
         !sinkable(reshape->getOperand(0)) &&
         !isSoleReduction(reshape->getOperand(0))))
      return failure();
    TensorBuilder b(op->getLoc(), rewriter);
    Value source = reshape->getOperand(0);
    auto type =
        RankedTensorType::get(tensorType(source).getShape(),
                              tensorType(op->getResult(0)).getElementType());
    Value moved;
    if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
      moved = rebuildUnary(b, generic, source, type);
    } else {
      IRMapping mapping;
      mapping.map(op->getOperand(0), source);
      Operation *clone = b.clone(*op, mapping);
      clone->getResult(0).setType(type);
      moved = clone->getResult(0);
    }
    IRMapping mapping;
    mapping.map(source, moved);
    Operation *clone = b.clone(*reshape, mapping);
    clone->getResult(0).setType(op->getResult(0).getType());
    rewriter.replaceOp(op, clone->getResults());
    return success();
  }

private:
  /// Markers with one scale, and elementwise generics of one input.
  static bool isUnary(Operation *op) {
    if (auto marker = dyn_cast<QuantizeOp>(op))
      return !marker.getAxis();
    if (auto marker = dyn_cast<DequantizeOp>(op))
      return !marker.getAxis();
    auto generic = dyn_cast<linalg::GenericOp>(op);
    return generic && generic.hasPureTensorSemantics() && isParallel(generic) &&
           generic.getNumDpsInputs() == 1 && generic.getNumResults() == 1 &&
           llvm::all_of(generic.getIndexingMapsArray(),
                        [](AffineMap map) { return map.isIdentity(); }) &&
           generic.getDpsInits().front().getDefiningOp<tensor::EmptyOp>() &&
           generic.getBody()->getOps<linalg::IndexOp>().empty();
  }

  /// A reduction, or what elementwise ops of one input made of it, that nothing
  /// else reads.
  static bool isSoleReduction(Value value) {
    while (value.hasOneUse()) {
      Operation *op = value.getDefiningOp();
      auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
      if (generic && !isParallel(generic))
        return true;
      // Behind a quantisation nothing is computed with the reduction.
      if (!op || !isUnary(op) || isa<QuantizeOp, DequantizeOp>(op))
        return false;
      value = op->getOperand(0);
    }
    return false;
  }

  static Value rebuildUnary(TensorBuilder &b, linalg::GenericOp op, Value input,
                            RankedTensorType type) {
    Value init = b.empty(type.getShape(), type.getElementType());
    AffineMap identity = b.identityMap(type.getRank());
    auto result = linalg::GenericOp::create(
        b, TypeRange(init.getType()), ValueRange(input), ValueRange(init),
        ArrayRef<AffineMap>{identity, identity},
        SmallVector<utils::IteratorType>(type.getRank(),
                                         utils::IteratorType::parallel));
    IRMapping mapping;
    op.getRegion().cloneInto(&result.getRegion(), mapping);
    return result.getResult(0);
  }
};

/// matmul(collapse(transpose(x)), w) with constant w: the rows of w are put
/// into x's order at compile time.
struct PermuteWeightRows : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    auto match = matchMultiplyAccumulate(op);
    if (!match || isParallel(op))
      return failure();
    for (auto [data, weight] :
         {std::pair(match->lhs, match->rhs), std::pair(match->rhs, match->lhs)})
      if (succeeded(apply(op, data, weight, rewriter)))
        return success();
    return failure();
  }

private:
  /// Whether `value` is a constant or a dequantised constant whose scales do
  /// not lie along `dim`.
  static bool isConstantAlong(Value value, int64_t dim) {
    if (auto marker = value.getDefiningOp<DequantizeOp>()) {
      if (marker.getAxis() && int64_t(*marker.getAxis()) == dim)
        return false;
      value = marker.getInput();
    }
    return getConstant(value) != nullptr;
  }

  static LogicalResult apply(linalg::GenericOp op, unsigned data,
                             unsigned weight, PatternRewriter &rewriter) {
    auto collapse =
        op.getOperand(data).getDefiningOp<tensor::CollapseShapeOp>();
    linalg::TransposeOp inner =
        collapse ? sinkable(collapse.getSrc()) : linalg::TransposeOp();
    if (!inner)
      return failure();
    auto dataLoops = loopsOf(op.getIndexingMapsArray()[data]);
    auto weightLoops = loopsOf(op.getIndexingMapsArray()[weight]);
    if (!dataLoops || !weightLoops)
      return failure();
    // The one collapsed group that the transposition permutes within itself.
    int64_t group = -1;
    SmallVector<ReassociationIndices> groups =
        collapse.getReassociationIndices();
    ArrayRef<int64_t> permutation = inner.getPermutation();
    for (int64_t index = 0, e = groups.size(); index < e; ++index) {
      const ReassociationIndices &dims = groups[index];
      bool moved = llvm::any_of(
          dims, [&](int64_t dim) { return permutation[dim] != dim; });
      if (!moved)
        continue;
      if (group >= 0 || llvm::any_of(dims, [&](int64_t dim) {
            return !llvm::is_contained(dims, permutation[dim]);
          }))
        return failure();
      group = index;
    }
    if (group < 0)
      return failure();
    auto position = llvm::find(*weightLoops, (*dataLoops)[group]);
    if (position == weightLoops->end())
      return failure();
    int64_t weightDim = position - weightLoops->begin();
    if (!isConstantAlong(op.getOperand(weight), weightDim))
      return failure();

    TensorBuilder b(op.getLoc(), rewriter);
    const ReassociationIndices &dims = groups[group];
    ArrayRef<int64_t> shape = collapse.getSrcType().getShape();
    SmallVector<int64_t> sizes, toInput;
    SmallVector<int64_t> inverse = invertPermutationVector(permutation);
    for (int64_t dim : dims) {
      sizes.push_back(shape[dim]);
      toInput.push_back(inverse[dim] - dims.front());
    }
    Value rows =
        permuteRows(b, op.getOperand(weight), weightDim, sizes, toInput);
    Value flat = tensor::CollapseShapeOp::create(b, collapse.getResultType(),
                                                 inner.getInput(), groups);
    rewriter.modifyOpInPlace(op, [&] {
      op->setOperand(data, flat);
      op->setOperand(weight, rows);
    });
    return success();
  }

  /// `weight` with dimension `dim`, which is `sizes` flattened, in the order of
  /// `permutation` of those sizes.
  static Value permuteRows(TensorBuilder &b, Value weight, int64_t dim,
                           ArrayRef<int64_t> sizes,
                           ArrayRef<int64_t> permutation) {
    if (auto marker = weight.getDefiningOp<DequantizeOp>()) {
      Value rows = permuteRows(b, marker.getInput(), dim, sizes, permutation);
      return DequantizeOp::create(
          b, marker.getType(), rows, marker.getScalesAttr(),
          marker.getZeroPointsAttr(), marker.getAxisAttr());
    }
    SmallVector<int64_t> shape(tensorType(weight).getShape()), split;
    SmallVector<int64_t> order;
    for (auto [index, size] : llvm::enumerate(shape)) {
      if (int64_t(index) == dim) {
        for (auto [inner, position] : llvm::enumerate(permutation)) {
          order.push_back(dim + position);
          split.push_back(sizes[inner]);
        }
        continue;
      }
      order.push_back(split.size());
      split.push_back(size);
    }
    auto constant = reshapeConstant(getConstant(weight), split);
    Value expanded = arith::ConstantOp::create(b, constant);
    return b.reshape(b.transpose(expanded, order), shape);
  }
};

/// A reshape of a constant is another view of its data.
template <typename OpTy>
struct FoldConstantReshape : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Value source = op.getSrc();
    auto marker = source.getDefiningOp<DequantizeOp>();
    ElementsAttr constant = getConstant(marker ? marker.getInput() : source);
    if (!constant)
      return failure();
    ArrayRef<int64_t> shape = op.getResultType().getShape();
    IntegerAttr axis;
    if (marker && marker.getAxisAttr()) {
      std::optional<int64_t> moved = movedAxis(op, *marker.getAxis());
      if (!moved)
        return failure();
      axis = rewriter.getI64IntegerAttr(*moved);
    }
    TypedAttr reshaped = reshapeConstant(constant, shape);
    if (!reshaped)
      return failure();
    Value value = arith::ConstantOp::create(rewriter, op.getLoc(), reshaped);
    if (!marker) {
      rewriter.replaceOp(op, value);
      return success();
    }
    rewriter.replaceOpWithNewOp<DequantizeOp>(op, op.getResultType(), value,
                                              marker.getScalesAttr(),
                                              marker.getZeroPointsAttr(), axis);
    return success();
  }

  /// Where dimension `axis` of the source is in the result: the dimension of
  /// its group that has its size, when the others of the group are units.
  static std::optional<int64_t> movedAxis(OpTy op, int64_t axis) {
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    constexpr bool expands = std::is_same_v<OpTy, tensor::ExpandShapeOp>;
    int64_t size = op.getSrcType().getDimSize(axis);
    for (auto [index, dims] : llvm::enumerate(groups)) {
      if constexpr (expands) {
        if (int64_t(index) != axis)
          continue;
        for (int64_t dim : dims)
          if (op.getResultType().getDimSize(dim) == size)
            return dim;
      } else if (llvm::is_contained(dims, axis) &&
                 op.getResultType().getDimSize(index) == size) {
        return index;
      }
    }
    return std::nullopt;
  }
};
} // namespace

void mlir::asic::populateFoldReshapePatterns(RewritePatternSet &patterns) {
  patterns.add<FoldConstantReshape<tensor::ExpandShapeOp>,
               FoldConstantReshape<tensor::CollapseShapeOp>>(
      patterns.getContext(), /*benefit=*/2);
  patterns.add<MoveReshapeBelow>(patterns.getContext());
}

void mlir::asic::populateAbsorbReshapePatterns(RewritePatternSet &patterns) {
  patterns.add<PermuteWeightRows>(patterns.getContext());
}
