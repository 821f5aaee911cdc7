// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Order and on-chip addresses, found together.
//
// The machine runs a stream in order, one queue per engine; what runs at the
// same time is decided by where operations stand in the stream. The scheduler
// replays the machine: of all operations that could be next on their engine it
// emits the one that issues first. Compute keeps its program order; loads run
// ahead of it as soon as there is space for what they load, so the prefetch
// distance is not a constant but whatever memory allows.
//
// Space is given out in the order in which program order first needs it, to
// loads and to results alike. So a prefetch never takes the space that an
// earlier operation still waits for, and a function that fits in program order
// never runs into a deadlock, however far loads run ahead.
#ifndef ASIC_PASSES_ACCEL_SCHEDULEORDER_H
#define ASIC_PASSES_ACCEL_SCHEDULEORDER_H

#include "passes/accel/AllocateSpace.h"
#include "passes/accel/ScheduleModel.h"

namespace mlir::asic {

/// Parameters of one attempt.
struct OrderOptions {
  /// How many operations (in program order) may be emitted before the oldest
  /// one that is not.
  unsigned lookahead = 250;
  /// Loads out of which the next one is chosen.
  unsigned loadWindow = 16;
  /// Loads go before stores when both could issue at the same time.
  bool loadsFirst = true;
  /// Addresses are found for program order before anything is moved: the last
  /// resort when memory is tight.
  bool fixedAddresses = false;
};

/// Operations in stream order with their engines; sets the addresses of SRAM
/// and ACC buffers in the model.
struct OrderResult {
  /// Numbers of operations, first to last.
  std::vector<unsigned> stream;
  /// Engine by number of operation.
  std::vector<unsigned> engines;
  /// Retirement of the last operation in the scheduler's own model of time.
  uint64_t cycles = 0;
  int64_t sramPeak = 0, accPeak = 0;
};

/// Why an attempt failed: an operation whose buffer found no place.
struct OrderFailure {
  unsigned op = 0, buffer = 0;
  /// Buffers that hold the memory then.
  SmallVector<unsigned> holders;
  int64_t largestFree = 0;
};

/// DMA engines that are used: more would need more waits than a header has.
unsigned getUsedDmaEngines(const ::asic::TargetModel &target);

/// One attempt. On failure returns none and fills `why`.
std::optional<OrderResult>
orderOps(ScheduleModel &model, const OrderOptions &options, OrderFailure &why);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_SCHEDULEORDER_H
