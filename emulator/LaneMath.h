// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The normative scalar kernels of lane operations (docs/numerics.md).
//
// Every function is a fixed sequence of IEEE-754 operations: binary64 add,
// multiply, divide, square root and fused multiply-add, integer operations, and
// one final rounding to binary32. Nothing here calls libm for a value, so the
// results are the same on every host and for every vector width. Functions are
// free of branches so that compilers vectorise loops over them.
//
// Special functions work in binary64 and are off by less than 0.51 units in the
// last place of binary32. An operation whose result is NaN gives 0x7fc00000.

#ifndef ASIC_EMULATOR_LANEMATH_H
#define ASIC_EMULATOR_LANEMATH_H

#include "runtime/FloatBits.h"

namespace asic::numerics {

static inline double fma64(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}

//===-- Helpers in binary64 --------------------------------------------===//

/// e^r - 1 for |r| <= 0.35: the Taylor sum r + r^2/2! + … + r^11/11!.
static inline double expm1Core(double r) {
  double p = 0x1.ae64567f544e4p-26;
  p = fma64(p, r, 0x1.27e4fb7789f5cp-22);
  p = fma64(p, r, 0x1.71de3a556c734p-19);
  p = fma64(p, r, 0x1.a01a01a01a01ap-16);
  p = fma64(p, r, 0x1.a01a01a01a01ap-13);
  p = fma64(p, r, 0x1.6c16c16c16c17p-10);
  p = fma64(p, r, 0x1.1111111111111p-7);
  p = fma64(p, r, 0x1.5555555555555p-5);
  p = fma64(p, r, 0x1.5555555555555p-3);
  p = fma64(p, r, 0x1p-1);
  return fma64(p * r, r, r);
}

static inline constexpr double kLog2e = 0x1.71547652b82fep+0;
static inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;
static inline constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;

/// e^x for |x| <= 700.
static inline double exp64(double x) {
  double n = roundSmall(x * kLog2e);
  double r = fma64(-n, kLn2Low, fma64(-n, kLn2, x));
  double scale = exp2Int(roundSmallInt(x * kLog2e));
  return fma64(scale, expm1Core(r), scale);
}

/// 2^x for |x| <= 1000.
static inline double exp2_64(double x) {
  double r = (x - roundSmall(x)) * kLn2;
  double scale = exp2Int(roundSmallInt(x));
  return fma64(scale, expm1Core(r), scale);
}

/// Splits x = m * 2^e with m in (0.70, 1.42); x is positive and normal.
static inline double splitExponent(double x, double &exponent) {
  uint64_t bits = bitsAs<uint64_t>(x);
  uint64_t big = (bits & 0xfffffffffffffull) > 0x6a09e667f3bcdull;
  exponent = double(int32_t(bits >> 52) - 1023 + int32_t(big));
  return bitsAs<double>((bits & 0xfffffffffffffull) | ((1023 - big) << 52));
}

/// log(m) for m in (0.70, 1.42): 2 artanh(s), s = (m - 1) / (m + 1), summed to
/// s^15.
static inline double logCore(double m) {
  double s = (m - 1.0) / (m + 1.0), s2 = s * s;
  double p = 0x1.1111111111111p-3;
  p = fma64(p, s2, 0x1.3b13b13b13b14p-3);
  p = fma64(p, s2, 0x1.745d1745d1746p-3);
  p = fma64(p, s2, 0x1.c71c71c71c71cp-3);
  p = fma64(p, s2, 0x1.2492492492492p-2);
  p = fma64(p, s2, 0x1.999999999999ap-2);
  p = fma64(p, s2, 0x1.5555555555555p-1);
  p = fma64(p, s2, 0x1p+1);
  return p * s;
}

static inline double absolute(double x) {
  return bitsAs<double>(bitsAs<uint64_t>(x) & 0x7fffffffffffffffull);
}
/// |x| with the sign of `sign`.
static inline double withSign(double x, double sign) {
  return bitsAs<double>(bitsAs<uint64_t>(absolute(x)) |
                        (bitsAs<uint64_t>(sign) & 0x8000000000000000ull));
}
static inline double clampTo(double x, double lo, double hi) {
  x = x < lo ? lo : x;
  return x > hi ? hi : x;
}

//===-- Special functions of binary32 ----------------------------------===//

static inline uint32_t expBits(uint32_t a) {
  float x = asFloat(a);
  // Beyond these bounds the result is 0 or infinity.
  double d = clampTo(double(x), -110.0, 90.0);
  d = x != x ? 0.0 : d;
  uint32_t result = bitsAs<uint32_t>(float(exp64(d)));
  return x != x ? kCanonicalNaN : result;
}

static inline uint32_t logBits(uint32_t a) {
  float x = asFloat(a);
  bool ordinary = x > 0.0f && a != kInfinity;
  double exponent;
  double m = splitExponent(ordinary ? double(x) : 1.0, exponent);
  double value = fma64(exponent, kLn2, fma64(exponent, kLn2Low, logCore(m)));
  uint32_t result = bitsAs<uint32_t>(float(value));
  uint32_t special = x == 0.0f        ? (kInfinity | kSignBit)
                     : a == kInfinity ? kInfinity
                                      : kCanonicalNaN;
  return ordinary ? result : special;
}

/// expm1(2|x|) / (expm1(2|x|) + 2) with the sign of x.
static inline uint32_t tanhBits(uint32_t a) {
  float x = asFloat(a);
  double d = clampTo(absolute(double(x)) * 2.0, 0.0, 40.0);
  d = x != x ? 0.0 : d;
  double n = roundSmall(d * kLog2e);
  double r = fma64(-n, kLn2Low, fma64(-n, kLn2, d));
  double scale = exp2Int(roundSmallInt(d * kLog2e));
  double em1 = fma64(scale, expm1Core(r), scale - 1.0);
  float value = float(withSign(em1 / (em1 + 2.0), double(x)));
  return x != x ? kCanonicalNaN : bitsAs<uint32_t>(value);
}

/// |x| < 1: Taylor sum to x^27. Otherwise 1 - e^(-x^2) Q(1 / (1 + x/2)), Q a
/// polynomial of degree 9 fitted on [0.95, 4]; from 4 on the result is 1.
static inline uint32_t erfBits(uint32_t a) {
  float x = asFloat(a);
  double d = x != x ? 0.0 : absolute(double(x));
  double u = clampTo(d, 0.0, 1.0), u2 = u * u;
  double p = -0x1.d8453cb0c46eap-38;
  p = fma64(p, u2, 0x1.9e6ad5e55a730p-34);
  p = fma64(p, u2, -0x1.51d7181c5d36dp-30);
  p = fma64(p, u2, 0x1.fcc5720624c1cp-27);
  p = fma64(p, u2, -0x1.5f742ec43e71ap-23);
  p = fma64(p, u2, 0x1.b9e6c9dc651a3p-20);
  p = fma64(p, u2, -0x1.f4d25c3e0c2ebp-17);
  p = fma64(p, u2, 0x1.f9a326f9b89b7p-14);
  p = fma64(p, u2, -0x1.c02db40040b86p-11);
  p = fma64(p, u2, 0x1.565bcd0e6a53fp-8);
  p = fma64(p, u2, -0x1.b82ce31288b51p-6);
  p = fma64(p, u2, 0x1.ce2f21a042be2p-4);
  p = fma64(p, u2, -0x1.812746b0379e7p-2);
  p = fma64(p, u2, 0x1.20dd750429b6dp+0);
  double small = p * u;

  double v = clampTo(d, 1.0, 4.0), t = 1.0 / fma64(0.5, v, 1.0);
  double q = -0x1.56e022eae668bp-4;
  q = fma64(q, t, 0x1.8f1a4735943e0p-2);
  q = fma64(q, t, -0x1.5c36c14e55808p-1);
  q = fma64(q, t, 0x1.e842552a5425ep-2);
  q = fma64(q, t, -0x1.3901f34fdbc0fp-3);
  q = fma64(q, t, 0x1.03c37c0639d0cp-2);
  q = fma64(q, t, 0x1.d72daaed34b5ep-3);
  q = fma64(q, t, 0x1.2338aa7342c41p-2);
  q = fma64(q, t, 0x1.20ae8d81a7b1fp-2);
  q = fma64(q, t, 0x1.89234d5c7d207p-18);
  double large = fma64(-exp64(-v * v), q, 1.0);

  double value = d < 1.0 ? small : large;
  uint32_t result = bitsAs<uint32_t>(float(withSign(value, double(x))));
  return x != x ? kCanonicalNaN : result;
}

static inline uint32_t sqrtBits(uint32_t a) {
  return canonical(__builtin_sqrtf(asFloat(a)));
}

static inline uint32_t rsqrtBits(uint32_t a) {
  return canonical(float(1.0 / __builtin_sqrt(double(asFloat(a)))));
}

/// sin or cos of the reduced angle: r in [-pi/4, pi/4], quadrant mod 4.
static inline float sinQuadrant(double r, int64_t quadrant) {
  double r2 = r * r;
  double s = -0x1.ae7f3e733b81fp-41;
  s = fma64(s, r2, 0x1.6124613a86d09p-33);
  s = fma64(s, r2, -0x1.ae64567f544e4p-26);
  s = fma64(s, r2, 0x1.71de3a556c734p-19);
  s = fma64(s, r2, -0x1.a01a01a01a01ap-13);
  s = fma64(s, r2, 0x1.1111111111111p-7);
  s = fma64(s, r2, -0x1.5555555555555p-3);
  s = r * fma64(s, r2, 1.0);
  double c = 0x1.ae7f3e733b81fp-45;
  c = fma64(c, r2, -0x1.93974a8c07c9dp-37);
  c = fma64(c, r2, 0x1.1eed8eff8d898p-29);
  c = fma64(c, r2, -0x1.27e4fb7789f5cp-22);
  c = fma64(c, r2, 0x1.a01a01a01a01ap-16);
  c = fma64(c, r2, -0x1.6c16c16c16c17p-10);
  c = fma64(c, r2, 0x1.5555555555555p-5);
  c = fma64(c, r2, -0x1p-1);
  c = fma64(c, r2, 1.0);
  double value = (quadrant & 1) ? c : s;
  return float((quadrant & 2) ? -value : value);
}

/// From here on the angle needs the long reduction.
static inline constexpr float kLargeAngle = 0x1p40f;

/// Cody-Waite reduction for |x| < 2^40; `shift` is 0 for sin, 1 for cos.
static inline uint32_t sinCosBits(uint32_t a, int64_t shift) {
  float x = asFloat(a);
  bool finite = (a & ~kSignBit) < kInfinity;
  bool large = !(absolute(double(x)) < double(kLargeAngle));
  double d = large ? 0.0 : double(x);
  double turns = d * 0x1.45f306dc9c883p-1;
  double k = roundSmall(turns);
  double r =
      fma64(-k, 0x1.1a62633145c07p-54, fma64(-k, 0x1.921fb54442d18p+0, d));
  uint32_t result =
      bitsAs<uint32_t>(sinQuadrant(r, roundSmallInt(turns) + shift));
  return finite ? result : kCanonicalNaN;
}

/// Payne-Hanek reduction for finite |x| >= 2^40, scalar.
static inline uint32_t sinCosLargeBits(uint32_t a, int64_t shift) {
  // 2/pi in binary, 32 bits a word.
  constexpr uint32_t twoOverPi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                    0xf534ddc0, 0xdb629599, 0x3c439041,
                                    0xfe5163ab, 0xdebbc561};
  int exponent = int((a >> 23) & 0xff) - 150; // x = mantissa * 2^exponent
  uint64_t mantissa = (a & 0x7fffff) | 0x800000;
  // 128 bits of 2/pi from bit `exponent - 2`: the product below is
  // (x * 2/pi mod 4) / 4 as a 128-bit fraction.
  int first = exponent - 2;
  unsigned __int128 window = 0;
  for (int bit = 0; bit < 128; ++bit) {
    int at = first + bit;
    window = window << 1 | ((twoOverPi[at / 32] >> (31 - at % 32)) & 1);
  }
  unsigned __int128 product = window * mantissa;
  int64_t quadrant = int64_t(product >> 126);
  uint64_t fraction = uint64_t(product >> 62); // of a quarter turn, 2^-64
  // Nearest multiple of pi/2: fractions above one half count down.
  double f = double(int64_t(fraction)) * 0x1p-64;
  quadrant += fraction >> 63;
  double r = f * 0x1.921fb54442d18p+0;
  if (a & kSignBit) {
    r = -r;
    quadrant = -quadrant;
  }
  return bitsAs<uint32_t>(sinQuadrant(r, quadrant + shift));
}

