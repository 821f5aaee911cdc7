// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text form and verification of lane programs.
#include "dialects/Isa/Isa.h"

using namespace mlir;
using namespace mlir::asicisa;
using ::asic::isa::LaneOp;
using ::asic::isa::LaneOpcode;
using ::asic::isa::LaneOpInfo;
using ::asic::isa::LaneProgram;

/// Numbers per operation in the attributes `body` and `final`.
static constexpr unsigned numbersPerOp = 6;

static std::vector<LaneOp> toLaneOps(ArrayRef<int64_t> numbers) {
  std::vector<LaneOp> ops;
  for (; !numbers.empty(); numbers = numbers.drop_front(numbersPerOp))
    ops.push_back({LaneOpcode(numbers[0]), uint8_t(numbers[1]),
                   uint8_t(numbers[2]), uint8_t(numbers[3]),
                   uint8_t(numbers[4]), uint64_t(numbers[5])});
  return ops;
}

static SmallVector<int64_t> toNumbers(ArrayRef<LaneOp> ops) {
  SmallVector<int64_t> numbers;
  for (const LaneOp &op : ops)
    numbers.append(
        {int64_t(op.opcode), op.dst, op.a, op.b, op.c, int64_t(op.imm)});
  return numbers;
}

LaneProgram asicisa::getLaneProgram(LaneProgramOp op) {
  LaneProgram program;
  program.body = toLaneOps(op.getBody());
  program.final = toLaneOps(op.getFinal());
  program.out = op.getOut();
  program.inMask = op.getInMask();
  return program;
}

LaneProgramOp asicisa::createLaneProgram(OpBuilder &builder, Location loc,
                                         unsigned index,
                                         const LaneProgram &program) {
  return LaneProgramOp::create(builder, loc, index, program.inMask, program.out,
                               toNumbers(program.body),
                               toNumbers(program.final));
}

LogicalResult LaneProgramOp::verify() {
  for (ArrayRef<int64_t> numbers : {getBody(), getFinal()}) {
    if (numbers.size() % numbersPerOp != 0)
      return emitOpError("expected ")
             << numbersPerOp << " numbers per operation, got "
             << numbers.size();
    for (; !numbers.empty(); numbers = numbers.drop_front(numbersPerOp)) {
      if (!::asic::isa::lookupLaneOp(numbers[0]))
        return emitOpError("expected the number of a lane operation, got ")
               << numbers[0];
      for (int64_t reg : numbers.slice(1, 4))
        if (reg < 0 || reg >= ::asic::isa::laneRegisters)
          return emitOpError("expected a register below ")
                 << ::asic::isa::laneRegisters << ", got " << reg;
    }
  }
  if (getInMask() > 127 || getOut() >= ::asic::isa::laneRegisters)
    return emitOpError("expected streams r0 to r6 and a register as out");
  if (llvm::Error error = ::asic::isa::verify(getLaneProgram(*this)))
    return emitOpError(llvm::toString(std::move(error)));
  return success();
}

//===----------------------------------------------------------------------===//
// Text form
//===----------------------------------------------------------------------===//

static void printOps(ArrayRef<LaneOp> ops, OpAsmPrinter &printer) {
  printer << " {";
  for (const LaneOp &op : ops) {
    const LaneOpInfo &info = op.info();
    printer.printNewline();
    printer << "  " << info.mnemonic << " r" << unsigned(op.dst);
    unsigned sources[] = {op.a, op.b, op.c};
    for (unsigned i = 0; i < info.sources; ++i)
      printer << ", r" << sources[i];
    if (op.imm)
      printer << ", imm " << int64_t(op.imm);
  }
  printer.printNewline();
  printer << '}';
}

void LaneProgramOp::print(OpAsmPrinter &printer) {
  LaneProgram program = getLaneProgram(*this);
  printer << ' ' << getIndex() << " in [";
  bool first = true;
  for (unsigned i = 0; i < 7; ++i)
    if (program.inMask >> i & 1) {
      printer << (first ? "r" : ", r") << i;
      first = false;
    }
  printer << "] out r" << unsigned(program.out);
  printOps(program.body, printer);
  if (!program.final.empty()) {
    printer << " final";
    printOps(program.final, printer);
  }
  printer.printOptionalAttrDict((*this)->getAttrs(),
                                {"index", "in_mask", "out", "body", "final"});
}

static ParseResult parseRegister(OpAsmParser &parser, int64_t &reg) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef name;
  if (parser.parseKeyword(&name))
    return failure();
  if (!name.consume_front("r") || name.getAsInteger(10, reg))
    return parser.emitError(loc, "expected a register r0 to r31");
  return success();
}

/// Parses `{ operation … }` into six numbers per operation.
static ParseResult parseOps(OpAsmParser &parser,
                            SmallVectorImpl<int64_t> &numbers) {
  if (parser.parseLBrace())
    return failure();
  while (failed(parser.parseOptionalRBrace())) {
    SMLoc loc = parser.getCurrentLocation();
    StringRef mnemonic;
    int64_t dst, sources[3] = {0, 0, 0}, imm = 0;
    if (parser.parseKeyword(&mnemonic))
      return failure();
    const LaneOpInfo *info = ::asic::isa::lookupLaneMnemonic(mnemonic);
    if (!info)
      return parser.emitError(loc, "expected a lane operation, got ")
             << mnemonic;
    if (parseRegister(parser, dst))
      return failure();
    for (unsigned i = 0; i < info->sources; ++i)
      if (parser.parseComma() || parseRegister(parser, sources[i]))
        return failure();
    if (succeeded(parser.parseOptionalComma()))
      if (parser.parseKeyword("imm") || parser.parseInteger(imm))
        return failure();
    numbers.append(
        {int64_t(info->opcode), dst, sources[0], sources[1], sources[2], imm});
  }
  return success();
}

ParseResult LaneProgramOp::parse(OpAsmParser &parser, OperationState &state) {
  int64_t index, out, mask = 0;
  SmallVector<int64_t> body, finalOps;
  auto parseStream = [&]() -> ParseResult {
    int64_t reg;
    SMLoc loc = parser.getCurrentLocation();
    if (parseRegister(parser, reg))
      return failure();
    if (reg < 0 || reg > 6)
      return parser.emitError(loc, "expected an input stream r0 to r6");
    mask |= int64_t(1) << reg;
    return success();
  };
  if (parser.parseInteger(index) || parser.parseKeyword("in") ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                     parseStream) ||
      parser.parseKeyword("out") || parseRegister(parser, out) ||
      parseOps(parser, body))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("final")) &&
      parseOps(parser, finalOps))
    return failure();
  Builder &builder = parser.getBuilder();
  state.addAttribute("index", builder.getI64IntegerAttr(index));
  state.addAttribute("in_mask", builder.getI64IntegerAttr(mask));
  state.addAttribute("out", builder.getI64IntegerAttr(out));
  state.addAttribute("body", builder.getDenseI64ArrayAttr(body));
  state.addAttribute("final", builder.getDenseI64ArrayAttr(finalOps));
  return parser.parseOptionalAttrDict(state.attributes);
}
