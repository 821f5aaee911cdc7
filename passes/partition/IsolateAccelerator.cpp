// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::asic {
#define GEN_PASS_DEF_ISOLATEACCELERATORPASS
#include "passes/Passes.h.inc"

namespace {

struct IsolateAcceleratorPass
    : impl::IsolateAcceleratorPassBase<IsolateAcceleratorPass> {
  void runOnOperation() override {
    auto functions = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    auto regionOf = [](func::FuncOp func) {
      return func->getAttrOfType<StringAttr>(kRegionAttrName);
    };
    if (llvm::none_of(functions, regionOf))
      return;
    for (func::FuncOp func : functions) {
      StringAttr region = regionOf(func);
      if (region && region == kAcceleratorRegion)
        func.setPublic();
      else
        func.erase();
    }
  }
};

} // namespace
} // namespace mlir::asic
