// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"

#include "dialects/Asic/Asic.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::asic {
#define GEN_PASS_DEF_VERIFYNORMALIZEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// Whether the type is no f64 and, when shaped, static.
static LogicalResult verifyType(Operation *op, Type type) {
  if (auto shaped = dyn_cast<ShapedType>(type)) {
    if (!shaped.hasStaticShape())
      return op->emitOpError("expected static shapes after normalize, got ")
             << type;
    type = shaped.getElementType();
  }
  if (type.isF64())
    return op->emitOpError("expected no f64 after normalize, got ") << type;
  return success();
}

namespace {
struct VerifyNormalizePass
    : mlir::asic::impl::VerifyNormalizePassBase<VerifyNormalizePass> {
  void runOnOperation() override {
    WalkResult result = getOperation().walk([&](Operation *op) {
      return failed(verify(op)) ? WalkResult::interrupt()
                                : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  LogicalResult verify(Operation *op) {
    if (isa<ModuleOp, func::FuncOp>(op))
      return success();
    if (isa<linalg::LinalgOp>(op) &&
        !isa<linalg::GenericOp, linalg::FillOp>(op))
      return op->emitOpError(
          "expected only linalg.generic and linalg.fill after normalize");
    if (op->getName().getDialectNamespace() == "cf")
      return op->emitOpError("expected no control flow after normalize");
    for (Type type : op->getResultTypes())
      if (failed(verifyType(op, type)))
        return failure();
    return success();
  }
};
} // namespace
