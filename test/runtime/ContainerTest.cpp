// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Npy.h"
#include "runtime/Program.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"

#include <cstring>
#include <random>

using namespace asic;

static Program sample() {
  Program program;
  program.target = "{}";
  llvm::cantFail(
      program.append(isa::Instruction(isa::Opcode::Halt, isa::ctrl)));
  isa::LaneProgram lane;
  lane.inMask = 1;
  program.lanes.push_back(lane);
  program.constants.push_back({64, {1, 2, 3}});
  IoTensor tensor;
  tensor.name = "x";
  tensor.shape = {2, 3};
  tensor.dtype = "float32";
  tensor.deviceType = ElementType::I8;
  tensor.strides = {3, 1};
  tensor.quantization = AffineQuantization{0.1, 3, -128, 127};
  program.inputs.push_back(tensor);
  program.debug.push_back({5, "layer", "loc", "a.py:1"});
  program.meta.dramBytes = 128;
  program.meta.predictedCycles = 1234;
  program.meta.compilerVersion = "1";
  program.meta.extra["k"] = 1;
  return program;
}

TEST(Container, RoundTrips) {
  std::vector<uint8_t> bytes = sample().serialize();
  auto program = Program::parse(bytes);
  ASSERT_TRUE(bool(program)) << llvm::toString(program.takeError());
  EXPECT_EQ(program->serialize(), bytes);
  EXPECT_EQ(program->inputs[0].quantization->scale, 0.1);
  EXPECT_EQ(program->findDebug(5)->layer, "layer");
  EXPECT_EQ(program->findDebug(6), nullptr);
  EXPECT_EQ(*program->meta.predictedCycles, 1234u);
}

TEST(Container, DamageIsAnError) {
  std::vector<uint8_t> bytes = sample().serialize();
  for (size_t size = 0; size < bytes.size(); ++size) {
    auto program = Program::parse(llvm::ArrayRef(bytes).take_front(size));
    ASSERT_FALSE(bool(program));
    EXPECT_FALSE(llvm::toString(program.takeError()).empty());
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= 1u << bit % 8;
    auto program = Program::parse(bytes);
    ASSERT_FALSE(bool(program)) << bit;
    llvm::consumeError(program.takeError());
    bytes[bit / 8] ^= 1u << bit % 8;
  }
}

TEST(Container, SaveReplacesOrLeaves) {
  llvm::SmallString<128> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("asic", folder));
  std::string path = (folder + "/p.asic").str();
  ASSERT_FALSE(bool(sample().save(path)));
  auto loaded = Program::load(path);
  ASSERT_TRUE(bool(loaded));
  EXPECT_EQ(loaded->serialize(), sample().serialize());
  llvm::Error error = sample().save((folder + "/none/p.asic").str());
  ASSERT_TRUE(bool(error));
  llvm::consumeError(std::move(error));
  llvm::sys::fs::remove_directories(folder);
}

static Array sampleArray() {
  Array array{"int16", {2, 3}, std::vector<uint8_t>(12)};
  for (int16_t i = 0; i < 6; ++i)
    std::memcpy(&array.bytes[size_t(i) * 2], &i, 2);
  return array;
}

TEST(Npy, RoundTrips) {
  Array array = sampleArray();
  auto back = parseNpy(writeNpy(array), "");
  ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
  EXPECT_EQ(back->dtype, array.dtype);
  EXPECT_EQ(back->shape, array.shape);
  EXPECT_EQ(back->bytes, array.bytes);
  array.dtype = "bfloat16";
  auto raw = parseNpy(writeNpy(array), "bfloat16");
  ASSERT_TRUE(bool(raw));
  EXPECT_EQ(raw->dtype, "bfloat16");
}

TEST(Npy, ReadsColumnMajor) {
  std::vector<uint8_t> bytes = writeNpy(sampleArray());
  std::string text(bytes.begin(), bytes.end());
  size_t at = text.find("False");
  text.replace(at, 5, "True ");
  auto back = parseNpy(llvm::arrayRefFromStringRef(text), "");
  ASSERT_TRUE(bool(back));
  const int16_t want[] = {0, 2, 4, 1, 3, 5};
  EXPECT_EQ(std::memcmp(back->bytes.data(), want, 12), 0);
}

TEST(Npz, RoundTripsAndFailsCleanly) {
  std::vector<std::pair<std::string, Array>> arrays = {{"a", sampleArray()},
                                                       {"b", sampleArray()}};
  std::vector<uint8_t> bytes = writeNpz(arrays);
  for (const char *name : {"a", "b"})
    EXPECT_EQ(llvm::cantFail(parseNpz(bytes, name, "")).bytes,
              arrays[0].second.bytes);
  llvm::consumeError(parseNpz(bytes, "c", "").takeError());
  std::mt19937 random(3);
  for (unsigned i = 0; i < 20000; ++i) {
    std::vector<uint8_t> damaged = bytes;
    for (unsigned k = 0; k < 3; ++k)
      damaged[random() % damaged.size()] = uint8_t(random());
    damaged.resize(random() % 2 ? damaged.size() : random() % damaged.size());
    for (auto *parse :
         {+[](llvm::ArrayRef<uint8_t> b) { return parseNpz(b, "b", ""); },
          +[](llvm::ArrayRef<uint8_t> b) {
            return parseNpy(b.drop_front(std::min<size_t>(35, b.size())), "");
          }}) {
      auto array = parse(damaged);
      if (!array)
        llvm::consumeError(array.takeError());
    }
  }
}
