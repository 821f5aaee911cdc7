// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Non-integer numbers of target files without floating point.

#ifndef ASIC_TARGET_DECIMAL_H
#define ASIC_TARGET_DECIMAL_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>

namespace asic {

/// A decimal number with six digits after the point, held as an integer count
/// of millionths, so that rates such as 51.2 bytes per cycle are exact and
/// cycle counts do not depend on the host's floating point.
struct Decimal {
  static constexpr int64_t kScale = 1000000;

  int64_t micro = 0;

  static constexpr Decimal fromInteger(int64_t value) {
    return {value * kScale};
  }

  /// Reads "51.2", "-3", "1e3", "6.8e1"; digits beyond the sixth after the
  /// point are rounded half up. Nothing when `text` is not such a number or is
  /// beyond 9e12 in magnitude.
  static std::optional<Decimal> parse(llvm::StringRef text);

  /// Shortest decimal text, e.g. "51.2"; parse(str()) is the same number.
  std::string str() const;

  double asDouble() const { return static_cast<double>(micro) / kScale; }

  /// ceil(amount / this), at most UINT64_MAX; this must be positive.
  uint64_t ceilDivide(uint64_t amount) const {
    unsigned __int128 scaled = static_cast<unsigned __int128>(amount) * kScale;
    unsigned __int128 quotient = (scaled + (micro - 1)) / micro;
    return quotient > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(quotient);
  }

  /// The smallest integer not below this, which must not be negative.
  uint64_t ceil() const {
    return (static_cast<uint64_t>(micro) + kScale - 1) / kScale;
  }

  friend bool operator==(Decimal a, Decimal b) { return a.micro == b.micro; }
  friend bool operator!=(Decimal a, Decimal b) { return a.micro != b.micro; }
  friend bool operator<(Decimal a, Decimal b) { return a.micro < b.micro; }
};

} // namespace asic

#endif // ASIC_TARGET_DECIMAL_H
