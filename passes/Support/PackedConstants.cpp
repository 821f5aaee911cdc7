// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/PackedConstants.h"

using namespace mlir;

IntegerType mlir::asic::getPackedType(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto packed = constant ? constant->getAttrOfType<TypeAttr>(kPackedAttrName)
                         : TypeAttr();
  return packed ? dyn_cast<IntegerType>(packed.getValue()) : IntegerType();
}
