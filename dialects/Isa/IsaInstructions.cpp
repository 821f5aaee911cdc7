// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instruction ops: parsing, printing and verification from the table.
#include "dialects/Isa/Isa.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::asicisa;
using ::asic::isa::FieldInfo;
using ::asic::isa::Instruction;
using ::asic::isa::Opcode;
using ::asic::isa::OpcodeInfo;

#define INSTRUCTION(Name, mnemonic, opcode, engine, summary)                   \
  MLIR_DEFINE_EXPLICIT_TYPE_ID(::mlir::asicisa::Name##Op)
#include "runtime/isa/Instructions.def"

void IsaDialect::registerInstructions() {
#define INSTRUCTION(Name, mnemonic, opcode, engine, summary)                   \
  addOperations<Name##Op>();
#include "runtime/isa/Instructions.def"
}

ArrayRef<StringRef> asicisa::instructionAttrNames() {
  static const StringRef names[] = {"engine", "fields", "posts", "tag",
                                    "waits"};
  return names;
}

/// Number of the instruction op `op`, none for another op.
static std::optional<Opcode> opcodeOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<Opcode>>(op)
#define INSTRUCTION(Name, mnemonic, opcode, engine, summary)                   \
  .Case<Name##Op>([](Name##Op) { return Opcode::Name; })
#include "runtime/isa/Instructions.def"
      .Default([](Operation *) { return std::nullopt; });
}

/// How the value of a field is written.
enum class Notation { number, elementType, space };

static Notation notationOf(const FieldInfo &field) {
  StringRef name = field.name;
  if (name.ends_with("_type"))
    return Notation::elementType;
  if (name.ends_with("_space"))
    return Notation::space;
  return Notation::number;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void printValue(const FieldInfo &field, int64_t value,
                       OpAsmPrinter &printer) {
  Notation notation = notationOf(field);
  if (notation == Notation::elementType)
    if (auto type = ::asic::elementTypeFromNumber(value)) {
      printer << ::asic::elementTypeName(*type);
      return;
    }
  if (notation == Notation::space && value <= 2) {
    printer << ::asic::spaceName(::asic::Space(value));
    return;
  }
  printer << value;
}

/// Prints ` NAME [semaphore:count, …]` unless there are none.
static void printSyncs(StringRef name, Operation *op, OpAsmPrinter &printer) {
  auto pairs = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!pairs || pairs.empty())
    return;
  printer << ' ' << name << " [";
  for (int64_t i = 0; i + 1 < pairs.size(); i += 2)
    printer << (i ? ", " : "") << pairs[i] << ':' << pairs[i + 1];
  printer << ']';
}

void asicisa::printInstruction(Opcode opcode, Operation *op,
                               OpAsmPrinter &printer) {
  const OpcodeInfo &info = *::asic::isa::lookupOpcode(unsigned(opcode));
  auto engine = op->getAttrOfType<IntegerAttr>("engine");
  printer << ' ' << ::asic::isa::engineName(engine.getInt());
  printSyncs("waits", op, printer);
  printSyncs("posts", op, printer);
  if (auto tag = op->getAttrOfType<IntegerAttr>("tag"))
    printer << " tag " << tag.getInt();
  ArrayRef<int64_t> fields =
      op->getAttrOfType<DenseI64ArrayAttr>("fields").asArrayRef();
  printer << " {";
  bool first = true;
  for (auto [field, value] : llvm::zip(info.fields, fields)) {
    if (value == 0)
      continue;
    printer << (first ? "" : ", ") << field.name << " = ";
    printValue(field, value, printer);
    first = false;
  }
  printer << '}';
  printer.printOptionalAttrDict(op->getAttrs(), instructionAttrNames());
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

static ParseResult parseValue(const FieldInfo &field, OpAsmParser &parser,
                              int64_t &value) {
  OptionalParseResult number = parser.parseOptionalInteger(value);
  if (number.has_value())
    return *number;
  SMLoc loc = parser.getCurrentLocation();
  StringRef word;
  if (notationOf(field) == Notation::number || parser.parseKeyword(&word))
    return parser.emitError(loc, "expected a number for ") << field.name;
  if (notationOf(field) == Notation::space) {
    for (auto space :
         {::asic::Space::Dram, ::asic::Space::Sram, ::asic::Space::Acc})
      if (::asic::spaceName(space) == word) {
        value = int64_t(space);
        return success();
      }
    return parser.emitError(loc, "expected dram, sram or acc, got ") << word;
  }
  auto type = word == "none" ? ::asic::ElementType::None
                             : ::asic::parseElementType(word);
  if (!type)
    return parser.emitError(loc, "expected an element type, got ") << word;
  value = int64_t(*type);
  return success();
}

/// Parses `NAME [semaphore:count, …]` when the next word is NAME.
static ParseResult parseSyncs(StringRef name, OpAsmParser &parser,
                              OperationState &state) {
  if (failed(parser.parseOptionalKeyword(name)))
    return success();
  SmallVector<int64_t> pairs;
  auto parsePair = [&]() -> ParseResult {
    int64_t semaphore, count;
    if (parser.parseInteger(semaphore) || parser.parseColon() ||
        parser.parseInteger(count))
      return failure();
    pairs.append({semaphore, count});
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parsePair))
    return failure();
  state.addAttribute(name, parser.getBuilder().getDenseI64ArrayAttr(pairs));
  return success();
}