/// a^b with the special cases of IEEE-754 `pow`.
static inline uint32_t powBits(uint32_t a, uint32_t b) {
  float x = asFloat(a), y = asFloat(b);
  uint32_t absBits = a & ~kSignBit;
  bool zero = absBits == 0, infinite = absBits == kInfinity;
  double ax = absolute(double(x));
  bool ordinary = !zero && absBits < kInfinity;
  double exponent;
  double m = splitExponent(ordinary ? ax : 1.0, exponent);
  double log2x = fma64(logCore(m), kLog2e, exponent);
  double t = double(y) * log2x;
  t = t != t ? 0.0 : clampTo(t, -200.0, 200.0);
  uint32_t magnitude = bitsAs<uint32_t>(float(exp2_64(t)));
  // 0 and infinity.
  uint32_t limit = (zero == (y > 0.0f)) ? 0u : kInfinity;
  magnitude = (zero || infinite) ? limit : magnitude;
  // Integers: from 2^24 on every float is even.
  uint32_t absY = b & ~kSignBit;
  bool big = absY >= 0x4b800000u;
  double yd = big ? 0.0 : double(y);
  bool integer = big || roundSmall(yd) == yd;
  bool odd = integer && !big && (roundSmallInt(yd) & 1);
  uint32_t result = magnitude | (odd ? (a & kSignBit) : 0u);
  bool invalid = (a >> 31) && ordinary && !integer;
  result = (invalid || x != x || y != y) ? kCanonicalNaN : result;
  return (absY == 0 || x == 1.0f) ? 0x3f800000u : result;
}

