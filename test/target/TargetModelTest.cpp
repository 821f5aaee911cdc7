// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading target files: what is accepted, every message, the canonical form.

#include "target/TargetModel.h"
#include "TestTargets.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/SHA256.h"

using namespace asic;
using asic::test::edited;
using asic::test::smallTarget;
using asic::test::smallTargetText;

namespace {

std::vector<TargetDiagnostic> diagnose(const std::string &text) {
  std::vector<TargetDiagnostic> diagnostics;
  EXPECT_FALSE(parseTarget(text, diagnostics)) << text;
  return diagnostics;
}

/// An edit of the small target and what must be said about it.
struct BadEdit {
  const char *from, *to;
  const char *path, *message;
};

} // namespace

TEST(TargetModel, ReadsEveryField) {
  TargetModel target = smallTarget();
  EXPECT_EQ(target.name, "small");
  EXPECT_EQ(target.clockMhz.str(), "500");
  EXPECT_EQ(target.sync.count, 8u);
  EXPECT_EQ(target.sync.waitLatency, 2u);
  EXPECT_EQ(target.sram.bytes, 65536u);
  EXPECT_EQ(target.dram.bytesPerCycle.str(), "2.5");
  EXPECT_EQ(target.dma.count, 2u);
  EXPECT_EQ(target.numEngines(), 5u);
  EXPECT_EQ(target.mxu.dataflow, Dataflow::WeightStationary);
  EXPECT_EQ(target.mxu.modes.size(), 3u);
  EXPECT_EQ(target.mxu.modes[2].multiplier.str(), "0.5");
  EXPECT_EQ(target.vpu.rate[static_cast<unsigned>(RateClass::Exp)], 1u);
  EXPECT_EQ(target.requant.defaultMode, RoundingMode::NearestEven);
  ASSERT_TRUE(target.energy);
  EXPECT_EQ(target.energy->mac.at("i8").str(), "0.5");
  EXPECT_EQ(TargetModel::engineName(0), "ctrl");
  EXPECT_EQ(TargetModel::engineName(4), "dma1");
}

TEST(TargetModel, DefaultsFollowTheArrayAndTheLanes) {
  TargetModel target =
      smallTarget({{"    fill: 20\n", ""},
                   {"    a_bytes: 8\n    w_bytes: 4\n    acc_bytes: 16\n", ""},
                   {"    read_bytes: 16\n    write_bytes: 8\n", ""},
                   {"    formats: [i8, i16, i32, f32]\n", ""},
                   {"requant: {modes: [sr, rne], default: rne}\n", ""},
                   {"    depthwise_macs_per_cycle: 5\n", ""}});
  EXPECT_EQ(target.mxu.fill, 12u);
  EXPECT_EQ(target.mxu.aBytes, 8u);
  EXPECT_EQ(target.mxu.wBytes, 4u);
  EXPECT_EQ(target.mxu.accBytes, 16u);
  EXPECT_EQ(target.mxu.depthwiseMacsPerCycle, 0u);
  EXPECT_EQ(target.acc.rowBytes, 16u);
  EXPECT_EQ(target.vpu.readBytes, 32u);
  EXPECT_EQ(target.vpu.writeBytes, 16u);
  EXPECT_EQ(target.vpu.rate[static_cast<unsigned>(RateClass::Alu)], 4u);
  EXPECT_EQ(target.vpu.rate[static_cast<unsigned>(RateClass::Tanh)], 1u);
  EXPECT_TRUE(target.hasVpuFormat(ElementType::I32));
  EXPECT_FALSE(target.hasFloatVpu());
  EXPECT_EQ(target.requant.defaultMode, RoundingMode::SingleRound);
  EXPECT_EQ(target.requant.modes.size(), 4u);
}

TEST(TargetModel, RatesAreAtMostTheLanes) {
  TargetModel target = smallTarget({{"exp: 1", "exp: 64"}});
  EXPECT_EQ(target.vpu.rate[static_cast<unsigned>(RateClass::Exp)], 4u);
}

TEST(TargetModel, DefaultRoundingIsOneOfTheModes) {
  TargetModel target = smallTarget({{"[sr, rne], default: rne", "[f32, dr]"}});
  EXPECT_EQ(target.requant.defaultMode, RoundingMode::DoubleRound);
}

