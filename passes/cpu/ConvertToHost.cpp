// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/Support/Locations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::asic {
#define GEN_PASS_DEF_CONVERTTOHOSTPASS
#include "passes/Passes.h.inc"

namespace {

/// asic.rescale in 64-bit arithmetic, rounding as docs/numerics.md says.
struct LowerRescale : OpRewritePattern<RescaleOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RescaleOp op,
                                PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value result = op.getRounding() == Rounding::f32 ? scaleFloat(b, op)
                                                     : scaleInteger(b, op);
    rewriter.replaceOp(op, result);
    return success();
  }

  static Value constant(ImplicitLocOpBuilder &b, int64_t value) {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  }

  /// Saturates an i64 to i32.
  static Value saturate(ImplicitLocOpBuilder &b, Value wide) {
    Value low = constant(b, std::numeric_limits<int32_t>::min());
    Value high = constant(b, std::numeric_limits<int32_t>::max());
    wide = arith::MaxSIOp::create(b, wide, low);
    wide = arith::MinSIOp::create(b, wide, high);
    return arith::TruncIOp::create(b, b.getI32Type(), wide);
  }

  static Value scaleInteger(ImplicitLocOpBuilder &b, RescaleOp op) {
    Type i64 = b.getI64Type();
    Value input = arith::ExtSIOp::create(b, i64, op.getInput());
    Value multiplier = arith::ExtSIOp::create(b, i64, op.getMultiplier());
    Value shift = arith::ExtSIOp::create(b, i64, op.getShift());
    Value product = arith::MulIOp::create(b, input, multiplier);
    Value one = constant(b, 1);
    Value below = arith::SubIOp::create(b, shift, one);
    Value round = arith::ShLIOp::create(b, one, below);
    if (op.getRounding() == Rounding::dr)
      round = addFirstRound(b, input, shift, round);
    // Half to even: half - 1 plus the bit that will be the last.
    if (op.getRounding() == Rounding::rne) {
      Value last = arith::ShRSIOp::create(b, product, shift);
      last = arith::AndIOp::create(b, last, one);
      round = arith::SubIOp::create(b, round, one);
      round = arith::AddIOp::create(b, round, last);
    }
    Value sum = arith::AddIOp::create(b, product, round);
    return saturate(b, arith::ShRSIOp::create(b, sum, shift));
  }

  /// Double round: away from zero at bit 31 first, when there is such a bit.
  static Value addFirstRound(ImplicitLocOpBuilder &b, Value input, Value shift,
                             Value round) {
    Value first = constant(b, int64_t(1) << 30);
    Value up = arith::AddIOp::create(b, round, first);
    Value down = arith::SubIOp::create(b, round, first);
    Value positive = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, input,
                                           constant(b, 0));
    Value twice = arith::SelectOp::create(b, positive, up, down);
    Value wide = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, shift,
                                       constant(b, 31));
    return arith::SelectOp::create(b, wide, twice, round);
  }

  /// binary32: multiplier / 2^shift is the scale; nearest, ties to even.
  static Value scaleFloat(ImplicitLocOpBuilder &b, RescaleOp op) {
    Type f32 = b.getF32Type(), f64 = b.getF64Type(), i64 = b.getI64Type();
    // 2^-shift by its bits: the exponent's bias is 1023, its position 52.
    Value shift = arith::ExtSIOp::create(b, i64, op.getShift());
    Value exponent = arith::SubIOp::create(b, constant(b, 1023), shift);
    Value bits = arith::ShLIOp::create(b, exponent, constant(b, 52));
    Value power = arith::BitcastOp::create(b, f64, bits);
    Value multiplier = arith::SIToFPOp::create(b, f64, op.getMultiplier());
    Value exact = arith::MulFOp::create(b, multiplier, power);
    Value scale = arith::TruncFOp::create(b, f32, exact);
    Value input = arith::SIToFPOp::create(b, f32, op.getInput());
    Value product = arith::MulFOp::create(b, input, scale);
    Value rounded = math::RoundEvenOp::create(b, product);
    // Clamp before the conversion: out of range it would be undefined.
    auto bound = [&](float value) -> Value {
      return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
    };
    rounded = arith::MaxNumFOp::create(b, rounded, bound(-0x1p62f));
    rounded = arith::MinNumFOp::create(b, rounded, bound(0x1p62f));
    return saturate(b, arith::FPToSIOp::create(b, i64, rounded));
  }
};

