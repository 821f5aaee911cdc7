// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits of binary32 and of the narrow float formats, rounding included. Part of
// the normative numerics (docs/numerics.md); no libm, no branches where loops
// over them shall vectorise.

#ifndef ASIC_RUNTIME_FLOATBITS_H
#define ASIC_RUNTIME_FLOATBITS_H

#include <cstdint>
#include <cstring>

namespace asic::numerics {

template <typename To, typename From>
static inline To bitsAs(From value) {
  static_assert(sizeof(To) == sizeof(From), "a bit cast keeps the size");
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}

static inline float asFloat(uint32_t bits) { return bitsAs<float>(bits); }
static inline constexpr uint32_t kCanonicalNaN = 0x7fc00000u;
static inline constexpr uint32_t kInfinity = 0x7f800000u;
static inline constexpr uint32_t kSignBit = 0x80000000u;

/// The bits of a result, NaN in its one form.
static inline uint32_t canonical(float value) {
  return value != value ? kCanonicalNaN : bitsAs<uint32_t>(value);
}

/// Adding this to a number below 2^51 leaves its nearest integer, ties to even,
/// in the low bits.
static inline constexpr double kRoundMagic = 0x1.8p52;

/// The nearest integer, ties to even; |x| < 2^51.
static inline double roundSmall(double x) {
  return (x + kRoundMagic) - kRoundMagic;
}
/// The same as an integer (two's complement, low 51 bits).
static inline int64_t roundSmallInt(double x) {
  return int64_t(bitsAs<uint64_t>(x + kRoundMagic) -
                 bitsAs<uint64_t>(kRoundMagic));
}

/// 2^n for -1022 <= n <= 1023.
static inline double exp2Int(int64_t n) {
  return bitsAs<double>(uint64_t(n + 1023) << 52);
}

//===-- Narrow floats --------------------------------------------------===//

static inline uint32_t fromBf16(uint16_t a) { return uint32_t(a) << 16; }

/// Nearest even; overflow gives infinity.
static inline uint16_t toBf16(uint32_t a) {
  uint32_t rounded = (a + 0x7fffu + ((a >> 16) & 1)) >> 16;
  bool nan = (a & ~kSignBit) > kInfinity;
  return uint16_t(nan ? 0x7fc0u : rounded);
}

static inline uint32_t fromF16(uint16_t a) {
  uint32_t sign = uint32_t(a & 0x8000) << 16, magnitude = a & 0x7fff;
  // Scaling by 2^112 moves the exponent and normalises subnormals exactly.
  uint32_t normal = bitsAs<uint32_t>(asFloat(magnitude << 13) * 0x1p112f);
  uint32_t special =
      magnitude > 0x7c00 ? (kCanonicalNaN & ~kSignBit) : kInfinity;
  uint32_t bits = magnitude >= 0x7c00 ? special : normal;
  return magnitude > 0x7c00 ? kCanonicalNaN : bits | sign;
}

/// Nearest even; overflow gives infinity.
static inline uint16_t toF16(uint32_t a) {
  uint32_t sign = (a >> 16) & 0x8000, magnitude = a & ~kSignBit;
  // Subnormal results: adding 0.5 aligns the mantissa at 2^-24 and rounds.
  uint32_t tiny = bitsAs<uint32_t>(asFloat(magnitude) + 0.5f) - 0x3f000000u;
  uint32_t normal =
      (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1)) >> 13;
  uint32_t bits = magnitude < 0x38800000u ? tiny : normal;
  bits = magnitude >= 0x477ff000u ? 0x7c00u : bits;
  bits = magnitude > kInfinity ? 0x7e00u : bits | sign;
  return uint16_t(bits);
}

/// A float format of at most 8 bits.
struct SmallFloat {
  int mantissaBits;
  int bias;
  /// Largest finite code without sign.
  uint32_t maxCode;
  /// Code of NaN without sign; 0 when there is none.
  uint32_t nanCode;
  /// First code that stands for infinity or NaN; 0x80 when there is none.
  uint32_t specialCode;
};
static inline constexpr SmallFloat kE4M3 = {3, 7, 0x7e, 0x7f, 0x7f};
static inline constexpr SmallFloat kE5M2 = {2, 15, 0x7b, 0x7f, 0x7c};
static inline constexpr SmallFloat kCf8_143 = {3, 7, 0x7f, 0, 0x80};
static inline constexpr SmallFloat kCf8_152 = {2, 15, 0x7f, 0, 0x80};

/// Widens a code; the infinity of e5m2 is its code 0x7c.
static inline uint32_t fromSmall(const SmallFloat &format, uint8_t code) {
  uint32_t sign = uint32_t(code & 0x80) << 24, magnitude = code & 0x7f;
  if (magnitude >= format.specialCode)
    return format.nanCode != magnitude && magnitude == 0x7c &&
                   format.mantissaBits == 2
               ? (kInfinity | sign)
               : kCanonicalNaN;
  int exponent = int(magnitude >> format.mantissaBits);
  uint32_t fraction = magnitude & ((1u << format.mantissaBits) - 1);
  if (exponent)
    fraction |= 1u << format.mantissaBits;
  int power = (exponent ? exponent : 1) - format.bias - format.mantissaBits;
  double value = double(fraction) * exp2Int(power);
  return bitsAs<uint32_t>(float(value)) | sign;
}

/// Nearest even, saturated to the largest finite value, infinities too. NaN
/// becomes NaN, or the largest positive value where there is no NaN.
static inline uint8_t toSmall(const SmallFloat &format, uint32_t a) {
  uint32_t sign = (a >> 24) & 0x80, magnitude = a & ~kSignBit;
  if (magnitude > kInfinity)
    return uint8_t(format.nanCode ? format.nanCode : format.maxCode);
  double value = double(asFloat(magnitude));
  int exponent = int(magnitude >> 23) - 127;
  int smallest = 1 - format.bias;
  exponent = exponent < smallest ? smallest : exponent;
  exponent = exponent > 32 ? 32 : exponent;
  double steps = value * exp2Int(format.mantissaBits - exponent);
  double rounded = steps < 0x1p40 ? roundSmall(steps) : 0x1p40;
  double code =
      rounded + double(exponent - smallest) * double(1 << format.mantissaBits);
  code = code > double(format.maxCode) ? double(format.maxCode) : code;
  return uint8_t(uint32_t(code) | sign);
}

} // namespace asic::numerics

#endif // ASIC_RUNTIME_FLOATBITS_H
