// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an accelerator can run, decided op by op from its description.
#ifndef ASIC_PASSES_PARTITION_LEGALITY_H
#define ASIC_PASSES_PARTITION_LEGALITY_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "target/TargetModel.h"

#include <optional>
#include <string>

namespace mlir::asic {

/// "reason; remedy", with the values that failed.
using Refusal = std::optional<std::string>;

/// Decides whether ops on tensors, as the quantize phase leaves them, run on a
/// target.
class Legality {
public:
  explicit Legality(const ::asic::TargetModel &target) : target(target) {}

  /// Nothing when the accelerator can run `op`.
  Refusal check(Operation *op) const;

  /// "reason; remedy" when `op` is a contraction that the vector unit computes
  /// because the array has no mode for it.
  Refusal explainSlowPath(linalg::GenericOp op) const;

private:
  Refusal checkTensor(Type type) const;
  Refusal checkScalars(Operation *op) const;
  Refusal checkGeneric(linalg::GenericOp op) const;
  Refusal checkIndexing(linalg::GenericOp op) const;
  Refusal checkReduction(linalg::GenericOp op) const;
  Refusal checkContraction(linalg::GenericOp op) const;
  Refusal checkMap(linalg::GenericOp op) const;
  Refusal checkBodyOp(Operation *op) const;
  Refusal checkScalar(Type type) const;

  const ::asic::TargetModel &target;
};

/// True for a generic that multiplies and accumulates over two inputs.
bool isContraction(linalg::GenericOp op);

} // namespace mlir::asic

#endif // ASIC_PASSES_PARTITION_LEGALITY_H
