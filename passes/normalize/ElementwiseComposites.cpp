// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise ops whose other lowering loses NaN, needs f64 or leaves results
// open: extremes, clamps, quotients, remainders and shifts. Operands are
// converted to the result's type first.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Computes one element of the result's type.
using ScalarFn = function_ref<Value(ImplicitLocOpBuilder &, Value x, Value y)>;
} // namespace

/// `function` of the first tensor and of each of `others` in turn, which are
/// tensors or scalars of the result's type; absent ones are skipped.
static std::string apply(Composite &composite, TensorBuilder &b,
                         ArrayRef<StringRef> others,
                         ArrayRef<ScalarFn> functions, bool inF32 = false) {
  Value self = composite.operand("self");
  RankedTensorType result = composite.resultType(0);
  if (!self || !result)
    return "expected a tensor";
  Type type = result.getElementType();
  Type compute = inF32 ? computeType(type) : type;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  auto add = [&](Value tensor) {
    auto source = broadcastTo(b, tensor, result.getShape());
    if (!source)
      return false;
    inputs.push_back(source->first);
    maps.push_back(source->second);
    return true;
  };
  if (!add(self))
    return "expected tensors that broadcast";
  for (StringRef name : others)
    if (Value other = composite.operand(name); other && !add(other))
      return "expected tensors that broadcast";
  bool isUnsigned = composite.isUnsigned();
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value value = convertScalar(b, args[0], compute, isUnsigned);
    unsigned next = 1;
    for (auto [name, function] : llvm::zip(others, functions)) {
      Value other;
      if (composite.operand(name))
        other = convertScalar(b, args[next++], compute, isUnsigned);
      else if (TypedAttr scalar = composite.scalar(name, compute))
        other = arith::ConstantOp::create(b, scalar);
      if (other)
        value = function(b, value, other);
    }
    return convertScalar(b, value, type);
  };
  composite.replaceResult(0,
                          b.map(inputs, maps, result.getShape(), type, body));
  return {};
}

//===----------------------------------------------------------------------===//
// Extremes: NaN if either is
//===----------------------------------------------------------------------===//

template <bool isUnsigned>
static Value greater(ImplicitLocOpBuilder &b, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return arith::MaximumFOp::create(b, x, y);
  if (isUnsigned || x.getType().isInteger(1))
    return arith::MaxUIOp::create(b, x, y);
  return arith::MaxSIOp::create(b, x, y);
}

template <bool isUnsigned>
static Value lesser(ImplicitLocOpBuilder &b, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return arith::MinimumFOp::create(b, x, y);
  if (isUnsigned || x.getType().isInteger(1))
    return arith::MinUIOp::create(b, x, y);
  return arith::MinSIOp::create(b, x, y);
}

static std::string maximum(Composite &composite, TensorBuilder &b) {
  return apply(composite, b, {"other"},
               {composite.isUnsigned() ? greater<true> : greater<false>});
}

static std::string minimum(Composite &composite, TensorBuilder &b) {
  return apply(composite, b, {"other"},
               {composite.isUnsigned() ? lesser<true> : lesser<false>});
}

static std::string clamp(Composite &composite, TensorBuilder &b) {
  if (composite.isUnsigned())
    return apply(composite, b, {"min", "max"}, {greater<true>, lesser<true>});
  return apply(composite, b, {"min", "max"}, {greater<false>, lesser<false>});
}

//===----------------------------------------------------------------------===//
// Quotients and remainders
//===----------------------------------------------------------------------===//

/// The remainder with the sign of the dividend, as C's fmod; an integer divided
/// by zero gives zero.
template <bool isUnsigned>
static Value remainderOfTrunc(ImplicitLocOpBuilder &b, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return arith::RemFOp::create(b, x, y);
  if (isUnsigned)
    return arith::RemUIOp::create(b, x, y);
  return arith::RemSIOp::create(b, x, y);
}

/// Whether `y` is a float constant, a power of two: quotients are exact.
static bool isPowerOfTwo(Value y) {
  APFloat number(0.0);
  int exponent;
  return matchPattern(y, m_ConstantFloat(&number)) &&
         number.isFiniteNonZero() &&
         abs(frexp(number, exponent, APFloat::rmNearestTiesToEven))
             .isExactlyValue(0.5);
}

