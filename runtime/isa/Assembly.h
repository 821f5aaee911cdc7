// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text form of instructions and lane programs, one line per instruction:
//
//   contract.mxu wait(0,1) post(2,1) tag=5 a_type=i8 a_addr=4096 m0=56
//
// Fields that are zero are omitted; a `type`, `space` or `engines` field may be
// written by name. `#` starts a comment. Lane programs stand in front:
//
//   .lane 0 in=r0,r1 out=r5
//     muli r2, r0, r1
//     red.addi r3, r2, init=0
//   .final
//     addi r5, r3, r3
//   .end

#ifndef ASIC_RUNTIME_ISA_ASSEMBLY_H
#define ASIC_RUNTIME_ISA_ASSEMBLY_H

#include "runtime/LaneProgram.h"
#include "runtime/Program.h"
#include "runtime/isa/Instruction.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace asic::isa {

/// One line, without a newline.
std::string disassemble(const Instruction &instruction);
/// Several lines, from `.lane` to `.end`.
std::string disassemble(const LaneProgram &program, unsigned index);
/// Lane programs, then every instruction with its number as a comment. An
/// instruction that does not decode is printed as `.bytes HEX`.
std::string disassemble(const Program &program);

/// Parses one instruction line.
llvm::Expected<Instruction> assembleInstruction(llvm::StringRef line);

/// The result of assembling a text.
struct Assembly {
  std::vector<LaneProgram> lanes;
  /// Encoded instructions.
  std::vector<uint8_t> text;
};
/// Parses a whole text; errors carry the line number.
llvm::Expected<Assembly> assemble(llvm::StringRef text);

} // namespace asic::isa

#endif // ASIC_RUNTIME_ISA_ASSEMBLY_H
