// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Static views of buffers: what a memref value of the tile operations is in
// terms of its buffer and byte strides.
#ifndef ASIC_PASSES_ACCEL_LOWERTOISAVIEW_H
#define ASIC_PASSES_ACCEL_LOWERTOISAVIEW_H

#include "dialects/Asic/Asic.h"

namespace mlir::asic {

/// A strided block of a buffer. The buffer is a `memref.alloc`, an
/// `asic.constant` or a function argument.
struct BufferView {
  Value base;
  Space space = Space::dram;
  unsigned elementBytes = 0;
  /// The source of a copy that widens it: a run of bytes with two elements
  /// each, one dimension whatever the shape.
  bool packed = false;
  /// Bytes from the start of the buffer to element (0, …, 0).
  int64_t offset = 0;
  SmallVector<int64_t, 6> sizes;
  /// Bytes between neighbours, per dimension.
  SmallVector<int64_t, 6> strides;

  /// Bytes from the first to behind the last element.
  int64_t extent() const;
};

/// The view that a memref value is, or a diagnostic on `user`.
FailureOr<BufferView> getBufferView(Value memref, Operation *user);

/// Bytes of one element as stored (i1 takes a byte); 0 for a type that the
/// machine does not store in whole bytes.
unsigned getElementBytes(Type type);

/// The buffer behind a chain of views.
Value getBufferBase(Value memref);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_LOWERTOISAVIEW_H
