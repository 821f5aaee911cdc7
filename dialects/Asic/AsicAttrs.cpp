// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialects/Asic/Asic.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::asic;

#include "dialects/Asic/AsicEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Asic/AsicAttrs.cpp.inc"

void AsicDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Asic/AsicAttrs.cpp.inc"
      >();
}
