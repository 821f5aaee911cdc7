// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/isa/Assembly.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace asic;
using namespace asic::isa;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

//===-- Names ----------------------------------------------------------===//

static constexpr const char *kIntPredicates[] = {
    "eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"};
static constexpr const char *kFloatPredicates[] = {
    "false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord",
    "ueq",   "ugt", "uge", "ult", "ule", "une", "uno", "true"};

static bool isTypeField(StringRef name) { return name.ends_with("_type"); }
static bool isSpaceField(StringRef name) { return name.ends_with("_space"); }

static std::optional<Space> spaceFromName(StringRef name) {
  for (Space space : {Space::Dram, Space::Sram, Space::Acc})
    if (name == spaceName(space))
      return space;
  return std::nullopt;
}

/// Decimal or 0x, optionally negative.
static Expected<int64_t> parseInteger(StringRef text) {
  int64_t value;
  if (text.getAsInteger(0, value))
    return makeError("expected an integer, got '" + text + "'");
  return value;
}

//===-- Instructions ---------------------------------------------------===//

static void printFieldValue(std::string &out, StringRef name, int64_t value) {
  auto type = elementTypeFromNumber(unsigned(value));
  if (isTypeField(name) && type)
    out += elementTypeName(*type);
  else if (isSpaceField(name) && value <= int64_t(Space::Acc))
    out += spaceName(Space(value));
  else
    out += llvm::itostr(value);
}

static void printSync(std::string &out, llvm::ArrayRef<Sync> slots,
                      StringRef kind) {
  for (const Sync &slot : slots)
    if (slot.valid)
      out += (" " + kind + "(" + Twine(unsigned(slot.semaphore)) + "," +
              Twine(unsigned(slot.count)) + ")")
                 .str();
}

std::string asic::isa::disassemble(const Instruction &instruction) {
  const OpcodeInfo &info = instruction.info();
  std::string out = info.mnemonic;
  out += "." + engineName(instruction.engine);
  printSync(out, instruction.waits, "wait");
  printSync(out, instruction.posts, "post");
  if (instruction.tag)
    out += " tag=" + llvm::utostr(instruction.tag);
  for (unsigned i = 0; i < info.fields.size(); ++i) {
    int64_t value = instruction.getAt(i);
    StringRef name = info.fields[i].name;
    // Space 0 is dram: printed where a type or a copy makes it meaningful.
    bool shown = value != 0 ||
                 (instruction.opcode == Opcode::Copy && isSpaceField(name)) ||
                 (instruction.opcode == Opcode::Fill && isSpaceField(name));
    if (!shown)
      continue;
    out += " " + name.str() + "=";
    printFieldValue(out, name, value);
  }
  return out;
}

static Error parseSync(Instruction &instruction, StringRef token) {
  bool isWait = token.consume_front("wait(");
  if (!isWait)
    token.consume_front("post(");
  if (!token.consume_back(")"))
    return makeError("expected wait(semaphore,count) without spaces");
  auto [left, right] = token.split(',');
  auto semaphore = parseInteger(left.trim()),
       count = parseInteger(right.trim());
  if (!semaphore) {
    llvm::consumeError(count.takeError());
    return semaphore.takeError();
  }
  if (!count)
    return count.takeError();
  if (*semaphore < 0 || *semaphore >= int64_t(numSemaphores) || *count < 1 ||
      *count > int64_t(maxSyncCount))
    return makeError("expected semaphore 0..63 and count 1..511, got (" +
                     token + ")");
  if (!(isWait ? instruction.addWait(*semaphore, *count)
               : instruction.addPost(*semaphore, *count)))
    return makeError("expected at most 4 waits and 4 posts");
  return Error::success();
}

static Expected<int64_t> parseFieldValue(StringRef name, StringRef text) {
  if (isTypeField(name)) {
    if (auto type = parseElementType(text))
      return int64_t(*type);
    if (text == "none")
      return 0;
  }
  if (isSpaceField(name))
    if (auto space = spaceFromName(text))
      return int64_t(*space);
  return parseInteger(text);
}

