// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::asic {
#define GEN_PASS_DEF_CONVERTCOPIESPASS
#include "passes/Passes.h.inc"

namespace {

struct ConvertCopiesPass : impl::ConvertCopiesPassBase<ConvertCopiesPass> {
  void runOnOperation() override {
    getOperation().walk([](memref::CopyOp op) {
      OpBuilder builder(op);
      linalg::CopyOp::create(builder, op.getLoc(), op.getSource(),
                             op.getTarget());
      op.erase();
    });
  }
};

} // namespace
} // namespace mlir::asic
