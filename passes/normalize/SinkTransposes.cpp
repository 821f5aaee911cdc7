// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Transpositions towards the results: op(transpose(x)) becomes
// transpose(op(x)).
#include "passes/Support/Constants.h"
#include "passes/normalize/TransposeUtils.h"

#include "dialects/Asic/Asic.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace mlir::asic;

/// Whether `value` is a constant, perhaps dequantised.
static bool isCompileTime(Value value) {
  if (auto marker = value.getDefiningOp<DequantizeOp>())
    value = marker.getInput();
  return getConstant(value) != nullptr;
}

/// A transposition that waits to be hoisted; composes with one that is there.
static Value pinnedTranspose(TensorBuilder &b, Value value,
                             ArrayRef<int64_t> permutation) {
  if (auto inner = value.getDefiningOp<linalg::TransposeOp>()) {
    SmallVector<int64_t> both = compose(inner.getPermutation(), permutation);
    if (isIdentity(both))
      return inner.getInput();
    return pinnedTranspose(b, inner.getInput(), both);
  }
  Value result = b.transpose(value, permutation);
  result.getDefiningOp()->setAttr(kPinnedAttr, b.getUnitAttr());
  return result;
}

namespace {
/// transpose(transpose(x)) is one transposition or none.
struct ComposeTransposes : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    if (isIdentity(op.getPermutation())) {
      rewriter.replaceOp(op, op.getInput());
      return success();
    }
    auto inner = op.getInput().getDefiningOp<linalg::TransposeOp>();
    if (!inner)
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    SmallVector<int64_t> both =
        compose(inner.getPermutation(), op.getPermutation());
    bool pinned = op->hasAttr(kPinnedAttr) || inner->hasAttr(kPinnedAttr);
    if (isIdentity(both))
      rewriter.replaceOp(op, inner.getInput());
    else if (pinned)
      rewriter.replaceOp(op, pinnedTranspose(b, inner.getInput(), both));
    else
      rewriter.replaceOp(op, b.transpose(inner.getInput(), both));
    return success();
  }
};

/// The transposition of a constant, perhaps dequantised, happens now.
struct FoldConstantTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    ArrayRef<int64_t> permutation = op.getPermutation();
    auto marker = op.getInput().getDefiningOp<DequantizeOp>();
    ElementsAttr constant =
        getConstant(marker ? marker.getInput() : op.getInput());
    if (!constant)
      return failure();
    TypedAttr folded = transposeConstant(constant, permutation);
    if (!folded)
      return rewriter.notifyMatchFailure(op, "constant without data");
    Value moved = arith::ConstantOp::create(b, folded);
    if (!marker) {
      rewriter.replaceOp(op, moved);
      return success();
    }
    IntegerAttr axis = marker.getAxisAttr();
    if (axis)
      axis = b.getI64IntegerAttr(llvm::find(permutation, axis.getInt()) -
                                 permutation.begin());
    rewriter.replaceOpWithNewOp<DequantizeOp>(op, op.getResult()[0].getType(),
                                              moved, marker.getScalesAttr(),
                                              marker.getZeroPointsAttr(), axis);
    return success();
  }
};

/// Fills, empty tensors and broadcast vectors are made in the layout wanted.
struct FoldTransposeOfUniform : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = tensorType(op.getResult()[0]);
    if (op.getInput().getDefiningOp<tensor::EmptyOp>()) {
      rewriter.replaceOp(op, b.empty(type.getShape(), type.getElementType()));
      return success();
    }
    if (auto fill = op.getInput().getDefiningOp<linalg::FillOp>()) {
      Value empty = b.empty(type.getShape(), type.getElementType());
      rewriter.replaceOpWithNewOp<linalg::FillOp>(op, fill.getInputs(), empty);
      return success();
    }
    std::optional<BroadcastVector> broadcast =
        matchBroadcastVector(op.getInput());
    if (!broadcast)
      return failure();
    int64_t dim = llvm::find(op.getPermutation(), broadcast->dim) -
                  op.getPermutation().begin();
    rewriter.replaceOp(op,
                       b.broadcast(broadcast->vector, dim, type.getShape()));
    return success();
  }
};

