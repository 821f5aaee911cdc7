// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/Footprint.h"

#include "gtest/gtest.h"

#include <map>
#include <random>
#include <set>

using namespace asic;
using namespace asic::emulator;

namespace {

/// A footprint beside the plain list of its bytes.
struct Pair {
  Footprint footprint;
  std::map<int64_t, unsigned> bytes; // address -> times reached
};

Pair randomPair(std::mt19937 &random) {
  int64_t base = 200 + int64_t(random() % 40), run = int64_t(random() % 5);
  Footprint footprint(Space::Sram, base, run);
  std::vector<int64_t> starts = {base};
  auto repeat = [&](const std::vector<int64_t> &offsets) {
    std::vector<int64_t> next;
    for (int64_t start : starts)
      for (int64_t offset : offsets)
        next.push_back(start + offset);
    starts = next;
  };
  for (unsigned d = random() % 4; d-- > 0;) {
    int64_t count = int64_t(random() % 4), stride = int64_t(random() % 25) - 12;
    footprint.addDim(count, stride);
    std::vector<int64_t> offsets;
    for (int64_t i = 0; i < count; ++i)
      offsets.push_back(i * stride);
    repeat(offsets);
  }
  if (random() % 3 == 0) {
    std::set<int64_t> offsets;
    for (unsigned k = random() % 4 + 1; k-- > 0;)
      offsets.insert(int64_t(random() % 30));
    footprint.addOffsets({offsets.begin(), offsets.end()});
    repeat({offsets.begin(), offsets.end()});
  }
  footprint.finish();
  Pair pair{footprint, {}};
  for (int64_t start : starts)
    for (int64_t i = 0; i < run; ++i)
      ++pair.bytes[start + i];
  return pair;
}

} // namespace

TEST(Footprint, AgreesWithTheListOfItsBytes) {
  std::mt19937 random(1);
  Pair previous = randomPair(random);
  for (unsigned i = 0; i < 20000; ++i) {
    Pair pair = randomPair(random);
    std::set<int64_t> runs;
    bool twice = false, shared = false;
    pair.footprint.forEachRun([&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at)
        runs.insert(at);
      return true;
    });
    ASSERT_EQ(runs.size(), pair.bytes.size());
    for (auto [address, times] : pair.bytes) {
      ASSERT_TRUE(runs.count(address));
      twice |= times > 1;
      shared |= previous.bytes.count(address) != 0;
    }
    ASSERT_EQ(pair.footprint.empty(), pair.bytes.empty());
    ASSERT_EQ(pair.footprint.overlapsItself(), twice) << i;
    ASSERT_EQ(pair.footprint.intersects(previous.footprint), shared);
    if (!pair.bytes.empty()) {
      EXPECT_EQ(int64_t(pair.footprint.begin()), pair.bytes.begin()->first);
      EXPECT_EQ(int64_t(pair.footprint.end()), pair.bytes.rbegin()->first + 1);
    }
    previous = std::move(pair);
  }
}

TEST(Footprint, DoesNotOverflow) {
  Footprint footprint(Space::Dram, (int64_t(1) << 40) - 1, 1);
  for (unsigned d = 0; d < 4; ++d)
    footprint.addDim((1 << 24) - 1, (int64_t(1) << 39) - 1);
  footprint.finish();
  EXPECT_TRUE(footprint.end() > (__int128(1) << 63));
}
