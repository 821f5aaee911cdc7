// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/Locations.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace mlir::asic {

std::string SourceLocation::source() const {
  return file.empty() ? file : file + ":" + std::to_string(line);
}

namespace {

/// Fills what is still missing in `result` from `location`.
void collect(Location location, SourceLocation &result) {
  if (auto position = dyn_cast<FileLineColLoc>(location)) {
    if (result.file.empty()) {
      result.file = position.getFilename().str();
      result.line = position.getLine();
      result.column = position.getColumn();
    }
  } else if (auto name = dyn_cast<NameLoc>(location)) {
    if (result.layer.empty())
      result.layer = name.getName().str();
    collect(name.getChildLoc(), result);
  } else if (auto call = dyn_cast<CallSiteLoc>(location)) {
    // The callee is library code; the caller is what the user wrote.
    collect(call.getCaller(), result);
    collect(call.getCallee(), result);
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    if (auto name = dyn_cast_or_null<StringAttr>(fused.getMetadata()))
      if (result.torchOp.empty())
        result.torchOp = name.getValue().str();
    for (Location part : fused.getLocations())
      collect(part, result);
  }
}

} // namespace

SourceLocation getSourceLocation(Location location) {
  SourceLocation result;
  collect(location, result);
  return result;
}

} // namespace mlir::asic
