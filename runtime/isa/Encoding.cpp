// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits <-> values. Every instruction is handled by the same loops over the
// field table.

#include "runtime/isa/Instruction.h"
#include "runtime/isa/Support.h"

using namespace asic;
using namespace asic::isa;

/// Reads `bits` (at most 40) bits from bit `bit`, little-endian.
static uint64_t readBits(const uint8_t *bytes, unsigned bit, unsigned bits) {
  uint64_t value = 0;
  unsigned first = bit / 8, last = (bit + bits - 1) / 8;
  for (unsigned i = first; i <= last; ++i)
    value |= uint64_t(bytes[i]) << (8 * (i - first));
  value >>= bit % 8;
  return value & ((uint64_t(1) << bits) - 1);
}

/// Sets `bits` bits, which must be zero before.
static void writeBits(uint8_t *bytes, unsigned bit, unsigned bits,
                      uint64_t value) {
  value = (value & ((uint64_t(1) << bits) - 1)) << (bit % 8);
  for (unsigned i = bit / 8; value; ++i, value >>= 8)
    bytes[i] |= uint8_t(value);
}

static uint64_t packSync(const Sync &sync) {
  return uint64_t(sync.valid) | uint64_t(sync.semaphore) << 1 |
         uint64_t(sync.count) << 7;
}

static Sync unpackSync(uint64_t bits) {
  Sync sync;
  sync.valid = bits & 1;
  sync.semaphore = (bits >> 1) & 63;
  sync.count = (bits >> 7) & 511;
  return sync;
}

bool Instruction::addWait(unsigned semaphore, unsigned count) {
  for (Sync &slot : waits)
    if (!slot.valid) {
      slot = {uint8_t(semaphore), uint16_t(count), true};
      return true;
    }
  return false;
}

bool Instruction::addPost(unsigned semaphore, unsigned count) {
  for (Sync &slot : posts)
    if (!slot.valid) {
      slot = {uint8_t(semaphore), uint16_t(count), true};
      return true;
    }
  return false;
}

bool Instruction::operator==(const Instruction &other) const {
  return opcode == other.opcode && engine == other.engine &&
         flags == other.flags && tag == other.tag && waits == other.waits &&
         posts == other.posts && values == other.values;
}

llvm::Expected<EncodedInstruction>
asic::isa::encode(const Instruction &instruction) {
  if (llvm::Error error = verify(instruction))
    return std::move(error);
  EncodedInstruction bytes = {};
  writeBits(bytes.data(), 0, 8, unsigned(instruction.opcode));
  writeBits(bytes.data(), 8, 8, instruction.engine);
  writeBits(bytes.data(), 16, 16, instruction.flags);
  writeBits(bytes.data(), 32, 32, instruction.tag);
  for (unsigned i = 0; i < syncSlots; ++i) {
    writeBits(bytes.data(), 64 + 16 * i, 16, packSync(instruction.waits[i]));
    writeBits(bytes.data(), 128 + 16 * i, 16, packSync(instruction.posts[i]));
  }
  llvm::ArrayRef<FieldInfo> fields = instruction.info().fields;
  for (unsigned i = 0; i < fields.size(); ++i)
    writeBits(bytes.data(), fields[i].bit, fields[i].bits,
              uint64_t(instruction.getAt(i)));
  return bytes;
}

llvm::Expected<Instruction> asic::isa::decode(llvm::ArrayRef<uint8_t> bytes) {
  if (bytes.size() != instructionBytes)
    return makeError("expected an instruction of " +
                     std::to_string(instructionBytes) + " bytes, got " +
                     std::to_string(bytes.size()));
  const OpcodeInfo *info = lookupOpcode(bytes[0]);
  if (!info)
    return makeError("expected an assigned opcode, got " +
                     std::to_string(unsigned(bytes[0])));
  Instruction instruction(info->opcode, bytes[1]);
  instruction.flags = readBits(bytes.data(), 16, 16);
  instruction.tag = readBits(bytes.data(), 32, 32);
  for (unsigned i = 0; i < syncSlots; ++i) {
    instruction.waits[i] = unpackSync(readBits(bytes.data(), 64 + 16 * i, 16));
    instruction.posts[i] = unpackSync(readBits(bytes.data(), 128 + 16 * i, 16));
  }
  unsigned end = headerBits;
  for (unsigned i = 0; i < info->fields.size(); ++i) {
    const FieldInfo &field = info->fields[i];
    uint64_t value = readBits(bytes.data(), field.bit, field.bits);
    if (field.isSigned && (value >> (field.bits - 1)))
      value |= ~uint64_t(0) << field.bits;
    instruction.setAt(i, int64_t(value));
    end = field.bit + field.bits;
  }
  // What no field covers is reserved.
  uint8_t tail = end % 8 ? bytes[end / 8] >> (end % 8) : 0;
  for (unsigned i = (end + 7) / 8; i < instructionBytes; ++i)
    tail |= bytes[i];
  if (tail)
    return makeError(std::string("expected reserved bits of ") +
                     info->mnemonic + " to be zero");
  if (llvm::Error error = verify(instruction))
    return std::move(error);
  return instruction;
}
