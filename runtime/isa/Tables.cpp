// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/isa/Instruction.h"

#include "llvm/ADT/StringExtras.h"

using namespace asic::isa;

/// Every field of every instruction, indexed by FieldId; bits are filled in.
static constexpr size_t kNumFields = numFieldIds;
/// Classes are spelled in the table as bare words.
static constexpr EngineClass kAny = EngineClass::any, kCtrl = EngineClass::ctrl,
                             kMxu = EngineClass::mxu, kVpu = EngineClass::vpu,
                             kDma = EngineClass::dma;
static constexpr EngineClass classOf(char first) {
  return first == 'a'   ? kAny
         : first == 'c' ? kCtrl
         : first == 'm' ? kMxu
         : first == 'v' ? kVpu
                        : kDma;
}

namespace {

/// The tables, built once from Instructions.def.
struct Tables {
  std::array<FieldInfo, kNumFields> fields = {{
#define FIELD(Name, field, bits, kind, summary)                                \
  {#field, 0, bits, #kind[0] == 's', summary},
#include "runtime/isa/Instructions.def"
  }};
  std::vector<OpcodeInfo> opcodes = {
#define INSTRUCTION(Name, mnemonic, opcode, engine, summary)                   \
  {#Name,                                                                      \
   #mnemonic,                                                                  \
   Opcode::Name,                                                               \
   classOf(#engine[0]),                                                        \
   summary,                                                                    \
   FieldId(Name##_begin),                                                      \
   {}},
#include "runtime/isa/Instructions.def"
  };
  std::array<const OpcodeInfo *, 256> byNumber = {};

  Tables() {
    for (size_t i = 0; i < opcodes.size(); ++i) {
      size_t begin = opcodes[i].firstField;
      size_t end =
          i + 1 < opcodes.size() ? opcodes[i + 1].firstField : kNumFields;
      unsigned bit = headerBits;
      for (size_t f = begin; f < end; ++f) {
        fields[f].bit = bit;
        bit += fields[f].bits;
      }
      assert(bit <= instructionBytes * 8 && "fields do not fit");
      opcodes[i].fields = llvm::ArrayRef(fields).slice(begin, end - begin);
      byNumber[unsigned(opcodes[i].opcode)] = &opcodes[i];
    }
  }
};

} // namespace

static const Tables &tables() {
  static const Tables instance;
  return instance;
}

llvm::ArrayRef<OpcodeInfo> asic::isa::allOpcodes() { return tables().opcodes; }

const OpcodeInfo *asic::isa::lookupOpcode(unsigned opcode) {
  return opcode < 256 ? tables().byNumber[opcode] : nullptr;
}

const OpcodeInfo *asic::isa::lookupMnemonic(llvm::StringRef mnemonic) {
  for (const OpcodeInfo &info : allOpcodes())
    if (mnemonic == info.mnemonic)
      return &info;
  return nullptr;
}

std::optional<unsigned> OpcodeInfo::findField(llvm::StringRef name) const {
  for (unsigned i = 0; i < fields.size(); ++i)
    if (name == fields[i].name)
      return i;
  return std::nullopt;
}

bool asic::isa::mayRunOn(EngineClass engineClass, unsigned engine) {
  switch (engineClass) {
  case EngineClass::any:
    return true;
  case EngineClass::ctrl:
    return engine == ctrl;
  case EngineClass::mxu:
    return engine == mxu;
  case EngineClass::vpu:
    return engine == vpu;
  case EngineClass::dma:
    return engine >= dma0;
  }
  return false;
}

std::string asic::isa::engineName(unsigned engine) {
  switch (engine) {
  case ctrl:
    return "ctrl";
  case mxu:
    return "mxu";
  case vpu:
    return "vpu";
  }
  return "dma" + llvm::utostr(engine - dma0);
}

std::optional<unsigned> asic::isa::engineFromName(llvm::StringRef name) {
  for (unsigned engine : {ctrl, mxu, vpu})
    if (name == engineName(engine))
      return engine;
  unsigned number;
  if (name.consume_front("dma") && !name.empty() &&
      !name.getAsInteger(10, number) && number <= 255u - dma0)
    return dma0 + number;
  return std::nullopt;
}
