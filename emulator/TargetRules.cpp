// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/TargetRules.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

static Fault illegal(const Instruction &instruction,
                     const std::string &message) {
  return Fault(FaultKind::IllegalEncoding,
               std::string(instruction.info().mnemonic) + ": " + message);
}

static std::optional<Fault> checkContract(const Instruction &contract,
                                          const TargetModel &target) {
  auto type = [&](FieldId id) { return ElementType(contract.get(id)); };
  ElementType a = type(Contract_a_type), w = type(Contract_w_type),
              acc = type(Contract_acc_type);
  if (!target.findMode(a, w, acc))
    return illegal(contract, "expected a mode of " + target.name + ", got " +
                                 elementTypeName(a).str() + " x " +
                                 elementTypeName(w).str() + " -> " +
                                 elementTypeName(acc).str());
  if (contract.get(Contract_a_n) && !target.mxu.depthwiseMacsPerCycle)
    return illegal(contract, "expected a_n = 0; " + target.name +
                                 " has no depthwise path");
  return std::nullopt;
}

static std::optional<Fault> checkMap(const Instruction &map,
                                     llvm::ArrayRef<LaneProgram> lanes,
                                     const TargetModel &target) {
  auto index = size_t(map.get(Map_program));
  if (index >= lanes.size())
    return illegal(map, "expected a lane program below " +
                            llvm::utostr(lanes.size()) + ", got " +
                            llvm::utostr(index));
  for (unsigned s = 0; s < mapStreams; ++s) {
    auto type = ElementType(map.get(Map_s0_type + s * mapStreamFields));
    if (type != ElementType::None && !target.hasVpuFormat(type))
      return illegal(map, "expected stream types of " + target.name + ", got " +
                              elementTypeName(type).str());
    bool wanted = s < mapStreams - 1 && (lanes[index].inMask >> s & 1);
    if (s < mapStreams - 1 && wanted != (type != ElementType::None))
      return illegal(map, "expected the streams of lane program " +
                              llvm::utostr(index) + ", got a difference at s" +
                              llvm::utostr(s));
  }
  std::string message = checkTarget(lanes[index], target);
  if (!message.empty())
    return illegal(map, message);
  return std::nullopt;
}

static std::optional<Fault> checkCopy(const Instruction &copy,
                                      const TargetModel &target) {
  auto packed = ElementType(copy.get(Copy_packed_type));
  if (packed == ElementType::None || target.canUnpack(packed))
    return std::nullopt;
  return illegal(copy, "expected packed_type none or a type that the DMA of " +
                           target.name + " unpacks, got " +
                           elementTypeName(packed).str());
}

/// True for operations that compute with binary32.
static bool needsFloat(LaneOpcode opcode) {
  auto number = unsigned(opcode);
  return (number >= 0x30 && number <= 0x48) || number >= 0x58;
}

std::string asic::emulator::checkTarget(const LaneProgram &program,
                                        const TargetModel &target) {
  for (const auto *ops : {&program.body, &program.final})
    for (const LaneOp &op : *ops) {
      if (needsFloat(op.opcode) && !target.hasFloatVpu())
        return std::string("expected integer lane operations, got ") +
               op.info().mnemonic + "; " + target.name + " has no f32";
      if (op.opcode == LaneOpcode::RoundToFmt &&
          !target.hasVpuFormat(ElementType(op.imm)))
        return "round: expected a format of " + target.name + ", got " +
               elementTypeName(ElementType(op.imm)).str();
      if ((op.opcode == LaneOpcode::Rescale ||
           op.opcode == LaneOpcode::Requant) &&
          !llvm::is_contained(target.requant.modes,
                              RoundingMode(op.imm & 0xffff)))
        return std::string(op.info().mnemonic) +
               ": expected a rounding mode of " + target.name + ", got " +
               roundingModeName(RoundingMode(op.imm & 3)).str();
    }
  return "";
}

std::optional<Fault>
asic::emulator::checkTarget(const Instruction &instruction,
                            llvm::ArrayRef<LaneProgram> lanes,
                            const TargetModel &target) {
  if (instruction.engine >= target.numEngines())
    return illegal(instruction, "expected an engine below " +
                                    llvm::utostr(target.numEngines()) +
                                    ", got " + engineName(instruction.engine));
  for (const auto *slots : {&instruction.waits, &instruction.posts})
    for (const Sync &sync : *slots)
      if (sync.valid && sync.semaphore >= target.sync.count)
        return illegal(instruction, "expected a semaphore below " +
                                        llvm::utostr(target.sync.count) +
                                        ", got " +
                                        llvm::utostr(unsigned(sync.semaphore)));
  if (instruction.opcode == Opcode::Copy)
    return checkCopy(instruction, target);
  if (instruction.opcode == Opcode::Contract)
    return checkContract(instruction, target);
  if (instruction.opcode == Opcode::Map)
    return checkMap(instruction, lanes, target);
  return std::nullopt;
}
