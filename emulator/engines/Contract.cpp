// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `contract`: unpacking, choice of the body, and the plain exact body.

#include "emulator/engines/Contract.h"
#include "emulator/kernels/Kernels.h"

#include <algorithm>
#include <cstring>

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

ContractArgs::ContractArgs(const Instruction &i) {
  auto get = [&](FieldId id) { return i.get(id); };
  aType = ElementType(get(Contract_a_type));
  wType = ElementType(get(Contract_w_type));
  accumulate = get(Contract_accumulate);
  hasBias = get(Contract_has_bias);
  hasBounds = get(Contract_has_bounds);
  aAddr = get(Contract_a_addr);
  wAddr = get(Contract_w_addr);
  biasAddr = get(Contract_bias_addr);
  accAddr = get(Contract_acc_addr);
  aZero = get(Contract_a_zero);
  wZero = get(Contract_w_zero);
  for (unsigned d = 0; d < 3; ++d) {
    m[d] = i.get(Contract_m0 + d);
    k[d] = i.get(Contract_k0 + d);
    aM[d] = i.get(Contract_a_m0 + d);
    aK[d] = i.get(Contract_a_k0 + d);
    wK[d] = i.get(Contract_w_k0 + d);
    accM[d] = i.get(Contract_acc_m0 + d);
  }
  n = get(Contract_n);
  aN = get(Contract_a_n);
  wM2 = get(Contract_w_m2);
  wN = get(Contract_w_n);
  accN = get(Contract_acc_n);
  x0 = get(Contract_x0);
  y0 = get(Contract_y0);
  w = get(Contract_w);
  h = get(Contract_h);
  xM0 = get(Contract_x_m0);
  yM1 = get(Contract_y_m1);
  xK1 = get(Contract_x_k1);
  yK2 = get(Contract_y_k2);
}

/// Sets ACC to the values that the sums start from.
static void initialize(const ContractArgs &args, Context &context) {
  if (args.accumulate)
    return;
  const uint8_t *bias = context.memory.data(Space::Sram) + args.biasAddr;
  uint8_t *acc = context.memory.data(Space::Acc) + args.accAddr;
  for (int64_t m2 = 0; m2 < args.m[2]; ++m2)
    for (int64_t m1 = 0; m1 < args.m[1]; ++m1)
      for (int64_t m0 = 0; m0 < args.m[0]; ++m0) {
        uint8_t *row =
            acc + m2 * args.accM[2] + m1 * args.accM[1] + m0 * args.accM[0];
        for (int64_t n = 0; n < args.n; ++n) {
          uint32_t value = 0;
          if (args.hasBias)
            std::memcpy(&value, bias + 4 * n, 4);
          std::memcpy(row + n * args.accN, &value, 4);
        }
      }
}

/// The largest magnitude of what ACC holds before the first step.
static int64_t largestInitial(const ContractArgs &args, Context &context) {
  const uint8_t *acc = context.memory.data(Space::Acc) + args.accAddr;
  int64_t largest = 0;
  for (int64_t m2 = 0; m2 < args.m[2]; ++m2)
    for (int64_t m1 = 0; m1 < args.m[1]; ++m1)
      for (int64_t m0 = 0; m0 < args.m[0]; ++m0)
        for (int64_t n = 0; n < args.n; ++n) {
          int32_t value;
          std::memcpy(&value,
                      acc + m2 * args.accM[2] + m1 * args.accM[1] +
                          m0 * args.accM[0] + n * args.accN,
                      4);
          largest = std::max(largest, std::abs(int64_t(value)));
        }
  return largest;
}

/// Largest |value - zero| of a type.
static int64_t largestOperand(ElementType type) {
  return type == ElementType::I16 ? 65535 : 255;
}

/// True when no running sum can leave int32.
static bool cannotOverflow(const ContractArgs &args, Context &context) {
  __int128 bound = __int128(args.steps()) * largestOperand(args.aType) *
                   largestOperand(args.wType);
  if (bound > INT32_MAX)
    return false;
  if (args.accumulate || args.hasBias)
    bound += largestInitial(args, context);
  return bound <= INT32_MAX;
}

MaybeFault asic::emulator::runContract(const Instruction &instruction,
                                       Context &context) {
  ContractArgs args(instruction);
  if (!args.m[0] || !args.m[1] || !args.m[2] || !args.n)
    return std::nullopt;
  initialize(args, context);
  if (isFloatType(args.aType))
    return runFloatContract(args, context);
  bool narrow =
      args.aType != ElementType::I16 && args.wType != ElementType::I16;
  if (!narrow || (context.check && !cannotOverflow(args, context)))
    return runExactContract(args, context);
  return runIntegerContract(args, context);
}

static int64_t loadInteger(const uint8_t *at, ElementType type) {
  if (type == ElementType::I8)
    return int8_t(*at);
  if (type == ElementType::U8)
    return *at;
  int16_t value;
  std::memcpy(&value, at, 2);
  return value;
}

/// All steps of one output; false when a running sum leaves int32.
static bool exactSum(const ContractArgs &args, const uint8_t *a,
                     const uint8_t *w, int64_t m1, int64_t m0, int32_t &sum) {
  bool fits = true;
  forEachSegment(args, a, m1, m0, 0, args.steps(), [&](const Segment &s) {
    if (!s.inside)
      return;
    for (int64_t i = s.begin; i < s.end; ++i) {
      int64_t av = loadInteger(s.a + (i - s.begin) * args.aK[0], args.aType) -
                   args.aZero;
      int64_t wv =
          loadInteger(w + weightOffset(args, i), args.wType) - args.wZero;
      int64_t next = sum + av * wv;
      fits &= next == int32_t(next);
      sum = int32_t(uint32_t(uint64_t(next)));
    }
  });
  return fits;
}

MaybeFault asic::emulator::runExactContract(const ContractArgs &args,
                                            Context &context) {
  const uint8_t *sram = context.memory.data(Space::Sram);
  uint8_t *acc = context.memory.data(Space::Acc) + args.accAddr;
  for (int64_t m2 = 0; m2 < args.m[2]; ++m2)
    for (int64_t m1 = 0; m1 < args.m[1]; ++m1)
      for (int64_t m0 = 0; m0 < args.m[0]; ++m0) {
        if (context.interrupted())
          return interruptedFault();
        for (int64_t n = 0; n < args.n; ++n) {
          uint8_t *at = acc + m2 * args.accM[2] + m1 * args.accM[1] +
                        m0 * args.accM[0] + n * args.accN;
          int32_t sum;
          std::memcpy(&sum, at, 4);
          bool fits = exactSum(
              args, sram + args.aAddr + m2 * args.aM[2] + n * args.aN,
              sram + args.wAddr + m2 * args.wM2 + n * args.wN, m1, m0, sum);
          if (context.check && !fits) {
            Fault fault(FaultKind::AccOverflow,
                        "expected every running sum in int32");
            int64_t address = at - context.memory.data(Space::Acc);
            fault.range = AddressRange{Space::Acc, address, address + 4};
            return fault;
          }
          std::memcpy(at, &sum, 4);
        }
      }
  return std::nullopt;
}
