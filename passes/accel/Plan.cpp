// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-plan: groups of fused operations and how each is cut into tiles. The
// search is exhaustive over a bounded set of tile sizes and loop orders.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/accel/GroupCost.h"
#include "passes/accel/Groups.h"
#include "passes/accel/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::asic {
#define GEN_PASS_DEF_PLANPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// Forms groups and chooses a plan for each.
class Planner {
public:
  Planner(func::FuncOp function, const ::asic::TargetModel &target)
      : function(function), target(target), builder(function.getContext()) {}
  LogicalResult run();

private:
  void formGroup(linalg::GenericOp op);
  void takeProducers(linalg::GenericOp op);
  linalg::GenericOp epilogueOf(linalg::GenericOp contraction);
  LogicalResult choose(linalg::GenericOp last);
  void join(Operation *op) {
    op->setAttr(kGroupAttrName, builder.getI64IntegerAttr(group));
  }

  func::FuncOp function;
  const ::asic::TargetModel &target;
  OpBuilder builder;
  int64_t group = 0;
  SmallVector<linalg::GenericOp> lasts;
};

struct PlanPass : public mlir::asic::impl::PlanPassBase<PlanPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto region = function->getAttrOfType<StringAttr>("asic.region");
    if (function.isExternal() ||
        (region && region.getValue() != "accelerator"))
      return;
    FailureOr<::asic::TargetModel> target = readTarget(function);
    if (failed(target) || failed(Planner(function, *target).run()))
      signalPassFailure();
  }
};

} // namespace

/// Gives `op` its own copy of the producer of `operand` if others use it too, and
/// makes it a member of the group.
static Operation *ownProducer(OpBuilder &builder, OpOperand &operand) {
  Operation *producer = operand.get().getDefiningOp();
  if (!producer->hasOneUse()) {
    builder.setInsertionPoint(operand.getOwner());
    producer = builder.clone(*producer);
    operand.set(producer->getResult(0));
  }
  return producer;
}

/// Pads and initial values in front of `op` are computed tile by tile.
void Planner::takeProducers(linalg::GenericOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    if (input->get().getDefiningOp<tensor::PadOp>())
      join(ownProducer(builder, *input));
  OpOperand &init = op.getDpsInitsMutable()[0];
  if (op.getNumReductionLoops() > 0 && init.get().getDefiningOp() &&
      (init.get().getDefiningOp<linalg::FillOp>() ||
       matchContractionInit(init.get())))
    join(ownProducer(builder, init));
}

/// The elementwise op that alone reads the accumulator; made when there is none,
/// because only the vector unit can move an accumulator to SRAM.
linalg::GenericOp Planner::epilogueOf(linalg::GenericOp contraction) {
  Value result = contraction.getResult(0);
  if (result.hasOneUse()) {
    OpOperand &use = *result.use_begin();
    auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (user && isElementwise(user) && user.isDpsInput(&use) &&
        user.getMatchingIndexingMap(&use).isPermutation())
      return user;
  }
  builder.setInsertionPointAfter(contraction);
  auto type = cast<RankedTensorType>(result.getType());
  Location loc = contraction.getLoc();
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                        type.getElementType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  auto copy = linalg::GenericOp::create(
      builder, loc, type, result, empty, {identity, identity},
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [](OpBuilder &b, Location l, ValueRange arguments) {
        linalg::YieldOp::create(b, l, arguments[0]);
      });
  result.replaceAllUsesExcept(copy.getResult(0), copy);
  return copy;
}

void Planner::formGroup(linalg::GenericOp op) {
  linalg::GenericOp last = op;
  takeProducers(op);
  join(op);
  if (matchContraction(op)) {
    last = epilogueOf(op);
    takeProducers(last);
    join(last);
  }
  lasts.push_back(last);
  ++group;
}

LogicalResult Planner::choose(linalg::GenericOp last) {
  FailureOr<GroupCost> cost = GroupCost::build(last, target);
  if (failed(cost))
    return failure();
  std::optional<GroupChoice> best = cost->search();
  if (!best)
    return cost->reportNoTile();
  last->setAttr(kPlanAttrName,
                PlanAttr::get(last.getContext(),
                              last->getAttrOfType<IntegerAttr>(kGroupAttrName)
                                  .getInt(),
                              best->tile, best->reduce, best->order,
                              Space::dram, best->cycles, best->bytes));
  return success();
}

LogicalResult Planner::run() {
  SmallVector<linalg::GenericOp> generics(
      function.getOps<linalg::GenericOp>());
  llvm::SmallDenseSet<Operation *> inits;
  for (linalg::GenericOp op : generics)
    if (matchContraction(op))
      if (auto init = op.getDpsInits()[0].getDefiningOp<linalg::GenericOp>();
          init && matchContractionInit(init.getResult(0)))
        inits.insert(init);
  for (linalg::GenericOp op : generics)
    if (!op->hasAttr(kGroupAttrName) && !inits.contains(op))
      formGroup(op);
  for (linalg::GenericOp last : lasts)
    if (failed(choose(last)))
      return failure();
  return success();
}