ParseResult asicisa::parseInstruction(Opcode opcode, OpAsmParser &parser,
                                      OperationState &state) {
  const OpcodeInfo &info = *::asic::isa::lookupOpcode(unsigned(opcode));
  Builder &builder = parser.getBuilder();
  SMLoc loc = parser.getCurrentLocation();
  StringRef engineName;
  if (parser.parseKeyword(&engineName))
    return failure();
  auto engine = ::asic::isa::engineFromName(engineName);
  if (!engine)
    return parser.emitError(loc, "expected an engine (ctrl, mxu, vpu, dma0, "
                                 "…), got ")
           << engineName;
  state.addAttribute("engine", builder.getI64IntegerAttr(*engine));
  if (parseSyncs("waits", parser, state) || parseSyncs("posts", parser, state))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("tag"))) {
    int64_t tag;
    if (parser.parseInteger(tag))
      return failure();
    state.addAttribute("tag", builder.getI64IntegerAttr(tag));
  }
  SmallVector<int64_t> fields(info.fields.size(), 0);
  auto parseField = [&]() -> ParseResult {
    SMLoc fieldLoc = parser.getCurrentLocation();
    StringRef name;
    if (parser.parseKeyword(&name))
      return failure();
    auto index = info.findField(name);
    if (!index)
      return parser.emitError(fieldLoc, "expected a field of ")
             << info.mnemonic << ", got " << name;
    return failure(parser.parseEqual() ||
                   parseValue(info.fields[*index], parser, fields[*index]));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces, parseField))
    return failure();
  state.addAttribute("fields", builder.getDenseI64ArrayAttr(fields));
  return parser.parseOptionalAttrDict(state.attributes);
}

//===----------------------------------------------------------------------===//
// Conversion and verification
//===----------------------------------------------------------------------===//

/// Copies the pairs of attribute `name` into `slots`.
static LogicalResult
readSyncs(Operation *op, StringRef name,
          std::array<::asic::isa::Sync, ::asic::isa::syncSlots> &slots) {
  auto pairs = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!pairs)
    return op->hasAttr(name)
               ? op->emitOpError("expected an array of i64 as ") << name
               : success();
  if (pairs.size() % 2 != 0 || pairs.size() / 2 > int64_t(slots.size()))
    return op->emitOpError("expected at most ")
           << slots.size() << " pairs (semaphore, count) as " << name
           << ", got " << pairs.size() << " numbers; split with isa.nop";
  for (int64_t i = 0; i < pairs.size(); i += 2) {
    if (pairs[i] < 0 || pairs[i] >= ::asic::isa::numSemaphores)
      return op->emitOpError("expected a semaphore below ")
             << ::asic::isa::numSemaphores << ", got " << pairs[i];
    if (pairs[i + 1] < 1 || pairs[i + 1] > ::asic::isa::maxSyncCount)
      return op->emitOpError("expected a count from 1 to ")
             << ::asic::isa::maxSyncCount << ", got " << pairs[i + 1];
    slots[i / 2] = {uint8_t(pairs[i]), uint16_t(pairs[i + 1]), true};
  }
  return success();
}

