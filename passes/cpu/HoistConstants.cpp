// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/cpu/Cpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace mlir::asic {
#define GEN_PASS_DEF_HOISTCONSTANTSPASS
#include "passes/Passes.h.inc"

namespace {

struct HoistConstantsPass : impl::HoistConstantsPassBase<HoistConstantsPass> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isExternal())
      return;
    // Bufferization writes in place where it may; the caller's inputs it may
    // not.
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      setReadOnly(func, i);

    // One argument per resource, in order of first appearance.
    DenseMap<Attribute, BlockArgument> arguments;
    SmallVector<arith::ConstantOp> constants;
    func.walk([&](arith::ConstantOp op) {
      if (isa<DenseResourceElementsAttr>(op.getValue()))
        constants.push_back(op);
    });
    for (arith::ConstantOp op : constants) {
      BlockArgument &argument = arguments[op.getValue()];
      if (!argument)
        argument = appendArgument(func, op);
      op.replaceAllUsesWith(Value(argument));
      op.erase();
    }
  }

  void setReadOnly(func::FuncOp func, unsigned index) {
    func.setArgAttr(index,
                    bufferization::BufferizationDialect::kWritableAttrName,
                    BoolAttr::get(&getContext(), false));
  }

  BlockArgument appendArgument(func::FuncOp func, arith::ConstantOp op) {
    unsigned index = func.getNumArguments();
    (void)func.insertArgument(index, op.getType(), DictionaryAttr(),
                              op.getLoc());
    func.setArgAttr(index, kConstantAttrName, op.getValue());
    setReadOnly(func, index);
    return func.getArgument(index);
  }
};

} // namespace
} // namespace mlir::asic