TEST(TargetModel, Cf8MeansBothLayouts) {
  TargetModel target =
      smallTarget({{"[bf16, bf16, f32, 0.5]", "[cf8, cf8, f32]"}});
  EXPECT_EQ(target.mxu.modes.size(), 6u);
  EXPECT_TRUE(target.findMode(ElementType::CF8_143, ElementType::CF8_152,
                              ElementType::F32));
}

TEST(TargetModel, SourcesAreKeptButNotPartOfTheMachine) {
  TargetModel plain = smallTarget();
  TargetModel tagged = smallTarget(
      {{"clock_mhz: 500", "clock_mhz: {value: 500, src: 'R [X]'}"},
       {"acc: {bytes: 4096}", "acc: {bytes: 4096, src: {bytes: D}}"},
       {"sram: {", "sram: {src: A, "},
       {"name: small",
        "name: small\nprovenance: {default: A}\ndescription: x"}});
  EXPECT_EQ(tagged.sources.at("clock_mhz"), "R [X]");
  EXPECT_EQ(tagged.sources.at("memories.acc.bytes"), "D");
  EXPECT_EQ(tagged.sources.at("memories.sram"), "A");
  EXPECT_EQ(tagged.canonicalJson(), plain.canonicalJson());
  EXPECT_EQ(tagged.hash(), plain.hash());
}

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

class TargetMessages : public testing::TestWithParam<BadEdit> {};

TEST_P(TargetMessages, NamesFieldExpectedFoundAndRemedy) {
  const BadEdit &bad = GetParam();
  std::string text = edited(smallTargetText(), {{bad.from, bad.to}});
  std::vector<TargetDiagnostic> diagnostics = diagnose(text);
  ASSERT_FALSE(diagnostics.empty());
  bool found = false;
  for (const TargetDiagnostic &diagnostic : diagnostics)
    found |= diagnostic.path == bad.path && diagnostic.message == bad.message;
  EXPECT_TRUE(found) << formatTargetDiagnostics("t.yaml", diagnostics);
  for (const TargetDiagnostic &diagnostic : diagnostics)
    EXPECT_GT(diagnostic.line, 0u) << diagnostic.path;
}

