// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/isa/Assembly.h"
#include "runtime/isa/Instruction.h"

#include "gtest/gtest.h"

#include <random>

using namespace asic;
using namespace asic::isa;

static Instruction sampleCopy() {
  Instruction copy(Opcode::Copy, dma0 + 1);
  copy.tag = 77;
  copy.addWait(3, 5);
  copy.addPost(9, 511);
  copy.set(Copy_dst_space, int64_t(Space::Sram));
  copy.set(Copy_src_addr, (int64_t(1) << 40) - 1);
  copy.set(Copy_run_bytes, 64);
  copy.set(Copy_n0, 7);
  copy.set(Copy_src_s0, -(int64_t(1) << 39));
  return copy;
}

TEST(Encoding, RoundTripsThroughBytesAndText) {
  Instruction copy = sampleCopy();
  auto bytes = encode(copy);
  ASSERT_TRUE(bool(bytes));
  auto back = decode(*bytes);
  ASSERT_TRUE(bool(back));
  EXPECT_EQ(*back, copy);
  auto assembled = assembleInstruction(disassemble(copy));
  ASSERT_TRUE(bool(assembled));
  EXPECT_EQ(*assembled, copy);
}

TEST(Encoding, PlacesHeaderAndFieldsAsDocumented) {
  auto bytes = encode(sampleCopy());
  ASSERT_TRUE(bool(bytes));
  EXPECT_EQ((*bytes)[0], 0x10);
  EXPECT_EQ((*bytes)[1], 4);
  EXPECT_EQ((*bytes)[4], 77);
  // valid | semaphore 3 << 1 | count 5 << 7
  EXPECT_EQ((*bytes)[8] | (*bytes)[9] << 8, 1 | 3 << 1 | 5 << 7);
  EXPECT_EQ((*bytes)[16] | (*bytes)[17] << 8, 1 | 9 << 1 | 511 << 7);
  EXPECT_EQ((*bytes)[24], 0x10); // src_space 0, dst_space 1
  EXPECT_EQ((*bytes)[25], 0xff); // src_addr
}

TEST(Encoding, RandomBytesDecodeOrFailCleanly) {
  std::mt19937 random(1);
  unsigned legal = 0;
  for (unsigned i = 0; i < 20000; ++i) {
    EncodedInstruction bytes = {};
    bytes[0] = uint8_t(allOpcodes()[random() % allOpcodes().size()].opcode);
    bytes[1] = uint8_t(random() % 6);
    for (unsigned k = random() % 8; k-- > 0;)
      bytes[random() % instructionBytes] = uint8_t(random());
    auto instruction = decode(bytes);
    if (!instruction) {
      EXPECT_FALSE(llvm::toString(instruction.takeError()).empty());
      continue;
    }
    ++legal;
    auto again = encode(*instruction);
    ASSERT_TRUE(bool(again));
    EXPECT_EQ(*again, bytes);
  }
  EXPECT_GT(legal, 100u);
}

TEST(Encoding, RefusesWrongSizes) {
  std::vector<uint8_t> bytes(255);
  EXPECT_TRUE(llvm::toString(decode(bytes).takeError()).find("256") !=
              std::string::npos);
}

TEST(LaneProgram, RandomBytesDecodeOrFailCleanly) {
  std::mt19937 random(2);
  for (unsigned i = 0; i < 20000; ++i) {
    std::vector<uint8_t> bytes(random() % 96);
    for (uint8_t &byte : bytes)
      byte = random() % 4 ? 0 : uint8_t(random() % 96);
    llvm::ArrayRef<uint8_t> rest = bytes;
    auto program = decodeLaneProgram(rest);
    if (!program) {
      llvm::consumeError(program.takeError());
      continue;
    }
    std::vector<uint8_t> again;
    encode(*program, again);
    EXPECT_EQ(llvm::ArrayRef<uint8_t>(again),
              llvm::ArrayRef<uint8_t>(bytes).drop_back(rest.size()));
    // What prints, assembles.
    auto text = assemble(disassemble(*program, 0));
    ASSERT_TRUE(bool(text)) << llvm::toString(text.takeError());
    EXPECT_EQ(text->lanes.front(), *program);
  }
}
