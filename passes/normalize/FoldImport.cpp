// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/ConstantGenerics.h"
#include "passes/Support/Constants.h"
#include "passes/Support/TensorBuilder.h"
#include "passes/normalize/ExpandMath.h"
#include "passes/normalize/FoldEmpty.h"
#include "passes/normalize/RaiseUpdates.h"
#include "passes/normalize/UnflattenBatch.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::asic {
#define GEN_PASS_DEF_FOLDIMPORTPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Replaces inputs that hold one number everywhere by that number in the body.
struct FoldScalarInputs : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    for (OpOperand *input : op.getDpsInputOperands()) {
      BlockArgument argument = op.getMatchingBlockArgument(input);
      if (argument.use_empty() || op.getNumDpsInputs() < 2)
        continue;
      std::optional<TypedAttr> scalar = matchFill(input->get());
      if (!scalar || scalar->getType() != argument.getType())
        continue;
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPoint(op);
      Value constant =
          arith::ConstantOp::create(rewriter, op.getLoc(), *scalar);
      rewriter.modifyOpInPlace(
          op, [&] { rewriter.replaceAllUsesWith(argument, constant); });
      return success();
    }
    return failure();
  }
};

/// Drops unit dimensions that an indexing map addresses with the constant 0,
/// from inputs (broadcasts) and from the result (reductions that keep
/// dimensions).
struct FoldUnitMapResults : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumResults() != 1)
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    bool changed = false;
    SmallVector<Value> operands;
    SmallVector<AffineMap> maps;
    for (auto [operand, map] :
         llvm::zip(op->getOperands(), op.getIndexingMapsArray())) {
      SmallVector<AffineExpr> exprs;
      SmallVector<int64_t> sizes;
      for (auto [expr, size] :
           llvm::zip(map.getResults(), tensorType(operand).getShape())) {
        auto constant = dyn_cast<AffineConstantExpr>(expr);
        if (size == 1 && constant && constant.getValue() == 0)
          continue;
        exprs.push_back(expr);
        sizes.push_back(size);
      }
      bool drop = exprs.size() != map.getNumResults();
      changed |= drop;
      maps.push_back(
          AffineMap::get(map.getNumDims(), 0, exprs, op.getContext()));
      operands.push_back(drop ? b.reshape(operand, sizes) : Value(operand));
    }
    if (!changed)
      return failure();
    Value init = operands.pop_back_val();
    auto generic = linalg::GenericOp::create(b, TypeRange(init.getType()),
                                             operands, ValueRange(init), maps,
                                             op.getIteratorTypesArray());
    rewriter.inlineRegionBefore(op.getRegion(), generic.getRegion(),
                                generic.getRegion().begin());
    ArrayRef<int64_t> shape = tensorType(op.getResult(0)).getShape();
    rewriter.replaceOp(op, b.reshape(generic.getResult(0), shape));
    return success();
  }
};

/// PyTorch's scalars come as f64 constants; the tensor's type decides how many
/// of their digits count. Upstream folds only what loses none.
struct RoundConstant : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    FloatAttr constant;
    auto type = dyn_cast<FloatType>(op.getType());
    if (!type || !matchPattern(op.getIn(), m_Constant(&constant)))
      return failure();
    APFloat value = constant.getValue();
    bool losesInfo;
    value.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op,
                                                   FloatAttr::get(type, value));
    return success();
  }
};

/// A small constant that is widened is a wider constant: biases of 16-bit
/// floats are known in the type that sums are made in.
struct WidenConstant : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  /// Largest constant that may double its bytes.
  static constexpr int64_t kMaxElements = 65536;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || !isParallel(op) ||
        op.getNumDpsInputs() != 1 || op.getNumResults() != 1)
      return failure();
    Value yielded = op.getBody()->getTerminator()->getOperand(0);
    auto extend = yielded.getDefiningOp<arith::ExtFOp>();
    ElementsAttr constant = getConstant(op.getDpsInputs().front());
    if (!extend || !constant || !extend.getType().isF32() ||
        extend.getIn() != op.getBody()->getArgument(0) ||
        constant.getNumElements() > kMaxElements)
      return failure();
    std::optional<SmallVector<double>> values = readReals(constant);
    if (!values)
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    auto type = RankedTensorType::get(
        cast<ShapedType>(constant.getType()).getShape(), b.getF32Type());
    TypedAttr wide =
        makeConstant(type, (getResourceName(constant) + ".f32").str(),
                     [&](MutableArrayRef<char> bytes) {
                       for (auto [index, value] : llvm::enumerate(*values)) {
                         float number = value;
                         std::memcpy(bytes.data() + 4 * index, &number, 4);
                       }
                     });
    Value result = arith::ConstantOp::create(b, wide);
    if (!op.getIndexingMapsArray().front().isIdentity())
      result = b.generic({result}, op.getDpsInits().front(),
                         op.getIndexingMapsArray(),
                         [](ImplicitLocOpBuilder &, ValueRange args) -> Value {
                           return args[0];
                         })
                   .getResult(0);
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// A sum that starts from a constant with one number everywhere starts from a
/// fill, which takes no memory.
struct FillSplatInits : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || isa<linalg::FillOp>(op))
      return failure();
    TensorBuilder b(op.getLoc(), rewriter);
    for (OpOperand &init : op.getDpsInitsMutable()) {
      std::optional<TypedAttr> scalar = matchFill(init.get());
      if (!scalar || !getConstant(init.get()) ||
          !op.payloadUsesValueFromOperand(&init))
        continue;
      Value fill = b.fill(tensorType(init.get()).getShape(), *scalar);
      rewriter.modifyOpInPlace(op, [&] { init.set(fill); });
      return success();
    }
    return failure();
  }
};

