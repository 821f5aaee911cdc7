// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short ways to build linalg on static tensors, and questions about generics
// that several passes ask.
#ifndef ASIC_PASSES_SUPPORT_TENSORBUILDER_H
#define ASIC_PASSES_SUPPORT_TENSORBUILDER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::asic {

/// Type of a tensor value.
inline RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Whether `type` is a tensor without elements: a dimension of it is 0.
inline bool isEmptyTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && llvm::is_contained(tensor.getShape(), 0);
}

/// Builds the scalar result of a generic from its block arguments.
using BodyFn = function_ref<Value(ImplicitLocOpBuilder &, ValueRange)>;

/// Builds linalg-on-tensors ops at one place with one location.
class TensorBuilder : public ImplicitLocOpBuilder {
public:
  TensorBuilder(Location loc, OpBuilder &builder)
      : ImplicitLocOpBuilder(loc, builder) {}

  /// `tensor.empty`.
  Value empty(ArrayRef<int64_t> shape, Type elementType);

  /// A tensor filled with `value`, an attribute of its element type.
  Value fill(ArrayRef<int64_t> shape, TypedAttr value);

  /// A tensor of floats filled with `value`.
  Value fillFloat(ArrayRef<int64_t> shape, FloatType type, double value);

  /// A scalar float constant.
  Value floatConstant(Type type, double value);

  /// A scalar integer constant.
  Value intConstant(Type type, int64_t value);

  /// The identity map over `rank` dimensions.
  AffineMap identityMap(int64_t rank) { return getMultiDimIdentityMap(rank); }

  /// The map (d0, …) -> (d of dims[0], d of dims[1], …).
  AffineMap dimsMap(int64_t rank, ArrayRef<int64_t> dims);

  /// `linalg.generic` over `init`, whose map is the last of `maps`; all
  /// iterators that the last map does not use are reductions.
  linalg::GenericOp generic(ValueRange inputs, Value init,
                            ArrayRef<AffineMap> maps, BodyFn body);

  /// A parallel generic that makes a tensor of `shape` and `elementType`;
  /// `maps` are those of the inputs.
  Value map(ValueRange inputs, ArrayRef<AffineMap> maps,
            ArrayRef<int64_t> shape, Type elementType, BodyFn body);

  /// `map` of inputs of one shape.
  Value elementwise(ValueRange inputs, Type elementType, BodyFn body);

  /// Reduces the dimensions that `kept` does not list (ascending), starting at
  /// `init`; the body's second argument is the accumulator.
  Value reduce(Value input, ArrayRef<int64_t> kept, TypedAttr init,
               BodyFn body);

  /// Dimension d of the result is dimension `permutation[d]` of `input`.
  Value transpose(Value input, ArrayRef<int64_t> permutation);

  /// `input` with the same elements in another shape: an expand or a collapse,
  /// or one after the other.
  Value reshape(Value input, ArrayRef<int64_t> shape);

  /// A 1-D tensor repeated over `shape` along every dimension but `dim`.
  Value broadcast(Value vector, int64_t dim, ArrayRef<int64_t> shape);
};

/// How a body multiplies and accumulates: `acc + cast(a) * cast(b)`.
struct MultiplyAccumulate {
  /// Operand numbers of the factors.
  unsigned lhs, rhs;
  /// The multiplication and the addition.
  Operation *multiply, *add;
};

/// Recognises a generic with two inputs and one result whose body multiplies
/// and accumulates, with widening casts (and zero-point subtractions when
/// integer) on the factors.
std::optional<MultiplyAccumulate> matchMultiplyAccumulate(linalg::GenericOp op);

/// Whether the generic only moves elements: its body yields an input.
bool isDataMovement(linalg::GenericOp op);

/// Whether every iterator is parallel.
inline bool isParallel(linalg::GenericOp op) {
  return op.getNumLoops() == op.getNumParallelLoops();
}

/// The source vector and the dimension it lies along, when `value` is a generic
/// or linalg.broadcast that repeats a 1-D tensor.
struct BroadcastVector {
  Value vector;
  int64_t dim;
};
std::optional<BroadcastVector> matchBroadcastVector(Value value);

/// The scalar that fills `value`, when it is a linalg.fill or a splat constant.
std::optional<TypedAttr> matchFill(Value value);

/// The constant that body value `value` stands for: a scalar constant, or a
/// block argument fed by a splat tensor constant.
std::optional<double> matchScalar(linalg::GenericOp op, Value value);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_TENSORBUILDER_H
