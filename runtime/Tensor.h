// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays of the user, and how they get into and out of device memory.

#ifndef ASIC_RUNTIME_TENSOR_H
#define ASIC_RUNTIME_TENSOR_H

#include "runtime/Program.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace asic {

/// Somebody else's array.
struct ArrayView {
  /// NumPy name of the element type.
  std::string dtype;
  std::vector<int64_t> shape;
  /// Strides in bytes; may be negative or 0.
  std::vector<int64_t> strides;
  const void *data = nullptr;
};

/// An array of our own, row-major.
struct Array {
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  ArrayView view() const;
};

/// The row-major byte strides of a shape.
std::vector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape,
                                     int64_t elementBytes);

/// Writes `array` into device memory as `tensor` says: layout, conversion and
/// quantisation. Faults of the caller (shape, dtype, range) are errors.
llvm::Error writeTensor(const IoTensor &tensor, const ArrayView &array,
                        uint8_t *dram);
/// The inverse.
Array readTensor(const IoTensor &tensor, const uint8_t *dram);

} // namespace asic

#endif // ASIC_RUNTIME_TENSOR_H
