// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/Locations.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Region.h"

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

/// The first use of `value` in the order of `block`'s ops, which is its own.
static OpOperand *firstUse(Value value, Block *block) {
  OpOperand *first = nullptr;
  auto top = [&](OpOperand *use) {
    return block->findAncestorOpInBlock(*use->getOwner());
  };
  for (OpOperand &use : value.getUses())
    if (!first || top(&use)->isBeforeInBlock(top(first)))
      first = &use;
  return first;
}

Location getUserLoc(Value value) {
  Block *block = value.getParentBlock();
  OpOperand *use = isa<BlockArgument>(value) ? firstUse(value, block) : nullptr;
  if (!use)
    return value.getLoc();
  Operation *reader = block->findAncestorOpInBlock(*use->getOwner());
  // In a body that is several of the user's ops, the one that reads it.
  if (reader == use->getOwner() && reader->getNumRegions() == 1) {
    Region &body = reader->getRegion(0);
    if (body.hasOneBlock() &&
        body.getNumArguments() == reader->getNumOperands())
      if (OpOperand *inner = firstUse(body.getArgument(use->getOperandNumber()),
                                      &body.front()))
        return body.front().findAncestorOpInBlock(*inner->getOwner())->getLoc();
  }
  return reader->getLoc();
}

} // namespace mlir::asic