//===-- Comparisons, minima, rounding ----------------------------------===//

static inline uint32_t minimumBits(uint32_t a, uint32_t b) {
  float x = asFloat(a), y = asFloat(b);
  uint32_t smaller = x < y ? a : b;
  smaller = x == y ? (a | b) : smaller;
  return (x != x || y != y) ? kCanonicalNaN : smaller;
}

static inline uint32_t maximumBits(uint32_t a, uint32_t b) {
  float x = asFloat(a), y = asFloat(b);
  uint32_t larger = x > y ? a : b;
  larger = x == y ? (a & b) : larger;
  return (x != x || y != y) ? kCanonicalNaN : larger;
}

/// Nearest integer, ties to even, keeping the sign of zero.
static inline uint32_t roundEvenBits(uint32_t a) {
  float x = asFloat(a);
  // Numbers from 2^23 on are integers; smaller ones round in binary64.
  bool small = absolute(double(x)) < 0x1p23;
  float rounded =
      float(withSign(roundSmall(small ? double(x) : 0.0), double(x)));
  return small ? bitsAs<uint32_t>(rounded) : canonical(x);
}

static inline uint32_t floorBits(uint32_t a) {
  float x = asFloat(a);
  bool small = absolute(double(x)) < 0x1p23;
  double d = small ? double(x) : 0.0, r = roundSmall(d);
  r = r > d ? r - 1.0 : r;
  // floor(-0) is -0, and no other negative number rounds to zero.
  float rounded = float(d == 0.0 ? withSign(r, double(x)) : r);
  return small ? bitsAs<uint32_t>(rounded) : canonical(x);
}