/// op(transpose(x)) for elementwise and reducing generics: the whole op works
/// in x's layout; its other operands are brought to that layout.
struct SinkThroughGeneric : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isPermutable(op))
      return failure();
    std::optional<unsigned> leader = findLeader(op);
    if (!leader)
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    SmallVector<Value> inputs(op.getInputs());
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    absorb(b, inputs[*leader], maps[*leader]);
    SmallVector<int64_t> like = *loopsOf(maps[*leader]);
    for (auto [index, input] : llvm::enumerate(inputs))
      if (index != *leader)
        align(b, input, maps[index], like);

    AffineMap outputMap = maps.pop_back_val();
    SmallVector<int64_t> order = orderLike(*loopsOf(outputMap), like);
    bool moved = !isIdentity(order);
    Value init = op.getDpsInits().front();
    if (moved) {
      init = pinnedTranspose(b, init, order);
      outputMap = permuteResults(outputMap, order);
    }
    linalg::GenericOp result =
        rebuild(b, op, inputs, maps, init, outputMap, like);
    Value replacement = result.getResult(0);
    if (moved)
      replacement = b.transpose(replacement, invertPermutationVector(order));
    rewriter.replaceOp(op, replacement);
    return success();
  }

private:
  /// The transposed input of the highest rank whose layout the op adopts.
  static std::optional<unsigned> findLeader(linalg::GenericOp op) {
    int64_t highest = 0;
    for (Value input : op.getInputs())
      highest = std::max(highest, tensorType(input).getRank());
    for (auto [index, input] : llvm::enumerate(op.getInputs()))
      if (tensorType(input).getRank() == highest && sinkable(input))
        return index;
    return std::nullopt;
  }

  static AffineMap permuteResults(AffineMap map, ArrayRef<int64_t> order) {
    return AffineMap::get(map.getNumDims(), 0,
                          permuted(map.getResults(), order), map.getContext());
  }

  /// Reads through a transposition by changing the map.
  static void absorb(TensorBuilder &b, Value &input, AffineMap &map) {
    auto op = input.getDefiningOp<linalg::TransposeOp>();
    map = permuteResults(map, invertPermutationVector(op.getPermutation()));
    input = op.getInput();
  }

  /// Brings an operand of the op into the order of the loops `like`.
  static void align(TensorBuilder &b, Value &input, AffineMap &map,
                    ArrayRef<int64_t> like) {
    SmallVector<int64_t> order = orderLike(*loopsOf(map), like);
    if (isIdentity(order))
      return;
    input = pinnedTranspose(b, input, order);
    map = permuteResults(map, order);
  }
};

/// A contraction reads transposed operands in place.
struct AbsorbIntoContraction : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isPlainContraction(op))
      return failure();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap &map = maps[input->getOperandNumber()];
      linalg::TransposeOp inner = sinkable(input->get());
      // Weights are transposed at compile time instead.
      if (!inner || isCompileTime(inner.getInput()))
        continue;
      map = AffineMap::get(
          map.getNumDims(), 0,
          permuted(map.getResults(),
                   invertPermutationVector(inner.getPermutation())),
          op.getContext());
      rewriter.modifyOpInPlace(op, [&] {
        input->set(inner.getInput());
        op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
      });
      return success();
    }
    return failure();
  }
};

/// Base of the patterns for ops with one transposed input of the result's rank.
template <typename OpTy>
struct SinkThrough : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  /// The op on the untransposed `input`, in whose layout all is.
  virtual FailureOr<Value> apply(OpTy op, Value input,
                                 ArrayRef<int64_t> toInput,
                                 TensorBuilder &b) const = 0;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    linalg::TransposeOp inner = sinkable(op->getOperand(0));
    // Constants are transposed where they are.
    if (!inner || isCompileTime(inner.getInput()))
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    SmallVector<int64_t> toInput =
        invertPermutationVector(inner.getPermutation());
    FailureOr<Value> result = apply(op, inner.getInput(), toInput, b);
    if (failed(result))
      return failure();
    rewriter.replaceOp(op, b.transpose(*result, inner.getPermutation()));
    return success();
  }
};

