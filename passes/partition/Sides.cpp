// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/partition/Sides.h"

#include "passes/partition/Boundary.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

/// True for an op whose value is a result of @main.
static bool isReturned(Operation *op) {
  // Not by its users: a constant may have as many as the network has ops.
  Operation *last = op->getBlock()->getTerminator();
  return isa<func::ReturnOp>(last) &&
         llvm::any_of(last->getOperands(),
                      [&](Value value) { return value.getDefiningOp() == op; });
}

bool mlir::asic::isShared(Operation *op) {
  if (isReturned(op))
    return false;
  if (isa<arith::ConstantOp, tensor::EmptyOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  bool spreads =
      isa<linalg::FillOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op) ||
      (generic && llvm::hasSingleElement(*generic.getBody()));
  return spreads && llvm::all_of(op->getOperands(), [](Value operand) {
           Operation *producer = operand.getDefiningOp();
           return producer && isShared(producer);
         });
}

bool mlir::asic::isOutside(Operation *op) {
  return isShared(op) || isBorderCast(op) ||
         op->hasTrait<OpTrait::IsTerminator>();
}

Operation *mlir::asic::regionProducer(Value value) {
  Operation *op = value.getDefiningOp();
  return op && !isOutside(op) ? op : nullptr;
}

void mlir::asic::forEachUse(Operation *op, function_ref<void(Value)> fn) {
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()) ||
          operand.getParentBlock() == op->getBlock())
        fn(operand);
  });
}

Operation *mlir::asic::topLevel(Operation *op, func::FuncOp main) {
  return main.getBody().findAncestorOpInRegion(*op);
}
