// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Targets for the unit tests: one small machine, and edits of its text.

#ifndef ASIC_TEST_TARGET_TESTTARGETS_H
#define ASIC_TEST_TARGET_TESTTARGETS_H

#include "target/TargetModel.h"
#include "gtest/gtest.h"
#include <string>
#include <utility>
#include <vector>

namespace asic::test {

/// A legal target in which every number is easy to calculate with.
inline const char *smallTargetText() {
  return R"yaml(name: small
clock_mhz: 500
cores: 1
sync: {count: 8, max_value: 10, wait_latency: 2, post_latency: 3}
memories:
  sram: {bytes: 65536, latency: 5}
  acc: {bytes: 4096}
  dram: {bytes_per_cycle: 2.5, read_latency: 40, write_latency: 30, burst_bytes: 16}
engines:
  dma: {count: 2, queue: 2, setup: 10, row_overhead: 3, outstanding: 2, bytes_per_cycle: 8}
  mxu:
    queue: 4
    dataflow: ws
    k_rows: 8
    n_cols: 4
    fill: 20
    setup: 6
    a_bytes: 8
    w_bytes: 4
    acc_bytes: 16
    depthwise_macs_per_cycle: 5
    modes:
      - [i8, i8, i32, 1.0]
      - [i4, i4, i32, 2.0]
      - [bf16, bf16, f32, 0.5]
  vpu:
    queue: 4
    lanes: 4
    setup: 7
    latency: 9
    read_bytes: 16
    write_bytes: 8
    formats: [i8, i16, i32, f32]
    rate: {exp: 1, recip: 2}
requant: {modes: [sr, rne], default: rne}
energy_pj: {mac: {i8: 0.5}, dram_byte: 10, static_mw: 2}
)yaml";
}

/// `text` with every `{from, to}` replaced once; a `from` that does not occur
/// fails the test.
inline std::string
edited(std::string text,
       const std::vector<std::pair<std::string, std::string>> &edits) {
  for (const auto &[from, to] : edits) {
    size_t position = text.find(from);
    EXPECT_NE(position, std::string::npos) << "no '" << from << "' to replace";
    if (position != std::string::npos)
      text.replace(position, from.size(), to);
  }
  return text;
}

/// The small target with edits, which must be legal.
inline TargetModel smallTarget(
    const std::vector<std::pair<std::string, std::string>> &edits = {}) {
  std::vector<TargetDiagnostic> diagnostics;
  std::optional<TargetModel> model =
      parseTarget(edited(smallTargetText(), edits), diagnostics);
  EXPECT_TRUE(model) << formatTargetDiagnostics("small", diagnostics);
  return model ? *model : TargetModel();
}

} // namespace asic::test

#endif // ASIC_TEST_TARGET_TESTTARGETS_H
