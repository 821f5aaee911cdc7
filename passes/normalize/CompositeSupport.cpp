// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/normalize/CompositeSupport.h"

#include "passes/Support/Constants.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace mlir::asic;

Value mlir::asic::scalarF32(ImplicitLocOpBuilder &b, double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value)));
}

bool mlir::asic::isFloatTensor(RankedTensorType type) {
  return type && isa<FloatType>(type.getElementType());
}

/// Dimensions 0 … rank-1 without those that `dropped` holds.
SmallVector<int64_t> mlir::asic::dimsWithout(int64_t rank,
                                             ArrayRef<int64_t> dropped) {
  SmallVector<int64_t> kept;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(dropped, dim))
      kept.push_back(dim);
  return kept;
}

static Value addBody(ImplicitLocOpBuilder &b, ValueRange args) {
  return arith::AddFOp::create(b, widenFloat(b, args[0]), args[1]);
}

/// Sum over all dimensions but `kept`, in f32.
Value mlir::asic::sum(TensorBuilder &b, Value input, ArrayRef<int64_t> kept) {
  return b.reduce(input, kept, b.getF32FloatAttr(0), addBody);
}

/// e^(x - max) / Σ e^(x - max) along `dim`; the result has `type` elements.
Value mlir::asic::emitSoftmax(TensorBuilder &b, Value input, int64_t dim,
                              Type type) {
  int64_t rank = tensorType(input).getRank();
  SmallVector<int64_t> kept = dimsWithout(rank, dim);
  AffineMap whole = b.identityMap(rank), row = b.dimsMap(rank, kept);
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  Value max = b.reduce(input, kept, b.getF32FloatAttr(lowest),
                       [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         return arith::MaximumFOp::create(
                             b, widenFloat(b, args[0]), args[1]);
                       });
  ArrayRef<int64_t> shape = tensorType(input).getShape();
  Value exp = b.map({input, max}, {whole, row}, shape, b.getF32Type(),
                    [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                      Value shifted = arith::SubFOp::create(
                          b, widenFloat(b, args[0]), args[1]);
                      return math::ExpOp::create(b, shifted);
                    });
  return b.map({exp, sum(b, exp, kept)}, {whole, row}, shape, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 return narrowFloat(
                     b, arith::DivFOp::create(b, args[0], args[1]), type);
               });
}

/// Σ_k a·w in f32 from zero, with the given maps of a, w and the result.
Value mlir::asic::contract(TensorBuilder &b, Value lhs, Value rhs,
                           ArrayRef<AffineMap> maps, ArrayRef<int64_t> shape) {
  Value init = b.fillFloat(shape, b.getF32Type(), 0);
  return b
      .generic({lhs, rhs}, init, maps,
               [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 Value product = arith::MulFOp::create(
                     b, widenFloat(b, args[0]), widenFloat(b, args[1]));
                 return arith::AddFOp::create(b, args[2], product);
               })
      .getResult(0);
}

/// `value` without its unit dimensions where it is broadcast to `shape`, and
/// the map that broadcasts the rest. None when it does not broadcast.
std::optional<std::pair<Value, AffineMap>>
mlir::asic::broadcastTo(TensorBuilder &b, Value value,
                        ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(value);
  int64_t offset = int64_t(shape.size()) - type.getRank();
  if (offset < 0)
    return std::nullopt;
  SmallVector<int64_t> dims, sizes;
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (size == 1 && shape[dim + offset] != 1)
      continue;
    if (size != shape[dim + offset])
      return std::nullopt;
    dims.push_back(dim + offset);
    sizes.push_back(size);
  }
  return std::make_pair(b.reshape(value, sizes), b.dimsMap(shape.size(), dims));
}

Value mlir::asic::slice(TensorBuilder &b, Value tensor, int64_t dim,
                        int64_t from, int64_t size, int64_t stride) {
  RankedTensorType type = tensorType(tensor);
  SmallVector<OpFoldResult> offsets, sizes, strides;
  for (auto [d, extent] : llvm::enumerate(type.getShape())) {
    bool here = int64_t(d) == dim;
    offsets.push_back(b.getIndexAttr(here ? from : 0));
    sizes.push_back(b.getIndexAttr(here ? size : extent));
    strides.push_back(b.getIndexAttr(here ? stride : 1));
  }
  if (from == 0 && size == type.getDimSize(dim) && stride == 1)
    return tensor;
  return tensor::ExtractSliceOp::create(b, tensor, offsets, sizes, strides);
}

Value mlir::asic::concat(TensorBuilder &b, ValueRange tensors, int64_t dim) {
  SmallVector<Value> parts;
  for (Value tensor : tensors)
    if (tensorType(tensor).getDimSize(dim) != 0)
      parts.push_back(tensor);
  if (parts.empty())
    return tensors.front();
  return parts.size() == 1 ? parts.front()
                           : tensor::ConcatOp::create(b, dim, parts);
}

Value mlir::asic::iota(TensorBuilder &b, int64_t size, Type type) {
  auto values = llvm::to_vector(llvm::seq<int64_t>(0, size));
  return arith::ConstantOp::create(
      b, makeConstant(RankedTensorType::get(size, type), "iota", values));
}

Value mlir::asic::convertScalar(ImplicitLocOpBuilder &b, Value value, Type type,
                                bool isUnsigned) {
  isUnsigned |= value.getType().isInteger(1);
  if (type.isInteger(1) && !value.getType().isInteger(1)) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(value.getType()));
    if (isa<FloatType>(value.getType()))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, value, zero);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, value, zero);
  }
  return convertScalarToDtype(b, b.getLoc(), value, type, isUnsigned);
}

Value mlir::asic::convertTensor(TensorBuilder &b, Value tensor, Type type,
                                bool isUnsigned) {
  if (tensorType(tensor).getElementType() == type)
    return tensor;
  return b.elementwise(tensor, type,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) {
                         return convertScalar(b, args[0], type, isUnsigned);
                       });
}

Type mlir::asic::computeType(Type type) {
  return isa<FloatType>(type) ? Float32Type::get(type.getContext()) : type;
}

Value mlir::asic::wrapIndex(ImplicitLocOpBuilder &b, Value value,
                            int64_t extent) {
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantOp::create(b,
                                     b.getIntegerAttr(value.getType(), number));
  };
  Value zero = constant(0);
  Value fromEnd = arith::AddIOp::create(b, value, constant(extent));
  Value negative =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, value, zero);
  value = arith::SelectOp::create(b, negative, fromEnd, value);
  return arith::IndexCastOp::create(b, b.getIndexType(), value);
}

Value mlir::asic::extractAt(ImplicitLocOpBuilder &b, Value tensor,
                            ValueRange position) {
  return tensor::ExtractOp::create(b, tensor, position);
}