/// The axis attribute in the input's layout.
static IntegerAttr permuteAxis(IntegerAttr axis, ArrayRef<int64_t> toInput,
                               TensorBuilder &b) {
  if (!axis)
    return axis;
  return b.getI64IntegerAttr(llvm::find(toInput, axis.getInt()) -
                             toInput.begin());
}

/// Type of `value` with its dimensions in the order of `permutation`.
static RankedTensorType permutedType(Value value,
                                     ArrayRef<int64_t> permutation) {
  RankedTensorType type = tensorType(value);
  return RankedTensorType::get(permuted(type.getShape(), permutation),
                               type.getElementType());
}

struct SinkThroughQuantize : SinkThrough<QuantizeOp> {
  using SinkThrough::SinkThrough;
  FailureOr<Value> apply(QuantizeOp op, Value input, ArrayRef<int64_t> toInput,
                         TensorBuilder &b) const override {
    return Value(QuantizeOp::create(
        b, permutedType(op.getResult(), toInput), input, op.getScalesAttr(),
        op.getZeroPointsAttr(), permuteAxis(op.getAxisAttr(), toInput, b),
        op.getLoAttr(), op.getHiAttr()));
  }
};

struct SinkThroughDequantize : SinkThrough<DequantizeOp> {
  using SinkThrough::SinkThrough;
  FailureOr<Value> apply(DequantizeOp op, Value input,
                         ArrayRef<int64_t> toInput,
                         TensorBuilder &b) const override {
    return Value(DequantizeOp::create(
        b, permutedType(op.getResult(), toInput), input, op.getScalesAttr(),
        op.getZeroPointsAttr(), permuteAxis(op.getAxisAttr(), toInput, b)));
  }
};

struct SinkThroughPad : SinkThrough<tensor::PadOp> {
  using SinkThrough::SinkThrough;
  FailureOr<Value> apply(tensor::PadOp op, Value input,
                         ArrayRef<int64_t> toInput,
                         TensorBuilder &b) const override {
    Value value = op.getConstantPaddingValue();
    if (!value)
      return failure();
    return Value(tensor::PadOp::create(
        b, permutedType(op.getResult(), toInput), input,
        permuted<OpFoldResult>(op.getMixedLowPad(), toInput),
        permuted<OpFoldResult>(op.getMixedHighPad(), toInput), value));
  }
};

struct SinkThroughSlice : SinkThrough<tensor::ExtractSliceOp> {
  using SinkThrough::SinkThrough;
  FailureOr<Value> apply(tensor::ExtractSliceOp op, Value input,
                         ArrayRef<int64_t> toInput,
                         TensorBuilder &b) const override {
    if (op.getSourceType().getRank() != op.getType().getRank())
      return failure();
    return Value(tensor::ExtractSliceOp::create(
        b, permutedType(op.getResult(), toInput), input,
        permuted<OpFoldResult>(op.getMixedOffsets(), toInput),
        permuted<OpFoldResult>(op.getMixedSizes(), toInput),
        permuted<OpFoldResult>(op.getMixedStrides(), toInput)));
  }
};

/// concat(transpose(x), y, …): every input in x's layout, unless more would
/// have to be transposed for it than is transposed now (a cache behind a new
/// row).
struct SinkThroughConcat : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    linalg::TransposeOp leader;
    int64_t transposed = 0, others = 0;
    for (Value input : op.getInputs()) {
      linalg::TransposeOp transpose = sinkable(input);
      if (transpose && !leader)
        leader = transpose;
      (transpose ? transposed : others) +=
          cast<ShapedType>(input.getType()).getNumElements();
    }
    if (!leader || others > transposed)
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    ArrayRef<int64_t> permutation = leader.getPermutation();
    SmallVector<int64_t> toInput = invertPermutationVector(permutation);
    SmallVector<Value> inputs;
    for (Value input : op.getInputs())
      inputs.push_back(pinnedTranspose(b, input, toInput));
    int64_t dim = permutation[op.getDim()];
    Value result = tensor::ConcatOp::create(
        b, permutedType(op.getResult(), toInput), dim, inputs);
    rewriter.replaceOp(op, b.transpose(result, permutation));
    return success();
  }
};

