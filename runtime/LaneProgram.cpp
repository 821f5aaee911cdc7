// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/LaneProgram.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"

#include <array>
#include <cstring>

using namespace asic;
using namespace asic::isa;
using llvm::Error;
using llvm::Twine;
namespace endian = llvm::support::endian;

static constexpr LaneOpInfo kLaneOps[] = {
#define LANE_OP(Name, mnemonic, opcode, sources, rate, summary)                \
  {#Name, #mnemonic, LaneOpcode::Name, sources,                                \
   #rate, summary,   (opcode) >= 0x50},
#include "runtime/isa/LaneOps.def"
};

llvm::ArrayRef<LaneOpInfo> asic::isa::allLaneOps() { return kLaneOps; }

const LaneOpInfo *asic::isa::lookupLaneOp(unsigned opcode) {
  static const auto byNumber = [] {
    std::array<const LaneOpInfo *, 256> table = {};
    for (const LaneOpInfo &info : kLaneOps)
      table[unsigned(info.opcode)] = &info;
    return table;
  }();
  return opcode < 256 ? byNumber[opcode] : nullptr;
}

const LaneOpInfo *asic::isa::lookupLaneMnemonic(llvm::StringRef mnemonic) {
  for (const LaneOpInfo &info : kLaneOps)
    if (mnemonic == info.mnemonic)
      return &info;
  return nullptr;
}

bool LaneProgram::hasReduction() const {
  for (const LaneOp &op : body)
    if (op.info().isReduction)
      return true;
  return false;
}

uint64_t asic::isa::packRequant(RoundingMode rounding, int16_t zero, int16_t lo,
                                int16_t hi) {
  return uint64_t(rounding) | uint64_t(uint16_t(zero)) << 16 |
         uint64_t(uint16_t(lo)) << 32 | uint64_t(uint16_t(hi)) << 48;
}

RequantImmediate asic::isa::unpackRequant(uint64_t imm) {
  return {RoundingMode(imm & 0xffff), int16_t(imm >> 16), int16_t(imm >> 32),
          int16_t(imm >> 48)};
}

uint64_t asic::isa::floatImmediate(float value) {
  return llvm::bit_cast<uint32_t>(value);
}

/// Largest legal immediate of operations whose immediate is a small number.
static std::optional<uint64_t> immediateLimit(const LaneOpInfo &info) {
  if (info.isReduction)
    return UINT32_MAX;
  switch (info.opcode) {
  case LaneOpcode::Const:
    return UINT32_MAX;
  case LaneOpcode::Index:
    return 4;
  case LaneOpcode::CmpI:
    return 9;
  case LaneOpcode::CmpF:
    return 15;
  case LaneOpcode::Rescale:
    return 3;
  case LaneOpcode::RoundToFmt:
    return kLastElementType;
  case LaneOpcode::Requant:
    return std::nullopt;
  default:
    return 0;
  }
}

static Error verifyImmediate(const LaneOp &op) {
  const LaneOpInfo &info = op.info();
  if (auto limit = immediateLimit(info); limit && op.imm > *limit)
    return makeError(Twine(info.mnemonic) +
                     ": expected an immediate of at most " + Twine(*limit) +
                     ", got " + Twine(op.imm));
  if (op.opcode == LaneOpcode::RoundToFmt) {
    auto type = ElementType(op.imm);
    if (!isFloatType(type) || isSubByteType(type) || type == ElementType::E8M0)
      return makeError(Twine("round: expected a byte-sized float type, got ") +
                       elementTypeName(type));
  }
  if (op.opcode == LaneOpcode::Requant) {
    RequantImmediate imm = unpackRequant(op.imm);
    if (uint8_t(imm.rounding) > 3 || (op.imm & 0xffff) > 3)
      return makeError("requant: expected rounding mode 0..3, got " +
                       Twine(op.imm & 0xffff));
    if (imm.lo > imm.hi)
      return makeError("requant: expected lo <= hi, got " + Twine(imm.lo) +
                       " and " + Twine(imm.hi));
  }
  return Error::success();
}

/// Checks one part; `written` and `reduced` are bit sets of registers.
static Error verifyPart(llvm::ArrayRef<LaneOp> ops, bool isBody,
                        uint32_t &written, uint32_t &reduced) {
  for (const LaneOp &op : ops) {
    if (!lookupLaneOp(unsigned(op.opcode)))
      return makeError("expected an assigned lane operation, got number " +
                       Twine(unsigned(op.opcode)));
    const LaneOpInfo &info = op.info();
    const uint8_t sources[] = {op.a, op.b, op.c};
    for (unsigned i = 0; i < 3; ++i) {
      uint8_t reg = sources[i];
      if (i >= info.sources) {
        if (reg)
          return makeError(Twine(info.mnemonic) +
                           ": expected unused sources to be zero");
        continue;
      }
      if (reg >= laneRegisters)
        return makeError(Twine(info.mnemonic) +
                         ": expected a register below 32, got r" +
                         Twine(unsigned(reg)));
      if (!(written >> reg & 1))
        return makeError(Twine(info.mnemonic) + ": expected r" +
                         Twine(unsigned(reg)) + " to be written before");
      if (isBody && (reduced >> reg & 1))
        return makeError(Twine(info.mnemonic) + ": expected r" +
                         Twine(unsigned(reg)) +
                         ", a reduction, to be read in the final part only");
    }
    if (op.dst >= laneRegisters)
      return makeError(Twine(info.mnemonic) +
                       ": expected a register below 32, got r" +
                       Twine(unsigned(op.dst)));
    uint32_t bit = uint32_t(1) << op.dst;
    if (info.isReduction && !isBody)
      return makeError(Twine(info.mnemonic) +
                       ": expected a reduction in the body only");
    if (isBody && ((reduced & bit) || (info.isReduction && (written & bit))))
      return makeError(Twine(info.mnemonic) + ": expected r" +
                       Twine(unsigned(op.dst)) +
                       " to be written by its reduction only");
    if (info.isReduction)
      reduced |= bit;
    written |= bit;
    if (Error error = verifyImmediate(op))
      return error;
  }
  return Error::success();
}

Error asic::isa::verify(const LaneProgram &program) {
  if (program.inMask & 0x80)
    return makeError("expected input streams 0..6, got stream 7");
  if (program.body.size() + program.final.size() > maxLaneOps)
    return makeError("expected at most " + Twine(maxLaneOps) +
                     " lane operations, got " +
                     Twine(program.body.size() + program.final.size()));
  uint32_t written = program.inMask, reduced = 0;
  if (Error error = verifyPart(program.body, /*isBody=*/true, written, reduced))
    return error;
  unsigned count = llvm::popcount(reduced);
  if (count > maxLaneReductions)
    return makeError("expected at most " + Twine(maxLaneReductions) +
                     " reductions, got " + Twine(count));
  if (Error error =
          verifyPart(program.final, /*isBody=*/false, written, reduced))
    return error;
  if (program.out >= laneRegisters || !(written >> program.out & 1))
    return makeError("expected out register r" + Twine(unsigned(program.out)) +
                     " to be written");
  return Error::success();
}

static void encodeOp(const LaneOp &op, std::vector<uint8_t> &bytes) {
  uint8_t raw[laneOpBytes] = {uint8_t(op.opcode), op.dst, op.a, op.b, op.c};
  endian::write64le(raw + 8, op.imm);
  bytes.insert(bytes.end(), raw, raw + laneOpBytes);
}

void asic::isa::encode(const LaneProgram &program,
                       std::vector<uint8_t> &bytes) {
  uint8_t header[laneHeaderBytes] = {};
  endian::write16le(header, program.body.size());
  endian::write16le(header + 2, program.final.size());
  header[4] = program.out;
  header[5] = program.inMask;
  bytes.insert(bytes.end(), header, header + laneHeaderBytes);
  for (const LaneOp &op : program.body)
    encodeOp(op, bytes);
  for (const LaneOp &op : program.final)
    encodeOp(op, bytes);
}

static bool allZero(llvm::ArrayRef<uint8_t> bytes) {
  for (uint8_t byte : bytes)
    if (byte)
      return false;
  return true;
}

static llvm::Expected<LaneOp> decodeOp(llvm::ArrayRef<uint8_t> raw) {
  if (!lookupLaneOp(raw[0]))
    return makeError("expected an assigned lane operation, got number " +
                     Twine(unsigned(raw[0])));
  if (!allZero(raw.slice(5, 3)))
    return makeError("expected reserved bytes of a lane operation to be zero");
  return LaneOp{LaneOpcode(raw[0]),
                raw[1],
                raw[2],
                raw[3],
                raw[4],
                endian::read64le(raw.data() + 8)};
}

llvm::Expected<LaneProgram>
asic::isa::decodeLaneProgram(llvm::ArrayRef<uint8_t> &bytes) {
  if (bytes.size() < laneHeaderBytes)
    return makeError("expected a lane program header of 16 bytes, got " +
                     Twine(bytes.size()));
  LaneProgram program;
  unsigned bodyOps = endian::read16le(bytes.data());
  unsigned finalOps = endian::read16le(bytes.data() + 2);
  program.out = bytes[4];
  program.inMask = bytes[5];
  if (!allZero(bytes.slice(6, laneHeaderBytes - 6)))
    return makeError("expected reserved bytes of a lane program to be zero");
  if (bodyOps + finalOps > maxLaneOps)
    return makeError("expected at most " + Twine(maxLaneOps) +
                     " lane operations, got " + Twine(bodyOps + finalOps));
  size_t size = laneHeaderBytes + size_t(bodyOps + finalOps) * laneOpBytes;
  if (bytes.size() < size)
    return makeError("expected a lane program of " + Twine(size) +
                     " bytes, got " + Twine(bytes.size()));
  for (unsigned i = 0; i < bodyOps + finalOps; ++i) {
    auto op =
        decodeOp(bytes.slice(laneHeaderBytes + i * laneOpBytes, laneOpBytes));
    if (!op)
      return op.takeError();
    (i < bodyOps ? program.body : program.final).push_back(*op);
  }
  bytes = bytes.drop_front(size);
  if (Error error = verify(program))
    return std::move(error);
  return program;
}