static inline uint32_t ceilBits(uint32_t a) {
  return floorBits(a ^ kSignBit) == kCanonicalNaN
             ? kCanonicalNaN
             : floorBits(a ^ kSignBit) ^ kSignBit;
}

/// Toward zero, saturated; NaN gives 0.
static inline int32_t toIntBits(uint32_t a) {
  float x = asFloat(a);
  double d = clampTo(x != x ? 0.0 : double(x), -2147483648.0, 2147483647.0);
  return int32_t(d);
}

//===-- Integer operations ---------------------------------------------===//

static inline int32_t saturate32(int64_t x) {
  x = x > INT32_MAX ? INT32_MAX : x;
  return int32_t(x < INT32_MIN ? INT32_MIN : x);
}

/// Shift counts outside [1, 62] are taken as the nearest of them.
static inline int64_t clampShift(int32_t shift) {
  int64_t s = shift < 1 ? 1 : shift;
  return s > 62 ? 62 : s;
}

static inline int32_t rescaleSingle(int32_t a, int32_t m, int32_t shift) {
  int64_t s = clampShift(shift), product = int64_t(a) * m;
  return saturate32((product + (int64_t(1) << (s - 1))) >> s);
}

static inline int32_t rescaleDouble(int32_t a, int32_t m, int32_t shift) {
  int64_t s = clampShift(shift), product = int64_t(a) * m;
  int64_t extra = a >= 0 ? int64_t(1) << 30 : -(int64_t(1) << 30);
  product += s > 31 ? extra : 0;
  return saturate32((product + (int64_t(1) << (s - 1))) >> s);
}

static inline int32_t rescaleNearestEven(int32_t a, int32_t m, int32_t shift) {
  int64_t s = clampShift(shift), product = int64_t(a) * m;
  int64_t quotient = product >> s;
  int64_t rest = product - quotient * (int64_t(1) << s);
  int64_t half = int64_t(1) << (s - 1);
  quotient += (rest > half) | ((rest == half) & (quotient & 1));
  return saturate32(quotient);
}

/// The scale is multiplier / 2^shift rounded to binary32.
static inline int32_t rescaleFloat(int32_t a, int32_t m, int32_t shift) {
  float scale = float(double(m) * exp2Int(-clampShift(shift)));
  double d = clampTo(double(float(a) * scale), -2147483648.0, 2147483647.0);
  return int32_t(roundSmall(d));
}

} // namespace asic::numerics

#endif // ASIC_EMULATOR_LANEMATH_H