/// expand_shape(transpose(x)): always the other way round as well.
struct SinkThroughExpand : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    linalg::TransposeOp inner = sinkable(op.getSrc());
    if (!inner)
      return failure();
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    SmallVector<int64_t> toInput =
        invertPermutationVector(inner.getPermutation());
    ArrayRef<int64_t> shape = op.getResultType().getShape();
    SmallVector<ReassociationIndices> inputGroups;
    SmallVector<int64_t> inputShape, order;
    for (int64_t group : toInput) {
      ReassociationIndices &indices = inputGroups.emplace_back();
      for (int64_t dim : groups[group]) {
        indices.push_back(inputShape.size());
        inputShape.push_back(shape[dim]);
        order.push_back(dim);
      }
    }
    TensorBuilder b(op.getLoc(), rewriter);
    auto type =
        RankedTensorType::get(inputShape, op.getResultType().getElementType());
    Value expanded =
        tensor::ExpandShapeOp::create(b, type, inner.getInput(), inputGroups);
    rewriter.replaceOp(op,
                       b.transpose(expanded, invertPermutationVector(order)));
    return success();
  }
};

/// collapse_shape(transpose(x)) where every group is contiguous in x as well,
/// or where only unit dimensions have moved.
struct SinkThroughCollapse : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    linalg::TransposeOp inner = sinkable(op.getSrc());
    if (!inner)
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    ArrayRef<int64_t> permutation = inner.getPermutation();
    if (movesOnlyUnits(inner)) {
      rewriter.replaceOp(
          op, b.reshape(inner.getInput(), op.getResultType().getShape()));
      return success();
    }
    // Groups in the order in which x has them.
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    SmallVector<int64_t> order =
        llvm::to_vector(llvm::seq<int64_t>(0, groups.size()));
    llvm::sort(order, [&](int64_t left, int64_t right) {
      return permutation[groups[left].front()] <
             permutation[groups[right].front()];
    });
    SmallVector<ReassociationIndices> inputGroups;
    SmallVector<int64_t> shape;
    int64_t next = 0;
    for (int64_t group : order) {
      ReassociationIndices &indices = inputGroups.emplace_back();
      for (int64_t dim : groups[group]) {
        if (permutation[dim] != next)
          return failure();
        indices.push_back(next++);
      }
      shape.push_back(op.getResultType().getDimSize(group));
    }
    auto type =
        RankedTensorType::get(shape, op.getResultType().getElementType());
    Value collapsed =
        tensor::CollapseShapeOp::create(b, type, inner.getInput(), inputGroups);
    rewriter.replaceOp(op,
                       b.transpose(collapsed, invertPermutationVector(order)));
    return success();
  }

  static bool movesOnlyUnits(linalg::TransposeOp op) {
    int64_t last = -1;
    for (int64_t dim : op.getPermutation())
      if (tensorType(op.getInput()).getDimSize(dim) != 1) {
        if (dim < last)
          return false;
        last = dim;
      }
    return true;
  }
};
} // namespace

void mlir::asic::populateFoldTransposePatterns(RewritePatternSet &patterns) {
  patterns
      .add<ComposeTransposes, FoldConstantTranspose, FoldTransposeOfUniform>(
          patterns.getContext(), /*benefit=*/2);
  populateFoldReshapePatterns(patterns);
}

void mlir::asic::populateSinkTransposePatterns(RewritePatternSet &patterns) {
  patterns.add<SinkThroughGeneric, AbsorbIntoContraction, SinkThroughQuantize,
               SinkThroughDequantize, SinkThroughPad, SinkThroughSlice,
               SinkThroughConcat, SinkThroughExpand, SinkThroughCollapse>(
      patterns.getContext());
  populateAbsorbReshapePatterns(patterns);
}
