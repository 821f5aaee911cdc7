// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Waits and posts for a stream whose order and addresses are fixed.
//
// Two operations on different engines conflict when one writes bytes that the
// other touches. The later one in the stream must then issue after the earlier
// one has retired. Vector clocks say what an operation already knows to have
// retired: what its engine knew before it, plus what the operations that it
// waits for knew. A dependence that is known needs no semaphore, so no wait is
// redundant.
#ifndef ASIC_PASSES_ACCEL_SYNCHRONIZE_H
#define ASIC_PASSES_ACCEL_SYNCHRONIZE_H

#include "passes/accel/ScheduleModel.h"

namespace mlir::asic {

/// Pairs (semaphore, count) of one operation.
struct SyncLists {
  SmallVector<int64_t, 4> waits, posts;
};

/// For every operation of `stream` (numbers of operations of the model, engines
/// by number of operation) its waits and posts. Emits a diagnostic on failure.
FailureOr<std::vector<SyncLists>> synchronize(const ScheduleModel &model,
                                              ArrayRef<unsigned> stream,
                                              ArrayRef<unsigned> engines);

/// Dependences of a stream: per position, the positions of earlier operations
/// on other engines that must have retired, at most one per engine.
std::vector<SmallVector<unsigned, 4>>
findDependences(const ScheduleModel &model, ArrayRef<unsigned> stream,
                ArrayRef<unsigned> engines);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_SYNCHRONIZE_H
