// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/partition/Boundary.h"

#include "passes/Support/Markers.h"
#include "passes/Support/ScalarBodies.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace mlir::asic;

bool mlir::asic::isBorderCast(Operation *op) {
  return isa<UnrealizedConversionCastOp>(op) && op->hasAttr(kBoundaryAttrName);
}

/// Dimension d of the result is dimension `permutation[d]` of `value`.
static Value permute(TensorBuilder &b, Value value,
                     ArrayRef<int64_t> permutation) {
  RankedTensorType type = tensorType(value);
  SmallVector<int64_t> shape = applyPermutation(type.getShape(), permutation);
  AffineMap map =
      b.dimsMap(type.getRank(), invertPermutationVector(permutation));
  return b.map(value, map, shape, type.getElementType(),
               [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
}

/// `value` with elements of `element`, quantised or dequantised as `boundary`
/// says, else in another float format.
static Value convert(TensorBuilder &b, Value value, Type element,
                     DictionaryAttr boundary) {
  RankedTensorType from = tensorType(value);
  if (from.getElementType() == element)
    return value;
  auto scale = boundary.getAs<FloatAttr>("scale");
  if (!scale)
    return b.elementwise(
        value, element, [&](ImplicitLocOpBuilder &nested, ValueRange args) {
          return narrowFloat(nested, widenFloat(nested, args[0]), element);
        });
  auto number = [&](StringRef name) {
    return boundary.getAs<IntegerAttr>(name).getInt();
  };
  double factor = scale.getValueAsDouble();
  int64_t zero = number("zero_point");
  RankedTensorType type = from.clone(element);
  Operation *marker;
  Value result;
  if (isa<IntegerType>(element)) {
    auto quantize =
        QuantizeOp::create(b, type, value, ArrayRef(factor), ArrayRef(zero),
                           IntegerAttr(), number("lo"), number("hi"));
    result = lowerMarker(b, quantize);
    marker = quantize;
  } else {
    auto dequantize = DequantizeOp::create(b, type, value, ArrayRef(factor),
                                           ArrayRef(zero), IntegerAttr());
    result = lowerMarker(b, dequantize);
    marker = dequantize;
  }
  marker->erase();
  return result;
}

Value mlir::asic::materializeBoundary(UnrealizedConversionCastOp cast) {
  OpBuilder builder(cast);
  TensorBuilder b(cast.getLoc(), builder);
  auto boundary = cast->getAttrOfType<DictionaryAttr>(kBoundaryAttrName);
  Value value =
      convert(b, cast.getOperand(0),
              tensorType(cast.getResult(0)).getElementType(), boundary);
  auto permutation = boundary.getAs<DenseI64ArrayAttr>("permutation");
  if (!permutation)
    return value;
  // Device dimension i is logical dimension permutation[i].
  bool isInput = isa<BlockArgument>(cast.getOperand(0));
  return permute(b, value,
                 isInput ? SmallVector<int64_t>(permutation.asArrayRef())
                         : invertPermutationVector(permutation.asArrayRef()));
}
