// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Happens-before from waits and posts.
//
// The stream is straight-line, every semaphore has one producer and one
// consumer engine, and engines issue and retire in order; so the k-th unit
// posted is the k-th unit waited for, whatever the timing, and what must have
// happened before an instruction issues is known without running anything: a
// vector clock per instruction, "the first c_e instructions of engine e have
// retired".

#ifndef ASIC_EMULATOR_SYNC_H
#define ASIC_EMULATOR_SYNC_H

#include "emulator/Fault.h"
#include "runtime/isa/Instruction.h"
#include "target/TargetModel.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <vector>

namespace asic::emulator {

class SyncAnalysis {
public:
  /// Reads the whole stream. Faults that hold in any mode come in `always`,
  /// those of checked mode in `checked`; the first of each is kept.
  SyncAnalysis(llvm::ArrayRef<isa::Instruction> stream,
               const TargetModel &target);

  std::optional<Fault> always, checked;

  /// Position of instruction `pc` on its engine, from 1.
  uint32_t ordinal(size_t pc) const { return ordinals[pc]; }
  unsigned engineOf(size_t pc) const { return engines[pc]; }
  /// True when instruction `before` (earlier in the stream) has retired, or is
  /// on the same engine, whenever `after` issues.
  bool happensBefore(size_t before, size_t after) const {
    unsigned engine = engines[before];
    return engine == engines[after] ||
           clocks[after * numEngines + engine] >= ordinals[before];
  }

private:
  friend class SyncBuilder;
  size_t numEngines;
  std::vector<uint8_t> engines;
  std::vector<uint32_t> ordinals;
  /// Per instruction and engine.
  std::vector<uint32_t> clocks;
};

} // namespace asic::emulator

#endif // ASIC_EMULATOR_SYNC_H
