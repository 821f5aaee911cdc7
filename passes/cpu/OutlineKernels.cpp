// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::asic {
#define GEN_PASS_DEF_OUTLINEKERNELSPASS
#include "passes/Passes.h.inc"

namespace {

/// Values from outside that an op and its regions use: constants apart, which
/// every kernel has copies of.
struct Captures {
  llvm::SetVector<Value> values;
  llvm::SetVector<Operation *> constants;

  explicit Captures(Operation *op) {
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (!op->isAncestor(operand.getParentBlock()->getParentOp()))
          add(operand);
    });
  }

private:
  void add(Value value) {
    if (matchPattern(value, m_Constant()))
      constants.insert(value.getDefiningOp());
    else
      values.insert(value);
  }
};

struct OutlineKernelsPass : impl::OutlineKernelsPassBase<OutlineKernelsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureBufferSemantics() && isa<func::FuncOp>(op->getParentOp()))
        ops.push_back(op);
    });
    SymbolTable symbols(getOperation());
    llvm::StringMap<func::FuncOp> kernels;
    for (linalg::LinalgOp op : ops)
      outline(op, symbols, kernels);
  }

  /// Replaces `op` by a call of the kernel that does the same.
  void outline(Operation *op, SymbolTable &symbols,
               llvm::StringMap<func::FuncOp> &kernels) {
    Captures captures(op);
    func::FuncOp made = makeKernel(op, captures);
    // Kernels are the same when their text is: it has no names of values.
    std::string text;
    llvm::raw_string_ostream stream(text);
    made.print(stream, OpPrintingFlags().useLocalScope());
    func::FuncOp &kernel = kernels[text];
    if (kernel) {
      made.erase();
    } else {
      kernel = made;
      symbols.insert(kernel);
    }
    OpBuilder builder(op);
    func::CallOp::create(builder, op->getLoc(), kernel,
                         captures.values.getArrayRef());
    op->erase();
  }

  func::FuncOp makeKernel(Operation *op, const Captures &captures) {
    OpBuilder builder(&getContext());
    ArrayRef<Value> values = captures.values.getArrayRef();
    auto type = builder.getFunctionType(TypeRange(ValueRange(values)), {});
    auto kernel = func::FuncOp::create(op->getLoc(), "kernel", type);
    kernel.setPrivate();
    // One copy of the code is the point of it.
    kernel->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
    Block *body = kernel.addEntryBlock();
    IRMapping mapping;
    mapping.map(values, body->getArguments());
    builder.setInsertionPointToStart(body);
    for (Operation *constant : captures.constants)
      builder.clone(*constant, mapping);
    builder.clone(*op, mapping);
    func::ReturnOp::create(builder, op->getLoc());
    return kernel;
  }
};

} // namespace
} // namespace mlir::asic