static Error parseField(Instruction &instruction, StringRef token) {
  auto [name, text] = token.split('=');
  auto value = parseFieldValue(name, text);
  if (!value)
    return value.takeError();
  if (name == "tag") {
    if (*value < 0 || *value > UINT32_MAX)
      return makeError("expected tag in [0, 4294967295], got " + text);
    instruction.tag = *value;
    return Error::success();
  }
  auto index = instruction.info().findField(name);
  if (!index)
    return makeError(Twine(instruction.info().mnemonic) +
                     ": expected one of its fields, got '" + name + "'");
  instruction.setAt(*index, *value);
  return Error::success();
}

Expected<Instruction> asic::isa::assembleInstruction(StringRef line) {
  llvm::SmallVector<StringRef> tokens;
  llvm::SplitString(line.split('#').first, tokens);
  if (tokens.empty())
    return makeError("expected an instruction, got an empty line");
  auto [mnemonic, engine] = tokens[0].split('.');
  const OpcodeInfo *info = lookupMnemonic(mnemonic);
  if (!info)
    return makeError("expected a mnemonic, got '" + mnemonic + "'");
  auto number = engineFromName(engine);
  if (!number)
    return makeError("expected an engine (ctrl, mxu, vpu, dma0, …) after '" +
                     mnemonic + ".', got '" + engine + "'");
  Instruction instruction(info->opcode, *number);
  for (StringRef token : llvm::ArrayRef(tokens).drop_front()) {
    bool isSync = token.starts_with("wait(") || token.starts_with("post(");
    if (!isSync && !token.contains('='))
      return makeError("expected field=value, wait(s,n) or post(s,n), got '" +
                       token + "'");
    if (Error error = isSync ? parseSync(instruction, token)
                             : parseField(instruction, token))
      return std::move(error);
  }
  if (Error error = verify(instruction))
    return std::move(error);
  return instruction;
}

//===-- Lane programs --------------------------------------------------===//

static std::string registerName(unsigned reg) {
  return "r" + llvm::utostr(reg);
}

/// The immediate by name where it has one.
static std::string printImmediate(const LaneOp &op) {
  switch (op.opcode) {
  case LaneOpcode::Requant: {
    RequantImmediate imm = unpackRequant(op.imm);
    return (" mode=" + roundingModeName(imm.rounding) + " zero=" +
            Twine(imm.zero) + " lo=" + Twine(imm.lo) + " hi=" + Twine(imm.hi))
        .str();
  }
  case LaneOpcode::Rescale:
    return (" mode=" + roundingModeName(RoundingMode(op.imm))).str();
  case LaneOpcode::CmpI:
    return std::string(" pred=") + kIntPredicates[op.imm];
  case LaneOpcode::CmpF:
    return std::string(" pred=") + kFloatPredicates[op.imm];
  case LaneOpcode::RoundToFmt:
    return (" type=" + elementTypeName(ElementType(op.imm))).str();
  case LaneOpcode::Index:
    return " dim=" + llvm::utostr(op.imm);
  case LaneOpcode::Const:
    return " imm=0x" + llvm::utohexstr(op.imm, /*LowerCase=*/true);
  default:
    break;
  }
  if (op.info().isReduction)
    return " init=0x" + llvm::utohexstr(op.imm, /*LowerCase=*/true);
  return "";
}

static std::string printLaneOp(const LaneOp &op) {
  const LaneOpInfo &info = op.info();
  std::string out =
      std::string("  ") + info.mnemonic + " " + registerName(op.dst);
  const uint8_t sources[] = {op.a, op.b, op.c};
  for (unsigned i = 0; i < info.sources; ++i)
    out += ", " + registerName(sources[i]);
  return out + printImmediate(op) + "\n";
}

std::string asic::isa::disassemble(const LaneProgram &program, unsigned index) {
  std::string out = ".lane " + llvm::utostr(index) + " in=";
  bool first = true;
  for (unsigned i = 0; i < 8; ++i)
    if (program.inMask >> i & 1) {
      out += (first ? "" : ",") + registerName(i);
      first = false;
    }
  if (first)
    out += "none";
  out += " out=" + registerName(program.out) + "\n";
  for (const LaneOp &op : program.body)
    out += printLaneOp(op);
  if (!program.final.empty())
    out += ".final\n";
  for (const LaneOp &op : program.final)
    out += printLaneOp(op);
  return out + ".end\n";
}

