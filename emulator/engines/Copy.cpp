// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/engines/Engines.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

#include <cstring>

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

void asic::emulator::applyIndex(Instruction &copy, const Memory &memory) {
  if (!readsIndex(copy))
    return;
  int32_t index = int32_t(llvm::support::endian::read32le(
      memory.data(Space::Sram) + copy.get(Copy_index_addr)));
  if (index < 0 || index >= copy.get(Copy_index_n)) {
    copy.set(Copy_run_bytes, 0);
    index = 0;
  }
  copy.set(Copy_src_addr,
           copy.get(Copy_src_addr) + index * copy.get(Copy_index_src_s));
  copy.set(Copy_dst_addr,
           copy.get(Copy_dst_addr) + index * copy.get(Copy_index_dst_s));
  for (FieldId field :
       {Copy_index_addr, Copy_index_n, Copy_index_src_s, Copy_index_dst_s})
    copy.set(field, 0);
}

/// `run` elements out of two a byte, the low half first; `flip` is the value of
/// the sign bit (8 for i4, 0 for u4).
static void unpack(const uint8_t *src, uint8_t *dst, size_t run, uint8_t flip) {
  for (size_t i = 0; i < run; ++i) {
    uint8_t code = i % 2 ? src[i / 2] >> 4 : src[i / 2] & 0xf;
    dst[i] = uint8_t((code ^ flip) - flip);
  }
}

MaybeFault asic::emulator::runCopy(const Instruction &instruction,
                                   Context &context) {
  Instruction copy = instruction;
  applyIndex(copy, context.memory);
  const uint8_t *src = context.memory.data(Space(copy.get(Copy_src_space))) +
                       copy.get(Copy_src_addr);
  uint8_t *dst = context.memory.data(Space(copy.get(Copy_dst_space))) +
                 copy.get(Copy_dst_addr);
  int64_t n[4], ss[4], ds[4];
  for (unsigned d = 0; d < 4; ++d) {
    n[d] = copy.get(Copy_n0 + d);
    ss[d] = copy.get(Copy_src_s0 + d);
    ds[d] = copy.get(Copy_dst_s0 + d);
  }
  size_t run = size_t(copy.get(Copy_run_bytes));
  if (run == 0 || llvm::is_contained(n, 0))
    return std::nullopt;
  auto packed = ElementType(copy.get(Copy_packed_type));
  auto move = [&](uint8_t *to, const uint8_t *from) {
    if (packed == ElementType::None)
      std::memcpy(to, from, run);
    else
      unpack(from, to, run, packed == ElementType::I4 ? 8 : 0);
  };
  for (int64_t i3 = 0; i3 < n[3]; ++i3)
    for (int64_t i2 = 0; i2 < n[2]; ++i2) {
      if (context.interrupted())
        return interruptedFault();
      for (int64_t i1 = 0; i1 < n[1]; ++i1)
        for (int64_t i0 = 0; i0 < n[0]; ++i0)
          move(dst + i3 * ds[3] + i2 * ds[2] + i1 * ds[1] + i0 * ds[0],
               src + i3 * ss[3] + i2 * ss[2] + i1 * ss[1] + i0 * ss[0]);
    }
  return std::nullopt;
}
