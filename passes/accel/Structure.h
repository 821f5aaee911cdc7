// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kind of work a linalg.generic is, read off its maps and body.
#ifndef ASIC_PASSES_ACCEL_STRUCTURE_H
#define ASIC_PASSES_ACCEL_STRUCTURE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace mlir::asic {

/// A sum of products: `out += (a - aZero) * (w - wZero)`.
struct Contraction {
  /// Operand numbers of a (the one whose map may have windows) and w.
  unsigned a = 0, w = 1;
  int64_t aZero = 0, wZero = 0;
  /// Loops by the operands they index: m = a and out, n = w and out, k = a and w (reduction),
  /// batch = a, w and out.
  SmallVector<unsigned> m, n, k, batch;

  /// Every output channel has its own input channel: the depthwise path.
  bool isDepthwise() const { return n.empty() && !batch.empty(); }
};

/// Recognises a contraction on tensors or buffers.
std::optional<Contraction> matchContraction(linalg::GenericOp op);

/// A generic that writes one value everywhere or broadcasts a 1-D tensor: what the
/// init of a contraction may be. Gives the broadcast input, null for a fill value of 0.
std::optional<Value> matchContractionInit(Value init);

/// All iterators are parallel.
bool isElementwise(linalg::GenericOp op);

/// Elements of `operand` that a tile with `sizes` iterations touches, per
/// dimension.
SmallVector<int64_t> tileShape(AffineMap map, ArrayRef<int64_t> sizes);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_STRUCTURE_H
