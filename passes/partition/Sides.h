// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which side of the border an op of @main is on, and how ops see each other
// across it.
#ifndef ASIC_PASSES_PARTITION_SIDES_H
#define ASIC_PASSES_PARTITION_SIDES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::asic {

/// Where an op of @main runs.
enum class Side { accelerator, host };

/// The side of every op that is part of a region.
using Sides = llvm::DenseMap<Operation *, Side>;

/// True for an op that every region has a copy of instead of passing its value
/// around: constants, and what only spreads them over a tensor. A constant
/// that is a result is work for the host.
bool isShared(Operation *op);

/// True for an op outside any region: shared ones, border casts, the return.
bool isOutside(Operation *op);

/// The op of @main that makes `value` in a region; null for arguments, shared
/// ops and casts of arguments.
Operation *regionProducer(Value value);

/// Calls `fn` on every value from outside that `op` or its regions use.
void forEachUse(Operation *op, function_ref<void(Value)> fn);

/// The op of the entry block around `op`.
Operation *topLevel(Operation *op, func::FuncOp main);

} // namespace mlir::asic

#endif // ASIC_PASSES_PARTITION_SIDES_H
