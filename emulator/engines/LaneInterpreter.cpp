// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/engines/LaneInterpreter.h"
#include "emulator/LaneMath.h"

#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

static Fault domainFault(FaultKind kind, const LaneOp &op,
                         const std::string &what) {
  return Fault(kind, std::string(op.info().mnemonic) + ": " + what);
}

/// E16 for one point of a rescale.
static bool inRescaleDomain(RoundingMode mode, int32_t value,
                            int32_t multiplier, int32_t shift) {
  if (multiplier < 0 || shift < 2 || shift > 62)
    return false;
  if (mode == RoundingMode::NearestEven || mode == RoundingMode::Float32)
    return true;
  int64_t bound = int64_t(1) << (shift - 1);
  return value >= -bound && value < bound;
}

MaybeFault LaneInterpreter::checkDomain(const LaneOp &op, unsigned n) {
  const uint32_t *a = registers[op.a], *b = registers[op.b],
                 *c = registers[op.c];
  switch (op.opcode) {
  case LaneOpcode::DivSI:
  case LaneOpcode::RemSI:
    for (unsigned i = 0; i < n; ++i)
      if (b[i] == 0)
        return domainFault(FaultKind::DivisionByZero, op,
                           "expected a divisor other than 0");
    return std::nullopt;
  case LaneOpcode::FPToSI:
    for (unsigned i = 0; check && i < n; ++i)
      if ((a[i] & ~numerics::kSignBit) > numerics::kInfinity)
        return domainFault(FaultKind::InvalidConversion, op,
                           "expected a number, got NaN");
    return std::nullopt;
  case LaneOpcode::Rescale:
  case LaneOpcode::Requant:
    for (unsigned i = 0; check && i < n; ++i)
      if (!inRescaleDomain(RoundingMode(op.imm & 3), int32_t(a[i]),
                           int32_t(b[i]), int32_t(c[i])))
        return domainFault(
            FaultKind::RequantDomain, op,
            "expected |value| < 2^(shift-1), 0 <= multiplier, 2 <= shift <= "
            "62, got value " +
                llvm::itostr(int32_t(a[i])) + ", multiplier " +
                llvm::itostr(int32_t(b[i])) + ", shift " +
                llvm::itostr(int32_t(c[i])));
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

MaybeFault LaneInterpreter::run(llvm::ArrayRef<LaneOp> ops, unsigned n,
                                IndexSource index) {
  for (const LaneOp &op : ops) {
    if (op.info().isReduction)
      continue;
    if (op.opcode == LaneOpcode::Index) {
      index(unsigned(op.imm), registers[op.dst]);
      continue;
    }
    if (auto fault = checkDomain(op, n))
      return fault;
    kernel.lane[unsigned(op.opcode)](registers[op.dst], registers[op.a],
                                     registers[op.b], registers[op.c], op.imm,
                                     n);
  }
  return std::nullopt;
}

/// A partial's first value is the value itself.
static void takeFirst(uint32_t *dst, const uint32_t *, const uint32_t *a,
                      const uint32_t *, uint64_t, unsigned n) {
  std::memcpy(dst, a, n * sizeof(uint32_t));
}

/// The first value of a multiply-accumulate is the product.
template <LaneOpcode opcode>
static void takeProduct(uint32_t *dst, const uint32_t *, const uint32_t *a,
                        const uint32_t *b, uint64_t, unsigned n) {
  kernels().lane[unsigned(opcode)](dst, a, b, a, 0, n);
}

Reduction asic::emulator::reductionOf(const LaneOp &op, const Kernels &kernel) {
  LaneKernel step = kernel.lane[unsigned(op.opcode)];
  if (op.opcode == LaneOpcode::RedMacI)
    return {&op, step, takeProduct<LaneOpcode::MulI>,
            kernel.lane[unsigned(LaneOpcode::AddI)]};
  if (op.opcode == LaneOpcode::RedMacF)
    return {&op, step, takeProduct<LaneOpcode::MulF>,
            kernel.lane[unsigned(LaneOpcode::AddF)]};
  return {&op, step, takeFirst, step};
}