/// A slice at its place, where there is one: selected from itself and what is
/// there, so that the rest of the tensor is not touched. A loop over rows that
/// have a place each.
struct LowerUpdateSlice : OpRewritePattern<UpdateSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UpdateSliceOp op,
                                PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto source = cast<TypedValue<RankedTensorType>>(op.getSource());
    if (op.getIndex().getType().getRank() == 0) {
      Value place = tensor::ExtractOp::create(b, op.getIndex(), ValueRange());
      rewriter.replaceOp(op,
                         write(b, source, op.getDest(), place, op.getDim()));
      return success();
    }
    Value first = arith::ConstantIndexOp::create(b, 0),
          step = arith::ConstantIndexOp::create(b, 1),
          count = arith::ConstantIndexOp::create(
              b, op.getIndex().getType().getNumElements());
    auto body = [&](OpBuilder &nested, Location loc, Value row,
                    ValueRange state) {
      ImplicitLocOpBuilder b(loc, nested);
      Value place = tensor::ExtractOp::create(b, op.getIndex(), row);
      Value result = write(b, rowAt(b, source, op.getDim(), row), state.front(),
                           place, op.getDim());
      scf::YieldOp::create(b, result);
    };
    auto loop = scf::ForOp::create(b, first, count, step, op.getDest(), body);
    rewriter.replaceOp(op, loop);
    return success();
  }

  /// One row along `dim`.
  static TypedValue<RankedTensorType> rowAt(ImplicitLocOpBuilder &b,
                                            TypedValue<RankedTensorType> rows,
                                            int64_t dim, Value row) {
    RankedTensorType type = rows.getType();
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = 1;
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
        strides(type.getRank(), b.getIndexAttr(1));
    offsets[dim] = row;
    return tensor::ExtractSliceOp::create(
        b, type.clone(shape), rows, offsets,
        getAsIndexOpFoldResult(b.getContext(), shape), strides);
  }

  /// `dest` with `source` at `place` along `dim`.
  static Value write(ImplicitLocOpBuilder &b,
                     TypedValue<RankedTensorType> source, Value dest,
                     Value place, int64_t dim) {
    RankedTensorType type = source.getType();
    int64_t rank = type.getRank();
    place = arith::IndexCastOp::create(b, b.getIndexType(), place);
    Value places = arith::ConstantIndexOp::create(
        b, cast<RankedTensorType>(dest.getType()).getDimSize(dim) -
               type.getDimSize(dim) + 1);
    Value isInside =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, place, places);
    place = arith::SelectOp::create(b, isInside, place,
                                    arith::ConstantIndexOp::create(b, 0));
    SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0)),
        strides(rank, b.getIndexAttr(1));
    auto sizes = getAsIndexOpFoldResult(b.getContext(), type.getShape());
    offsets[dim] = place;
    Value old =
        tensor::ExtractSliceOp::create(b, type, dest, offsets, sizes, strides);
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    Value written = linalg::GenericOp::create(
                        b, TypeRange(type), source, old, maps, loops,
                        [&](OpBuilder &nested, Location loc, ValueRange args) {
                          Value value = arith::SelectOp::create(
                              nested, loc, isInside, args[0], args[1]);
                          linalg::YieldOp::create(nested, loc, value);
                        })
                        .getResult(0);
    return tensor::InsertSliceOp::create(b, written, dest, offsets, sizes,
                                         strides);
  }
};

/// A float multiply-accumulate is one fused operation, one rounding, as in the
/// machine's contraction.
struct FuseMultiplyAdd : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op,
                                PatternRewriter &rewriter) const override {
    auto generic = dyn_cast<linalg::GenericOp>(op->getParentOp());
    if (!generic || generic.getNumReductionLoops() == 0)
      return rewriter.notifyMatchFailure(op, "not in a reduction");
    for (bool swap : {false, true}) {
      auto product = op->getOperand(swap).getDefiningOp<arith::MulFOp>();
      auto sum = dyn_cast<BlockArgument>(op->getOperand(!swap));
      if (!product || !sum ||
          sum.getArgNumber() != unsigned(generic.getNumDpsInputs()))
        continue;
      rewriter.replaceOpWithNewOp<math::FmaOp>(op, product.getLhs(),
                                               product.getRhs(), sum);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "not a multiply-accumulate");
  }
};

