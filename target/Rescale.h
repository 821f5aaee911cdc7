// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How real scales become integer multipliers and shifts. The only place that
// derives them: the compiler, its tests and the Python package ask here.
// docs/quantization.md is the arithmetic.

#ifndef ASIC_TARGET_RESCALE_H
#define ASIC_TARGET_RESCALE_H

#include <cstdint>
#include <optional>

namespace asic {

/// `x * factor` as `round(x * multiplier / 2^shift)`.
struct Rescale {
  /// In [2^30, 2^31) unless the shift had to be capped.
  int32_t multiplier = 0;
  /// In [2, 62].
  int8_t shift = 2;
};

/// Largest factor that a shift of at least 2 can express is below this.
constexpr double kMaxRescaleFactor = 536870912.0; // 2^29

/// The nearest integer, ties to even, whatever the floating-point environment.
double roundHalfEven(double value);

/// Multiplier and shift of `factor`; none unless it is positive and below
/// `kMaxRescaleFactor`.
std::optional<Rescale> deriveRescale(double factor);

/// How two quantised tensors are added: `rescale((a - a_zero) << headroom, lhs)
/// + rescale((b - b_zero) << headroom, rhs)` has the scale `scale`.
struct AddRescale {
  Rescale lhs, rhs;
  /// Real value of one unit of the sum.
  double scale = 1;
};

/// Bits of headroom of an addition.
constexpr int kAddHeadroom = 20;

/// The rescales of an addition of tensors with these scales.
std::optional<AddRescale> deriveAddRescale(double lhsScale, double rhsScale);

/// The integer that stands for the real bound `real` of a tensor with `scale`
/// and `zeroPoint`, limited to [lo, hi]; infinite bounds give lo or hi.
int64_t quantizeBound(double real, double scale, int64_t zeroPoint, int64_t lo,
                      int64_t hi);

/// `real / scale` as int32, rounded half to even and limited to
/// ±(2^31 - 1): biases.
int32_t quantizeBias(double real, double scale);

} // namespace asic

#endif // ASIC_TARGET_RESCALE_H
