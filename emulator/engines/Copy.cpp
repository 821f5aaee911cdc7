// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/engines/Engines.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

#include <cstring>

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

void asic::emulator::forEachPlain(
    const Instruction &instruction, const Memory &memory,
    llvm::function_ref<bool(const Instruction &)> visit) {
  int64_t indices = numIndices(instruction);
  if (indices == 0) {
    visit(instruction);
    return;
  }
  Instruction plain = instruction;
  for (FieldId field : {Copy_index_addr, Copy_index_n, Copy_index_src_s,
                        Copy_index_dst_s, Copy_index_s})
    plain.set(field, 0);
  bool isPerStep = instruction.get(Copy_index_s) != 0;
  if (isPerStep)
    plain.set(Copy_n3, 1);
  for (int64_t i3 = 0; i3 < indices; ++i3) {
    int32_t index = int32_t(llvm::support::endian::read32le(
        memory.data(Space::Sram) + instruction.get(Copy_index_addr) +
        i3 * instruction.get(Copy_index_s)));
    if (index < 0 || index >= instruction.get(Copy_index_n))
      continue;
    auto at = [&](FieldId address, FieldId stride, FieldId indexStride) {
      int64_t step = isPerStep ? i3 * instruction.get(stride) : 0;
      plain.set(address, instruction.get(address) + step +
                             index * instruction.get(indexStride));
    };
    at(Copy_src_addr, Copy_src_s3, Copy_index_src_s);
    at(Copy_dst_addr, Copy_dst_s3, Copy_index_dst_s);
    if (!visit(plain))
      return;
  }
}

/// `run` elements out of two a byte, the low half first; `flip` is the value of
/// the sign bit (8 for i4, 0 for u4).
static void unpack(const uint8_t *src, uint8_t *dst, size_t run, uint8_t flip) {
  for (size_t i = 0; i < run; ++i) {
    uint8_t code = i % 2 ? src[i / 2] >> 4 : src[i / 2] & 0xf;
    dst[i] = uint8_t((code ^ flip) - flip);
  }
}

static MaybeFault runPlain(const Instruction &copy, Context &context) {
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

MaybeFault asic::emulator::runCopy(const Instruction &instruction,
                                   Context &context) {
  MaybeFault fault;
  forEachPlain(instruction, context.memory, [&](const Instruction &copy) {
    fault = runPlain(copy, context);
    return !fault;
  });
  return fault;
}
