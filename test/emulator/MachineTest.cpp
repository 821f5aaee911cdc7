// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole programs in C++, for runs under the sanitizers; the thorough comparison
// is in Python (test_differential.py).

#include "emulator/Machine.h"
#include "runtime/isa/Assembly.h"

#include "gtest/gtest.h"

#include <random>

using namespace asic;
using namespace asic::emulator;

static std::string edgeTarget() {
  std::vector<TargetDiagnostic> diagnostics;
  return parseTarget(*presetText("edge-tx1"), diagnostics)->canonicalJson();
}

static std::unique_ptr<Machine> assembled(llvm::StringRef text,
                                          std::vector<uint8_t> constants = {}) {
  Program program;
  program.target = edgeTarget();
  auto assembly = llvm::cantFail(isa::assemble(text));
  program.text = assembly.text;
  program.lanes = assembly.lanes;
  program.meta.dramBytes = 65536;
  if (!constants.empty())
    program.constants.push_back({0, std::move(constants)});
  IoTensor output;
  output.name = "y";
  output.shape = {1024};
  output.dtype = "int32";
  output.deviceType = ElementType::I32;
  output.address = 32768;
  output.strides = {1};
  program.outputs.push_back(output);
  return llvm::cantFail(Machine::create(std::move(program)));
}

static constexpr Mode kModes[] = {Mode::Functional, Mode::Timed,
                                  Mode::Asynchronous};

TEST(Machine, MultipliesMatrices) {
  constexpr unsigned m = 32, k = 48, n = 32;
  std::mt19937 random(1);
  std::vector<uint8_t> image(m * k + k * n);
  for (uint8_t &byte : image)
    byte = uint8_t(random());
  auto machine = assembled(
      "copy.dma0 post(0,1) dst_space=sram run_bytes=3072 n0=1 n1=1 n2=1 n3=1\n"
      "contract.mxu wait(0,1) post(1,1) a_type=i8 w_type=i8 acc_type=i32 "
      "a_zero=3 w_addr=1536 m0=32 m1=1 m2=1 k0=48 k1=1 k2=1 n=32 a_m0=48 "
      "a_k0=1 w_k0=32 w_n=1 acc_m0=128 acc_n=4\n"
      ".lane 0 in=r0 out=r0\n.end\n"
      "map.vpu wait(1,1) post(2,1) n0=1024 n1=1 n2=1 n3=1 n4=1 s0_type=i32 "
      "s0_space=acc s0_d0=4 s7_type=i32 s7_space=sram s7_addr=8192 s7_d0=4\n"
      "copy.dma1 wait(2,1) src_space=sram dst_space=dram src_addr=8192 "
      "dst_addr=32768 run_bytes=4096 n0=1 n1=1 n2=1 n3=1\nhalt.ctrl\n",
      image);
  for (Mode mode : kModes)
    for (bool check : {false, true}) {
      RunOptions options;
      options.mode = mode;
      options.check = check;
      RunResult result = machine->run({}, options);
      ASSERT_FALSE(result.fault) << result.fault->toString();
      const auto *y = reinterpret_cast<const int32_t *>(
          result.outputs[0].second.bytes.data());
      for (unsigned i = 0; i < m; ++i)
        for (unsigned j = 0; j < n; ++j) {
          int32_t sum = 0;
          for (unsigned l = 0; l < k; ++l)
            sum += (int8_t(image[i * k + l]) - 3) *
                   int8_t(image[m * k + l * n + j]);
          ASSERT_EQ(y[i * n + j], sum);
        }
      EXPECT_EQ(result.stats.has_value(), mode != Mode::Functional);
    }
}

/// Rows of 64 bytes in DRAM and an index in SRAM: row `index` of 8 goes to row
/// `index` of the output.
static std::unique_ptr<Machine> rowMover(int32_t index, const char *fields) {
  std::vector<uint8_t> image(512);
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = uint8_t(i / 64 + 1);
  return assembled(
      "fill.dma0 post(0,1) dst_space=sram dst_addr=64 elem_bytes=4 value=" +
          std::to_string(uint32_t(index)) +
          " run=1 n0=1 n1=1 n2=1 n3=1\n"
          "fill.dma1 post(1,1) dst_space=dram dst_addr=32768 elem_bytes=4 "
          "run=1024 n0=1 n1=1 n2=1 n3=1\n"
          "copy.dma2 wait(0,1) wait(1,1) src_space=dram dst_space=dram "
          "dst_addr=32768 run_bytes=64 n0=1 n1=1 n2=1 n3=1 " +
          std::string(fields) + "\nhalt.ctrl\n",
      image);
}

