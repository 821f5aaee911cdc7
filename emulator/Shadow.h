// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shadow memory of checked runs: per byte, who wrote it last and who has read
// it since, to find reads of bytes that were never written and accesses that
// nothing orders.
//
// A byte holds the number of a state; states are shared by all bytes with the
// same history. Instructions are recorded in stream order, so "conflicts with
// what is recorded and is not ordered after it" is exactly a race.

#ifndef ASIC_EMULATOR_SHADOW_H
#define ASIC_EMULATOR_SHADOW_H

#include "emulator/Accesses.h"
#include "emulator/Sync.h"

#include "llvm/ADT/DenseMap.h"

#include <cstdlib>
#include <memory>
#include <vector>

namespace asic::emulator {

class Shadow {
public:
  Shadow(const Memory &memory, const SyncAnalysis &sync, unsigned numEngines);

  /// Bytes written by the host before the run.
  void hostWrites(Space space, uint64_t begin, uint64_t end);
  /// As above, and no instruction may write them.
  void protect(uint64_t begin, uint64_t end);

  /// Records all accesses of instruction `pc`; the first fault stops.
  std::optional<Fault> record(size_t pc, const Accesses &accesses);

  /// E07 for bytes that the host reads at the end.
  std::optional<Fault> hostReads(const Footprint &footprint) const;
  /// False when the host had no room.
  bool valid() const { return bytes[0] && bytes[1] && bytes[2]; }

private:
  static constexpr uint32_t kNever = 0, kHost = 1;
  static constexpr uint32_t kNoInstruction = UINT32_MAX;
  struct State {
    uint32_t writer;      // instruction, or kNoInstruction
    uint32_t firstReader; // index into `readers`, one entry per engine
  };

  std::optional<Fault> read(size_t pc, const Access &access);
  std::optional<Fault> write(size_t pc, const Access &access);
  std::optional<Fault> checkTypes(size_t pc, const Access &access);
  Fault raceFault(FaultKind kind, size_t pc, uint32_t other,
                  const Access &access, int64_t at) const;
  uint32_t readState(size_t pc, uint32_t from);
  uint32_t newState(uint32_t writer, const uint32_t *from);

  const SyncAnalysis &sync;
  unsigned numEngines;
  struct Free {
    void operator()(void *p) const { std::free(p); }
  };
  /// State per byte of each memory.
  std::unique_ptr<uint32_t, Free> bytes[3];
  std::vector<State> states;
  /// Last reader per engine of each state.
  std::vector<uint32_t> readers;
  /// Element type last written, per word of acc.
  std::vector<uint8_t> accTypes;
  /// Sorted, disjoint ranges of dram that must not be written.
  std::vector<std::pair<uint64_t, uint64_t>> readOnly;
  /// Of the instruction being recorded: state before -> state after.
  llvm::DenseMap<uint32_t, uint32_t> moves;
};

} // namespace asic::emulator

#endif // ASIC_EMULATOR_SHADOW_H