LogicalResult asicisa::verifyInstruction(Opcode opcode, Operation *op) {
  const OpcodeInfo &info = *::asic::isa::lookupOpcode(unsigned(opcode));
  auto engine = op->getAttrOfType<IntegerAttr>("engine");
  if (!engine || engine.getInt() < 0 || engine.getInt() > 255)
    return op->emitOpError("expected an engine number from 0 to 255");
  Instruction instruction(opcode, engine.getInt());
  auto fields = op->getAttrOfType<DenseI64ArrayAttr>("fields");
  if (!fields || fields.size() != int64_t(info.fields.size()))
    return op->emitOpError("expected ") << info.fields.size() << " fields, got "
                                        << (fields ? fields.size() : 0);
  for (auto [index, value] : llvm::enumerate(fields.asArrayRef()))
    instruction.setAt(index, value);
  if (failed(readSyncs(op, "waits", instruction.waits)) ||
      failed(readSyncs(op, "posts", instruction.posts)))
    return failure();
  auto tag = op->getAttrOfType<IntegerAttr>("tag");
  if (tag && !llvm::isUInt<32>(tag.getInt()))
    return op->emitOpError("expected a tag of 32 bits, got ") << tag.getInt();
  if (llvm::Error error = ::asic::isa::verify(instruction))
    return op->emitOpError(llvm::toString(std::move(error)));
  return success();
}

std::optional<Instruction> asicisa::getInstruction(Operation *op) {
  std::optional<Opcode> opcode = opcodeOf(op);
  if (!opcode)
    return std::nullopt;
  Instruction instruction(*opcode,
                          op->getAttrOfType<IntegerAttr>("engine").getInt());
  if (auto tag = op->getAttrOfType<IntegerAttr>("tag"))
    instruction.tag = tag.getInt();
  auto fields = op->getAttrOfType<DenseI64ArrayAttr>("fields");
  for (auto [index, value] : llvm::enumerate(fields.asArrayRef()))
    instruction.setAt(index, value);
  auto copySyncs = [&](StringRef name, auto &slots) {
    if (auto pairs = op->getAttrOfType<DenseI64ArrayAttr>(name))
      for (int64_t i = 0; i + 1 < pairs.size(); i += 2)
        slots[i / 2] = {uint8_t(pairs[i]), uint16_t(pairs[i + 1]), true};
  };
  copySyncs("waits", instruction.waits);
  copySyncs("posts", instruction.posts);
  return instruction;
}

Operation *asicisa::createInstruction(OpBuilder &builder, Location loc,
                                      const Instruction &instruction) {
  const OpcodeInfo &info = instruction.info();
  OperationState state(loc, ("isa." + StringRef(info.mnemonic)).str());
  state.addAttribute("engine", builder.getI64IntegerAttr(instruction.engine));
  SmallVector<int64_t> fields;
  for (unsigned i = 0, e = info.fields.size(); i < e; ++i)
    fields.push_back(instruction.getAt(i));
  state.addAttribute("fields", builder.getDenseI64ArrayAttr(fields));
  auto addSyncs = [&](StringRef name, const auto &slots) {
    SmallVector<int64_t> pairs;
    for (const ::asic::isa::Sync &sync : slots)
      if (sync.valid)
        pairs.append({sync.semaphore, sync.count});
    if (!pairs.empty())
      state.addAttribute(name, builder.getDenseI64ArrayAttr(pairs));
  };
  addSyncs("waits", instruction.waits);
  addSyncs("posts", instruction.posts);
  if (instruction.tag)
    state.addAttribute("tag", builder.getI64IntegerAttr(instruction.tag));
  return builder.create(state);
}
