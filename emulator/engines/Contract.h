// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fields of a `contract`, unpacked, and the walk over its index space that
// the integer and the float body share.

#ifndef ASIC_EMULATOR_ENGINES_CONTRACT_H
#define ASIC_EMULATOR_ENGINES_CONTRACT_H

#include "emulator/engines/Engines.h"

#include <vector>

namespace asic::emulator {

struct ContractArgs {
  ElementType aType, wType;
  bool accumulate, hasBias, hasBounds;
  int64_t aAddr, wAddr, biasAddr, accAddr, aZero, wZero;
  int64_t m[3], k[3], n;
  int64_t aM[3], aK[3], aN;
  int64_t wM2, wK[3], wN;
  int64_t accM[3], accN;
  int64_t x0, y0, w, h, xM0, yM1, xK1, yK2;

  explicit ContractArgs(const isa::Instruction &instruction);

  int64_t rows() const { return m[0] * m[1]; } // of one m2
  int64_t steps() const { return k[0] * k[1] * k[2]; }

  /// One (k2, k1) pair: `k[0]` consecutive steps share it.
  bool inside(int64_t m1, int64_t m0, int64_t k2, int64_t k1) const {
    if (!hasBounds)
      return true;
    int64_t x = x0 + m0 * xM0 + k1 * xK1, y = y0 + m1 * yM1 + k2 * yK2;
    return x >= 0 && x < w && y >= 0 && y < h;
  }
};

/// Steps [begin, end) of one row that share (k2, k1), as positions inside a
/// block of steps, and where their A elements start.
struct Segment {
  int64_t begin, end;
  const uint8_t *a;
  bool inside;
};

/// The segments of row (m2, m1, m0) in the block of steps [first, last).
template <typename Visit>
void forEachSegment(const ContractArgs &args, const uint8_t *aBase, int64_t m1,
                    int64_t m0, int64_t first, int64_t last, Visit visit) {
  for (int64_t at = first; at < last;) {
    int64_t outer = at / args.k[0], i0 = at % args.k[0];
    int64_t k1 = outer % args.k[1], k2 = outer / args.k[1];
    int64_t end = std::min(last, at + args.k[0] - i0);
    visit(Segment{at - first, end - first,
                  aBase + m0 * args.aM[0] + m1 * args.aM[1] + k1 * args.aK[1] +
                      k2 * args.aK[2] + i0 * args.aK[0],
                  args.inside(m1, m0, k2, k1)});
    at = end;
  }
}

/// Address of W at step `step`.
inline int64_t weightOffset(const ContractArgs &args, int64_t step) {
  int64_t outer = step / args.k[0];
  return step % args.k[0] * args.wK[0] + outer % args.k[1] * args.wK[1] +
         outer / args.k[1] * args.wK[2];
}

MaybeFault runIntegerContract(const ContractArgs &args, Context &context);
MaybeFault runFloatContract(const ContractArgs &args, Context &context);
/// One step after the other in 64 bits: any integer types, and detection of
/// overflow in checked mode.
MaybeFault runExactContract(const ContractArgs &args, Context &context);

} // namespace asic::emulator

#endif // ASIC_EMULATOR_ENGINES_CONTRACT_H
