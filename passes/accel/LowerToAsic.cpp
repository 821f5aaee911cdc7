// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-lower-to-asic: one linalg operation on buffers becomes one tile operation.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

namespace mlir::asic {
#define GEN_PASS_DEF_LOWERTOASICPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// A constant fill: the start of a reduction, or data of its own.
struct Init {
  Operation *op = nullptr;
  Attribute constant;
};

class Lowering {
public:
  explicit Lowering(func::FuncOp function)
      : function(function), builder(function.getContext()) {}
  LogicalResult run();

private:
  LogicalResult lowerMap(linalg::GenericOp op);
  LogicalResult lowerFill(linalg::FillOp op);
  ArrayAttr iteratorNames(linalg::GenericOp op);

  func::FuncOp function;
  OpBuilder builder;
  /// Fills whose buffer nothing has read or reduced into yet.
  DenseMap<Value, Init> pending;
};

struct LowerToAsicPass
    : public mlir::asic::impl::LowerToAsicPassBase<LowerToAsicPass> {
  void runOnOperation() override {
    auto region = getOperation()->getAttrOfType<StringAttr>("asic.region");
    if (region && region.getValue() != "accelerator")
      return;
    if (failed(Lowering(getOperation()).run()))
      signalPassFailure();
  }
};

} // namespace

ArrayAttr Lowering::iteratorNames(linalg::GenericOp op) {
  SmallVector<Attribute> names;
  for (utils::IteratorType type : op.getIteratorTypesArray())
    names.push_back(
        builder.getStringAttr(utils::stringifyIteratorType(type)));
  return builder.getArrayAttr(names);
}

LogicalResult Lowering::lowerMap(linalg::GenericOp op) {
  Value output = op.getDpsInits()[0];
  unsigned numInputs = op.getNumDpsInputs();
  SmallVector<Value> inputs(op.getInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  bool reduces = op.getNumReductionLoops() > 0;
  bool readsOutput =
      !op.getBody()->getArgument(numInputs).use_empty() && !reduces;
  TypedAttr initValue;
  if (reduces) {
    Init init = pending.lookup(output);
    if (!init.op || !init.constant)
      return op.emitOpError("expected a reduction that starts from a constant; "
                            "its initial value is computed");
    initValue = cast<TypedAttr>(init.constant);
    pending.erase(output);
    init.op->erase();
  }
  if (readsOutput) {
    inputs.push_back(output);
    maps.insert(maps.begin() + numInputs, maps[numInputs]);
  }
  auto map = MapOp::create(
      builder, op.getLoc(), inputs, output, builder.getAffineMapArrayAttr(maps),
      iteratorNames(op), initValue, /*engine=*/IntegerAttr(),
      /*waits=*/DenseI64ArrayAttr(), /*posts=*/DenseI64ArrayAttr(),
      /*tag=*/IntegerAttr());
  Region &body = map.getBody();
  body.takeBody(op.getRegion());
  Block &block = body.front();
  if (!reduces && !readsOutput)
    block.eraseArgument(numInputs);
  // Scalars made outside belong to the program of the lanes.
  OpBuilder inner = OpBuilder::atBlockBegin(&block);
  IRMapping copies;
  for (Operation &inside : llvm::make_early_inc_range(block))
    for (OpOperand &operand : inside.getOpOperands()) {
      Operation *outside = operand.get().getDefiningOp();
      if (!outside || outside->getBlock() == &block)
        continue;
      if (!isa<arith::ConstantOp>(outside))
        return map.emitOpError("expected constants from outside the body, got ")
               << outside->getName();
      if (!copies.contains(operand.get()))
        copies.map(operand.get(), inner.clone(*outside)->getResult(0));
      operand.set(copies.lookup(operand.get()));
    }
  auto yield = cast<linalg::YieldOp>(block.getTerminator());
  inner.setInsertionPoint(yield);
  YieldOp::create(inner, yield.getLoc(), yield.getOperand(0));
  yield.erase();
  op.erase();
  return success();
}

LogicalResult Lowering::lowerFill(linalg::FillOp op) {
  Attribute value;
  if (!matchPattern(op.getInputs()[0], m_Constant(&value)))
    return op.emitOpError("expected a constant value");
  pending[op.getOutputs()[0]] = {op, value};
  return success();
}

LogicalResult Lowering::run() {
  SmallVector<Operation *> ops;
  for (Operation &op : function.getBody().front())
    ops.push_back(&op);
  for (Operation *op : ops) {
    builder.setInsertionPoint(op);
    LogicalResult result = success();
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      result = lowerMap(generic);
    else if (auto fill = dyn_cast<linalg::FillOp>(op))
      result = lowerFill(fill);
    else if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      CopyOp::create(builder, op->getLoc(), copy.getSource(), copy.getTarget(),
                     IntegerAttr(), DenseI64ArrayAttr(), DenseI64ArrayAttr(),
                     IntegerAttr());
      op->erase();
    }
    if (failed(result))
      return failure();
  }
  // What is left was a plain fill, not the start of a reduction.
  for (auto &[buffer, init] : llvm::make_early_inc_range(pending)) {
    builder.setInsertionPoint(init.op);
    FillOp::create(builder, init.op->getLoc(), cast<TypedAttr>(init.constant),
                   buffer, IntegerAttr(), DenseI64ArrayAttr(),
                   DenseI64ArrayAttr(), IntegerAttr());
    init.op->erase();
  }
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
    if (isa<arith::ConstantOp, memref::SubViewOp, memref::AllocOp, ConstantOp>(
            op) &&
        op.use_empty())
      op.erase();
  return success();
}
