// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs lane operations over a strip of points: one register is a vector of up
// to `stripPoints` values.

#ifndef ASIC_EMULATOR_ENGINES_LANEINTERPRETER_H
#define ASIC_EMULATOR_ENGINES_LANEINTERPRETER_H

#include "emulator/engines/Engines.h"
#include "emulator/kernels/Kernels.h"

namespace asic::emulator {

/// Writes the index of dimension `dim` at every point of the current strip.
using IndexSource = llvm::function_ref<void(unsigned dim, uint32_t *dst)>;

class LaneInterpreter {
public:
  LaneInterpreter(bool check) : kernel(kernels()), check(check) {}

  uint32_t *reg(unsigned index) { return registers[index]; }
  const Kernels &table() const { return kernel; }

  /// Runs `ops` except reductions on `n` points.
  MaybeFault run(llvm::ArrayRef<isa::LaneOp> ops, unsigned n,
                 IndexSource index);

private:
  MaybeFault checkDomain(const isa::LaneOp &op, unsigned n);

  const Kernels &kernel;
  bool check;
  alignas(64) uint32_t registers[isa::laneRegisters][stripPoints] = {};
};

/// What a reduction does with values and partial results.
struct Reduction {
  const isa::LaneOp *op;
  /// acc = step(acc, a, b).
  LaneKernel step;
  /// Value of a partial that has seen one point: copy of a, or a * b.
  LaneKernel first;
  /// acc = combine(acc, other).
  LaneKernel combine;
};
Reduction reductionOf(const isa::LaneOp &op, const Kernels &kernel);

} // namespace asic::emulator

#endif // ASIC_EMULATOR_ENGINES_LANEINTERPRETER_H
