// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/partition/Legality.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::asic {
#define GEN_PASS_DEF_VERIFYPARTITIONPASS
#include "passes/Passes.h.inc"

namespace {

struct VerifyPartitionPass
    : impl::VerifyPartitionPassBase<VerifyPartitionPass> {
  void runOnOperation() override {
    if (failed(verifyMain()) || failed(verifyRegions()))
      signalPassFailure();
  }

  LogicalResult verifyMain() {
    auto main = getOperation().lookupSymbol<func::FuncOp>(kEntryName);
    if (!main || !main.getBody().hasOneBlock())
      return getOperation().emitError(
          "expected '@main' with one block after partition");
    SymbolTable symbols(getOperation());
    for (Operation &op : main.getBody().front()) {
      if (isa<func::ReturnOp, UnrealizedConversionCastOp>(op))
        continue;
      auto call = dyn_cast<func::CallOp>(op);
      auto callee =
          call ? symbols.lookup<func::FuncOp>(call.getCallee()) : nullptr;
      if (!callee || !callee->hasAttr(kRegionAttrName))
        return op.emitError("expected calls of region functions in '@main' "
                            "after partition, got '")
               << op.getName() << "'";
    }
    return success();
  }

  LogicalResult verifyRegions() {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      auto region = func->getAttrOfType<StringAttr>(kRegionAttrName);
      if (!region || region == kHostRegion)
        continue;
      if (region != kAcceleratorRegion)
        return func.emitError("expected asic.region = \"accelerator\" or "
                              "\"host\", got ")
               << region;
      FailureOr<::asic::TargetModel> target = readTarget(func);
      if (failed(target))
        return failure();
      Legality legality(*target);
      for (Operation &op : func.getBody().front()) {
        if (isa<func::ReturnOp>(op))
          continue;
        if (Refusal refusal = legality.check(&op))
          return op.emitError("expected operations that the accelerator can "
                              "run in its region: ")
                 << *refusal;
      }
    }
    return success();
  }
};

} // namespace
} // namespace mlir::asic
