// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fast body for 8-bit integer operands. Rows of A are gathered to int16 with
// the zero point taken off and outside points as zeros, W is packed the same
// way; sums modulo 2^32 may then be formed in any order.

#include "emulator/engines/Contract.h"
#include "emulator/kernels/Kernels.h"

#include <algorithm>
#include <cstring>

using namespace asic;
using namespace asic::emulator;

/// Block sizes in elements, chosen for the second-level cache.
static constexpr int64_t kStepBlock = 1 << 14, kRowBlock = 32,
                         kPackedElements = 1 << 21;

namespace {

class IntegerContract {
public:
  IntegerContract(const ContractArgs &args, Context &context)
      : args(args), context(context), kernel(kernels()),
        sram(context.memory.data(Space::Sram)),
        acc(context.memory.data(Space::Acc) + args.accAddr) {}

  MaybeFault run() { return args.aN == 0 ? runDense() : runDepthwise(); }

private:
  /// dst[i] = element i of a strided row, minus the zero point.
  void widen(int16_t *dst, const uint8_t *src, int64_t stride, int64_t count,
             ElementType type, int64_t zero) const {
    bool isSigned = type == ElementType::I8;
    if (stride == 1 && isSigned)
      return kernel.widenI8(dst, reinterpret_cast<const int8_t *>(src),
                            int(zero), size_t(count));
    if (stride == 1)
      return kernel.widenU8(dst, src, int(zero), size_t(count));
    for (int64_t i = 0; i < count; ++i) {
      uint8_t raw = src[i * stride];
      dst[i] = int16_t((isSigned ? int8_t(raw) : int(raw)) - zero);
    }
  }

  /// packed[n][step] of columns [n0, n1), steps [first, last); rows are padded
  /// with zeros to `pitch`.
  void packByColumn(int64_t m2, int64_t n0, int64_t n1, int64_t first,
                    int64_t last, int64_t pitch) {
    packed.assign(size_t((n1 - n0) * pitch), 0);
    const uint8_t *w = sram + args.wAddr + m2 * args.wM2;
    std::vector<int16_t> row(size_t(n1 - n0));
    bool columnsInside = args.wN == 1;
    for (int64_t step = first; step < last; ++step) {
      const uint8_t *src = w + weightOffset(args, step) + n0 * args.wN;
      if (!columnsInside && args.wK[0] == 1)
        break; // below: along the steps instead
      widen(row.data(), src, args.wN, n1 - n0, args.wType, args.wZero);
      for (int64_t n = 0; n < n1 - n0; ++n)
        packed[size_t(n * pitch + step - first)] = row[size_t(n)];
    }
    if (columnsInside || args.wK[0] != 1)
      return;
    for (int64_t n = n0; n < n1; ++n)
      for (int64_t step = first; step < last;) {
        int64_t count = std::min(last - step, args.k[0] - step % args.k[0]);
        widen(&packed[size_t((n - n0) * pitch + step - first)],
              w + weightOffset(args, step) + n * args.wN, 1, count, args.wType,
              args.wZero);
        step += count;
      }
  }

  void gatherRow(int16_t *dst, int64_t m2, int64_t row, int64_t first,
                 int64_t last) const {
    const uint8_t *base = sram + args.aAddr + m2 * args.aM[2];
    forEachSegment(args, base, row / args.m[0], row % args.m[0], first, last,
                   [&](const Segment &s) {
                     if (s.inside)
                       widen(dst + s.begin, s.a, args.aK[0], s.end - s.begin,
                             args.aType, args.aZero);
                     else
                       std::fill(dst + s.begin, dst + s.end, 0);
                   });
  }

  uint8_t *accRow(int64_t m2, int64_t row) const {
    return acc + m2 * args.accM[2] + row / args.m[0] * args.accM[1] +
           row % args.m[0] * args.accM[0];
  }

  /// ACC[row, n0 + i] += sums[i].
  void addToAcc(uint8_t *row, int64_t n0, const uint32_t *sums,
                int64_t count) const {
    for (int64_t i = 0; i < count; ++i) {
      uint8_t *at = row + (n0 + i) * args.accN;
      uint32_t value;
      std::memcpy(&value, at, 4);
      value += sums[i];
      std::memcpy(at, &value, 4);
    }
  }

