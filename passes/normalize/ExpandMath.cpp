// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of the vector unit are exp, log, tanh, erf, sqrt, rsqrt, sin, cos
// and powf. What is a few of them with a small error becomes them; the rest is
// the host's.
#include "passes/normalize/ExpandMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Short arithmetic on f32 scalars.
struct Scalars {
  ImplicitLocOpBuilder b;

  Value constant(double value) {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value)));
  }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value log(Value x) { return math::LogOp::create(b, x); }
  Value exp(Value x) { return math::ExpOp::create(b, x); }
  Value equals(Value x, double y) {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, constant(y));
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// log(u) · x / (u - 1) with u = 1 + x: what u lost of x cancels.
Value expandLog1p(Scalars &s, Value x) {
  Value u = s.add(s.constant(1), x), kept = s.sub(u, s.constant(1));
  Value result = s.mul(s.log(u), s.div(x, kept));
  result = s.select(s.equals(u, kInfinity), u, result);
  return s.select(s.equals(kept, 0), x, result);
}

/// (u - 1) · x / log(u) with u = e^x: the errors of both cancel.
Value expandExpm1(Scalars &s, Value x) {
  Value u = s.exp(x), less = s.sub(u, s.constant(1));
  Value result = s.mul(less, s.div(x, s.log(u)));
  result = s.select(s.equals(u, kInfinity), u, result);
  result = s.select(s.equals(less, -1), less, result);
  return s.select(s.equals(u, 1), x, result);
}

Value expandLog2(Scalars &s, Value x) {
  return s.mul(s.log(x), s.constant(M_LOG2E));
}

Value expandLog10(Scalars &s, Value x) {
  return s.mul(s.log(x), s.constant(M_LOG10E));
}

Value expandTan(Scalars &s, Value x) {
  return s.div(math::SinOp::create(s.b, x), math::CosOp::create(s.b, x));
}

Value expandTrunc(Scalars &s, Value x) {
  Value negative =
      arith::CmpFOp::create(s.b, arith::CmpFPredicate::OLT, x, s.constant(0));
  return s.select(negative, math::CeilOp::create(s.b, x),
                  math::FloorOp::create(s.b, x));
}

/// Replaces `OpTy` of one float, computing in f32.
template <typename OpTy, Value (*expand)(Scalars &, Value)>
struct ExpandFunction : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<FloatType>(op.getType());
    if (!type || type.getWidth() > 32)
      return rewriter.notifyMatchFailure(op, "expected at most 32 bits");
    Scalars s{ImplicitLocOpBuilder(op.getLoc(), rewriter)};
    Value x = op.getOperand();
    Type f32 = s.b.getF32Type();
    if (type != f32)
      x = arith::ExtFOp::create(s.b, f32, x);
    Value result = expand(s, x);
    if (type != f32)
      result = arith::TruncFOp::create(s.b, type, result);
    rewriter.replaceOp(op, result);
    return success();
  }
};
} // namespace

void mlir::asic::populateExpandMathPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandFunction<math::Log1pOp, expandLog1p>,
               ExpandFunction<math::ExpM1Op, expandExpm1>,
               ExpandFunction<math::Log2Op, expandLog2>,
               ExpandFunction<math::Log10Op, expandLog10>,
               ExpandFunction<math::TanOp, expandTan>,
               ExpandFunction<math::TruncOp, expandTrunc>>(
      patterns.getContext());
}
