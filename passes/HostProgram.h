// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host part of a compiled model, ready to run.
#ifndef ASIC_PASSES_HOSTPROGRAM_H
#define ASIC_PASSES_HOSTPROGRAM_H

#include "passes/Support/Weights.h"
#include "passes/cpu/HostModule.h"

#include <memory>
#include <string>

namespace mlir::asic {

/// Compiled functions and the context that they live in.
class HostProgram {
public:
  /// Compiles the functions of `text`, linalg on tensors; the bytes of
  /// `weights` have to outlive the program.
  static llvm::Expected<std::unique_ptr<HostProgram>>
  create(StringRef text, ArrayRef<WeightView> weights);
  ~HostProgram();

  const HostModule &getModule() const { return *module; }

private:
  std::unique_ptr<MLIRContext> context;
  std::unique_ptr<HostModule> module;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_HOSTPROGRAM_H
