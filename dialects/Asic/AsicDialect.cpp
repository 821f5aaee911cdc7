// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialects/Asic/Asic.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mlir::asic;

#include "dialects/Asic/AsicDialect.cpp.inc"

void AsicDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/Asic/AsicOps.cpp.inc"
      >();
}

Space mlir::asic::getSpace(MemRefType type) {
  if (auto space = dyn_cast_or_null<SpaceAttr>(type.getMemorySpace()))
    return space.getValue();
  return Space::dram;
}

TargetAttr mlir::asic::getTarget(Operation *op) {
  auto module =
      isa<ModuleOp>(op) ? cast<ModuleOp>(op) : op->getParentOfType<ModuleOp>();
  return module ? module->getAttrOfType<TargetAttr>(kTargetAttrName)
                : TargetAttr();
}
