// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names that the partition phase leaves in the IR (docs/compiler.md).
#ifndef ASIC_PASSES_PARTITION_PARTITION_H
#define ASIC_PASSES_PARTITION_PARTITION_H

#include "llvm/ADT/StringRef.h"

namespace mlir::asic {

/// Function attribute: "accelerator" or "host".
inline constexpr llvm::StringLiteral kRegionAttrName = "asic.region";
inline constexpr llvm::StringLiteral kAcceleratorRegion = "accelerator";
inline constexpr llvm::StringLiteral kHostRegion = "host";

/// Attribute of a border cast, and of an argument or result of an accelerator
/// function: what the runtime converts.
inline constexpr llvm::StringLiteral kBoundaryAttrName = "asic.boundary";

/// Attribute of an op: why the accelerator cannot run it, "reason; remedy".
inline constexpr llvm::StringLiteral kRefusalAttrName = "asic.refusal";

/// Attribute of an op on the host that the accelerator could run: why it is
/// not there.
inline constexpr llvm::StringLiteral kMovedAttrName = "asic.moved";

/// Attribute of an argument or result: the user's name.
inline constexpr llvm::StringLiteral kNameAttrName = "asic.name";

/// Attribute of an argument and of the result that takes its place in the next
/// call: the path of the buffer whose value they are.
inline constexpr llvm::StringLiteral kStateAttrName = "asic.state";

/// The function that the user calls.
inline constexpr llvm::StringLiteral kEntryName = "main";

} // namespace mlir::asic

#endif // ASIC_PASSES_PARTITION_PARTITION_H