/// The remainder with the sign of the divisor, as Python's %.
template <bool isUnsigned>
static Value remainderOfFloor(ImplicitLocOpBuilder &b, Value x, Value y) {
  if (isPowerOfTwo(y)) {
    Value quotient = math::FloorOp::create(b, arith::DivFOp::create(b, x, y));
    return arith::SubFOp::create(b, x, arith::MulFOp::create(b, quotient, y));
  }
  Value rest = remainderOfTrunc<isUnsigned>(b, x, y);
  if (isUnsigned)
    return rest;
  Type type = x.getType();
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
  if (isa<FloatType>(type)) {
    Value isRest =
        arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, rest, zero);
    Value restBelow =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, rest, zero);
    Value divisorBelow =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, y, zero);
    Value differs = arith::XOrIOp::create(b, restBelow, divisorBelow);
    Value moves = arith::AndIOp::create(b, isRest, differs);
    return arith::SelectOp::create(b, moves, arith::AddFOp::create(b, rest, y),
                                   rest);
  }
  Value isRest = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, rest, zero);
  Value signs = arith::XOrIOp::create(b, rest, y);
  Value differs =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, signs, zero);
  Value moves = arith::AndIOp::create(b, isRest, differs);
  return arith::SelectOp::create(b, moves, arith::AddIOp::create(b, rest, y),
                                 rest);
}

static std::string fmod(Composite &composite, TensorBuilder &b) {
  return apply(composite, b, {"other"},
               {composite.isUnsigned() ? remainderOfTrunc<true>
                                       : remainderOfTrunc<false>},
               /*inF32=*/true);
}

static std::string remainder(Composite &composite, TensorBuilder &b) {
  return apply(composite, b, {"other"},
               {composite.isUnsigned() ? remainderOfFloor<true>
                                       : remainderOfFloor<false>},
               /*inF32=*/true);
}

/// Quotients towards zero.
template <bool isUnsigned>
static Value divideTrunc(ImplicitLocOpBuilder &b, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return math::TruncOp::create(b, arith::DivFOp::create(b, x, y));
  if (isUnsigned)
    return arith::DivUIOp::create(b, x, y);
  return arith::DivSIOp::create(b, x, y);
}

/// Quotients towards minus infinity. A float one is (x - remainder) / y rounded
/// to the nearest integer, as in PyTorch: the plain quotient may round up. By
/// zero it is infinite.
template <bool isUnsigned>
static Value divideFloor(ImplicitLocOpBuilder &b, Value x, Value y) {
  if (isUnsigned)
    return arith::DivUIOp::create(b, x, y);
  if (!isa<FloatType>(x.getType())) {
    Value rest = remainderOfFloor<false>(b, x, y);
    return arith::DivSIOp::create(b, arith::SubIOp::create(b, x, rest), y);
  }
  if (isPowerOfTwo(y))
    return math::FloorOp::create(b, arith::DivFOp::create(b, x, y));
  Value rest = remainderOfFloor<false>(b, x, y);
  Value whole = arith::SubFOp::create(b, x, rest);
  Value quotient =
      math::RoundEvenOp::create(b, arith::DivFOp::create(b, whole, y));
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(x.getType()));
  Value byZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, y, zero);
  return arith::SelectOp::create(b, byZero, arith::DivFOp::create(b, x, y),
                                 quotient);
}

static std::string floorDivide(Composite &composite, TensorBuilder &b) {
  return apply(
      composite, b, {"other"},
      {composite.isUnsigned() ? divideFloor<true> : divideFloor<false>},
      /*inF32=*/true);
}

static std::string divide(Composite &composite, TensorBuilder &b) {
  auto mode = composite.argument<StringAttr>("rounding_mode");
  if (mode && mode.getValue() == "floor")
    return floorDivide(composite, b);
  if (!mode || mode.getValue() != "trunc")
    return "expected a rounding mode";
  return apply(
      composite, b, {"other"},
      {composite.isUnsigned() ? divideTrunc<true> : divideTrunc<false>},
      /*inF32=*/true);
}

/// The magnitude of x with the sign of y.
static Value withSign(ImplicitLocOpBuilder &b, Value x, Value y) {
  return math::CopySignOp::create(b, x, y);
}

static std::string copySign(Composite &composite, TensorBuilder &b) {
  if (!isFloatTensor(composite.resultType(0)))
    return "expected a float tensor";
  return apply(composite, b, {"other"}, {withSign});
}

/// Whether the sign is minus: also that of -0 and of NaN.
static std::string signBit(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self");
  if (!self || !composite.resultType(0))
    return "expected a tensor";
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value x = args[0];
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(x.getType()));
    if (!isa<FloatType>(x.getType())) {
      bool isUnsigned = composite.isUnsigned() || x.getType().isInteger(1);
      return arith::CmpIOp::create(
          b, isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt,
          x, zero);
    }
    Value one = arith::ConstantOp::create(b, b.getFloatAttr(x.getType(), 1));
    Value sign = math::CopySignOp::create(b, one, x);
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, sign, zero);
  };
  composite.replaceResult(0, b.elementwise(self, b.getI1Type(), body));
  return {};
}