static const BadEdit kBadEdits[] = {
    // Units.
    {"clock_mhz: 500", "clock_ghz: 0.5", "clock_ghz",
     "unknown key 'clock_ghz'; use 'clock_mhz': 500"},
    {"clock_mhz: 500", "clock_mhz: 0.5GHz", "clock_mhz",
     "expected a number of MHz, got '0.5GHz'; the unit is part of the key, "
     "write 500"},
    {"clock_mhz: 500", "clock_mhz: 500000000", "clock_mhz",
     "expected at most 100000 MHz, got 500000000; the unit is MHz"},
    {"bytes: 65536", "kib: 64", "memories.sram.kib",
     "unknown key 'kib'; use 'bytes': 65536"},
    {"bytes: 65536", "bytes: 64 KiB", "memories.sram.bytes",
     "expected an integer number of bytes, got '64 KiB'; the unit is part of "
     "the key, write 65536"},
    // Keys.
    {"k_rows: 8", "krows: 8", "engines.mxu.krows",
     "unknown key 'krows'; did you mean 'k_rows'?"},
    {"k_rows: 8", "krows: 8", "engines.mxu.k_rows",
     "expected an integer, got nothing; add the missing key 'k_rows'"},
    {"cores: 1", "cores: 1\ncores: 2", "",
     "expected every key once, got 'cores' again; remove one of them"},
    {"exp: 1", "frobnicate: 1", "engines.vpu.rate.frobnicate",
     "unknown key 'frobnicate'; known keys are alu, fma, cvt, requant, exp, "
     "recip, rsqrt, tanh, erf, div, reduce, lut8, lut16, pool, dw, transpose"},
    // Missing fields, every one that interfaces rely on.
    {"name: small\n", "", "name",
     "expected a name, got nothing; add the missing key 'name'"},
    {"clock_mhz: 500\n", "", "clock_mhz",
     "expected a number of MHz, got nothing; add the missing key 'clock_mhz'"},
    {"cores: 1\n", "", "cores",
     "expected an integer, got nothing; add the missing key 'cores'"},
    {"bytes: 65536, ", "", "memories.sram.bytes",
     "expected an integer number of bytes, got nothing; add the missing key "
     "'bytes'"},
    {"{bytes: 4096}", "{banks: 2}", "memories.acc.bytes",
     "expected an integer number of bytes, got nothing; add the missing key "
     "'bytes'"},
    {"bytes_per_cycle: 2.5, ", "", "memories.dram.bytes_per_cycle",
     "expected a number of bytes per cycle, got nothing; add the missing key "
     "'bytes_per_cycle'"},
    {"    dataflow: ws\n", "", "engines.mxu.dataflow",
     "expected one of ws, os, got nothing; add the missing key 'dataflow'"},
    {"    n_cols: 4\n", "", "engines.mxu.n_cols",
     "expected an integer, got nothing; add the missing key 'n_cols'"},
    {"    lanes: 4\n", "", "engines.vpu.lanes",
     "expected an integer, got nothing; add the missing key 'lanes'"},
    {"{count: 2, ", "{", "engines.dma.count",
     "expected an integer, got nothing; add the missing key 'count'"},
    {", bytes_per_cycle: 8", "", "engines.dma.bytes_per_cycle",
     "expected a number of bytes per cycle, got nothing; add the missing key "
     "'bytes_per_cycle'"},
    {"  acc: {bytes: 4096}\n", "", "memories.acc",
     "expected a mapping, got nothing; add the missing key 'acc'"},
    {"    modes:\n", "    sparsity: {}\n    mode:\n", "engines.mxu.modes",
     "expected a list, got nothing; add the missing key 'modes'"},
    // Sizes.
    {"bytes: 65536", "bytes: -65536", "memories.sram.bytes",
     "expected a positive integer number of bytes, got -65536"},
    {"bytes: 65536", "bytes: 0", "memories.sram.bytes",
     "expected a positive integer number of bytes, got 0"},
    {"bytes: 65536", "bytes: 65536.5", "memories.sram.bytes",
     "expected an integer number of bytes, got '65536.5'; leave the fraction "
     "away"},
    {"bytes: 65536", "bytes: 4294967296", "memories.sram.bytes",
     "expected at most 2147483648 bytes, got 4294967296"},
    {"bytes_per_cycle: 2.5", "bytes_per_cycle: 0",
     "memories.dram.bytes_per_cycle",
     "expected a positive number of bytes per cycle, got 0"},
    {"bytes_per_cycle: 2.5", "bytes_per_cycle: -1",
     "memories.dram.bytes_per_cycle",
     "expected a positive number of bytes per cycle, got -1"},
    {"count: 2, queue", "count: 14, queue", "engines.dma.count",
     "expected at most 13, got 14"},
    {"count: 8", "count: 65", "sync.count", "expected at most 64, got 65"},
    {"burst_bytes: 16", "burst_bytes: 24", "memories.dram.burst_bytes",
     "expected a power of two, got 24"},
    {"i8: 0.5", "i8: -1", "energy_pj.mac.i8",
     "expected a non-negative number of pJ, got -1"},
    // Types.
    {"k_rows: 8", "k_rows: eight", "engines.mxu.k_rows",
     "expected an integer, got 'eight'"},
    {"k_rows: 8", "k_rows: \"8\"", "engines.mxu.k_rows",
     "expected an integer, got '8' in quotes; write the number without them"},
    {"k_rows: 8", "k_rows: [8]", "engines.mxu.k_rows",
     "expected an integer, got a list"},
    {"k_rows: 8", "k_rows: {a: 8}", "engines.mxu.k_rows",
     "expected an integer, got a mapping"},
    {"k_rows: 8", "k_rows:", "engines.mxu.k_rows",
     "expected an integer, got nothing"},
    {"clock_mhz: 500", "clock_mhz: [500]", "clock_mhz",
     "expected a number of MHz, got a list"},
    {"acc: {bytes: 4096}", "acc: 4096", "memories.acc",
     "expected a mapping, got '4096'"},
    {"formats: [i8, i16, i32, f32]", "formats: i8", "engines.vpu.formats",
     "expected a list, got 'i8'"},
    {"name: small", "name: [small]", "name",
     "expected a name of letters, digits, '-', '_' and '.', at most 64 "
     "characters, got a list"},
    {"name: small", "name: so small", "name",
     "expected a name of letters, digits, '-', '_' and '.', at most 64 "
     "characters, got 'so small'"},
    {"count: 8,", "count: 8, spsc: maybe,", "sync.spsc",
     "expected true or false, got 'maybe'"},
    {"default: rne}", "default: rne, shift: [5]}", "requant.shift",
     "expected [smallest, largest], got 1 values"},
    {"default: rne}", "default: rne, shift: [9, 5]}", "requant.shift",
     "expected [smallest, largest], got 2 values in falling order"},
    // Words.
    {"dataflow: ws", "dataflow: wss", "engines.mxu.dataflow",
     "expected one of ws, os, got 'wss'; did you mean 'ws'?"},
    {"default: rne", "default: rnd", "requant.default",
     "expected one of sr, dr, rne, f32, got 'rnd'; did you mean 'rne'?"},
    {"default: rne", "default: dr", "requant.default",
     "expected one of requant.modes, got 'dr'; add it to requant.modes or name "
     "another default"},
    {"[sr, rne], default: rne", "[]", "requant.modes",
     "expected at least one of sr, dr, rne, f32, got none"},
    // Modes and formats.
    {"[i8, i8, i32, 1.0]", "[i8, int8, i32, 1.0]", "engines.mxu.modes[0][1]",
     "expected an element type (cf8, i4, u4, i8, u8, i16, i32, bf16, f16, f32, "
     "e4m3, e5m2, e2m1, e3m2, e2m3, e8m0, cf8_143, cf8_152), got 'int8'; did "
     "you mean 'i8'?"},
    {"[i8, i8, i32, 1.0]", "[i8, i8]", "engines.mxu.modes[0]",
     "expected [a, w, acc, multiplier], got a list of 2; e.g. [i8, i8, i32, "
     "1.0]"},
    {"[i8, i8, i32, 1.0]", "i8", "engines.mxu.modes[0]",
     "expected [a, w, acc, multiplier], got 'i8'; e.g. [i8, i8, i32, 1.0]"},
    {"[i8, i8, i32, 1.0]", "[i8, i8, f32, 1.0]", "engines.mxu.modes[0]",
     "expected accumulator type i32 for i8 and i8, got f32"},
    {"[i8, i8, i32, 1.0]", "[i8, f16, f32, 1.0]", "engines.mxu.modes[0]",
     "expected two integer or two float operand types, or a float and i8 "
     "weights, "
     "got i8 and f16"},
    {"[i8, i8, i32, 1.0]", "[bf16, i8, i32, 1.0]", "engines.mxu.modes[0]",
     "expected accumulator type f32 for bf16 and i8, got i32"},
    {"[i8, i8, i32, 1.0]", "[i8, i8, i32, 0]", "engines.mxu.modes[0][3]",
     "expected a positive number, got 0"},
    {"[i4, i4, i32, 2.0]", "[i8, i8, i32, 2.0]", "engines.mxu.modes[1]",
     "expected every pair of operand types once, got i8 and i8 again; remove "
     "one of them"},
    {"formats: [i8, i16, i32, f32]", "formats: [i8, f64]",
     "engines.vpu.formats[1]",
     "expected an element type (cf8, i4, u4, i8, u8, i16, i32, bf16, f16, f32, "
     "e4m3, e5m2, e2m1, e3m2, e2m3, e8m0, cf8_143, cf8_152), got 'f64'"},
    {"bytes_per_cycle: 8}", "bytes_per_cycle: 8, unpack: [i4, i8]}",
     "engines.dma.unpack", "expected i4 or u4, got i8"},
    // Fields that do not fit together.
    {"acc: {bytes: 4096}", "acc: {bytes: 12}", "memories.acc.bytes",
     "expected at least 16 bytes (one row of n_cols = 4 sums, 4 bytes each), "
     "got 12; enlarge the memory or narrow engines.mxu.n_cols"},
    {"bytes: 65536", "bytes: 19", "memories.sram.bytes",
     "expected at least 20 bytes (one weight tile and one row of A of the 8 x "
     "4 array), got 19; enlarge the memory or shrink engines.mxu.k_rows and "
     "n_cols"},
    {"latency: 5", "align: 65536, latency: 5, banks: 0", "memories.sram.banks",
     "expected a positive integer, got 0"},
    {"acc: {bytes: 4096}", "acc: {bytes: 4096, align: 8192}",
     "memories.acc.align",
     "expected at most the 4096 bytes of the memory, got 8192"},
    {"acc: {bytes: 4096}", "acc: {bytes: 4096, align: 2}", "memories.acc.align",
     "expected a multiple of 4 (one sum), got 2"},
    // What the version of the machine has not.
    {"name: small", "schema: 2\nname: small", "schema",
     "expected at most 1, got 2"},
    {"    queue: 4\n    dataflow", "    count: 2\n    dataflow",
     "engines.mxu.count", "expected at most 1, got 2"},
    // Syntax.
    {"cores: 1", "cores: &one 1", "",
     "expected plain values, got an anchor, alias or tag; write the value out"},
    {"name: small", "name: [small", "",
     "malformed YAML: Expected , between entries!"},
    {"energy_pj", "---\nenergy_pj", "",
     "expected one YAML document, got several; keep one target per file"},
};

