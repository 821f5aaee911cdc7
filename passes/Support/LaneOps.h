// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What scalar ops of a body cost in the vector unit.
#ifndef ASIC_PASSES_SUPPORT_LANEOPS_H
#define ASIC_PASSES_SUPPORT_LANEOPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::asic {

/// The lane operation that computes a scalar op, "" for one that costs nothing
/// (a change of type that streams and registers do anyway), "?" for none.
StringRef laneMnemonic(StringRef op);

/// An upper bound of the lane operations that a body becomes; the program of
/// one pass has room for `::asic::isa::maxLaneOps`.
unsigned countLaneOps(linalg::GenericOp op);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_LANEOPS_H
