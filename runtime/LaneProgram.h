// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lane programs: the short straight-line register programs that a `map`
// instruction runs at every index point (docs/isa/map.md).

#ifndef ASIC_RUNTIME_LANEPROGRAM_H
#define ASIC_RUNTIME_LANEPROGRAM_H

#include "target/Types.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace asic::isa {

enum class LaneOpcode : uint8_t {
#define LANE_OP(Name, mnemonic, opcode, sources, rate, summary) Name = opcode,
#include "runtime/isa/LaneOps.def"
};

/// A row of LaneOps.def.
struct LaneOpInfo {
  const char *name;
  const char *mnemonic;
  LaneOpcode opcode;
  unsigned sources;
  const char *rate;
  const char *summary;
  bool isReduction;
};

llvm::ArrayRef<LaneOpInfo> allLaneOps();
/// Null when the number is not assigned.
const LaneOpInfo *lookupLaneOp(unsigned opcode);
const LaneOpInfo *lookupLaneMnemonic(llvm::StringRef mnemonic);

inline constexpr unsigned laneRegisters = 32;
inline constexpr unsigned maxLaneOps = 64;
inline constexpr unsigned maxLaneReductions = 4;
inline constexpr unsigned laneHeaderBytes = 16;
inline constexpr unsigned laneOpBytes = 16;

/// One operation; unused sources are 0.
struct LaneOp {
  LaneOpcode opcode = LaneOpcode::Const;
  uint8_t dst = 0;
  uint8_t a = 0;
  uint8_t b = 0;
  uint8_t c = 0;
  uint64_t imm = 0;

  const LaneOpInfo &info() const { return *lookupLaneOp(unsigned(opcode)); }
  bool operator==(const LaneOp &other) const {
    return opcode == other.opcode && dst == other.dst && a == other.a &&
           b == other.b && c == other.c && imm == other.imm;
  }
};

/// A lane program. Registers r0..r6 hold the input streams named in `inMask`;
/// register `out` is stored to stream 7.
struct LaneProgram {
  std::vector<LaneOp> body;
  std::vector<LaneOp> final;
  uint8_t out = 0;
  uint8_t inMask = 0;

  bool operator==(const LaneProgram &other) const {
    return body == other.body && final == other.final && out == other.out &&
           inMask == other.inMask;
  }
  /// True when the body holds a reduction.
  bool hasReduction() const;
};

/// The immediate of `requant`: mode in bits 0-15, then zero point, low and high
/// bound as signed 16-bit numbers.
uint64_t packRequant(RoundingMode rounding, int16_t zero, int16_t lo,
                     int16_t hi);
struct RequantImmediate {
  RoundingMode rounding;
  int16_t zero, lo, hi;
};
RequantImmediate unpackRequant(uint64_t imm);

/// The immediate of a float constant or of a float reduction's initial value.
uint64_t floatImmediate(float value);

/// Checks the rules of docs/isa/map.md: registers in range and written before
/// they are read, immediates in range, reductions only in the body, limits.
llvm::Error verify(const LaneProgram &program);

/// Appends the encoding of a verified program to `bytes`.
void encode(const LaneProgram &program, std::vector<uint8_t> &bytes);
/// Decodes one program from the front of `bytes`, which is advanced.
llvm::Expected<LaneProgram> decodeLaneProgram(llvm::ArrayRef<uint8_t> &bytes);

} // namespace asic::isa

#endif // ASIC_RUNTIME_LANEPROGRAM_H
