// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/Fault.h"
#include "runtime/isa/Instruction.h"

#include "llvm/ADT/StringExtras.h"

using namespace asic;
using namespace asic::emulator;

static constexpr FaultInfo kFaults[] = {
#define FAULT(Name, id, mode, stage, summary)                                  \
  {#Name, id, #mode[0] == 'a', #stage, summary},
#include "emulator/Fault.def"
};

llvm::ArrayRef<FaultInfo> asic::emulator::allFaults() { return kFaults; }

const FaultInfo &asic::emulator::infoOf(FaultKind kind) {
  return kFaults[unsigned(kind)];
}

std::string Fault::toString() const {
  const FaultInfo &info = infoOf(kind);
  std::string out = std::string(info.id) + " " + info.name;
  if (pc)
    out += " at pc " + llvm::utostr(*pc) + " on " + isa::engineName(engine);
  if (cycle)
    out += ", cycle " + llvm::utostr(*cycle);
  if (!layer.empty())
    out += ", layer " + layer;
  if (!source.empty())
    out += " (" + source + ")";
  out += ": " + message;
  if (range)
    out += "; " + spaceName(range->space).str() + " bytes [" +
           llvm::itostr(range->begin) + ", " + llvm::itostr(range->end) + ")";
  if (otherPc)
    out += "; other instruction is pc " + llvm::utostr(*otherPc);
  if (!instruction.empty())
    out += "\n  " + instruction;
  return out;
}