  MaybeFault runDense() {
    int64_t steps = args.steps();
    for (int64_t first = 0; first < steps; first += kStepBlock) {
      int64_t last = std::min(steps, first + kStepBlock);
      int64_t pitch = (last - first + 15) / 16 * 16;
      int64_t columns = std::max<int64_t>(4, kPackedElements / pitch);
      for (int64_t n0 = 0; n0 < args.n; n0 += columns)
        for (int64_t m2 = 0; m2 < args.m[2]; ++m2) {
          int64_t n1 = std::min(args.n, n0 + columns);
          if (m2 == 0 || args.wM2 != 0)
            packByColumn(m2, n0, n1, first, last, pitch);
          if (auto fault = runRows(m2, n0, n1, first, last, pitch))
            return fault;
        }
    }
    return std::nullopt;
  }

  MaybeFault runRows(int64_t m2, int64_t n0, int64_t n1, int64_t first,
                     int64_t last, int64_t pitch) {
    panel.assign(size_t(kRowBlock * pitch), 0);
    int64_t count = n1 - n0;
    for (int64_t row = 0; row < args.rows(); row += kRowBlock) {
      if (context.interrupted())
        return interruptedFault();
      int64_t rows = std::min(args.rows() - row, kRowBlock);
      for (int64_t r = 0; r < rows; ++r)
        gatherRow(&panel[size_t(r * pitch)], m2, row + r, first, last);
      sums.assign(size_t(rows * count), 0);
      for (int64_t c = 0; c < count; c += 4)
        kernel.dotI16(panel.data(), size_t(pitch), unsigned(rows),
                      &packed[size_t(c * pitch)], size_t(pitch),
                      unsigned(std::min<int64_t>(4, count - c)), size_t(pitch),
                      &sums[size_t(c)], size_t(count));
      for (int64_t r = 0; r < rows; ++r)
        addToAcc(accRow(m2, row + r), n0, &sums[size_t(r * count)], count);
    }
    return std::nullopt;
  }

  /// packed[step][n], for the depthwise path.
  void packByStep(int64_t m2, int64_t n0, int64_t n1, int64_t first,
                  int64_t last) {
    int64_t count = n1 - n0;
    packed.resize(size_t((last - first) * count));
    for (int64_t step = first; step < last; ++step)
      widen(&packed[size_t((step - first) * count)],
            sram + args.wAddr + m2 * args.wM2 + weightOffset(args, step) +
                n0 * args.wN,
            args.wN, count, args.wType, args.wZero);
  }

  MaybeFault runDepthwise() {
    constexpr int64_t columns = 1 << 12, stepBlock = 1 << 9;
    for (int64_t n0 = 0; n0 < args.n; n0 += columns)
      for (int64_t first = 0; first < args.steps(); first += stepBlock)
        for (int64_t m2 = 0; m2 < args.m[2]; ++m2) {
          int64_t n1 = std::min(args.n, n0 + columns);
          int64_t last = std::min(args.steps(), first + stepBlock);
          if (m2 == 0 || args.wM2 != 0)
            packByStep(m2, n0, n1, first, last);
          if (auto fault = runDepthwiseRows(m2, n0, n1, first, last))
            return fault;
        }
    return std::nullopt;
  }

  MaybeFault runDepthwiseRows(int64_t m2, int64_t n0, int64_t n1, int64_t first,
                              int64_t last) {
    int64_t count = n1 - n0;
    panel.resize(size_t(count));
    const uint8_t *base = sram + args.aAddr + m2 * args.aM[2] + n0 * args.aN;
    for (int64_t row = 0; row < args.rows(); ++row) {
      if (context.interrupted())
        return interruptedFault();
      sums.assign(size_t(count), 0);
      forEachSegment(args, base, row / args.m[0], row % args.m[0], first, last,
                     [&](const Segment &s) {
                       for (int64_t i = s.begin; s.inside && i < s.end; ++i) {
                         widen(panel.data(), s.a + (i - s.begin) * args.aK[0],
                               args.aN, count, args.aType, args.aZero);
                         kernel.multiplyAddI16(sums.data(), panel.data(),
                                               &packed[size_t(i * count)],
                                               size_t(count));
                       }
                     });
      addToAcc(accRow(m2, row), n0, sums.data(), count);
    }
    return std::nullopt;
  }

  const ContractArgs &args;
  Context &context;
  const Kernels &kernel;
  const uint8_t *sram;
  uint8_t *acc;
  std::vector<int16_t> packed, panel;
  std::vector<uint32_t> sums;
};

} // namespace

MaybeFault asic::emulator::runIntegerContract(const ContractArgs &args,
                                              Context &context) {
  if (args.steps() == 0)
    return std::nullopt;
  return IntegerContract(args, context).run();
}
