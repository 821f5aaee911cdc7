// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "target/Rescale.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace asic;

double asic::roundHalfEven(double value) {
  if (!std::isfinite(value) || std::fabs(value) >= 4503599627370496.0) // 2^52
    return value;
  double below = std::floor(value), fraction = value - below;
  if (fraction != 0.5)
    return fraction < 0.5 ? below : below + 1;
  return std::fmod(below, 2) == 0 ? below : below + 1;
}

std::optional<Rescale> asic::deriveRescale(double factor) {
  if (!(factor > 0) || !std::isfinite(factor))
    return std::nullopt;
  int exponent;
  double fraction = std::frexp(factor, &exponent);
  auto multiplier =
      static_cast<int64_t>(roundHalfEven(std::ldexp(fraction, 31)));
  if (multiplier == int64_t(1) << 31) {
    multiplier >>= 1;
    ++exponent;
  }
  int shift = 31 - exponent;
  if (shift > 62) {
    int excess = shift - 62;
    multiplier = excess > 31 ? 0 : multiplier >> excess;
    shift = 62;
  }
  if (shift < 2)
    return std::nullopt;
  return Rescale{static_cast<int32_t>(multiplier), static_cast<int8_t>(shift)};
}

std::optional<AddRescale> asic::deriveAddRescale(double lhsScale,
                                                 double rhsScale) {
  double twiceMax = 2 * std::max(lhsScale, rhsScale);
  std::optional<Rescale> lhs = deriveRescale(lhsScale / twiceMax);
  std::optional<Rescale> rhs = deriveRescale(rhsScale / twiceMax);
  if (!lhs || !rhs)
    return std::nullopt;
  return AddRescale{*lhs, *rhs, std::ldexp(twiceMax, -kAddHeadroom)};
}

int64_t asic::quantizeBound(double real, double scale, int64_t zeroPoint,
                            int64_t lo, int64_t hi) {
  double bound = double(zeroPoint) + roundHalfEven(real / scale);
  if (!(bound > double(lo)))
    return lo;
  if (!(bound < double(hi)))
    return hi;
  return static_cast<int64_t>(bound);
}

int32_t asic::quantizeBias(double real, double scale) {
  constexpr double highest = std::numeric_limits<int32_t>::max();
  double bias = roundHalfEven(real / scale);
  return static_cast<int32_t>(std::min(std::max(bias, -highest), highest));
}