TEST(Machine, CopiesTheRowThatAnIndexSelects) {
  std::optional<uint64_t> cycles;
  for (int32_t index : {0, 3, 7}) {
    auto machine = rowMover(index, "index_addr=64 index_n=8 index_src_s=64 "
                                   "index_dst_s=64");
    for (Mode mode : kModes) {
      RunOptions options;
      options.mode = mode;
      options.check = true;
      RunResult result = machine->run({}, options);
      ASSERT_FALSE(result.fault) << result.fault->toString();
      const std::vector<uint8_t> &y = result.outputs[0].second.bytes;
      for (int32_t i = 0; i < 4096; ++i)
        ASSERT_EQ(y[size_t(i)], i / 64 == index ? index + 1 : 0) << i;
      if (mode != Mode::Timed)
        continue;
      // The time is the predicted one, and no index changes it.
      EXPECT_EQ(result.stats->cycles, machine->time().cycles);
      EXPECT_EQ(result.stats->cycles, cycles.value_or(result.stats->cycles));
      cycles = result.stats->cycles;
    }
  }
  auto plain = rowMover(0, "");
  EXPECT_EQ(*cycles, plain->time().cycles + plain->getTarget().sram.latency);
}

TEST(Machine, AnIndexOutsideMovesNothing) {
  const char *fields = "index_addr=64 index_n=8 index_src_s=64 index_dst_s=64";
  for (int32_t index : {-1, 8, INT32_MIN, INT32_MAX}) {
    auto machine = rowMover(index, fields);
    for (Mode mode : kModes) {
      RunOptions options;
      options.mode = mode;
      options.check = true;
      RunResult result = machine->run({}, options);
      ASSERT_FALSE(result.fault) << result.fault->toString();
      for (uint8_t byte : result.outputs[0].second.bytes)
        ASSERT_EQ(byte, 0);
      if (mode == Mode::Timed)
        EXPECT_EQ(result.stats->cycles, rowMover(0, fields)->time().cycles);
    }
  }
}

TEST(Machine, WidensPackedCodes) {
  // Five codes a run, two runs of three bytes: the last half byte is not moved.
  const std::vector<uint8_t> image = {0x10, 0x78, 0x0f, 0xe3, 0x8c, 0x99};
  const std::map<std::string, std::vector<int>> want = {
      {"i4", {0, 1, -8, 7, -1, 3, -2, -4, -8, -7}},
      {"u4", {0, 1, 8, 7, 15, 3, 14, 12, 8, 9}}};
  for (const auto &[type, codes] : want) {
    auto machine = assembled(
        "fill.dma0 post(0,1) dst_space=dram dst_addr=32768 elem_bytes=4 "
        "value=0 run=1024 n0=1 n1=1 n2=1 n3=1\n"
        "copy.dma1 wait(0,1) post(1,1) src_space=dram dst_space=sram "
        "run_bytes=5 n0=2 n1=1 n2=1 n3=1 src_s0=3 dst_s0=5 packed_type=" +
            type +
            "\n"
            "copy.dma0 wait(1,1) src_space=sram dst_space=dram dst_addr=32768 "
            "run_bytes=10 n0=1 n1=1 n2=1 n3=1\nhalt.ctrl\n",
        image);
    for (Mode mode : kModes) {
      RunOptions options;
      options.mode = mode;
      options.check = true;
      RunResult result = machine->run({}, options);
      ASSERT_FALSE(result.fault) << result.fault->toString();
      const std::vector<uint8_t> &y = result.outputs[0].second.bytes;
      for (size_t i = 0; i < 12; ++i)
        EXPECT_EQ(int8_t(y[i]), i < codes.size() ? codes[i] : 0) << type << i;
    }
  }
}

