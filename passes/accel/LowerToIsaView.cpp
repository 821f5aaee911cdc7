// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/LowerToIsaView.h"

#include "passes/Support/PackedConstants.h"

#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace mlir::asic;

int64_t BufferView::extent() const {
  int64_t last = 0;
  for (auto [size, stride] : llvm::zip_equal(sizes, strides)) {
    if (size == 0)
      return 0;
    last += (size - 1) * stride;
  }
  return last + elementBytes;
}

unsigned mlir::asic::getElementBytes(Type type) {
  if (!type.isIntOrFloat())
    return 0;
  unsigned bits = type.getIntOrFloatBitWidth();
  if (bits == 1)
    return 1;
  return bits % 8 == 0 ? bits / 8 : 0;
}

Value mlir::asic::getBufferBase(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

FailureOr<BufferView> mlir::asic::getBufferView(Value memref, Operation *user) {
  auto type = cast<MemRefType>(memref.getType());
  BufferView view;
  view.base = getBufferBase(memref);
  view.space = getSpace(type);
  // The verifier of asic.copy sees to it that there are no gaps.
  view.packed = isPacked(type) && isa<CopyOp>(user);
  view.elementBytes = view.packed ? 1 : getElementBytes(type.getElementType());
  if (view.elementBytes == 0)
    return user->emitOpError("expected elements of whole bytes, got ") << type;
  // Static views carry strides and offset relative to the buffer in their type.
  int64_t offset;
  SmallVector<int64_t> strides;
  if (failed(type.getStridesAndOffset(strides, offset)) ||
      ShapedType::isDynamic(offset) || ShapedType::isDynamicShape(strides) ||
      !type.hasStaticShape())
    return user->emitOpError("expected a memref with static strides and "
                             "offset, got ")
           << type;
  if (view.packed) {
    view.offset = offset / 2;
    view.sizes.assign(1, packedBytes(type.getNumElements()));
    view.strides.assign(1, 1);
    return view;
  }
  view.offset = offset * view.elementBytes;
  view.sizes.assign(type.getShape().begin(), type.getShape().end());
  for (int64_t stride : strides)
    view.strides.push_back(stride * view.elementBytes);
  return view;
}
