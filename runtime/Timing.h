// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From encoded instructions to what the event simulation needs.

#ifndef ASIC_RUNTIME_TIMING_H
#define ASIC_RUNTIME_TIMING_H

#include "runtime/LaneProgram.h"
#include "runtime/isa/Instruction.h"
#include "target/Timeline.h"

namespace asic {

/// Price class of a lane operation.
RateClass rateClassOf(isa::LaneOpcode opcode);

/// Cost, waits and posts of one instruction; `lanes` are the program's.
TimedInstruction timedInstruction(const TargetModel &target,
                                  const isa::Instruction &instruction,
                                  llvm::ArrayRef<isa::LaneProgram> lanes);

/// The operand mode of a contraction, null for other instructions or when the
/// target does not have it.
const TargetModel::MxuMode *modeOf(const TargetModel &target,
                                   const isa::Instruction &instruction);

} // namespace asic

#endif // ASIC_RUNTIME_TIMING_H
