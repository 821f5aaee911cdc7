// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an instruction reads and writes, exactly, and the rules that its
// addresses must keep.

#ifndef ASIC_EMULATOR_ACCESSES_H
#define ASIC_EMULATOR_ACCESSES_H

#include "emulator/Fault.h"
#include "emulator/Footprint.h"
#include "emulator/Memory.h"
#include "runtime/isa/Instruction.h"

#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace asic::emulator {

/// One operand of an instruction.
struct Access {
  Footprint bytes;
  bool isWrite;
  /// Element type; None for plain bytes.
  ElementType type;
  /// "src", "a", "s3", … for messages.
  const char *operand;
};
using Accesses = llvm::SmallVector<Access, 8>;

/// Everything that `instruction` touches, with any index where it reads one;
/// operands that touch nothing are left out.
Accesses accessesOf(const isa::Instruction &instruction);

/// E03, E04 and E09: alignment, bounds and self-overlap.
std::optional<Fault> checkAccesses(const isa::Instruction &instruction,
                                   const Accesses &accesses,
                                   const uint64_t (&sizes)[3]);

} // namespace asic::emulator

#endif // ASIC_EMULATOR_ACCESSES_H
