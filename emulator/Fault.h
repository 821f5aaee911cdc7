// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Faults as values: what a run reports instead of a result.

#ifndef ASIC_EMULATOR_FAULT_H
#define ASIC_EMULATOR_FAULT_H

#include "target/Types.h"

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>
#include <string>

namespace asic::emulator {

enum class FaultKind : uint8_t {
#define FAULT(Name, id, mode, stage, summary) Name,
#include "emulator/Fault.def"
};

/// A row of Fault.def.
struct FaultInfo {
  const char *name;
  const char *id;
  bool always;
  const char *stage;
  const char *summary;
};
llvm::ArrayRef<FaultInfo> allFaults();
const FaultInfo &infoOf(FaultKind kind);

/// Bytes [begin, end) of a memory.
struct AddressRange {
  Space space = Space::Dram;
  int64_t begin = 0;
  int64_t end = 0;
};

/// One fault with all that is known about it.
struct Fault {
  FaultKind kind = FaultKind::IllegalEncoding;
  /// What exactly, without position.
  std::string message;
  /// Instruction number; none for faults of the whole program.
  std::optional<uint64_t> pc;
  unsigned engine = 0;
  uint32_t tag = 0;
  /// Cycle of issue in timed mode.
  std::optional<uint64_t> cycle;
  std::optional<AddressRange> range;
  /// The other instruction of a race.
  std::optional<uint64_t> otherPc;
  /// Filled in from the debug section.
  std::string layer, source;
  /// The instruction as text.
  std::string instruction;

  Fault() = default;
  Fault(FaultKind kind, std::string message)
      : kind(kind), message(std::move(message)) {}

  /// "E04 OutOfBounds at pc 12 (copy.dma0 …), layer …: message".
  std::string toString() const;
};

} // namespace asic::emulator

#endif // ASIC_EMULATOR_FAULT_H
