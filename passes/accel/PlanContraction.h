// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a linalg.generic is to the machine: a contraction for the array, a map
// for the vector unit, or the initial value of one of them.
#ifndef ASIC_PASSES_ACCEL_PLANCONTRACTION_H
#define ASIC_PASSES_ACCEL_PLANCONTRACTION_H

#include "target/TargetModel.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace mlir::asic {

/// How an iterator of a contraction takes part.
enum class LoopRole {
  /// In A and the result.
  m,
  /// In W and the result.
  n,
  /// In A, W and the result.
  batch,
  /// In A and W: summed.
  k,
};

/// A sum of products that the array can compute.
struct Contraction {
  /// Operand numbers of A (whose index may be a window) and W.
  unsigned a = 0, w = 1;
  int64_t aZero = 0, wZero = 0;
  /// One per iterator.
  SmallVector<LoopRole> roles;
  /// No iterator belongs to W alone: one of `batch` is the channel of a
  /// depthwise contraction.
  bool depthwise = false;
};

/// Reads `op` as a contraction. Nothing when it is none, when the target has no
/// mode for its types, or when it is depthwise and the target has no path for
/// that: the vector unit computes it then.
std::optional<Contraction> matchContraction(linalg::GenericOp op,
                                            const ::asic::TargetModel &target);

/// A half-open range per dimension.
struct Box {
  SmallVector<int64_t, 6> offsets, sizes;

  bool operator==(const Box &other) const {
    return offsets == other.offsets && sizes == other.sizes;
  }
  int64_t numElements() const;
};

/// The smallest box that holds `map` of every point of `loops`.
Box imageOf(AffineMap map, const Box &loops);

/// True for a generic that broadcasts one tensor unchanged along some
/// dimensions: the bias of a contraction.
bool isBroadcast(linalg::GenericOp op);

/// True when `op` has no work of its own where a group uses it: fills, empty
/// tensors, paddings and initial values become part of their user.
bool isAbsorbed(Operation *op);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_PLANCONTRACTION_H