INSTANTIATE_TEST_SUITE_P(BadEdits, TargetMessages,
                         testing::ValuesIn(kBadEdits));

TEST(TargetModel, OutputStationaryArrayNeedsAllItsSums) {
  std::vector<TargetDiagnostic> diagnostics = diagnose(
      edited(smallTargetText(), {{"dataflow: ws", "dataflow: os"},
                                 {"acc: {bytes: 4096}", "acc: {bytes: 124}"}}));
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].message,
            "expected at least 128 bytes (the 8 x 4 sums of the array, 4 bytes "
            "each), got 124; enlarge the memory or narrow engines.mxu.n_cols");
}

TEST(TargetModel, ReportsEveryProblemWithItsPlace) {
  std::vector<TargetDiagnostic> diagnostics = diagnose(edited(
      smallTargetText(), {{"cores: 1", "cores: 0"}, {"lanes: 4", "lanes: x"}}));
  ASSERT_EQ(diagnostics.size(), 2u);
  EXPECT_EQ(formatTargetDiagnostics("my.yaml", diagnostics),
            "my.yaml:3:1: cores: expected a positive integer, got 0\n"
            "my.yaml:28:5: engines.vpu.lanes: expected an integer, got 'x'");
}

TEST(TargetModel, HostileTextsAreErrors) {
  for (const std::string &text :
       {std::string(), std::string("- 1"), std::string("{}"), std::string("x"),
        std::string("a: b: c"), std::string("\xff\xfe"),
        std::string("a: \0b", 5), std::string(100000, '['),
        std::string(100000, '{'), std::string(100000, '-'),
        std::string("? [a]\n: b"), std::string("a: *b"), std::string("\t"),
        std::string("a: \"\\"), std::string("a: |\n")})
    EXPECT_FALSE(diagnose(text).empty());
}

