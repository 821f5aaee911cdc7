// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The JSON sections of the container: io, debug, meta.

#ifndef ASIC_RUNTIME_PROGRAMJSON_H
#define ASIC_RUNTIME_PROGRAMJSON_H

#include "runtime/Program.h"

namespace asic {

/// Deterministic text: keys sorted, no spaces.
std::string writeIoJson(const Program &program);
std::string writeDebugJson(const Program &program);
std::string writeMetaJson(const Program &program);

/// Fill the matching members of `program`; every value is checked.
llvm::Error readIoJson(llvm::StringRef text, Program &program);
llvm::Error readDebugJson(llvm::StringRef text, Program &program);
llvm::Error readMetaJson(llvm::StringRef text, Program &program);

} // namespace asic

#endif // ASIC_RUNTIME_PROGRAMJSON_H
