// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/TensorBuilder.h"

#include "dialects/Asic/Asic.h"

namespace mlir::asic {
#define GEN_PASS_DEF_VERIFYQUANTIZEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {
struct VerifyQuantizePass
    : mlir::asic::impl::VerifyQuantizePassBase<VerifyQuantizePass> {
  void runOnOperation() override {
    WalkResult result = getOperation().walk([&](Operation *op) {
      return failed(verify(op)) ? WalkResult::interrupt()
                                : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  static LogicalResult verify(Operation *op) {
    if (isa<QuantizeOp, DequantizeOp>(op))
      return op->emitOpError("expected no quantisation markers after quantize");
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || isParallel(generic) || !matchMultiplyAccumulate(generic))
      return success();
    Type sum = getElementTypeOrSelf(generic.getResult(0).getType());
    if (sum.isInteger() && sum.getIntOrFloatBitWidth() < 32)
      return op->emitOpError("expected sums of products in i32, got ") << sum;
    return success();
  }
};
} // namespace