TEST(TargetModel, TruncatedFilesAreErrorsNotCrashes) {
  std::string text = smallTargetText();
  for (size_t size = 0; size + 200 < text.size(); size += 3) {
    std::vector<TargetDiagnostic> diagnostics;
    if (!parseTarget(text.substr(0, size), diagnostics)) {
      EXPECT_FALSE(diagnostics.empty());
    }
  }
}

//===----------------------------------------------------------------------===//
// Canonical form, presets, resolution
//===----------------------------------------------------------------------===//

TEST(TargetModel, CanonicalFormIsSortedJsonAndReadsBack) {
  TargetModel target = smallTarget();
  std::string text = target.canonicalJson();
  llvm::Expected<llvm::json::Value> json = llvm::json::parse(text);
  ASSERT_TRUE(bool(json));
  const llvm::json::Object &object = *json->getAsObject();
  EXPECT_EQ(object.getString("name"), "small");
  EXPECT_NE(text.find("\"bytes_per_cycle\": 2.5,"), std::string::npos);
  EXPECT_LT(text.find("\"clock_mhz\""), text.find("\"cores\""));
  EXPECT_LT(text.find("\"acc\""), text.find("\"dram\""));

  std::vector<TargetDiagnostic> diagnostics;
  std::optional<TargetModel> again = parseTarget(text, diagnostics);
  ASSERT_TRUE(again) << formatTargetDiagnostics("canonical", diagnostics);
  EXPECT_EQ(again->canonicalJson(), text);
  auto hash = llvm::SHA256::hash(
      {reinterpret_cast<const uint8_t *>(text.data()), text.size()});
  EXPECT_EQ(again->hash(), hash);
  EXPECT_EQ(target.hashHex().size(), 64u);
}

