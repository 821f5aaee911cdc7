// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/partition/Explain.h"

#include "passes/partition/Legality.h"
#include "passes/partition/Partition.h"
#include "passes/partition/Placement.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::asic;
using ::asic::TargetModel;

namespace {

/// Constants and what every region has a copy of are nobody's work.
bool isWork(Operation &op) {
  return !op.hasTrait<OpTrait::IsTerminator>() &&
         !op.hasTrait<OpTrait::ConstantLike>() && !isShared(&op);
}

} // namespace

SourceLocation mlir::asic::locateOperation(Operation &op) {
  SourceLocation result = getSourceLocation(op.getLoc());
  llvm::SetVector<StringRef> operators;
  SmallVector<SourceLocation> locations;
  op.walk([&](Operation *inner) {
    locations.push_back(getSourceLocation(inner->getLoc()));
    if (isa<tensor::ExtractOp>(inner))
      result = locations.back();
  });
  for (const SourceLocation &location : locations)
    if (!location.torchOp.empty())
      operators.insert(location.torchOp);
  if (!operators.empty())
    result.torchOp = llvm::join(operators, " + ");
  return result;
}

std::string mlir::asic::operatorName(Operation &op) {
  SourceLocation location = locateOperation(op);
  return location.torchOp.empty() ? op.getName().getStringRef().str()
                                  : location.torchOp;
}

namespace {

PlacementRecord makeRecord(StringRef kind, Operation &op, StringRef text,
                           func::FuncOp func) {
  auto [reason, remedy] = text.split("; ");
  return {kind.str(),   op.getName().getStringRef().str(), reason.str(),
          remedy.str(), func.getSymName().str(),           locateOperation(op)};
}

class Explainer {
public:
  Explainer(ModuleOp module, const TargetModel &target)
      : module(module), target(target), legality(target) {}

  Placement run() {
    for (auto func : module.getOps<func::FuncOp>())
      if (auto region = func->getAttrOfType<StringAttr>(kRegionAttrName))
        explain(func, region == kHostRegion);
    measureCrossings();
    return std::move(result);
  }

private:
  void explain(func::FuncOp func, bool isHost) {
    for (Operation &op : func.getBody().front()) {
      if (!isWork(op))
        continue;
      (isHost ? result.hostOps : result.acceleratorOps) += 1;
      if (auto text = op.getAttrOfType<StringAttr>(kRefusalAttrName))
        result.records.push_back(makeRecord("refused", op, text, func));
      else if (auto text = op.getAttrOfType<StringAttr>(kMovedAttrName))
        result.records.push_back(makeRecord("moved", op, text, func));
      else if (auto generic = dyn_cast<linalg::GenericOp>(op);
               generic && !isHost)
        if (auto slow = legality.explainSlowPath(generic)) {
          result.records.push_back(makeRecord("slow path", op, *slow, func));
          result.records.back().lostCycles = lostCycles(generic);
        }
    }
  }

  uint64_t lostCycles(linalg::GenericOp op) const {
    uint64_t products = 1;
    for (int64_t extent : op.getStaticLoopRanges())
      products *= extent;
    uint64_t taken = products / target.vpu.lanes;
    uint64_t best = products / (target.mxu.kRows * target.mxu.nCols);
    return taken - std::min(taken, best);
  }

  bool isOnHost(func::CallOp call) {
    auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
    auto region = callee->getAttrOfType<StringAttr>(kRegionAttrName);
    return region == kHostRegion;
  }

  void measureCrossings() {
    auto main = module.lookupSymbol<func::FuncOp>(kEntryName);
    std::optional<bool> before;
    for (auto call : main.getOps<func::CallOp>()) {
      bool isHost = isOnHost(call);
      result.crossings += before && *before != isHost;
      before = isHost;
      if (isHost)
        result.regions.push_back(measure(call));
    }
  }

  RegionCrossing measure(func::CallOp call) {
    RegionCrossing crossing;
    crossing.region = call.getCallee().str();
    auto onAccelerator = [&](Operation *op) {
      auto other = dyn_cast_or_null<func::CallOp>(op);
      return other && !isOnHost(other);
    };
    for (Value operand : call.getOperands())
      if (onAccelerator(operand.getDefiningOp()))
        crossing.bytesIn += tensorBytes(operand.getType());
    for (Value value : call.getResults())
      if (llvm::any_of(value.getUsers(), onAccelerator))
        crossing.bytesOut += tensorBytes(value.getType());
    // One side writes, the other reads.
    crossing.cycles = target.dram.bytesPerCycle.ceilDivide(
        2 * (crossing.bytesIn + crossing.bytesOut));
    return crossing;
  }

  ModuleOp module;
  const TargetModel &target;
  Legality legality;
  Placement result;
};

} // namespace

Placement mlir::asic::explainPlacement(ModuleOp module,
                                       const TargetModel &target) {
  return Explainer(module, target).run();
}
