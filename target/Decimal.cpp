// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/Decimal.h"
#include "llvm/ADT/StringExtras.h"

using namespace asic;

/// 9e12 in millionths.
static constexpr uint64_t kLargest = 9000000000000000000u;

std::optional<Decimal> Decimal::parse(llvm::StringRef text) {
  bool negative = text.consume_front("-");
  if (!negative)
    text.consume_front("+");

  // Split into mantissa digits and a power of ten.
  auto [mantissa, exponentText] = text.split('e');
  if (mantissa.size() == text.size())
    std::tie(mantissa, exponentText) = text.split('E');
  int exponent = 0;
  if (mantissa.size() != text.size()) {
    exponentText.consume_front("+");
    if (exponentText.getAsInteger(10, exponent) || exponent < -40 ||
        exponent > 40)
      return std::nullopt;
  }
  auto [whole, fraction] = mantissa.split('.');
  std::string digits = (whole + fraction).str();
  if (digits.empty() || digits.size() > 60 ||
      !llvm::all_of(digits, llvm::isDigit))
    return std::nullopt;

  // Bring the value to millionths: drop or append digits.
  int shift = 6 + exponent - static_cast<int>(fraction.size());
  bool roundUp = false;
  if (shift < 0) {
    size_t drop = static_cast<size_t>(-shift);
    digits.insert(0, drop, '0');
    roundUp = digits[digits.size() - drop] >= '5';
    digits.resize(digits.size() - drop);
  } else {
    digits.append(shift, '0');
  }
  llvm::StringRef trimmed = llvm::StringRef(digits).ltrim('0');
  // Nineteen digits fit 64 unsigned bits; then the magnitude is checked.
  uint64_t micro = 0;
  if (trimmed.size() > 19 ||
      (!trimmed.empty() && trimmed.getAsInteger(10, micro)) || micro > kLargest)
    return std::nullopt;
  micro += roundUp;
  auto magnitude = static_cast<int64_t>(micro);
  return Decimal{negative ? -magnitude : magnitude};
}

std::string Decimal::str() const {
  uint64_t magnitude = micro < 0 ? 0 - static_cast<uint64_t>(micro) : micro;
  std::string text = micro < 0 ? "-" : "";
  text += std::to_string(magnitude / kScale);
  if (uint64_t rest = magnitude % kScale) {
    std::string fraction = std::to_string(rest);
    fraction.insert(0, 6 - fraction.size(), '0');
    text += "." + llvm::StringRef(fraction).rtrim('0').str();
  }
  return text;
}
