// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From IR to the target description and its element types.
#ifndef ASIC_PASSES_SUPPORT_TARGET_H
#define ASIC_PASSES_SUPPORT_TARGET_H

#include "dialects/Asic/Asic.h"
#include "target/TargetModel.h"

#include <optional>

namespace mlir::asic {

/// The description of the target that the module around `op` is compiled for;
/// an error at `op` when there is none or it cannot be read.
FailureOr<::asic::TargetModel> readTarget(Operation *op);

/// The attribute that `readTarget` reads.
TargetAttr makeTargetAttr(MLIRContext *context,
                          const ::asic::TargetModel &target);

/// The machine's type for elements of MLIR type `type`; `isUnsigned` tells how
/// signless integers are extended. Nothing when the machine has no such type.
std::optional<::asic::ElementType> getElementType(Type type,
                                                  bool isUnsigned = false);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_TARGET_H
