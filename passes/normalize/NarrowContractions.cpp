// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer products in the width that they need. PyTorch's are of int32, which
// torch-mlir sums in i64 and cuts to i32 again; the factors are often int8 that
// was widened for the purpose.
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::asic {
#define GEN_PASS_DEF_NARROWCONTRACTIONSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// The input of a map whose body is one cast `Cast` between element types of
/// these widths.
template <typename Cast>
static linalg::GenericOp matchCast(Value value, unsigned from, unsigned to) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || !op.hasPureTensorSemantics() || !isParallel(op) ||
      op.getNumDpsInputs() != 1 || op.getNumResults() != 1 ||
      !op.getIndexingMapsArray()[1].isIdentity() ||
      !tensorType(op.getOperand(0)).getElementType().isInteger(from) ||
      !tensorType(value).getElementType().isInteger(to))
    return {};
  auto cast =
      op.getBody()->getTerminator()->getOperand(0).getDefiningOp<Cast>();
  return cast && cast.getIn() == op.getBody()->getArgument(0)
             ? op
             : linalg::GenericOp();
}

/// Whether `op` sums products of its two inputs, which it widens at most.
static bool isPlainProduct(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || isParallel(op))
    return false;
  std::optional<MultiplyAccumulate> match = matchMultiplyAccumulate(op);
  if (!match || !isa<arith::MulIOp>(match->multiply))
    return false;
  return llvm::all_of(match->multiply->getOperands(), [](Value factor) {
    if (auto widen = factor.getDefiningOp<arith::ExtSIOp>())
      factor = widen.getIn();
    return isa<BlockArgument>(factor);
  });
}

/// `op` with other inputs, maps of those and a result of i32.
static Value rebuild(linalg::GenericOp op, ValueRange inputs,
                     ArrayRef<AffineMap> maps, Value init,
                     PatternRewriter &rewriter) {
  TensorBuilder b(op.getLoc(), rewriter);
  auto cast = [](ImplicitLocOpBuilder &b, Value factor) -> Value {
    Type i32 = b.getI32Type();
    if (factor.getType().getIntOrFloatBitWidth() > 32)
      return arith::TruncIOp::create(b, i32, factor);
    if (factor.getType() == i32)
      return factor;
    return arith::ExtSIOp::create(b, i32, factor);
  };
  return b
      .generic(inputs, init, maps,
               [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 Value product = arith::MulIOp::create(b, cast(b, args[0]),
                                                       cast(b, args[1]));
                 return arith::AddIOp::create(b, args[2], product);
               })
      .getResult(0);
}

namespace {
/// trunci(Σ a·b) of i64 is the sum in i32: both wrap modulo 2^32.
struct NarrowSum : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!matchCast<arith::TruncIOp>(op->getResult(0), 64, 32) ||
        !op.getIndexingMapsArray()[0].isIdentity())
      return failure();
    auto sum = op.getOperand(0).getDefiningOp<linalg::GenericOp>();
    if (!sum || !sum->hasOneUse() || !isPlainProduct(sum))
      return failure();
    std::optional<TypedAttr> start = matchFill(sum.getDpsInits().front());
    auto number = start ? dyn_cast<IntegerAttr>(*start) : IntegerAttr();
    if (!number)
      return failure();
    rewriter.setInsertionPoint(op);
    TensorBuilder b(sum.getLoc(), rewriter);
    APInt low = number.getValue().trunc(32);
    Value init = b.fill(tensorType(op.getResult(0)).getShape(),
                        b.getIntegerAttr(b.getI32Type(), low));
    rewriter.replaceOp(op, rebuild(sum, sum.getInputs(),
                                   sum.getIndexingMapsArray(), init, rewriter));
    rewriter.eraseOp(sum);
    return success();
  }
};

/// A factor of i8 in place of one of i32 with the same values.
struct Narrow {
  Value value;
  AffineMap map;
};