/// A comparison with a scalar is one in the tensor's type, as in PyTorch.
struct NarrowComparison : OpRewritePattern<arith::CmpFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::CmpFOp op,
                                PatternRewriter &rewriter) const override {
    auto extend = op.getLhs().getDefiningOp<arith::ExtFOp>();
    FloatAttr constant;
    if (!extend || !matchPattern(op.getRhs(), m_Constant(&constant)))
      return failure();
    auto type = cast<FloatType>(extend.getIn().getType());
    APFloat value = constant.getValue();
    bool losesInfo;
    value.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    Value scalar = arith::ConstantOp::create(rewriter, op.getLoc(),
                                             FloatAttr::get(type, value));
    rewriter.replaceOpWithNewOp<arith::CmpFOp>(op, op.getPredicate(),
                                               extend.getIn(), scalar);
    return success();
  }
};

/// A small integer power is a product, in the order of x * x * x.
struct ExpandPower : OpRewritePattern<math::FPowIOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FPowIOp op,
                                PatternRewriter &rewriter) const override {
    APInt exponent;
    if (!matchPattern(op.getRhs(), m_ConstantInt(&exponent)) ||
        exponent.slt(1) || exponent.sgt(4))
      return failure();
    Value product = op.getLhs();
    for (int64_t i = 1; i < exponent.getSExtValue(); ++i)
      product =
          arith::MulFOp::create(rewriter, op.getLoc(), product, op.getLhs());
    rewriter.replaceOp(op, product);
    return success();
  }
};

/// log(1 + x) by functions that every machine has, exact where 1 + x rounds:
/// the log of u = 1 + x, times x over what u lies above 1.
struct ExpandLog1p : OpRewritePattern<math::Log1pOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::Log1pOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value x = op.getOperand();
    Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1.0f));
    Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0.0f));
    Value u = arith::AddFOp::create(b, x, one);
    Value above = arith::SubFOp::create(b, u, one);
    Value log = math::LogOp::create(b, u);
    Value ratio = arith::DivFOp::create(b, x, above);
    Value scaled = arith::MulFOp::create(b, log, ratio);
    auto equals = [&](Value lhs, Value rhs) -> Value {
      return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, lhs, rhs);
    };
    // Nothing was rounded, also where x is infinite.
    Value result = arith::SelectOp::create(b, equals(above, x), log, scaled);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, equals(above, zero), x,
                                                 result);
    return success();
  }
};

/// exp(x) - 1 in the same way: u - 1 for u = exp(x), times x over the log of u.
struct ExpandExpM1 : OpRewritePattern<math::ExpM1Op> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpM1Op op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value x = op.getOperand();
    Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1.0f));
    Value half = arith::ConstantOp::create(b, b.getF32FloatAttr(0.5f));
    Value u = math::ExpOp::create(b, x);
    Value above = arith::SubFOp::create(b, u, one);
    Value log = math::LogOp::create(b, u);
    Value ratio = arith::DivFOp::create(b, x, log);
    Value scaled = arith::MulFOp::create(b, above, ratio);
    // Only near 0 is the difference small against what it is of.
    Value isFar = arith::CmpFOp::create(b, arith::CmpFPredicate::UGT,
                                        math::AbsFOp::create(b, x), half);
    Value isTiny = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, u, one);
    Value near = arith::SelectOp::create(b, isTiny, x, scaled);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isFar, above, near);
    return success();
  }
};

struct FoldImportPass : mlir::asic::impl::FoldImportPassBase<FoldImportPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isDeclaration() && failed(checkStatic(function)))
        return signalPassFailure();
    module.walk([](cf::AssertOp assertion) { assertion.erase(); });

    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<FoldScalarInputs, FoldUnitMapResults, RoundConstant,
                 WidenConstant, FillSplatInits, NarrowComparison, ExpandPower,
                 ExpandLog1p, ExpandExpM1>(context);
    populateConstantGenericPatterns(patterns);
    populateFoldEmptyPatterns(patterns);
    populateExpandMathPatterns(patterns);
    populateUnflattenBatchPatterns(patterns);
    populateRaiseUpdatePatterns(patterns);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    for (StringRef name : {"linalg", "tensor", "arith"})
      if (Dialect *dialect = context->getLoadedDialect(name))
        dialect->getCanonicalizationPatterns(patterns);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      if (llvm::is_contained({"linalg", "tensor", "arith", "math"},
                             op.getDialectNamespace()))
        op.getCanonicalizationPatterns(patterns, context);
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      signalPassFailure();
  }

  /// Names the argument whose dimension is not known.
  LogicalResult checkStatic(func::FuncOp function) {
    for (BlockArgument argument : function.getArguments()) {
      auto type = dyn_cast<ShapedType>(argument.getType());
      if (!type || type.hasStaticShape())
        continue;
      auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                        "asic.name");
      InFlightDiagnostic diagnostic =
          function.emitError("expected static shapes, got ")
          << type << " for argument " << argument.getArgNumber();
      if (name)
        diagnostic << " (" << name << ")";
      return diagnostic << "; export the model without dynamic shapes";
    }
    return success();
  }
};
} // namespace