//===----------------------------------------------------------------------===//
// Shifts: by the width or more, or by a negative count, all bits leave
//===----------------------------------------------------------------------===//

static Value constantLike(ImplicitLocOpBuilder &b, Value like, int64_t number) {
  return arith::ConstantOp::create(b, b.getIntegerAttr(like.getType(), number));
}

/// `shifted`, or 0 where `count` is outside of [0, width).
static Value zeroBeyond(ImplicitLocOpBuilder &b, Value shifted, Value count) {
  Value width = constantLike(b, count, count.getType().getIntOrFloatBitWidth());
  Value stays =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, count, width);
  return arith::SelectOp::create(b, stays, shifted,
                                 constantLike(b, shifted, 0));
}

static Value shiftLeft(ImplicitLocOpBuilder &b, Value x, Value count) {
  return zeroBeyond(b, arith::ShLIOp::create(b, x, count), count);
}

template <bool isUnsigned>
static Value shiftRight(ImplicitLocOpBuilder &b, Value x, Value count) {
  if (isUnsigned)
    return zeroBeyond(b, arith::ShRUIOp::create(b, x, count), count);
  // Copies of the sign are left, as of the widest shift that there is.
  Value widest =
      constantLike(b, count, count.getType().getIntOrFloatBitWidth() - 1);
  return arith::ShRSIOp::create(b, x, arith::MinUIOp::create(b, count, widest));
}

static std::string shift(Composite &composite, TensorBuilder &b,
                         ScalarFn function) {
  RankedTensorType result = composite.resultType(0);
  if (!result || !isa<IntegerType>(result.getElementType()))
    return "expected integers";
  return apply(composite, b, {"other"}, {function});
}

static std::string leftShift(Composite &composite, TensorBuilder &b) {
  return shift(composite, b, shiftLeft);
}

static std::string rightShift(Composite &composite, TensorBuilder &b) {
  return shift(composite, b,
               composite.isUnsigned() ? shiftRight<true> : shiftRight<false>);
}

/// The same bits as another element type of the same width.
static std::string viewBits(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self");
  RankedTensorType result = composite.resultType(0);
  if (!self || !result)
    return "expected a tensor";
  Type from = tensorType(self).getElementType(), to = result.getElementType();
  if (from.getIntOrFloatBitWidth() != to.getIntOrFloatBitWidth())
    return "expected element types of one width";
  if (from == to) {
    composite.replaceResult(0, self);
    return {};
  }
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    return arith::BitcastOp::create(b, to, args[0]);
  };
  composite.replaceResult(0, b.elementwise(self, to, body));
  return {};
}

//===----------------------------------------------------------------------===//
// Triangles
//===----------------------------------------------------------------------===//

/// Keeps what is on one side of a diagonal of the last two dimensions.
template <bool isLower>
static std::string triangle(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self");
  if (!self || tensorType(self).getRank() < 2)
    return "expected a tensor with two dimensions";
  RankedTensorType type = tensorType(self);
  int64_t rank = type.getRank();
  int64_t diagonal = composite.integer("diagonal").value_or(0);
  Type i32 = b.getI32Type();
  Value inputs[] = {self, iota(b, type.getDimSize(rank - 2), i32),
                    iota(b, type.getDimSize(rank - 1), i32)};
  AffineMap maps[] = {b.identityMap(rank), b.dimsMap(rank, rank - 2),
                      b.dimsMap(rank, rank - 1)};
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value offset = arith::SubIOp::create(b, args[2], args[1]);
    Value limit = arith::ConstantOp::create(b, b.getI32IntegerAttr(diagonal));
    Value keeps = arith::CmpIOp::create(
        b, isLower ? arith::CmpIPredicate::sle : arith::CmpIPredicate::sge,
        offset, limit);
    Value zero =
        arith::ConstantOp::create(b, b.getZeroAttr(type.getElementType()));
    return arith::SelectOp::create(b, keeps, args[0], zero);
  };
  composite.replaceResult(
      0, b.map(inputs, maps, type.getShape(), type.getElementType(), body));
  return {};
}

void mlir::asic::addElementwiseDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten.bitwise_left_shift"] = leftShift;
  table["aten.bitwise_right_shift"] = rightShift;
  table["aten.clamp"] = clamp;
  table["aten.copysign"] = copySign;
  table["aten.div"] = divide;
  table["aten.floor_divide"] = floorDivide;
  table["aten.fmod"] = fmod;
  table["aten.maximum"] = maximum;
  table["aten.minimum"] = minimum;
  table["aten.remainder"] = remainder;
  table["aten.signbit"] = signBit;
  table["aten.tril"] = triangle</*isLower=*/true>;
  table["aten.triu"] = triangle</*isLower=*/false>;
  table["aten.view"] = viewBits;
}
