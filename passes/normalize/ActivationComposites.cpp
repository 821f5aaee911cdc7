// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations and special functions. All arithmetic is f32 whatever the element
// type, as in PyTorch.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace mlir::asic;

/// A function of one number applied to `self`, of floats or integers.
static std::string applyUnary(Composite &composite, TensorBuilder &b,
                              BodyFn function) {
  Value input = composite.operand("self");
  if (!input || !isFloatTensor(composite.resultType(0)))
    return "expected a tensor and a float result";
  Type type = composite.resultType(0).getElementType();
  auto body = [&](ImplicitLocOpBuilder &nested, ValueRange args) {
    Value x = convertScalar(nested, args[0], nested.getF32Type(),
                            composite.isUnsigned());
    return narrowFloat(nested, function(nested, x), type);
  };
  composite.replaceResult(0, b.elementwise(input, type, body));
  return {};
}

/// x / 2 · (1 + erf(x / √2)).
static Value geluErf(ImplicitLocOpBuilder &b, ValueRange args) {
  Value x = args[0];
  Value scaled = arith::MulFOp::create(b, x, scalarF32(b, M_SQRT1_2));
  Value erf = math::ErfOp::create(b, scaled);
  Value gate = arith::AddFOp::create(b, erf, scalarF32(b, 1));
  Value half = arith::MulFOp::create(b, x, scalarF32(b, 0.5));
  return arith::MulFOp::create(b, half, gate);
}

/// x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).
static Value geluTanh(ImplicitLocOpBuilder &b, ValueRange args) {
  Value x = args[0];
  Value square = arith::MulFOp::create(b, x, x);
  Value cube = arith::MulFOp::create(b, square, x);
  Value cubic = arith::MulFOp::create(b, cube, scalarF32(b, 0.044715));
  Value inner = arith::AddFOp::create(b, x, cubic);
  Value scaled =
      arith::MulFOp::create(b, inner, scalarF32(b, M_SQRT2 * M_2_SQRTPI * 0.5));
  Value tanh = math::TanhOp::create(b, scaled);
  Value gate = arith::AddFOp::create(b, tanh, scalarF32(b, 1));
  Value half = arith::MulFOp::create(b, x, scalarF32(b, 0.5));
  return arith::MulFOp::create(b, half, gate);
}

static std::string gelu(Composite &composite, TensorBuilder &b) {
  auto approximate = composite.argument<StringAttr>("approximate");
  bool tanh = approximate && approximate.getValue() == "tanh";
  return applyUnary(composite, b, tanh ? geluTanh : geluErf);
}

/// x / (1 + e^-x).
static Value siluBody(ImplicitLocOpBuilder &b, ValueRange args) {
  Value exp = math::ExpOp::create(b, arith::NegFOp::create(b, args[0]));
  Value denominator = arith::AddFOp::create(b, exp, scalarF32(b, 1));
  return arith::DivFOp::create(b, args[0], denominator);
}

static std::string silu(Composite &composite, TensorBuilder &b) {
  return applyUnary(composite, b, siluBody);
}

/// The polynomial of `x` with these coefficients, the constant one first.
static Value polynomial(ImplicitLocOpBuilder &b, Value x,
                        ArrayRef<double> coefficients) {
  Value sum = scalarF32(b, coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = math::FmaOp::create(b, sum, x, scalarF32(b, coefficient));
  return sum;
}

/// x · F(w), which is erfinv(x) for w = -log(1 - x²): the form of M. Giles,
/// "Approximating the erfinv function" (GPU Computing Gems, Jade edition,
/// 2011). F is 1 + a polynomial of w below 6, and s times one of 1/s - 0.2 from
/// there to 104, which is farther than f32 goes in ndtri, with s = √w. They are
/// minimax fits (Remez) to F, each with a relative error of 5e-8. With what is
/// around it, a body has room in one pass of the vector unit.
static Value inverseErf(ImplicitLocOpBuilder &b, Value x, Value w) {
  Value rest =
      polynomial(b, w,
                 {-1.13773122e-1, 2.32015193e-1, 1.15409885e-2, -2.31810054e-3,
                  -1.44385645e-4, 5.43703063e-5, 6.70123711e-7, -1.32824812e-6,
                  1.52987425e-7, -5.82675419e-9});
  Value central = math::FmaOp::create(b, x, rest, x);
  Value root = math::SqrtOp::create(b, w);
  Value inverse = math::RsqrtOp::create(b, w);
  Value ratio =
      polynomial(b, arith::SubFOp::create(b, inverse, scalarF32(b, 0.2)),
                 {9.69981313e-1, -2.01598838e-1, -1.74351595e-2, 7.61882246e-1,
                  -1.17466414, 9.11469460e-1, -9.21236992, 1.65198456e2,
                  3.34105438e2, -4.23742139e3, 6.79775732e3});
  Value tail =
      arith::MulFOp::create(b, x, arith::MulFOp::create(b, root, ratio));
  Value isCentral =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, w, scalarF32(b, 6));
  return arith::SelectOp::create(b, isCentral, central, tail);
}

/// The logarithm is of (1 - x) · (1 + x): 1 - x² loses digits near 1.
static Value erfinvBody(ImplicitLocOpBuilder &b, ValueRange args) {
  Value x = args[0], one = scalarF32(b, 1);
  Value product = arith::MulFOp::create(b, arith::SubFOp::create(b, one, x),
                                        arith::AddFOp::create(b, one, x));
  Value w = arith::NegFOp::create(b, math::LogOp::create(b, product));
  return inverseErf(b, x, w);
}

static std::string erfinv(Composite &composite, TensorBuilder &b) {
  return applyUnary(composite, b, erfinvBody);
}

/// √2 · erfinv(2p - 1): with the logarithm of 4p · (1 - p), small p keep the
/// digits that 2p - 1 loses.
static Value ndtriBody(ImplicitLocOpBuilder &b, ValueRange args) {
  Value two = scalarF32(b, 2);
  Value twice = arith::MulFOp::create(b, args[0], two);
  Value product =
      arith::MulFOp::create(b, twice, arith::SubFOp::create(b, two, twice));
  Value w = arith::NegFOp::create(b, math::LogOp::create(b, product));
  Value place = arith::SubFOp::create(b, twice, scalarF32(b, 1));
  Value scaled = arith::MulFOp::create(b, place, scalarF32(b, M_SQRT2));
  return inverseErf(b, scaled, w);
}

static std::string ndtri(Composite &composite, TensorBuilder &b) {
  return applyUnary(composite, b, ndtriBody);
}

static std::string softmax(Composite &composite, TensorBuilder &b) {
  Value input = composite.operand("self");
  std::optional<int64_t> dim = composite.integer("dim");
  if (!input || !dim || !isFloatTensor(tensorType(input)) ||
      !composite.resultType(0))
    return "expected a float tensor and a dimension";
  if (*dim < 0)
    *dim += tensorType(input).getRank();
  composite.replaceResult(
      0, emitSoftmax(b, input, *dim, composite.resultType(0).getElementType()));
  return {};
}

void mlir::asic::addActivationDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten._softmax"] = softmax;
  table["aten.erfinv"] = erfinv;
  table["aten.gelu"] = gelu;
  table["aten.silu"] = silu;
  table["aten.special_ndtri"] = ndtri;
}
