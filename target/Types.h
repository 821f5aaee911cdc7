// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types, memory spaces and rounding modes: the numbers that the binary
// format, the target description and the compiler share.

#ifndef ASIC_TARGET_TYPES_H
#define ASIC_TARGET_TYPES_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace asic {

/// Element types with the numbers of docs/isa/README.md.
enum class ElementType : uint8_t {
  none = 0,
  i4 = 1,
  u4 = 2,
  i8 = 3,
  u8 = 4,
  i16 = 5,
  i32 = 6,
  bf16 = 7,
  f16 = 8,
  f32 = 9,
  e4m3 = 10,
  e5m2 = 11,
  e2m1 = 12,
  e3m2 = 13,
  e2m3 = 14,
  e8m0 = 15,
  cf8_143 = 16,
  cf8_152 = 17,
};

/// The number of element types, `none` included.
inline constexpr unsigned numElementTypes = 18;

namespace detail {
struct ElementTypeRow {
  const char *name;
  uint8_t bits;
  bool isFloat;
};
inline constexpr ElementTypeRow elementTypeTable[numElementTypes] = {
    {"none", 0, false}, {"i4", 4, false},     {"u4", 4, false},
    {"i8", 8, false},   {"u8", 8, false},     {"i16", 16, false},
    {"i32", 32, false}, {"bf16", 16, true},   {"f16", 16, true},
    {"f32", 32, true},  {"e4m3", 8, true},    {"e5m2", 8, true},
    {"e2m1", 4, true},  {"e3m2", 6, true},    {"e2m3", 6, true},
    {"e8m0", 8, true},  {"cf8_143", 8, true}, {"cf8_152", 8, true},
};
} // namespace detail

/// The name used in target files, assembly text and reports.
inline llvm::StringRef nameOf(ElementType type) {
  return detail::elementTypeTable[static_cast<uint8_t>(type)].name;
}

/// Width in bits; 0 for `none`.
inline constexpr unsigned bitsOf(ElementType type) {
  return detail::elementTypeTable[static_cast<uint8_t>(type)].bits;
}

/// Width in bytes of a byte-sized type; 0 for `none` and sub-byte types.
inline constexpr unsigned bytesOf(ElementType type) {
  return bitsOf(type) / 8;
}

/// True for every floating-point format, narrow ones included.
inline constexpr bool isFloat(ElementType type) {
  return detail::elementTypeTable[static_cast<uint8_t>(type)].isFloat;
}

/// The inverse of `nameOf`; `none` has no name that a user may write.
inline std::optional<ElementType> elementTypeFromName(llvm::StringRef name) {
  for (unsigned i = 1; i < numElementTypes; ++i)
    if (name == detail::elementTypeTable[i].name)
      return static_cast<ElementType>(i);
  return std::nullopt;
}

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
