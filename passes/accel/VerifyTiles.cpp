// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifiers that close plan, tile, bufferize and asic.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/accel/PlanGroup.h"
#include "passes/accel/Tiles.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include <set>

namespace mlir::asic {
#define GEN_PASS_DEF_VERIFYPLANPASS
#define GEN_PASS_DEF_VERIFYTILEPASS
#define GEN_PASS_DEF_VERIFYBUFFERIZEPASS
#define GEN_PASS_DEF_VERIFYASICPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// Checks one #asic.plan against the operation that carries it.
static LogicalResult verifyPlan(linalg::GenericOp op, PlanAttr plan) {
  ArrayRef<int64_t> shape =
      cast<ShapedType>(op.getResult(0).getType()).getShape();
  if (plan.getTile().size() != shape.size())
    return op.emitOpError("expected ")
           << shape.size() << " tile sizes in the plan, got "
           << plan.getTile().size();
  for (auto [dim, pair] :
       llvm::enumerate(llvm::zip_equal(plan.getTile(), shape))) {
    auto [tile, size] = pair;
    if (tile < 1 || tile > size)
      return op.emitOpError("expected a tile size from 1 to ")
             << size << " in dimension " << dim << ", got " << tile;
  }
  SmallVector<int64_t> order(plan.getOrder());
  llvm::sort(order);
  for (auto [dim, at] : llvm::enumerate(order))
    if (order.size() != shape.size() || at != int64_t(dim))
      return op.emitOpError("expected the order to name each of ")
             << shape.size() << " dimensions once";
  for (int64_t size : plan.getReduce())
    if (size < 1)
      return op.emitOpError("expected positive reduction tiles, got ") << size;
  return success();
}

/// Every group has one plan, and every member a group.
static LogicalResult verifyPlans(func::FuncOp function) {
  std::set<int64_t> planned, used;
  for (auto op : function.getOps<linalg::GenericOp>()) {
    if (isAbsorbed(op))
      continue;
    auto number = op->getAttrOfType<IntegerAttr>(kGroupAttrName);
    if (!number)
      return op.emitOpError("expected a group after plan");
    used.insert(number.getInt());
    auto plan = op->getAttrOfType<PlanAttr>(kPlanAttrName);
    if (!plan)
      continue;
    if (plan.getGroup() != number.getInt())
      return op.emitOpError("expected the plan of group ")
             << number.getInt() << ", got that of " << plan.getGroup();
    if (!planned.insert(plan.getGroup()).second)
      return op.emitOpError("expected one plan for group ") << plan.getGroup();
    if (failed(verifyPlan(op, plan)))
      return failure();
  }
  for (int64_t number : used)
    if (!planned.count(number))
      return function.emitOpError("expected a plan for group ") << number;
  return success();
}

static LogicalResult verifyTiles(func::FuncOp function) {
  for (Operation &op : function.getBody().front()) {
    if (op.hasAttr(kPlanAttrName))
      return op.emitOpError("expected no plan after tile");
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      if (ShapedType::isDynamicShape(slice.getStaticSizes()) ||
          llvm::is_contained(slice.getStaticOffsets(), ShapedType::kDynamic))
        return op.emitOpError("expected constant offsets and sizes after tile");
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic)
      continue;
    for (Value input : generic.getDpsInputs()) {
      if (!isa<RankedTensorType>(input.getType()))
        continue;
      Operation *def = input.getDefiningOp();
      if (!def || !(def->hasAttr(kLoadAttrName) ||
                    isa<linalg::GenericOp, linalg::FillOp, tensor::PadOp,
                        tensor::EmptyOp>(def)))
        return op.emitOpError("expected inputs that are loaded or computed "
                              "tiles after tile");
    }
  }
  return success();
}

static LogicalResult verifyBuffers(func::FuncOp function) {
  WalkResult result = function.walk([&](Operation *op) -> WalkResult {
    for (Type type : op->getResultTypes())
      if (isa<TensorType>(type))
        return op->emitOpError("expected no tensor after bufferize, got ")
               << type;
    for (Value operand : op->getOperands())
      if (isa<TensorType>(operand.getType()))
        return op->emitOpError("expected no tensor after bufferize, got ")
               << operand.getType();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

static LogicalResult verifyTileOps(func::FuncOp function) {
  for (Operation &op : function.getBody().front())
    if (!isa<ContractOp, MapOp, CopyOp, FillOp, ConstantOp, memref::AllocOp,
             ViewLikeOpInterface, arith::ConstantOp, func::ReturnOp>(op))
      return op.emitOpError("expected tile operations, buffers and views after "
                            "asic");
  return success();
}

namespace {

struct VerifyPlanPass : mlir::asic::impl::VerifyPlanPassBase<VerifyPlanPass> {
  void runOnOperation() override {
    if (isAcceleratorFunction(getOperation()) &&
        failed(verifyPlans(getOperation())))
      signalPassFailure();
  }
};

struct VerifyTilePass : mlir::asic::impl::VerifyTilePassBase<VerifyTilePass> {
  void runOnOperation() override {
    if (isAcceleratorFunction(getOperation()) &&
        failed(verifyTiles(getOperation())))
      signalPassFailure();
  }
};

struct VerifyBufferizePass
    : mlir::asic::impl::VerifyBufferizePassBase<VerifyBufferizePass> {
  void runOnOperation() override {
    if (isAcceleratorFunction(getOperation()) &&
        failed(verifyBuffers(getOperation())))
      signalPassFailure();
  }
};

struct VerifyAsicPass : mlir::asic::impl::VerifyAsicPassBase<VerifyAsicPass> {
  void runOnOperation() override {
    if (isAcceleratorFunction(getOperation()) &&
        failed(verifyTileOps(getOperation())))
      signalPassFailure();
  }
};

} // namespace