static Expected<unsigned> parseRegister(StringRef text) {
  unsigned reg;
  if (!text.consume_front("r") || text.getAsInteger(10, reg) ||
      reg >= laneRegisters)
    return makeError("expected a register r0..r31, got '" + text + "'");
  return reg;
}

template <size_t n>
static Expected<uint64_t> parseNamed(const char *const (&names)[n],
                                     StringRef text) {
  for (size_t i = 0; i < n; ++i)
    if (text == names[i])
      return i;
  return makeError("expected a predicate, got '" + text + "'");
}

/// A 32-bit pattern: integer, or a float when it has a point.
static Expected<uint64_t> parseBits(StringRef text) {
  if (!text.starts_with("0x") && text.contains('.')) {
    double value;
    if (text.getAsDouble(value))
      return makeError("expected a number, got '" + text + "'");
    return floatImmediate(float(value));
  }
  auto value = parseInteger(text);
  if (!value)
    return value.takeError();
  if (*value < INT32_MIN || *value > int64_t(UINT32_MAX))
    return makeError("expected 32 bits, got " + text);
  return uint64_t(uint32_t(*value));
}

/// Sets the part of the immediate called `name`.
static Error parseImmediate(LaneOp &op, StringRef name, StringRef text) {
  Expected<uint64_t> value = 0;
  bool isRequant = op.opcode == LaneOpcode::Requant;
  if (name == "mode" && (isRequant || op.opcode == LaneOpcode::Rescale)) {
    auto rounding = parseRoundingMode(text);
    if (!rounding)
      return makeError("expected mode sr, dr, rne or f32, got '" + text + "'");
    op.imm |= uint64_t(*rounding);
    return Error::success();
  }
  if (isRequant && (name == "zero" || name == "lo" || name == "hi")) {
    auto number = parseInteger(text);
    if (!number)
      return number.takeError();
    if (*number < INT16_MIN || *number > INT16_MAX)
      return makeError("expected " + name + " in 16 bits, got " + text);
    op.imm |= uint64_t(uint16_t(*number)) << (name == "zero" ? 16
                                              : name == "lo" ? 32
                                                             : 48);
    return Error::success();
  }
  if (name == "pred" && op.opcode == LaneOpcode::CmpI)
    value = parseNamed(kIntPredicates, text);
  else if (name == "pred" && op.opcode == LaneOpcode::CmpF)
    value = parseNamed(kFloatPredicates, text);
  else if (name == "type" && op.opcode == LaneOpcode::RoundToFmt)
    value = uint64_t(parseElementType(text).value_or(ElementType::None));
  else if ((name == "dim" && op.opcode == LaneOpcode::Index) ||
           (name == "imm" && op.opcode == LaneOpcode::Const) ||
           (name == "init" && op.info().isReduction))
    value = parseBits(text);
  else
    return makeError(Twine(op.info().mnemonic) + ": unexpected '" + name +
                     "='");
  if (!value)
    return value.takeError();
  op.imm = *value;
  return Error::success();
}

static Expected<LaneOp> parseLaneOp(StringRef line) {
  llvm::SmallVector<StringRef> tokens;
  llvm::SplitString(line, tokens, " \t,");
  const LaneOpInfo *info = lookupLaneMnemonic(tokens[0]);
  if (!info)
    return makeError("expected a lane operation, got '" + tokens[0] + "'");
  LaneOp op;
  op.opcode = info->opcode;
  if (tokens.size() < info->sources + 2)
    return makeError(Twine(info->mnemonic) + ": expected a destination and " +
                     Twine(info->sources) + " sources");
  uint8_t *registers[] = {&op.dst, &op.a, &op.b, &op.c};
  for (unsigned i = 0; i < info->sources + 1; ++i) {
    auto reg = parseRegister(tokens[i + 1]);
    if (!reg)
      return reg.takeError();
    *registers[i] = *reg;
  }
  for (StringRef token : llvm::ArrayRef(tokens).drop_front(info->sources + 2)) {
    auto [name, text] = token.split('=');
    if (Error error = parseImmediate(op, name, text))
      return std::move(error);
  }
  return op;
}

