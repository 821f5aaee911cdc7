// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASIC_PASSES_ACCEL_SLICECONSTANT_H
#define ASIC_PASSES_ACCEL_SLICECONSTANT_H

#include "mlir/IR/BuiltinAttributes.h"

namespace mlir::asic {

/// The box of `constant` from `offsets` with `sizes`, contiguous. Null without data.
TypedAttr sliceConstant(ElementsAttr constant, ArrayRef<int64_t> offsets,
                        ArrayRef<int64_t> sizes);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_SLICECONSTANT_H
