// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/DType.h"

using namespace asic;

static constexpr DType kDTypes[] = {
    {"bool", DTypeKind::Bool, 1},
    {"int8", DTypeKind::Signed, 1},
    {"int16", DTypeKind::Signed, 2},
    {"int32", DTypeKind::Signed, 4},
    {"int64", DTypeKind::Signed, 8},
    {"uint8", DTypeKind::Unsigned, 1},
    {"uint16", DTypeKind::Unsigned, 2},
    {"uint32", DTypeKind::Unsigned, 4},
    {"uint64", DTypeKind::Unsigned, 8},
    {"float16", DTypeKind::Float, 2},
    {"bfloat16", DTypeKind::Float, 2},
    {"float32", DTypeKind::Float, 4},
    {"float64", DTypeKind::Float, 8},
    {"float8_e4m3fn", DTypeKind::Float, 1},
    {"float8_e5m2", DTypeKind::Float, 1},
};

llvm::ArrayRef<DType> asic::allDTypes() { return kDTypes; }

const DType *asic::lookupDType(llvm::StringRef name) {
  for (const DType &dtype : kDTypes)
    if (name == dtype.name)
      return &dtype;
  return nullptr;
}
