// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef ASIC_EMULATOR_TARGETRULES_H
#define ASIC_EMULATOR_TARGETRULES_H

#include "emulator/Fault.h"
#include "runtime/LaneProgram.h"
#include "runtime/isa/Instruction.h"
#include "target/TargetModel.h"

#include <optional>

namespace asic::emulator {

/// E01: what a legal encoding uses but this target does not have.
std::optional<Fault> checkTarget(const isa::Instruction &instruction,
                                 llvm::ArrayRef<isa::LaneProgram> lanes,
                                 const TargetModel &target);

/// The same for a lane program; the message is empty when it is fine.
std::string checkTarget(const isa::LaneProgram &program,
                        const TargetModel &target);

} // namespace asic::emulator

#endif // ASIC_EMULATOR_TARGETRULES_H
