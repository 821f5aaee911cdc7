// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/ScalarBodies.h"

#include <limits>

using namespace mlir;
using namespace mlir::asic;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

static std::optional<ClampBody> clampOf(linalg::GenericOp op, Value value);

/// `inner` followed by max or min with `bound`.
static ClampBody limit(ClampBody inner, bool isMax, double bound) {
  if (isMax)
    return {std::max(inner.lo, bound), std::max(inner.hi, bound)};
  return {std::min(inner.lo, bound), std::min(inner.hi, bound)};
}

/// max(value, bound) or min(value, bound) of one operand that is constant.
static std::optional<ClampBody> limitOf(linalg::GenericOp op, bool isMax,
                                        Value lhs, Value rhs) {
  if (matchScalar(op, lhs))
    std::swap(lhs, rhs);
  std::optional<double> bound = matchScalar(op, rhs);
  std::optional<ClampBody> inner = clampOf(op, lhs);
  if (!bound || !inner)
    return std::nullopt;
  return limit(*inner, isMax, *bound);
}

/// select(cmpf(a, b), a, b) and its mirror images.
static std::optional<ClampBody> selectOf(linalg::GenericOp op,
                                         arith::SelectOp select) {
  auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
  if (!compare)
    return std::nullopt;
  Value lhs = compare.getLhs(), rhs = compare.getRhs();
  using P = arith::CmpFPredicate;
  P predicate = compare.getPredicate();
  bool greater =
      llvm::is_contained({P::OGT, P::OGE, P::UGT, P::UGE}, predicate);
  bool less = llvm::is_contained({P::OLT, P::OLE, P::ULT, P::ULE}, predicate);
  Value yes = select.getTrueValue(), no = select.getFalseValue();
  bool straight = yes == lhs && no == rhs, crossed = yes == rhs && no == lhs;
  if ((!greater && !less) || (!straight && !crossed))
    return std::nullopt;
  return limitOf(op, greater == straight, lhs, rhs);
}

static std::optional<ClampBody> clampOf(linalg::GenericOp op, Value value) {
  if (value == op.getBody()->getArgument(0))
    return ClampBody{-kInfinity, kInfinity};
  Operation *scalar = value.getDefiningOp();
  if (!scalar)
    return std::nullopt;
  if (isa<arith::MaximumFOp, arith::MaxNumFOp>(scalar))
    return limitOf(op, /*isMax=*/true, scalar->getOperand(0),
                   scalar->getOperand(1));
  if (isa<arith::MinimumFOp, arith::MinNumFOp>(scalar))
    return limitOf(op, /*isMax=*/false, scalar->getOperand(0),
                   scalar->getOperand(1));
  if (auto select = dyn_cast<arith::SelectOp>(scalar))
    return selectOf(op, select);
  return std::nullopt;
}

std::optional<ClampBody> mlir::asic::matchClamp(linalg::GenericOp op) {
  return clampOf(op, op.getBody()->getTerminator()->getOperand(0));
}

std::optional<double> mlir::asic::matchDivision(linalg::GenericOp op) {
  Block *body = op.getBody();
  auto divide =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::DivFOp>();
  if (!divide || divide.getLhs() != body->getArgument(0))
    return std::nullopt;
  return matchScalar(op, divide.getRhs());
}

std::optional<BinaryBody> mlir::asic::matchBinary(linalg::GenericOp op) {
  Operation *combine =
      op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  if (!combine || !isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(combine) ||
      op.getNumDpsInputs() != 2)
    return std::nullopt;
  auto lhs = dyn_cast<BlockArgument>(combine->getOperand(0));
  auto rhs = dyn_cast<BlockArgument>(combine->getOperand(1));
  if (!lhs || !rhs || lhs.getOwner() != op.getBody() ||
      rhs.getOwner() != op.getBody() || lhs == rhs || lhs.getArgNumber() > 1 ||
      rhs.getArgNumber() > 1)
    return std::nullopt;
  BinaryBody::Kind kind = isa<arith::AddFOp>(combine)   ? BinaryBody::add
                          : isa<arith::SubFOp>(combine) ? BinaryBody::sub
                                                        : BinaryBody::mul;
  return BinaryBody{kind, lhs.getArgNumber(), rhs.getArgNumber()};
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static Value i32Constant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantOp::create(
      b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
}

Value mlir::asic::widenInteger(ImplicitLocOpBuilder &b, Value value) {
  if (value.getType().getIntOrFloatBitWidth() >= 32)
    return value;
  return arith::ExtSIOp::create(b, b.getI32Type(), value);
}

Value mlir::asic::subtractZero(ImplicitLocOpBuilder &b, Value value,
                               int64_t zeroPoint) {
  if (zeroPoint == 0)
    return value;
  return arith::SubIOp::create(b, value, i32Constant(b, zeroPoint));
}

Value mlir::asic::emitRescale(ImplicitLocOpBuilder &b, Value value,
                              const ::asic::Rescale &rescale,
                              RoundingAttr rounding) {
  Value multiplier = i32Constant(b, rescale.multiplier);
  Value shift = arith::ConstantOp::create(b, b.getI8IntegerAttr(rescale.shift));
  return RescaleOp::create(b, value, multiplier, shift, rounding);
}

Value mlir::asic::clampToCodes(ImplicitLocOpBuilder &b, Value value,
                               int64_t zeroPoint, int64_t lo, int64_t hi,
                               Type type) {
  if (zeroPoint != 0)
    value = arith::AddIOp::create(b, value, i32Constant(b, zeroPoint));
  value = arith::MaxSIOp::create(b, value, i32Constant(b, lo));
  value = arith::MinSIOp::create(b, value, i32Constant(b, hi));
  if (value.getType() == type)
    return value;
  return arith::TruncIOp::create(b, type, value);
}

Value mlir::asic::narrowFloat(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return arith::TruncFOp::create(b, type, value);
}

Value mlir::asic::widenFloat(ImplicitLocOpBuilder &b, Value value) {
  if (value.getType() == b.getF32Type())
    return value;
  return arith::ExtFOp::create(b, b.getF32Type(), value);
}

Value mlir::asic::widenToFloat(ImplicitLocOpBuilder &b, Value value) {
  if (value.getType().isInteger())
    return arith::SIToFPOp::create(b, b.getF32Type(), value);
  return widenFloat(b, value);
}
