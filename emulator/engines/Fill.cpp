// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/engines/Engines.h"

#include "llvm/ADT/STLExtras.h"

#include <cstring>

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

/// `count` copies of the low `bytes` bytes of `value`.
static void fillRun(uint8_t *dst, uint32_t value, size_t bytes, size_t count) {
  if (bytes == 1) {
    std::memset(dst, int(value & 0xff), count);
    return;
  }
  for (size_t i = 0; i < count; ++i)
    for (size_t b = 0; b < bytes; ++b)
      dst[i * bytes + b] = uint8_t(value >> (8 * b));
}

MaybeFault asic::emulator::runFill(const Instruction &fill, Context &context) {
  uint8_t *dst = context.memory.data(Space(fill.get(Fill_dst_space))) +
                 fill.get(Fill_dst_addr);
  int64_t n[4], ds[4];
  for (unsigned d = 0; d < 4; ++d) {
    n[d] = fill.get(Fill_n0 + d);
    ds[d] = fill.get(Fill_dst_s0 + d);
  }
  auto value = uint32_t(fill.get(Fill_value));
  auto bytes = size_t(fill.get(Fill_elem_bytes)),
       run = size_t(fill.get(Fill_run));
  if (run == 0 || llvm::is_contained(n, 0))
    return std::nullopt;
  for (int64_t i3 = 0; i3 < n[3]; ++i3)
    for (int64_t i2 = 0; i2 < n[2]; ++i2) {
      if (context.interrupted())
        return interruptedFault();
      for (int64_t i1 = 0; i1 < n[1]; ++i1)
        for (int64_t i0 = 0; i0 < n[0]; ++i0)
          fillRun(dst + i3 * ds[3] + i2 * ds[2] + i1 * ds[1] + i0 * ds[0],
                  value, bytes, run);
    }
  return std::nullopt;
}
