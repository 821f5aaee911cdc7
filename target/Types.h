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

/// Memory spaces with the numbers of docs/isa/README.md.
enum class Space : uint8_t { dram = 0, sram = 1, acc = 2 };

/// The name used in assembly text and reports.
inline llvm::StringRef nameOf(Space space) {
  switch (space) {
  case Space::dram:
    return "dram";
  case Space::sram:
    return "sram";
  case Space::acc:
    return "acc";
  }
  return "?";
}

/// Rounding modes of `rescale` and `requant` (docs/numerics.md).
enum class Rounding : uint8_t {
  /// (a * m + 2^(s-1)) >> s, the single round of TOSA RESCALE.
  sr = 0,
  /// TOSA double round, equal to TFLite.
  dr = 1,
  /// Nearest, ties to even, of a * m / 2^s.
  rne = 2,
  /// Nearest even of float(a) * scale; the multiplier's bits are an f32.
  f32 = 3,
};

/// The name used in target files and assembly text.
inline llvm::StringRef nameOf(Rounding rounding) {
  constexpr const char *names[] = {"sr", "dr", "rne", "f32"};
  return names[static_cast<uint8_t>(rounding)];
}

/// The inverse of `nameOf`.
inline std::optional<Rounding> roundingFromName(llvm::StringRef name) {
  for (uint8_t i = 0; i < 4; ++i)
    if (name == nameOf(static_cast<Rounding>(i)))
      return static_cast<Rounding>(i);
  return std::nullopt;
}

} // namespace asic

#endif // ASIC_TARGET_TYPES_H
