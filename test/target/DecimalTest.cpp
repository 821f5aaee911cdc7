// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/Decimal.h"
#include "gtest/gtest.h"

using namespace asic;

TEST(Decimal, ReadsAndWritesShortestText) {
  const std::pair<const char *, const char *> cases[] = {
      {"51.2", "51.2"},
      {"0", "0"},
      {"-3", "-3"},
      {"+7.50", "7.5"},
      {"1e3", "1000"},
      {"6.8E1", "68"},
      {"1.5e-2", "0.015"},
      {"0.0000004", "0"},
      {"0.0000005", "0.000001"},
      {"17.066666666666666", "17.066667"},
      {".5", "0.5"},
      {"-0.25", "-0.25"},
      {"5.", "5"},
      {"1e-9", "0"},
      {"9000000000000", "9000000000000"}};
  for (auto [text, expected] : cases) {
    std::optional<Decimal> value = Decimal::parse(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(value->str(), expected) << text;
    EXPECT_EQ(Decimal::parse(value->str())->micro, value->micro) << text;
  }
}

TEST(Decimal, RefusesWhatIsNoNumber) {
  for (const char *text : {"", "-", "+", ".", "1.2.3", "1e", "e3", "1e99", "x",
                           "0x10", "1 2", "--1", "inf", "nan", "1e20", "1_000"})
    EXPECT_FALSE(Decimal::parse(text)) << text;
}

TEST(Decimal, DividesExactly) {
  // 512 / 51.2 is 10, not 10.000000001 rounded up to 11.
  EXPECT_EQ(Decimal::parse("51.2")->ceilDivide(512), 10u);
  EXPECT_EQ(Decimal::parse("51.2")->ceilDivide(513), 11u);
  EXPECT_EQ(Decimal::parse("0.1")->ceilDivide(3), 30u);
  EXPECT_EQ(Decimal::parse("3")->ceilDivide(0), 0u);
  EXPECT_EQ(Decimal::parse("0.000001")->ceilDivide(uint64_t(1) << 40),
            (uint64_t(1) << 40) * 1000000);
  EXPECT_EQ(Decimal::parse("0.000001")->ceilDivide(uint64_t(1) << 48),
            UINT64_MAX);
  EXPECT_EQ(Decimal::parse("51.2")->ceil(), 52u);
  EXPECT_EQ(Decimal::parse("51")->ceil(), 51u);
}
