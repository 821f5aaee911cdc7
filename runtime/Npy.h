// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy files: reading .npy and .npz (stored entries), writing .npz.

#ifndef ASIC_RUNTIME_NPY_H
#define ASIC_RUNTIME_NPY_H

#include "runtime/Tensor.h"

#include "llvm/Support/Error.h"

#include <string>
#include <utility>
#include <vector>

namespace asic {

/// Parses the bytes of a .npy file. `wanted` is the dtype that the reader
/// expects; it settles what NumPy writes as raw bytes ("|V2" is bfloat16 when
/// a bfloat16 is wanted).
llvm::Expected<Array> parseNpy(llvm::ArrayRef<uint8_t> bytes,
                               llvm::StringRef wanted);
/// The bytes of a .npy file.
std::vector<uint8_t> writeNpy(const Array &array);

/// The entry `name` (without ".npy") of a .npz file. Compressed entries are an
/// error.
llvm::Expected<Array> parseNpz(llvm::ArrayRef<uint8_t> bytes,
                               llvm::StringRef name, llvm::StringRef wanted);
/// The bytes of an uncompressed .npz file.
std::vector<uint8_t>
writeNpz(llvm::ArrayRef<std::pair<std::string, Array>> arrays);

} // namespace asic

#endif // ASIC_RUNTIME_NPY_H
