// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bytes behind `dense_resource` names.
#ifndef ASIC_PASSES_SUPPORT_WEIGHTS_H
#define ASIC_PASSES_SUPPORT_WEIGHTS_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/ArrayRef.h"

#include <string>

namespace mlir::asic {

/// The bytes of a constant, by the name of its resource. Not a copy.
struct WeightView {
  std::string name;
  const void *data = nullptr;
  size_t bytes = 0;
};

/// Binds the names that a parsed module uses to the caller's bytes, which have
/// to outlive the context's use of them.
void bindWeights(MLIRContext *context, ArrayRef<WeightView> weights);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_WEIGHTS_H