TEST(Machine, RandomLaneProgramsRunCleanly) {
  // Every operation, on arbitrary bits, in strips that are not full.
  std::mt19937 random(2);
  std::vector<uint8_t> image(4096);
  for (uint8_t &byte : image)
    byte = uint8_t(random());
  for (const isa::LaneOpInfo &info : isa::allLaneOps()) {
    isa::LaneProgram lane;
    lane.inMask = 7;
    lane.out = 8;
    isa::LaneOp op;
    op.opcode = info.opcode;
    op.dst = 8;
    uint8_t *sources[] = {&op.a, &op.b, &op.c};
    for (unsigned i = 0; i < info.sources; ++i)
      *sources[i] = uint8_t(i);
    if (info.opcode == isa::LaneOpcode::RoundToFmt)
      op.imm = uint64_t(ElementType::BF16);
    lane.body.push_back(op);
    ASSERT_FALSE(bool(isa::verify(lane))) << info.mnemonic;
    auto machine = assembled(
        isa::disassemble(lane, 0) +
            "copy.dma0 dst_space=sram run_bytes=4096 n0=1 n1=1 n2=1 n3=1\n"
            "fence.ctrl engines=65535\n"
            "map.vpu reduce=1 n0=37 n1=9 n2=1 n3=1 n4=1 s0_type=i32 "
            "s0_space=sram s0_d0=4 s0_d1=8 s1_type=i32 s1_space=sram "
            "s1_addr=400 s1_d0=8 s2_type=i32 s2_space=sram s2_addr=2000 "
            "s2_d1=4 s7_type=i32 s7_space=sram s7_addr=8192 s7_d1=4\nhalt.ctrl",
        image);
    RunResult result = machine->run({}, RunOptions());
    bool divides = info.opcode == isa::LaneOpcode::DivSI ||
                   info.opcode == isa::LaneOpcode::RemSI;
    ASSERT_TRUE(!result.fault || divides)
        << info.mnemonic << result.fault->toString();
  }
}

TEST(Machine, EveryModeReportsTheSameFault) {
  auto machine = assembled("fill.dma0 dst_space=sram elem_bytes=1 run=8 "
                           "n0=1 n1=1 n2=1 n3=1\n"
                           "copy.dma1 tag=4 src_space=sram dst_space=dram "
                           "run_bytes=4 n0=1 n1=1 n2=1 n3=1\nhalt.ctrl");
  for (Mode mode : kModes) {
    RunOptions options;
    options.mode = mode;
    options.check = true;
    RunResult result = machine->run({}, options);
    ASSERT_TRUE(result.fault.has_value());
    EXPECT_EQ(result.fault->kind, FaultKind::RaceReadAfterWrite);
    EXPECT_EQ(*result.fault->pc, 1u);
    EXPECT_EQ(*result.fault->otherPc, 0u);
    EXPECT_EQ(result.fault->tag, 4u);
  }
}

TEST(Machine, CanBeInterrupted) {
  auto machine = assembled(
      ".lane 0 in=r0 out=r1\nred.addi r1, r0 init=0\n.end\n"
      "map.vpu reduce=30 n0=1 n1=60000 n2=60000 n3=60000 n4=1 s0_type=i8 "
      "s0_space=sram s7_type=i32 s7_space=sram s7_addr=64\nhalt.ctrl");
  RunOptions options;
  unsigned asked = 0;
  options.interrupted = [&] { return ++asked > 100; };
  RunResult result = machine->run({}, options);
  ASSERT_TRUE(result.fault.has_value());
  EXPECT_EQ(result.fault->kind, FaultKind::Watchdog);
}

TEST(Machine, TimeIsThatOfARun) {
  auto machine = assembled("nop.mxu cycles=100 post(0,1)\n"
                           "nop.vpu wait(0,1) cycles=50\nhalt.ctrl");
  RunOptions options;
  options.mode = Mode::Timed;
  RunResult result = machine->run({}, options);
  ASSERT_TRUE(result.stats.has_value());
  EXPECT_EQ(result.stats->cycles, machine->time().cycles);
  EXPECT_GE(result.stats->cycles, 150u);
  EXPECT_EQ(result.stats->engines[isa::mxu].busy, 100u);
  EXPECT_EQ(result.stats->engines[isa::vpu].busy, 50u);
  EXPECT_FALSE(chromeTrace(*machine, *result.stats).empty());
}
