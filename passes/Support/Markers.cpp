// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/Markers.h"
#include "passes/Support/Constants.h"
#include "passes/Support/ScalarBodies.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

/// Numbers along `axis` as a 1-D constant, or none when all are equal.
static Value alongAxis(TensorBuilder &b, ArrayRef<int64_t> values, Type type,
                       StringRef name) {
  if (llvm::all_equal(values))
    return {};
  auto tensor = RankedTensorType::get(values.size(), type);
  return arith::ConstantOp::create(b, makeConstant(tensor, name, values));
}

static SmallVector<int64_t> floatBits(ArrayRef<double> values,
                                      function_ref<float(double)> convert) {
  SmallVector<int64_t> bits;
  for (double value : values)
    bits.push_back(llvm::bit_cast<uint32_t>(convert(value)));
  return bits;
}

namespace {
/// The scalars of a marker that stays float: factors (f32) and zero points,
/// each one number or one per index of the axis.
struct MarkerOperands {
  Value factors, zeroPoints;
  float factor;
  int64_t zeroPoint;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;

  MarkerOperands(TensorBuilder &b, Value input, ArrayRef<int64_t> factorBits,
                 ArrayRef<int64_t> zeros, std::optional<int64_t> axis)
      : factors(alongAxis(b, factorBits, b.getF32Type(), "scales")),
        zeroPoints(alongAxis(b, zeros, b.getI32Type(), "zero_points")),
        factor(llvm::bit_cast<float>(uint32_t(factorBits.front()))),
        zeroPoint(zeros.front()) {
    int64_t rank = tensorType(input).getRank();
    inputs.push_back(input);
    maps.push_back(b.identityMap(rank));
    for (Value tensor : {factors, zeroPoints})
      if (tensor) {
        inputs.push_back(tensor);
        maps.push_back(b.dimsMap(rank, *axis));
      }
  }

  Value factorIn(ImplicitLocOpBuilder &b, ValueRange args) const {
    if (factors)
      return args[1];
    return arith::ConstantOp::create(b, b.getF32FloatAttr(factor));
  }

  Value zeroIn(ImplicitLocOpBuilder &b, ValueRange args) const {
    if (zeroPoints)
      return args[factors ? 2 : 1];
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(zeroPoint));
  }

  bool hasZero() const { return zeroPoints || zeroPoint != 0; }
};
} // namespace

/// clamp(roundeven(x · (1 / scale)) + zero point, lo, hi), the clamp in front
/// of the addition so that everything fits in 32 bits.
Value mlir::asic::lowerMarker(TensorBuilder &b, QuantizeOp op) {
  SmallVector<int64_t> inverse = floatBits(
      op.getScales(), [](double scale) { return float(1.0 / scale); });
  MarkerOperands operands(b, op.getInput(), inverse, op.getZeroPoints(),
                          op.getAxis());
  RankedTensorType type = tensorType(op.getResult());
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  auto bound = [&](ImplicitLocOpBuilder &nested, ValueRange args,
                   int64_t limit) -> Value {
    if (!operands.zeroPoints)
      return arith::ConstantOp::create(
          nested, nested.getF32FloatAttr(float(limit - operands.zeroPoint)));
    Value constant = arith::ConstantOp::create(
        nested, nested.getI32IntegerAttr(static_cast<int32_t>(limit)));
    Value shifted =
        arith::SubIOp::create(nested, constant, operands.zeroIn(nested, args));
    return arith::SIToFPOp::create(nested, f32, shifted);
  };
  auto body = [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
    Value x = widenFloat(nested, args[0]);
    x = arith::MulFOp::create(nested, x, operands.factorIn(nested, args));
    x = math::RoundEvenOp::create(nested, x);
    x = arith::MaximumFOp::create(nested, x, bound(nested, args, op.getLo()));
    x = arith::MinimumFOp::create(nested, x, bound(nested, args, op.getHi()));
    Value q = arith::FPToSIOp::create(nested, i32, x);
    if (operands.hasZero())
      q = arith::AddIOp::create(nested, q, operands.zeroIn(nested, args));
    if (type.getElementType() == i32)
      return q;
    return arith::TruncIOp::create(nested, type.getElementType(), q);
  };
  return b.map(operands.inputs, operands.maps, type.getShape(),
               type.getElementType(), body);
}

/// The real tensor behind a constant of whole bytes, as f32.
static TypedAttr fold(DequantizeOp op) {
  ElementsAttr constant = getConstant(op.getInput());
  RankedTensorType type = op.getType();
  std::optional<ArrayRef<char>> bytes =
      constant ? getBytes(constant) : std::nullopt;
  if (!bytes || !type.getElementType().isF32())
    return {};
  Type from = constant.getElementType();
  size_t width = elementBytes(from);
  bool splat = bytes->size() == width && constant.getNumElements() != 1;
  // Elements that share one scale, in a row.
  int64_t inner = 1, axis = op.getAxis().value_or(-1);
  for (int64_t dim = axis + 1; axis >= 0 && dim < type.getRank(); ++dim)
    inner *= type.getDimSize(dim);
  ArrayRef<double> scales = op.getScales();
  ArrayRef<int64_t> zeros = op.getZeroPoints();
  std::string name = (getResourceName(constant) + ".f32").str();
  return makeConstant(type, name, [&](MutableArrayRef<char> target) {
    for (int64_t i = 0, e = constant.getNumElements(); i < e; ++i) {
      size_t channel = i / inner % scales.size();
      double q = readElement(bytes->data() + (splat ? 0 : i * width), from);
      float x = float(q - double(zeros[channel])) * float(scales[channel]);
      std::memcpy(target.data() + i * sizeof(float), &x, sizeof(float));
    }
  });
}

/// (q - zero point) · scale; of a constant, now.
Value mlir::asic::lowerMarker(TensorBuilder &b, DequantizeOp op) {
  if (TypedAttr folded = fold(op))
    return arith::ConstantOp::create(b, folded);
  SmallVector<int64_t> scales =
      floatBits(op.getScales(), [](double scale) { return float(scale); });
  MarkerOperands operands(b, op.getInput(), scales, op.getZeroPoints(),
                          op.getAxis());
  RankedTensorType type = tensorType(op.getResult());
  auto body = [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
    Value q = widenInteger(nested, args[0]);
    if (operands.hasZero())
      q = arith::SubIOp::create(nested, q, operands.zeroIn(nested, args));
    Value x = arith::SIToFPOp::create(nested, nested.getF32Type(), q);
    x = arith::MulFOp::create(nested, x, operands.factorIn(nested, args));
    return narrowFloat(nested, x, type.getElementType());
  };
  return b.map(operands.inputs, operands.maps, type.getShape(),
               type.getElementType(), body);
}
