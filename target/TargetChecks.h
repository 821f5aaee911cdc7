// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the fields of a target must satisfy together (private to the library).

#ifndef ASIC_TARGET_TARGETCHECKS_H
#define ASIC_TARGET_TARGETCHECKS_H

#include "target/TargetModel.h"

namespace asic {

/// Line and column of fields and sections by path.
using PositionMap = std::map<std::string, std::pair<unsigned, unsigned>>;

/// Fills the fields that a file may leave out and whose default depends on
/// other fields.
void applyDerivedDefaults(TargetModel &model);

/// Appends a diagnostic for every constraint between fields that is violated.
void checkTarget(const TargetModel &model, const PositionMap &positions,
                 std::vector<TargetDiagnostic> &diagnostics);

} // namespace asic

#endif // ASIC_TARGET_TARGETCHECKS_H
