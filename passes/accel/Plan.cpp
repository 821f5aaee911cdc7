// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-plan: groups, and for each the tiling that costs least.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/Support/TensorBuilder.h"
#include "passes/accel/PlanSearch.h"
#include "passes/accel/Tiles.h"

namespace mlir::asic {
#define GEN_PASS_DEF_PLANPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// Plans the groups of one function.
class Planner {
public:
  Planner(func::FuncOp function, const ::asic::TargetModel &target)
      : function(function), target(target) {}

  LogicalResult run();

private:
  LogicalResult checkElements();
  bool planAll(std::vector<Group> &groups);
  LogicalResult refuse(const Group &group, const Tiling &least);
  void annotate(const Group &group, int64_t number, const Tiling &tiling);

  func::FuncOp function;
  const ::asic::TargetModel &target;
  /// Operations that must not join their users.
  DenseSet<Operation *> alone;
  std::vector<Tiling> tilings;
  /// The group that fits nowhere, and what it would need.
  const Group *refused = nullptr;
  Tiling least;
};

struct PlanPass : public mlir::asic::impl::PlanPassBase<PlanPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!isAcceleratorFunction(function))
      return;
    FailureOr<::asic::TargetModel> target = readTarget(function);
    if (failed(target) || failed(Planner(function, *target).run()))
      return signalPassFailure();
  }
};

} // namespace

/// True when every group has a tiling. Members of a group that has none are
/// put into `alone`; false then, unless nothing is left to take apart.
bool Planner::planAll(std::vector<Group> &groups) {
  tilings.clear();
  refused = nullptr;
  bool split = false;
  for (Group &group : groups) {
    std::optional<Tiling> tiling =
        searchTiling(group, target, Residency(), least);
    tilings.push_back(tiling.value_or(Tiling()));
    if (tiling)
      continue;
    if (group.members.size() == 1) {
      refused = &group;
      return false;
    }
    split = true;
    for (const GroupMember &member : group.members)
      alone.insert(member.op);
  }
  return !split;
}

LogicalResult Planner::refuse(const Group &group, const Tiling &least) {
  linalg::GenericOp op = group.last().op;
  int64_t budget = getSramBudget(target);
  InFlightDiagnostic diagnostic = op.emitOpError("expected a tile that fits ");
  if (least.accBytes > int64_t(target.acc.bytes))
    diagnostic << target.acc.bytes << " bytes of acc, got " << least.accBytes
               << " for the smallest";
  else
    diagnostic << budget << " bytes of sram (" << target.sram.bytes
               << " less an eighth for prefetch), got " << least.sramBytes
               << " for the smallest";
  return diagnostic << "; choose a target with more memory or split the "
                       "layer's innermost dimension";
}

void Planner::annotate(const Group &group, int64_t number,
                       const Tiling &tiling) {
  Builder builder(function.getContext());
  for (const GroupMember &member : group.members) {
    linalg::GenericOp op = member.op;
    op->setAttr(kGroupAttrName, builder.getI64IntegerAttr(number));
  }
  linalg::GenericOp last = group.last().op;
  last->setAttr(kPlanAttrName,
                PlanAttr::get(builder.getContext(), number, tiling.tile,
                              tiling.reduce, tiling.order, Space::dram,
                              tiling.cycles, tiling.bytes, tiling.hold));
}

/// Nothing has no tiles.
LogicalResult Planner::checkElements() {
  WalkResult result = function.walk([](linalg::LinalgOp op) {
    for (Value operand : op->getOperands())
      if (isEmptyTensor(operand.getType())) {
        op.emitOpError("expected tensors with elements, got ")
            << operand.getType() << "; run asic-fold-import first";
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult Planner::run() {
  if (failed(checkElements()))
    return failure();
  std::vector<Group> groups = formGroups(function, target, alone);
  while (!planAll(groups)) {
    if (refused)
      return refuse(*refused, least);
    groups = formGroups(function, target, alone);
  }
  for (auto [number, group] : llvm::enumerate(groups))
    annotate(group, number, tilings[number]);
  return success();
}
