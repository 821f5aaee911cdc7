// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of the attributes with which plan speaks to tile and bufferize.
#ifndef ASIC_PASSES_ACCEL_GROUPS_H
#define ASIC_PASSES_ACCEL_GROUPS_H

#include "llvm/ADT/StringRef.h"

namespace mlir::asic {

/// On every op of a group: its number (i64).
inline constexpr llvm::StringLiteral kGroupAttrName = "asic.group";
/// On the last op of a group: its `#asic.plan`.
inline constexpr llvm::StringLiteral kPlanAttrName = "asic.plan";
/// On the `tensor.empty` that tiles are inserted into: its `#asic.space`.
inline constexpr llvm::StringLiteral kSpaceAttrName = "asic.space";

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_GROUPS_H