/// Σ a·b in i32 of factors that are int8 by nature reads them as int8.
struct NarrowFactors : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumResults() != 1 || !isPlainProduct(op) ||
        !tensorType(op.getResult(0)).getElementType().isInteger(32))
      return failure();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    SmallVector<Narrow> factors;
    // A constant is read only when it pays: behind a factor that is narrow.
    for (unsigned input : {0u, 1u})
      factors.push_back(ofWidened(op.getOperand(input), maps[input]));
    for (unsigned input : {0u, 1u})
      if (!factors[input].value && factors[1 - input].value)
        factors[input] = ofConstant(op.getOperand(input), maps[input], rewriter,
                                    op.getLoc());
    if (!factors[0].value || !factors[1].value)
      return failure();
    rewriter.replaceOp(op, rebuild(op, {factors[0].value, factors[1].value},
                                   {factors[0].map, factors[1].map, maps[2]},
                                   op.getDpsInits().front(), rewriter));
    return success();
  }

  /// The int8 tensor that `value` was widened from.
  static Narrow ofWidened(Value value, AffineMap map) {
    auto widen = matchCast<arith::ExtSIOp>(value, 8, 32);
    if (!widen || !widen.getIndexingMapsArray()[0].isProjectedPermutation())
      return {};
    return {widen.getOperand(0), widen.getIndexingMapsArray()[0].compose(map)};
  }

  /// A constant of int32 whose values all fit in int8, as int8.
  static Narrow ofConstant(Value value, AffineMap map,
                           PatternRewriter &rewriter, Location loc) {
    ElementsAttr constant = getConstant(value);
    RankedTensorType type = tensorType(value);
    if (!constant || !type.getElementType().isInteger(32))
      return {};
    std::optional<ArrayRef<char>> bytes = getBytes(constant);
    if (!bytes)
      return {};
    ArrayRef<int32_t> wide(reinterpret_cast<const int32_t *>(bytes->data()),
                           bytes->size() / sizeof(int32_t));
    if (!llvm::all_of(wide, [](int32_t v) { return llvm::isInt<8>(v); }))
      return {};
    auto narrow =
        RankedTensorType::get(type.getShape(), rewriter.getIntegerType(8));
    TypedAttr made =
        makeConstant(narrow, (getResourceName(constant) + "_i8").str(),
                     [&](MutableArrayRef<char> out) {
                       for (auto [i, byte] : llvm::enumerate(out))
                         byte = static_cast<char>(wide[i % wide.size()]);
                     });
    return {arith::ConstantOp::create(rewriter, loc, made), map};
  }
};

/// Whether a product reads `value`, maybe behind reshapes and moves.
static bool isFactor(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(user))
      return isFactor(user->getResult(0));
    auto op = dyn_cast<linalg::GenericOp>(user);
    if (!op || !op.hasPureTensorSemantics())
      return false;
    return isPlainProduct(op) ||
           (isDataMovement(op) && isFactor(op->getResult(0)));
  });
}

/// `narrow`, of i8, as i32.
static Value widen(TensorBuilder &b, Value narrow) {
  return b.elementwise(narrow, b.getI32Type(),
                       [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         return arith::ExtSIOp::create(b, b.getI32Type(),
                                                       args[0]);
                       });
}

/// Widens behind a reshape that a product reads, so that the product finds it.
template <typename Reshape>
struct WidenLate : OpRewritePattern<Reshape> {
  using OpRewritePattern<Reshape>::OpRewritePattern;

  LogicalResult matchAndRewrite(Reshape op,
                                PatternRewriter &rewriter) const override {
    auto cast = matchCast<arith::ExtSIOp>(op.getSrc(), 8, 32);
    if (!cast || !cast.getIndexingMapsArray()[0].isIdentity() ||
        !isFactor(op.getResult()))
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    Value narrow = b.reshape(cast.getOperand(0), op.getResultType().getShape());
    rewriter.replaceOp(op, widen(b, narrow));
    return success();
  }
};

/// The same behind a map that only moves elements.
struct WidenBehindMove : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || !isDataMovement(op) ||
        !op.getIndexingMapsArray()[1].isIdentity() ||
        !isFactor(op->getResult(0)))
      return failure();
    auto cast = matchCast<arith::ExtSIOp>(op.getOperand(0), 8, 32);
    if (!cast || !cast.getIndexingMapsArray()[0].isIdentity())
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    Value narrow =
        b.map(cast.getOperand(0), op.getIndexingMapsArray()[0],
              tensorType(op->getResult(0)).getShape(), b.getI8Type(),
              [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
    rewriter.replaceOp(op, widen(b, narrow));
    return success();
  }
};

struct NarrowContractionsPass
    : mlir::asic::impl::NarrowContractionsPassBase<NarrowContractionsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<NarrowSum, NarrowFactors, WidenBehindMove,
                 WidenLate<tensor::CollapseShapeOp>,
                 WidenLate<tensor::ExpandShapeOp>>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
