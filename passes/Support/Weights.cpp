// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/Weights.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace mlir::asic {

void bindWeights(MLIRContext *context, ArrayRef<WeightView> weights) {
  auto &manager = DenseResourceElementsHandle::getManagerInterface(context)
                      .getBlobManager();
  for (const WeightView &weight : weights) {
    if (!manager.lookup(weight.name))
      continue;
    ArrayRef<char> bytes(static_cast<const char *>(weight.data), weight.bytes);
    manager.update(weight.name, UnmanagedAsmResourceBlob::allocateWithAlign(
                                    bytes, /*align=*/1));
  }
}

} // namespace mlir::asic