TEST(TargetModel, HashFollowsTheMachineNotTheText) {
  EXPECT_EQ(smallTarget().hash(),
            smallTarget({{"clock_mhz: 500", "clock_mhz: 5e2  # same"}}).hash());
  EXPECT_NE(smallTarget().hash(),
            smallTarget({{"bytes_per_cycle: 2.5", "bytes_per_cycle: 2.500001"}})
                .hash());
}

TEST(Presets, AreLegalAndNamedAsTheirFiles) {
  std::vector<std::string> names = presetNames();
  for (const char *expected : {"edge-tx1", "fsd-nna", "gemmini-default",
                               "kea1-like", "npu-256", "npu-2048"})
    EXPECT_TRUE(std::count(names.begin(), names.end(), expected)) << expected;
  for (const std::string &name : names) {
    std::string error;
    std::optional<TargetModel> target = resolveTarget(name, error);
    ASSERT_TRUE(target) << error;
    EXPECT_EQ(target->name, name);
    EXPECT_TRUE(
        target->findMode(ElementType::I8, ElementType::I8, ElementType::I32));
    EXPECT_GE(target->dma.count, 2u);
  }
}

TEST(Presets, SizesOfThePublicMachines) {
  std::string error;
  std::optional<TargetModel> kea = resolveTarget("kea1-like", error);
  ASSERT_TRUE(kea);
  EXPECT_EQ(kea->mxu.kRows * kea->mxu.nCols, 256u);
  EXPECT_EQ(kea->mxu.depthwiseMacsPerCycle, 128u);
  EXPECT_EQ(kea->vpu.lanes, 16u);
  EXPECT_EQ(kea->sram.bytes, 512u * 1024);
  EXPECT_EQ(kea->acc.bytes, 32768u * 4);
  EXPECT_EQ(kea->dram.bytesPerCycle.str(), "16");
  std::optional<TargetModel> fsd = resolveTarget("fsd-nna", error);
  ASSERT_TRUE(fsd);
  EXPECT_EQ(fsd->mxu.kRows * fsd->mxu.nCols, 9216u);
  EXPECT_EQ(fsd->sram.bytes, 32u << 20);
  EXPECT_EQ(fsd->mxu.dataflow, Dataflow::OutputStationary);
  EXPECT_TRUE(fsd->hasFloatVpu());
  std::optional<TargetModel> npu = resolveTarget("npu-256", error);
  ASSERT_TRUE(npu);
  EXPECT_FALSE(npu->hasFloatVpu());
}

TEST(Resolve, UnknownPresetListsTheKnownOnes) {
  std::string error;
  EXPECT_FALSE(resolveTarget("edge-tx9", error));
  EXPECT_EQ(error, "unknown target 'edge-tx9'; expected one of edge-tx1, "
                   "fsd-nna, gemmini-default, kea1-like, npu-2048, npu-256, or "
                   "the path of a .yaml file");
}

TEST(Resolve, MissingAndBadFiles) {
  std::string error;
  EXPECT_FALSE(resolveTarget("no/such/file.yaml", error));
  EXPECT_NE(error.find("cannot read target file 'no/such/file.yaml'"),
            std::string::npos);
  EXPECT_FALSE(resolveTarget("nothere.yaml", error));
  EXPECT_NE(error.find("cannot read"), std::string::npos);
}
