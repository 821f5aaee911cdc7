// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/Target.h"

namespace mlir::asic {

FailureOr<::asic::TargetModel> readTarget(Operation *op) {
  TargetAttr attr = getTarget(op);
  if (!attr)
    return op->emitError("expected a module with an 'asic.target' attribute, "
                         "got none; run asic-attach-target first");
  std::vector<::asic::TargetDiagnostic> diagnostics;
  std::optional<::asic::TargetModel> target =
      ::asic::parseTarget(attr.getJson(), diagnostics);
  if (!target)
    return op->emitError("expected a valid target description in "
                         "'asic.target': ")
           << ::asic::formatTargetDiagnostics(attr.getName(), diagnostics);
  return std::move(*target);
}

TargetAttr makeTargetAttr(MLIRContext *context,
                          const ::asic::TargetModel &target) {
  return TargetAttr::get(context, target.name, target.hashHex(),
                         target.canonicalJson());
}

std::optional<::asic::ElementType> getElementType(Type type, bool isUnsigned) {
  using E = ::asic::ElementType;
  if (auto integer = dyn_cast<IntegerType>(type)) {
    isUnsigned |= integer.isUnsigned();
    switch (integer.getWidth()) {
    case 4:
      return isUnsigned ? E::U4 : E::I4;
    case 8:
      return isUnsigned ? E::U8 : E::I8;
    case 16:
      return isUnsigned ? std::nullopt : std::optional(E::I16);
    case 32:
      return E::I32;
    default:
      return std::nullopt;
    }
  }
  if (type.isBF16())
    return E::BF16;
  if (type.isF16())
    return E::F16;
  if (type.isF32())
    return E::F32;
  if (isa<Float8E4M3FNType>(type))
    return E::E4M3;
  if (isa<Float8E5M2Type>(type))
    return E::E5M2;
  return std::nullopt;
}

} // namespace mlir::asic
