// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The machine instruction as a value, and its table-driven encoding. The one
// definition of the format is Instructions.def; see docs/isa/README.md.

#ifndef ASIC_RUNTIME_ISA_INSTRUCTION_H
#define ASIC_RUNTIME_ISA_INSTRUCTION_H

#include "target/Types.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cassert>
#include <cstdint>
#include <optional>
#include <string>

namespace asic::isa {

/// The version of the instruction set that this library encodes and decodes.
inline constexpr uint32_t isaVersion = 1;
/// Every instruction has this size.
inline constexpr unsigned instructionBytes = 256;
/// Bit at which the fields of an instruction start.
inline constexpr unsigned headerBits = 192;
/// Semaphore numbers are below this.
inline constexpr unsigned numSemaphores = 64;
/// Largest count of one wait or post.
inline constexpr unsigned maxSyncCount = 511;

/// Engine numbers of the instruction header; DMA engine i is `dma0 + i`.
enum Engine : uint8_t { ctrl = 0, mxu = 1, vpu = 2, dma0 = 3 };

/// Which engines may run an opcode.
enum class EngineClass : uint8_t { any, ctrl, mxu, vpu, dma };

/// True when an instruction of class `engineClass` may name engine `engine`.
bool mayRunOn(EngineClass engineClass, unsigned engine);
/// "ctrl", "mxu", "vpu", "dma0", …
std::string engineName(unsigned engine);
/// The inverse of `engineName`.
std::optional<unsigned> engineFromName(llvm::StringRef name);

enum class Opcode : uint8_t {
#define INSTRUCTION(Name, mnemonic, opcode, engine, summary) Name = opcode,
#include "runtime/isa/Instructions.def"
};

/// One enumerator per field of every instruction, `Copy_src_addr` and so on, in
/// the order of the table. `Map_s3_type` is `Map_s0_type + 3 *
/// mapStreamFields`.
enum FieldId : int16_t {
#define INSTRUCTION(Name, mnemonic, opcode, engine, summary)                   \
  Name##_begin, Name##_mark = Name##_begin - 1,
#define FIELD(Name, field, bits, kind, summary) Name##_##field,
#include "runtime/isa/Instructions.def"
  numFieldIds
};

/// Fields per stream of `map`: type, space, addr, d0 … d4.
inline constexpr unsigned mapStreamFields = Map_s1_type - Map_s0_type;
/// Streams of `map`; the last one is the output.
inline constexpr unsigned mapStreams = 8;
/// Most fields of any instruction.
inline constexpr unsigned maxFields = 80;

/// A row of the instruction table.
struct FieldInfo {
  const char *name;
  uint16_t bit;
  uint8_t bits;
  bool isSigned;
  const char *summary;

  /// Smallest and largest value that the field holds.
  int64_t min() const { return isSigned ? -(int64_t(1) << (bits - 1)) : 0; }
  int64_t max() const {
    return isSigned ? (int64_t(1) << (bits - 1)) - 1
                    : int64_t((uint64_t(1) << bits) - 1);
  }
};

/// An instruction of the table.
struct OpcodeInfo {
  const char *name;
  const char *mnemonic;
  Opcode opcode;
  EngineClass engineClass;
  const char *summary;
  FieldId firstField;
  llvm::ArrayRef<FieldInfo> fields;

  /// Index of the field called `name`, if there is one.
  std::optional<unsigned> findField(llvm::StringRef name) const;
};

/// Every instruction, in the order of the table.
llvm::ArrayRef<OpcodeInfo> allOpcodes();
/// The row of an opcode number, null when the number is not assigned.
const OpcodeInfo *lookupOpcode(unsigned opcode);
/// The row with this mnemonic, null when there is none.
const OpcodeInfo *lookupMnemonic(llvm::StringRef mnemonic);

/// One wait or post of an instruction header. An unused slot is all zero.
struct Sync {
  uint8_t semaphore = 0;
  uint16_t count = 0;
  bool valid = false;

  bool operator==(const Sync &other) const {
    return semaphore == other.semaphore && count == other.count &&
           valid == other.valid;
  }
};

/// Slots for waits and for posts in a header.
inline constexpr unsigned syncSlots = 4;

/// A decoded instruction. Fields are addressed by `FieldId`:
///   Instruction copy(Opcode::Copy, dma0);
///   copy.set(Copy_run_bytes, 64);
class Instruction {
public:
  Instruction() = default;
  Instruction(Opcode opcode, unsigned engine)
      : opcode(opcode), engine(uint8_t(engine)) {}

  Opcode opcode = Opcode::Nop;
  uint8_t engine = 0;
  uint16_t flags = 0;
  uint32_t tag = 0;
  std::array<Sync, syncSlots> waits = {};
  std::array<Sync, syncSlots> posts = {};

  const OpcodeInfo &info() const { return *lookupOpcode(unsigned(opcode)); }

  /// The value of a field; `id` must belong to this instruction's opcode.
  int64_t get(FieldId id) const { return values[indexOf(id)]; }
  int64_t get(unsigned id) const { return get(FieldId(id)); }
  /// Sets a field; whether the value fits is checked by `verify`.
  void set(FieldId id, int64_t value) { values[indexOf(id)] = value; }
  void set(unsigned id, int64_t value) { set(FieldId(id), value); }

  /// Field by position in the table.
  int64_t getAt(unsigned index) const { return values[index]; }
  void setAt(unsigned index, int64_t value) { values[index] = value; }

  /// Puts {semaphore, count} in a free slot; false when all are taken.
  bool addWait(unsigned semaphore, unsigned count);
  bool addPost(unsigned semaphore, unsigned count);

  bool operator==(const Instruction &other) const;
  bool operator!=(const Instruction &other) const { return !(*this == other); }

private:
  unsigned indexOf(FieldId id) const {
    unsigned index = unsigned(id) - unsigned(info().firstField);
    assert(index < info().fields.size() && "field of another opcode");
    return index;
  }
  std::array<int64_t, maxFields> values = {};
};

/// True for a copy that moves something and reads an index to know what.
bool readsIndex(const Instruction &instruction);

/// Indices that an instruction reads: one, or one per step of n3 with index_s.
int64_t numIndices(const Instruction &instruction);

/// Source bytes of one run of a copy: half of `run_bytes`, rounded up, when
/// the source is packed.
int64_t sourceRunBytes(const Instruction &copy);

/// The bytes of one instruction.
using EncodedInstruction = std::array<uint8_t, instructionBytes>;

/// Checks everything that does not depend on a target: field ranges, engine
/// class, reserved flags, synchronisation slots, type and space numbers.
llvm::Error verify(const Instruction &instruction);

/// Encodes a verified instruction (`verify` is called; its error is returned).
llvm::Expected<EncodedInstruction> encode(const Instruction &instruction);

/// Decodes 256 bytes. Every set bit must belong to a field: what decodes,
/// encodes to the same bytes.
llvm::Expected<Instruction> decode(llvm::ArrayRef<uint8_t> bytes);

} // namespace asic::isa

#endif // ASIC_RUNTIME_ISA_INSTRUCTION_H
