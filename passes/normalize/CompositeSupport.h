// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces that the decompositions of several families are made of.
#ifndef ASIC_PASSES_NORMALIZE_COMPOSITESUPPORT_H
#define ASIC_PASSES_NORMALIZE_COMPOSITESUPPORT_H

#include "passes/Support/ScalarBodies.h"
#include "passes/normalize/Composite.h"

namespace mlir::asic {

/// An f32 scalar constant.
Value scalarF32(ImplicitLocOpBuilder &b, double value);

/// Whether `type` is a tensor of floats; false for null.
bool isFloatTensor(RankedTensorType type);

/// Dimensions 0 … rank-1 without those that `dropped` holds.
SmallVector<int64_t> dimsWithout(int64_t rank, ArrayRef<int64_t> dropped);

/// Sum over all dimensions but `kept`, in f32.
Value sum(TensorBuilder &b, Value input, ArrayRef<int64_t> kept);

/// e^(x - max) / Σ e^(x - max) along `dim`; the result has `type` elements.
Value emitSoftmax(TensorBuilder &b, Value input, int64_t dim, Type type);

/// Σ_k a·w in f32 from zero, with the given maps of a, w and the result.
Value contract(TensorBuilder &b, Value lhs, Value rhs, ArrayRef<AffineMap> maps,
               ArrayRef<int64_t> shape);

/// `value` without its unit dimensions where it is broadcast to `shape`, and
/// the map that broadcasts the rest. None when it does not broadcast.
std::optional<std::pair<Value, AffineMap>>
broadcastTo(TensorBuilder &b, Value value, ArrayRef<int64_t> shape);

/// Every `stride`-th of the places `from` … along `dim`, `size` of them.
Value slice(TensorBuilder &b, Value tensor, int64_t dim, int64_t from,
            int64_t size, int64_t stride = 1);

/// Tensors one after the other along `dim`.
Value concat(TensorBuilder &b, ValueRange tensors, int64_t dim);

/// The constant 0, 1, …, size - 1 of integers.
Value iota(TensorBuilder &b, int64_t size, Type type);

/// A scalar as `type`, rounded or cut off where it must be.
Value convertScalar(ImplicitLocOpBuilder &b, Value value, Type type,
                    bool isUnsigned = false);

/// Every element as `type`.
Value convertTensor(TensorBuilder &b, Value tensor, Type type,
                    bool isUnsigned = false);

/// The type that sums and comparisons of `type` are made in: f32 for narrower
/// floats.
Type computeType(Type type);

/// A scalar index as `index`; a negative one counts from the end of a dimension
/// of `extent`.
Value wrapIndex(ImplicitLocOpBuilder &b, Value value, int64_t extent);

/// The element of `tensor` at the indices `position`.
Value extractAt(ImplicitLocOpBuilder &b, Value tensor, ValueRange position);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_COMPOSITESUPPORT_H