/// `.lane 0 in=r0,r1 out=r5`
static Error parseLaneHeader(StringRef line, unsigned index,
                             LaneProgram &program) {
  llvm::SmallVector<StringRef> tokens;
  llvm::SplitString(line, tokens);
  unsigned number;
  if (tokens.size() != 4 || tokens[1].getAsInteger(10, number) ||
      !tokens[2].consume_front("in=") || !tokens[3].consume_front("out="))
    return makeError("expected '.lane N in=r0,… out=rK'");
  if (number != index)
    return makeError("expected lane program " + Twine(index) + ", got " +
                     Twine(number));
  auto out = parseRegister(tokens[3]);
  if (!out)
    return out.takeError();
  program.out = *out;
  if (tokens[2] == "none")
    return Error::success();
  llvm::SmallVector<StringRef> inputs;
  tokens[2].split(inputs, ',');
  for (StringRef input : inputs) {
    auto reg = parseRegister(input);
    if (!reg)
      return reg.takeError();
    if (*reg > 6)
      return makeError("expected input registers r0..r6, got r" + Twine(*reg));
    program.inMask |= 1u << *reg;
  }
  return Error::success();
}

//===-- Whole texts ----------------------------------------------------===//

namespace {

/// Line by line; inside `.lane` … `.end` lines are lane operations.
class Assembler {
public:
  Expected<Assembly> run(StringRef text) {
    unsigned lineNumber = 0;
    while (!text.empty()) {
      auto [line, rest] = text.split('\n');
      text = rest;
      ++lineNumber;
      if (Error error = parseLine(line.split('#').first.trim()))
        return makeError("line " + Twine(lineNumber) + ": " +
                         llvm::toString(std::move(error)));
    }
    if (lane)
      return makeError("expected '.end' of the last lane program");
    return std::move(assembly);
  }

private:
  Error parseLine(StringRef line) {
    if (line.empty())
      return Error::success();
    return lane ? parseLaneLine(line) : parseTextLine(line);
  }

  Error parseLaneLine(StringRef line) {
    if (line == ".final") {
      inFinal = true;
      return Error::success();
    }
    if (line == ".end") {
      if (Error error = verify(*lane))
        return error;
      assembly.lanes.push_back(std::move(*lane));
      lane.reset();
      return Error::success();
    }
    auto op = parseLaneOp(line);
    if (!op)
      return op.takeError();
    (inFinal ? lane->final : lane->body).push_back(*op);
    return Error::success();
  }

  Error parseTextLine(StringRef line) {
    if (line.starts_with(".lane")) {
      lane.emplace();
      inFinal = false;
      return parseLaneHeader(line, assembly.lanes.size(), *lane);
    }
    if (line.consume_front(".bytes")) {
      std::string raw;
      if (!llvm::tryGetFromHex(line.trim(), raw) ||
          raw.size() != instructionBytes)
        return makeError("expected 256 bytes in hexadecimal after .bytes");
      assembly.text.insert(assembly.text.end(), raw.begin(), raw.end());
      return Error::success();
    }
    auto instruction = assembleInstruction(line);
    if (!instruction)
      return instruction.takeError();
    auto bytes = encode(*instruction);
    if (!bytes)
      return bytes.takeError();
    assembly.text.insert(assembly.text.end(), bytes->begin(), bytes->end());
    return Error::success();
  }

  Assembly assembly;
  std::optional<LaneProgram> lane;
  bool inFinal = false;
};

} // namespace

Expected<Assembly> asic::isa::assemble(StringRef text) {
  return Assembler().run(text);
}

std::string asic::isa::disassemble(const Program &program) {
  std::string out;
  for (unsigned i = 0; i < program.lanes.size(); ++i)
    out += disassemble(program.lanes[i], i);
  for (size_t pc = 0; pc < program.numInstructions(); ++pc) {
    auto instruction = program.instruction(pc);
    if (instruction) {
      out += disassemble(*instruction);
    } else {
      llvm::consumeError(instruction.takeError());
      out += ".bytes " + llvm::toHex(program.encoded(pc), /*LowerCase=*/true);
    }
    out += "  # " + llvm::utostr(pc) + "\n";
  }
  return out;
}
