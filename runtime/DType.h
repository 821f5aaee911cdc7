// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types of the user's arrays, by their NumPy names.

#ifndef ASIC_RUNTIME_DTYPE_H
#define ASIC_RUNTIME_DTYPE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace asic {

enum class DTypeKind : uint8_t { Bool, Signed, Unsigned, Float };

/// A row of the table of user types.
struct DType {
  /// NumPy (or ml_dtypes) name.
  const char *name;
  DTypeKind kind;
  uint8_t bytes;
};

/// Every type that a program may declare for a tensor.
llvm::ArrayRef<DType> allDTypes();
/// Null when the name is not known.
const DType *lookupDType(llvm::StringRef name);

} // namespace asic

#endif // ASIC_RUNTIME_DTYPE_H
