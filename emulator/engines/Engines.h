// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instruction bodies: what each instruction does to the memories. Addresses
// have been checked before a body runs.

#ifndef ASIC_EMULATOR_ENGINES_ENGINES_H
#define ASIC_EMULATOR_ENGINES_ENGINES_H

#include "emulator/Fault.h"
#include "emulator/Memory.h"
#include "runtime/LaneProgram.h"
#include "runtime/isa/Instruction.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <optional>

namespace asic::emulator {

/// What a body may use besides its instruction.
struct Context {
  Memory &memory;
  llvm::ArrayRef<isa::LaneProgram> lanes;
  /// `engines.vpu.lanes` of the target, part of the reduction order.
  unsigned vpuLanes;
  /// Look for `checked` faults of the arithmetic.
  bool check;
  /// Called now and then in long bodies; true stops the run.
  llvm::function_ref<bool()> interrupted;
};

using MaybeFault = std::optional<Fault>;

/// Reads the indices of a copy that has some and calls `visit`, until it
/// returns false, for the plain copies that it stands for in this run, in
/// order: none where an index is outside. Any other instruction is visited as
/// it is.
void forEachPlain(const isa::Instruction &instruction, const Memory &memory,
                  llvm::function_ref<bool(const isa::Instruction &)> visit);

MaybeFault runCopy(const isa::Instruction &instruction, Context &context);
MaybeFault runFill(const isa::Instruction &instruction, Context &context);
MaybeFault runContract(const isa::Instruction &instruction, Context &context);
MaybeFault runMap(const isa::Instruction &instruction, Context &context);

/// Runs any instruction; control instructions do nothing to memory.
inline MaybeFault runBody(const isa::Instruction &instruction,
                          Context &context) {
  switch (instruction.opcode) {
  case isa::Opcode::Copy:
    return runCopy(instruction, context);
  case isa::Opcode::Fill:
    return runFill(instruction, context);
  case isa::Opcode::Contract:
    return runContract(instruction, context);
  case isa::Opcode::Map:
    return runMap(instruction, context);
  case isa::Opcode::Nop:
  case isa::Opcode::Halt:
  case isa::Opcode::Fence:
    return std::nullopt;
  }
  return std::nullopt;
}

/// The fault of an interrupted run.
inline Fault interruptedFault() {
  return Fault(FaultKind::Watchdog, "the run was interrupted");
}

} // namespace asic::emulator

#endif // ASIC_EMULATOR_ENGINES_ENGINES_H
