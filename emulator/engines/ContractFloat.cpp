// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Float body: for every output one fused multiply-add per inside step, steps
// ascending, starting from what ACC holds. Outputs are independent, so vectors
// run along n.

#include "emulator/LaneMath.h"
#include "emulator/engines/Contract.h"
#include "emulator/kernels/Kernels.h"

#include <algorithm>
#include <cstring>

using namespace asic;
using namespace asic::emulator;

static constexpr int64_t kStepBlock = 1 << 12, kColumnBlock = 1 << 9,
                         kRowBlock = 4;

namespace {

class FloatContract {
public:
  FloatContract(const ContractArgs &args, Context &context)
      : args(args), context(context), kernel(kernels()),
        sram(context.memory.data(Space::Sram)),
        acc(context.memory.data(Space::Acc) + args.accAddr) {}

  MaybeFault run() {
    for (int64_t n0 = 0; n0 < args.n; n0 += kColumnBlock)
      for (int64_t m2 = 0; m2 < args.m[2]; ++m2)
        for (int64_t first = 0; first < args.steps(); first += kStepBlock) {
          int64_t n1 = std::min(args.n, n0 + kColumnBlock);
          int64_t last = std::min(args.steps(), first + kStepBlock);
          pack(m2, n0, n1, first, last);
          MaybeFault fault = args.aN == 0
                                 ? runRows(m2, n0, n1, first, last)
                                 : runDepthwiseRows(m2, n0, n1, first, last);
          if (fault)
            return fault;
        }
    return std::nullopt;
  }

private:
  void widen(float *dst, const uint8_t *src, int64_t stride, int64_t count,
             ElementType type) const {
    kernel.load[unsigned(type)](reinterpret_cast<uint32_t *>(dst), src, stride,
                                unsigned(count));
  }

  /// packed[step][n].
  void pack(int64_t m2, int64_t n0, int64_t n1, int64_t first, int64_t last) {
    packed.resize(size_t((last - first) * (n1 - n0)));
    for (int64_t step = first; step < last; ++step)
      widen(&packed[size_t((step - first) * (n1 - n0))],
            sram + args.wAddr + m2 * args.wM2 + weightOffset(args, step) +
                n0 * args.wN,
            args.wN, n1 - n0, args.wType);
    // Integer weights were loaded as int32 patterns; as floats they are exact.
    if (isIntegerType(args.wType))
      for (float &value : packed) {
        int32_t integer;
        std::memcpy(&integer, &value, sizeof(integer));
        value = static_cast<float>(integer);
      }
  }

  uint8_t *accRow(int64_t m2, int64_t row, int64_t n0) const {
    return acc + m2 * args.accM[2] + row / args.m[0] * args.accM[1] +
           row % args.m[0] * args.accM[0] + n0 * args.accN;
  }

  void loadSums(float *dst, const uint8_t *row, int64_t count) const {
    kernel.load[unsigned(ElementType::F32)](reinterpret_cast<uint32_t *>(dst),
                                            row, args.accN, unsigned(count));
  }
  /// Stores with NaN in its canonical form.
  void storeSums(uint8_t *row, const float *src, int64_t count) const {
    kernel.store[unsigned(ElementType::F32)](
        row, args.accN, reinterpret_cast<const uint32_t *>(src),
        unsigned(count));
  }

  MaybeFault runRows(int64_t m2, int64_t n0, int64_t n1, int64_t first,
                     int64_t last) {
    int64_t count = n1 - n0, steps = last - first;
    panel.resize(size_t(kRowBlock * steps));
    sums.resize(size_t(kRowBlock * count));
    const uint8_t *base = sram + args.aAddr + m2 * args.aM[2];
    std::vector<std::pair<int64_t, int64_t>> parts[kRowBlock];
    for (int64_t row = 0; row < args.rows(); row += kRowBlock) {
      if (context.interrupted())
        return interruptedFault();
      int64_t rows = std::min(args.rows() - row, kRowBlock);
      bool whole = true;
      for (int64_t r = 0; r < rows; ++r) {
        parts[r].clear();
        forEachSegment(args, base, (row + r) / args.m[0], (row + r) % args.m[0],
                       first, last, [&](const Segment &s) {
                         whole &= s.inside;
                         if (!s.inside)
                           return;
                         widen(&panel[size_t(r * steps + s.begin)], s.a,
                               args.aK[0], s.end - s.begin, args.aType);
                         parts[r].push_back({s.begin, s.end});
                       });
        loadSums(&sums[size_t(r * count)], accRow(m2, row + r, n0), count);
      }
      if (whole)
        kernel.fmaF32(panel.data(), size_t(steps), unsigned(rows),
                      packed.data(), size_t(count), size_t(count),
                      size_t(steps), sums.data(), size_t(count));
      else
        for (int64_t r = 0; r < rows; ++r)
          for (auto [begin, end] : parts[r])
            kernel.fmaF32(&panel[size_t(r * steps + begin)], size_t(steps), 1,
                          &packed[size_t(begin * count)], size_t(count),
                          size_t(count), size_t(end - begin),
                          &sums[size_t(r * count)], size_t(count));
      for (int64_t r = 0; r < rows; ++r)
        storeSums(accRow(m2, row + r, n0), &sums[size_t(r * count)], count);
    }
    return std::nullopt;
  }

  MaybeFault runDepthwiseRows(int64_t m2, int64_t n0, int64_t n1, int64_t first,
                              int64_t last) {
    int64_t count = n1 - n0;
    panel.resize(size_t(count));
    sums.resize(size_t(count));
    const uint8_t *base = sram + args.aAddr + m2 * args.aM[2] + n0 * args.aN;
    for (int64_t row = 0; row < args.rows(); ++row) {
      if (context.interrupted())
        return interruptedFault();
      uint8_t *at = accRow(m2, row, n0);
      loadSums(sums.data(), at, count);
      forEachSegment(args, base, row / args.m[0], row % args.m[0], first, last,
                     [&](const Segment &s) {
                       for (int64_t i = s.begin; s.inside && i < s.end; ++i) {
                         widen(panel.data(), s.a + (i - s.begin) * args.aK[0],
                               args.aN, count, args.aType);
                         kernel.multiplyAddF32(sums.data(), panel.data(),
                                               &packed[size_t(i * count)],
                                               size_t(count));
                       }
                     });
      storeSums(at, sums.data(), count);
    }
    return std::nullopt;
  }

  const ContractArgs &args;
  Context &context;
  const Kernels &kernel;
  const uint8_t *sram;
  uint8_t *acc;
  std::vector<float> packed, panel, sums;
};

} // namespace

MaybeFault asic::emulator::runFloatContract(const ContractArgs &args,
                                            Context &context) {
  if (args.steps() == 0)
    return std::nullopt;
  return FloatContract(args, context).run();
}