/// Makes the innermost loop one that is parallel and walks memory in order:
/// what a vectorizer needs. Reductions keep their order.
struct InterchangeLoops : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    unsigned loops = op.getNumLoops();
    if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1)
      return rewriter.notifyMatchFailure(op, "no reduction");
    AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    auto last = AffineDimExpr(nullptr);
    if (output.getNumResults() != 0)
      last =
          dyn_cast<AffineDimExpr>(output.getResult(output.getNumResults() - 1));
    if (!last || last.getPosition() == loops - 1)
      return rewriter.notifyMatchFailure(op, "no dimension to move");
    unsigned dim = last.getPosition();
    for (OpOperand *input : op.getDpsInputOperands())
      if (!isContiguousIn(op.getMatchingIndexingMap(input), dim))
        return rewriter.notifyMatchFailure(op, "an input is strided");
    SmallVector<unsigned> order;
    for (unsigned i = 0; i < loops; ++i)
      if (i != dim)
        order.push_back(i);
    order.push_back(dim);
    return linalg::interchangeGenericOp(rewriter, op, order);
  }

  /// True when stepping `dim` stays put or goes to the next element.
  static bool isContiguousIn(AffineMap map, unsigned dim) {
    for (unsigned i = 0; i < map.getNumResults(); ++i) {
      AffineExpr expr = map.getResult(i);
      if (!expr.isFunctionOfDim(dim))
        continue;
      if (i + 1 != map.getNumResults() || !isa<AffineDimExpr>(expr))
        return false;
    }
    return true;
  }
};

/// "aten.embedding at model.py:12: ", as far as it is known.
std::string describeSource(Operation *op) {
  SourceLocation source = getSourceLocation(op->getLoc());
  if (source.torchOp.empty())
    return {};
  if (source.file.empty())
    return source.torchOp + ": ";
  return source.torchOp + " at " + source.source() + ": ";
}

/// True for an index that may be outside of a dimension of `extent`: a constant
/// that is, or one that values of tensors name. Those of loops never are.
bool mayBeOutside(Value index, int64_t extent) {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return constant.isNegative() || constant.sge(extent);
  auto cast = index.getDefiningOp<arith::IndexCastOp>();
  // Samples beside an image were cut off at its border.
  return cast && !cast.getIn().getDefiningOp<arith::MinSIOp>();
}

/// Stops the program where a place in `tensor` does not exist.
void checkPlace(Operation *op, RankedTensorType tensor, ValueRange place) {
  ImplicitLocOpBuilder b(op->getLoc(), op);
  for (auto [dim, index] : llvm::enumerate(place)) {
    int64_t extent = tensor.getDimSize(dim);
    if (tensor.isDynamicDim(dim) || !mayBeOutside(index, extent))
      continue;
    Value size = arith::ConstantIndexOp::create(b, extent);
    Value isInside =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, size);
    std::string text =
        llvm::formatv("{0}expected indices of 0 to {1}, got one outside",
                      describeSource(op), extent - 1);
    cf::AssertOp::create(b, isInside, b.getStringAttr(text));
  }
}

void checkPlaces(func::FuncOp function) {
  function.walk([](Operation *op) {
    if (auto read = dyn_cast<tensor::ExtractOp>(op))
      checkPlace(op, read.getTensor().getType(), read.getIndices());
    if (auto write = dyn_cast<tensor::InsertOp>(op))
      checkPlace(op, write.getDest().getType(), write.getIndices());
  });
}

struct ConvertToHostPass : impl::ConvertToHostPassBase<ConvertToHostPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateLinalgNamedOpsGeneralizationPatterns(patterns);
    tensor::populateDecomposeTensorConcatPatterns(patterns);
    patterns
        .add<LowerRescale, LowerUpdateSlice, FuseMultiplyAdd, InterchangeLoops>(
            &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    checkPlaces(getOperation());
  }
};

} // namespace
} // namespace mlir::asic
