// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/ElementType.h"
#include <array>

using namespace asic;

namespace {

enum class Kind : uint8_t { None, Signed, Unsigned, Float, UnsignedFloat };

struct TypeInfo {
  const char *name;
  uint8_t bits;
  Kind kind;
};

} // namespace

/// Indexed by the number of the type.
static constexpr TypeInfo kTypes[kLastElementType + 1] = {
    {"none", 0, Kind::None},     {"i4", 4, Kind::Signed},
    {"u4", 4, Kind::Unsigned},   {"i8", 8, Kind::Signed},
    {"u8", 8, Kind::Unsigned},   {"i16", 16, Kind::Signed},
    {"i32", 32, Kind::Signed},   {"bf16", 16, Kind::Float},
    {"f16", 16, Kind::Float},    {"f32", 32, Kind::Float},
    {"e4m3", 8, Kind::Float},    {"e5m2", 8, Kind::Float},
    {"e2m1", 4, Kind::Float},    {"e3m2", 6, Kind::Float},
    {"e2m3", 6, Kind::Float},    {"e8m0", 8, Kind::UnsignedFloat},
    {"cf8_143", 8, Kind::Float}, {"cf8_152", 8, Kind::Float},
};

static const TypeInfo &info(ElementType type) {
  return kTypes[static_cast<uint8_t>(type)];
}

llvm::StringRef asic::elementTypeName(ElementType type) {
  return info(type).name;
}

std::optional<ElementType> asic::parseElementType(llvm::StringRef name) {
  for (ElementType type : allElementTypes())
    if (name == info(type).name)
      return type;
  return std::nullopt;
}

std::optional<ElementType> asic::elementTypeFromNumber(unsigned value) {
  if (value > kLastElementType)
    return std::nullopt;
  return static_cast<ElementType>(value);
}

llvm::ArrayRef<ElementType> asic::allElementTypes() {
  static const auto types = [] {
    std::array<ElementType, kLastElementType> all;
    for (unsigned i = 0; i < kLastElementType; ++i)
      all[i] = static_cast<ElementType>(i + 1);
    return all;
  }();
  return types;
}

unsigned asic::bitWidth(ElementType type) { return info(type).bits; }

bool asic::isIntegerType(ElementType type) {
  return info(type).kind == Kind::Signed || info(type).kind == Kind::Unsigned;
}

bool asic::isFloatType(ElementType type) {
  return info(type).kind == Kind::Float ||
         info(type).kind == Kind::UnsignedFloat;
}

bool asic::isSignedType(ElementType type) {
  return info(type).kind == Kind::Signed || info(type).kind == Kind::Float;
}
