// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants of bytes that dram holds two elements to a byte: how the decision
// of asic-pack-constants is written down and read.
#ifndef ASIC_PASSES_SUPPORT_PACKEDCONSTANTS_H
#define ASIC_PASSES_SUPPORT_PACKEDCONSTANTS_H

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::asic {

/// Attribute of an arith.constant with i8 elements: i4 or ui4, which hold every
/// one of them. Dram gets two to a byte, loads widen them.
inline constexpr llvm::StringLiteral kPackedAttrName = "asic.packed";

/// The type that a constant is packed as; null for every other value.
IntegerType getPackedType(Value value);

/// Bytes of `elements` that lie two to a byte.
inline int64_t packedBytes(int64_t elements) { return (elements + 1) / 2; }

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_PACKEDCONSTANTS_H
