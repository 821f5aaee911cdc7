// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations. All arithmetic is f32 whatever the element type, as in PyTorch.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace mlir::asic;

/// A function of one number applied to `self`.
static std::string applyUnary(Composite &composite, TensorBuilder &b,
                              BodyFn function) {
  Value input = composite.operand("self");
  if (!input || !isFloatTensor(composite.resultType(0)))
    return "expected a float tensor";
  Type type = composite.resultType(0).getElementType();
  auto body = [&](ImplicitLocOpBuilder &nested, ValueRange args) {
    return narrowFloat(nested, function(nested, widenFloat(nested, args[0])),
                       type);
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
  table["aten.gelu"] = gelu;
  table["aten.silu"] = silu;
}
