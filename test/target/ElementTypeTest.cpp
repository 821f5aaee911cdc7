// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/ElementType.h"
#include "gtest/gtest.h"

using namespace asic;

/// The table of docs/isa/README.md, copied here by hand.
TEST(ElementType, NumbersNamesAndWidthsOfTheInstructionSet) {
  struct Row {
    unsigned number;
    const char *name;
    unsigned bits;
    bool isInteger, isSigned;
  };
  const Row rows[] = {
      {1, "i4", 4, true, true},        {2, "u4", 4, true, false},
      {3, "i8", 8, true, true},        {4, "u8", 8, true, false},
      {5, "i16", 16, true, true},      {6, "i32", 32, true, true},
      {7, "bf16", 16, false, true},    {8, "f16", 16, false, true},
      {9, "f32", 32, false, true},     {10, "e4m3", 8, false, true},
      {11, "e5m2", 8, false, true},    {12, "e2m1", 4, false, true},
      {13, "e3m2", 6, false, true},    {14, "e2m3", 6, false, true},
      {15, "e8m0", 8, false, false},   {16, "cf8_143", 8, false, true},
      {17, "cf8_152", 8, false, true},
  };
  ASSERT_EQ(allElementTypes().size(), std::size(rows));
  for (const Row &row : rows) {
    std::optional<ElementType> type = parseElementType(row.name);
    ASSERT_TRUE(type) << row.name;
    EXPECT_EQ(static_cast<unsigned>(*type), row.number);
    EXPECT_EQ(elementTypeFromNumber(row.number), type);
    EXPECT_EQ(elementTypeName(*type), row.name);
    EXPECT_EQ(bitWidth(*type), row.bits) << row.name;
    EXPECT_EQ(isIntegerType(*type), row.isInteger) << row.name;
    EXPECT_EQ(isFloatType(*type), !row.isInteger) << row.name;
    EXPECT_EQ(isSignedType(*type), row.isSigned) << row.name;
    EXPECT_EQ(isSubByteType(*type), row.bits < 8) << row.name;
  }
}

TEST(ElementType, KnowsNoOtherNamesOrNumbers) {
  EXPECT_FALSE(parseElementType("none"));
  EXPECT_FALSE(parseElementType("I8"));
  EXPECT_FALSE(parseElementType(""));
  EXPECT_EQ(elementTypeFromNumber(0), ElementType::None);
  EXPECT_FALSE(elementTypeFromNumber(18));
  EXPECT_EQ(bitWidth(ElementType::None), 0u);
}

TEST(ElementType, PacksSubByteElements) {
  EXPECT_EQ(storageBytes(ElementType::I4, 3), 2u);
  EXPECT_EQ(storageBytes(ElementType::E3M2, 4), 3u);
  EXPECT_EQ(storageBytes(ElementType::F32, 3), 12u);
  EXPECT_EQ(storageBytes(ElementType::I8, 0), 0u);
}
