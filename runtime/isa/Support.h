// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small helpers shared by the runtime library.

#ifndef ASIC_RUNTIME_ISA_SUPPORT_H
#define ASIC_RUNTIME_ISA_SUPPORT_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

namespace asic {

/// An error with a message: lower-case, "expected X, got Y; remedy".
inline llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

} // namespace asic

#endif // ASIC_RUNTIME_ISA_SUPPORT_H
