// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From MLIR locations to the user's model and Python sources.
#ifndef ASIC_PASSES_SUPPORT_LOCATIONS_H
#define ASIC_PASSES_SUPPORT_LOCATIONS_H

#include "mlir/IR/Location.h"
#include "mlir/IR/Value.h"

#include <string>

namespace mlir::asic {

/// What a person wants to know of a location.
struct SourceLocation {
  /// Name of the module or operator, e.g. "layer1.0.conv1"; may be empty.
  std::string layer;
  /// The operator that the user called, e.g. "aten.gelu"; may be empty.
  std::string torchOp;
  /// File in the user's sources; empty when unknown.
  std::string file;
  unsigned line = 0;
  unsigned column = 0;

  /// "file.py:12", or empty.
  std::string source() const;
};

/// Reads the first name and the first file position in `location`; of a call
/// site, the caller's position is that of the user.
SourceLocation getSourceLocation(Location location);

/// Where an op that is made for `value` is in the user's sources. A function's
/// argument is at no line of theirs: the op that reads it first is.
Location getUserLoc(Value value);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_LOCATIONS_H
