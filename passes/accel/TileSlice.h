// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of constants as constants of their own, contiguous in memory.
#ifndef ASIC_PASSES_ACCEL_TILESLICE_H
#define ASIC_PASSES_ACCEL_TILESLICE_H

#include "passes/accel/PlanContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <map>

namespace mlir::asic {

/// Cuts constants, each box once.
class ConstantSlices {
public:
  /// The constant that holds `box` of `source`; null when `source` is no
  /// constant or the box is contiguous in it.
  Value slice(OpBuilder &builder, Value source, const Box &box);

  /// Failure when a constant had no data; a diagnostic was emitted.
  LogicalResult status() const { return success(!failed); }

private:
  std::map<std::pair<void *, SmallVector<int64_t>>, Value> known;
  bool failed = false;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_TILESLICE_H
