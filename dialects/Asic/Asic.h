// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The asic dialect: attributes, scalar operations and tile operations.
#ifndef ASIC_DIALECTS_ASIC_ASIC_H
#define ASIC_DIALECTS_ASIC_ASIC_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Asic/AsicDialect.h.inc"
#include "dialects/Asic/AsicEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Asic/AsicAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/Asic/AsicOps.h.inc"

namespace mlir::asic {

/// Name of the module attribute that holds the `#asic.target`.
inline constexpr llvm::StringLiteral kTargetAttrName = "asic.target";

/// Argument and result attribute of `@main` and of host functions: for each
/// dimension the name of how much of it a call uses, "" for all of it. What
/// lies behind is padding.
inline constexpr llvm::StringLiteral kExtentsAttrName = "asic.extents";

/// Memory space of a memref type; a memref without one is in dram.
Space getSpace(MemRefType type);

/// True for a memref whose elements (i4, ui4) lie two to a byte: element 2j of
/// the row-major order is the low half of byte j.
bool isPacked(MemRefType type);

/// The `#asic.target` of the module around `op`, null when there is none.
TargetAttr getTarget(Operation *op);

} // namespace mlir::asic

#endif // ASIC_DIALECTS_ASIC_ASIC_H
