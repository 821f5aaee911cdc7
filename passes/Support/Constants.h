// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and making constant tensors without ever building dense attributes of
// weights: data stays in resource blobs.
#ifndef ASIC_PASSES_SUPPORT_CONSTANTS_H
#define ASIC_PASSES_SUPPORT_CONSTANTS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir::asic {

/// Constants with more elements than this become resources.
inline constexpr int64_t kMaxInlineElements = 64;

/// Bytes of one element in memory; 0 for types that are not whole bytes.
unsigned elementBytes(Type type);

/// The attribute behind a constant tensor value, null for other values.
ElementsAttr getConstant(Value value);

/// Row-major data of `constant`. A splat gives one element. None when the
/// constant is a resource without data or its elements are not whole bytes.
std::optional<ArrayRef<char>> getBytes(ElementsAttr constant);

/// Key of a resource, "" of any other constant.
StringRef getResourceName(ElementsAttr constant);

/// Element `bytes` of type `type` as a real number; integers are signed unless
/// the type is unsigned.
double readElement(const char *bytes, Type type);

/// Every element of `constant` as a real number, splats expanded. None without
/// data.
std::optional<SmallVector<double>> readReals(ElementsAttr constant);

/// Whether `constant` is a resource whose data nobody has given: a model that
/// is looked at without its weights.
bool lacksData(ElementsAttr constant);

/// A resource of `type` without data, called `name` (made unique).
TypedAttr makeWithoutData(RankedTensorType type, StringRef name);

/// A constant of `type` whose bytes `fill` writes; a resource called `name`
/// (made unique) when it is large.
TypedAttr makeConstant(RankedTensorType type, StringRef name,
                       function_ref<void(MutableArrayRef<char>)> fill);

/// `makeConstant` from numbers, which must be representable.
TypedAttr makeConstant(RankedTensorType type, StringRef name,
                       ArrayRef<int64_t> values);

/// `constant` with another shape of as many elements; no data is copied.
TypedAttr reshapeConstant(ElementsAttr constant, ArrayRef<int64_t> shape);

/// `constant` with dimension d of the result being dimension `permutation[d]`
/// of the input; of a resource without data, another one without data.
TypedAttr transposeConstant(ElementsAttr constant,
                            ArrayRef<int64_t> permutation);

} // namespace mlir::asic

#endif // ASIC_PASSES_SUPPORT_CONSTANTS_H
