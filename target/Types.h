// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory spaces and rounding modes: the numbers that the binary format, the
// target description and the compiler share. Element types are beside it.

#ifndef ASIC_TARGET_TYPES_H
#define ASIC_TARGET_TYPES_H

#include "target/ElementType.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace asic {

/// Memory spaces, numbered as in the instruction set.
enum class Space : uint8_t { Dram = 0, Sram = 1, Acc = 2 };

/// The name used in assembly text and reports.
inline llvm::StringRef spaceName(Space space) {
  constexpr const char *names[] = {"dram", "sram", "acc"};
  return names[static_cast<uint8_t>(space)];
}

/// Rounding of the requantisation operation (docs/numerics.md).
enum class RoundingMode : uint8_t {
  SingleRound = 0, ///< "sr": TOSA RESCALE, single round.
  DoubleRound = 1, ///< "dr": TOSA double round, TFLite.
  NearestEven = 2, ///< "rne": exact product, ties to even.
  Float32 = 3,     ///< "f32": float multiplication, ties to even.
};

/// Text of `mode` in target files and assembly.
inline llvm::StringRef roundingModeName(RoundingMode mode) {
  constexpr const char *names[] = {"sr", "dr", "rne", "f32"};
  return names[static_cast<uint8_t>(mode)];
}

/// The inverse of `roundingModeName`.
inline std::optional<RoundingMode> parseRoundingMode(llvm::StringRef name) {
  for (uint8_t i = 0; i < 4; ++i)
    if (name == roundingModeName(static_cast<RoundingMode>(i)))
      return static_cast<RoundingMode>(i);
  return std::nullopt;
}

} // namespace asic

#endif // ASIC_TARGET_TYPES_H
