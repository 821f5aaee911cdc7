// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types of the machine: the numbers that instructions carry, the names
// that target files use.

#ifndef ASIC_TARGET_ELEMENTTYPE_H
#define ASIC_TARGET_ELEMENTTYPE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace asic {

/// Element type of a stream or operand. The values are those of the `type`
/// fields of the instruction set (docs/isa/README.md).
enum class ElementType : uint8_t {
  None = 0,
  I4 = 1,
  U4 = 2,
  I8 = 3,
  U8 = 4,
  I16 = 5,
  I32 = 6,
  BF16 = 7,
  F16 = 8,
  F32 = 9,
  E4M3 = 10,
  E5M2 = 11,
  E2M1 = 12,
  E3M2 = 13,
  E2M3 = 14,
  E8M0 = 15,
  CF8_143 = 16,
  CF8_152 = 17,
};

/// Largest value of ElementType.
constexpr unsigned kLastElementType = 17;

/// Name in target files and assembly, e.g. "i8"; "none" for None.
llvm::StringRef elementTypeName(ElementType type);

/// The type called `name`, if there is one ("none" is not).
std::optional<ElementType> parseElementType(llvm::StringRef name);

/// The type with number `value`, if there is one. None counts as one.
std::optional<ElementType> elementTypeFromNumber(unsigned value);

/// All types except None, in order of their numbers.
llvm::ArrayRef<ElementType> allElementTypes();

/// Bits of one element as stored; 0 for None.
unsigned bitWidth(ElementType type);

/// Bytes of `count` packed elements, rounded up to whole bytes.
inline uint64_t storageBytes(ElementType type, uint64_t count) {
  return (count * bitWidth(type) + 7) / 8;
}

/// True for the two's-complement and unsigned integer types.
bool isIntegerType(ElementType type);

/// True for every floating-point type, block scales (e8m0) included.
bool isFloatType(ElementType type);

/// True for types with negative values.
bool isSignedType(ElementType type);

/// True when an element does not fill whole bytes (i4, u4, e2m1, e3m2, e2m3).
inline bool isSubByteType(ElementType type) { return bitWidth(type) % 8 != 0; }

} // namespace asic

#endif // ASIC_TARGET_ELEMENTTYPE_H
