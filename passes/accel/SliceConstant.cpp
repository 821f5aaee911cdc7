// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/SliceConstant.h"
#include "passes/Support/Constants.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

TypedAttr mlir::asic::sliceConstant(ElementsAttr constant,
                                    ArrayRef<int64_t> offsets,
                                    ArrayRef<int64_t> sizes) {
  auto type = cast<RankedTensorType>(constant.getType());
  if (type.getShape() == sizes)
    return cast<TypedAttr>(constant);
  std::optional<ArrayRef<char>> bytes = getBytes(constant);
  if (!bytes)
    return {};
  auto result = RankedTensorType::get(sizes, type.getElementType());
  int64_t element = elementBytes(type.getElementType());
  bool isSplat = int64_t(bytes->size()) == element;
  return makeConstant(
      result, getResourceName(constant), [&](MutableArrayRef<char> out) {
        if (isSplat) {
          for (size_t at = 0; at < out.size(); at += element)
            memcpy(out.data() + at, bytes->data(), element);
          return;
        }
        // Rows along the last dimension, an odometer over the others.
        int64_t rank = type.getRank();
        int64_t run = (rank ? sizes[rank - 1] : 1) * element;
        SmallVector<int64_t> at(rank, 0);
        char *target = out.data();
        char *end = target + out.size();
        while (target < end) {
          int64_t index = 0;
          for (int64_t d = 0; d < rank; ++d)
            index = index * type.getDimSize(d) + offsets[d] + at[d];
          memcpy(target, bytes->data() + index * element, run);
          target += run;
          for (int64_t d = rank - 2; d >= 0; --d) {
            if (++at[d] < sizes[d])
              break;
            at[d] = 0;
          }
        }
      });
}
