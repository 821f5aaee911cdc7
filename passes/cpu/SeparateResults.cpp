// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::asic {
#define GEN_PASS_DEF_SEPARATERESULTSPASS
#include "passes/Passes.h.inc"

namespace {
struct SeparateResultsPass
    : impl::SeparateResultsPassBase<SeparateResultsPass> {
  void runOnOperation() override {
    getOperation().walk([](func::ReturnOp op) {
      OpBuilder builder(op);
      llvm::SmallDenseSet<Value> seen;
      for (OpOperand &result : op->getOpOperands()) {
        auto type = dyn_cast<RankedTensorType>(result.get().getType());
        if (!type || seen.insert(result.get()).second)
          continue;
        result.set(bufferization::AllocTensorOp::create(
            builder, op.getLoc(), type, ValueRange(), result.get()));
      }
    });
  }
};
} // namespace
} // namespace mlir::asic
