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

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_COMPOSITESUPPORT_H
