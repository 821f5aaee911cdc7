// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/Constants.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Threading.h"

using namespace mlir;
using namespace mlir::asic;

unsigned mlir::asic::elementBytes(Type type) {
  if (!type.isIntOrFloat() || type.getIntOrFloatBitWidth() % 8 != 0)
    return 0;
  return type.getIntOrFloatBitWidth() / 8;
}

ElementsAttr mlir::asic::getConstant(Value value) {
  ElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return {};
  return constant;
}

std::optional<ArrayRef<char>> mlir::asic::getBytes(ElementsAttr constant) {
  if (!elementBytes(constant.getElementType()))
    return std::nullopt;
  if (auto dense = dyn_cast<DenseElementsAttr>(constant))
    return dense.getRawData();
  auto resource = dyn_cast<DenseResourceElementsAttr>(constant);
  if (!resource)
    return std::nullopt;
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  size_t expected =
      constant.getNumElements() * elementBytes(constant.getElementType());
  if (!blob || blob->getData().size() != expected)
    return std::nullopt;
  return blob->getData();
}

StringRef mlir::asic::getResourceName(ElementsAttr constant) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(constant);
  return resource ? resource.getRawHandle().getKey() : StringRef();
}

double mlir::asic::readElement(const char *bytes, Type type) {
  unsigned width = type.getIntOrFloatBitWidth();
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, width / 8);
  APInt value(width, bits);
  if (auto floatType = dyn_cast<FloatType>(type)) {
    APFloat number(floatType.getFloatSemantics(), value);
    bool losesInfo;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                   &losesInfo);
    return number.convertToDouble();
  }
  return type.isUnsignedInteger() ? double(value.getZExtValue())
                                  : double(value.getSExtValue());
}

std::optional<SmallVector<double>>
mlir::asic::readReals(ElementsAttr constant) {
  std::optional<ArrayRef<char>> bytes = getBytes(constant);
  if (!bytes)
    return std::nullopt;
  Type type = constant.getElementType();
  size_t width = elementBytes(type);
  SmallVector<double> values;
  for (size_t offset = 0; offset < bytes->size(); offset += width)
    values.push_back(readElement(bytes->data() + offset, type));
  if (values.size() == 1)
    values.assign(constant.getNumElements(), values.front());
  return values;
}

bool mlir::asic::lacksData(ElementsAttr constant) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(constant);
  return resource && !resource.getRawHandle().getBlob();
}

TypedAttr mlir::asic::makeWithoutData(RankedTensorType type, StringRef name) {
  auto &manager =
      DenseResourceElementsHandle::getManagerInterface(type.getContext());
  return DenseResourceElementsAttr::get(type, manager.insert(name));
}

TypedAttr
mlir::asic::makeConstant(RankedTensorType type, StringRef name,
                         function_ref<void(MutableArrayRef<char>)> fill) {
  size_t size = type.getNumElements() * elementBytes(type.getElementType());
  if (type.getNumElements() <= kMaxInlineElements) {
    SmallVector<char> bytes(size);
    fill(bytes);
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  }
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(size, /*align=*/64);
  fill(blob.getMutableData());
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

TypedAttr mlir::asic::makeConstant(RankedTensorType type, StringRef name,
                                   ArrayRef<int64_t> values) {
  size_t width = elementBytes(type.getElementType());
  return makeConstant(type, name, [&](MutableArrayRef<char> bytes) {
    for (auto [index, value] : llvm::enumerate(values))
      std::memcpy(bytes.data() + index * width, &value, width);
  });
}

TypedAttr mlir::asic::reshapeConstant(ElementsAttr constant,
                                      ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, constant.getElementType());
  if (auto dense = dyn_cast<DenseElementsAttr>(constant))
    return dense.reshape(type);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant))
    return DenseResourceElementsAttr::get(type, resource.getRawHandle());
  return {};
}

namespace {
/// A transposition as two nested blocked loops (the innermost dimension of the
/// target and that of the source) inside an odometer over the others.
struct TransposeLoops {
  /// Target shape and, per target dimension, the stride in the source.
  SmallVector<int64_t> shape, sourceStrides, targetStrides;
  /// Target dimension that walks the source contiguously.
  int64_t sourceInner = 0;

  TransposeLoops(ArrayRef<int64_t> source, ArrayRef<int64_t> permutation) {
    int64_t rank = source.size();
    SmallVector<int64_t> strides(rank, 1);
    for (int64_t d = rank - 2; d >= 0; --d)
      strides[d] = strides[d + 1] * source[d + 1];
    targetStrides.assign(rank, 1);
    for (int64_t d = 0; d < rank; ++d) {
      shape.push_back(source[permutation[d]]);
      sourceStrides.push_back(strides[permutation[d]]);
      if (permutation[d] == rank - 1)
        sourceInner = d;
    }
    for (int64_t d = rank - 2; d >= 0; --d)
      targetStrides[d] = targetStrides[d + 1] * shape[d + 1];
  }
};
} // namespace

/// Copies the plane of the two inner dimensions in cache-sized blocks.
template <typename T>
static void transposePlane(const T *source, T *target, int64_t rows,
                           int64_t rowSource, int64_t rowTarget,
                           int64_t columns, int64_t columnSource) {
  constexpr int64_t block = 32;
  for (int64_t r0 = 0; r0 < rows; r0 += block)
    for (int64_t c0 = 0; c0 < columns; c0 += block)
      for (int64_t r = r0; r < std::min(r0 + block, rows); ++r)
        for (int64_t c = c0; c < std::min(c0 + block, columns); ++c)
          target[r * rowTarget + c] = source[r * rowSource + c * columnSource];
}

template <typename T>
static void transposeAs(MLIRContext *context, const TransposeLoops &loops,
                        const char *sourceBytes, char *targetBytes) {
  auto source = reinterpret_cast<const T *>(sourceBytes);
  auto target = reinterpret_cast<T *>(targetBytes);
  int64_t rank = loops.shape.size(), inner = rank - 1, row = loops.sourceInner;
  // When both inner dimensions are the same one, a plane is a single row.
  int64_t rows = row == inner ? 1 : loops.shape[row];
  SmallVector<int64_t> outer;
  int64_t planes = 1;
  for (int64_t d = 0; d < inner; ++d)
    if (d != row) {
      outer.push_back(d);
      planes *= loops.shape[d];
    }
  auto copyPlane = [&](int64_t plane) {
    int64_t from = 0, to = 0;
    for (int64_t d : llvm::reverse(outer)) {
      from += plane % loops.shape[d] * loops.sourceStrides[d];
      to += plane % loops.shape[d] * loops.targetStrides[d];
      plane /= loops.shape[d];
    }
    transposePlane(source + from, target + to, rows, loops.sourceStrides[row],
                   loops.targetStrides[row], loops.shape[inner],
                   loops.sourceStrides[inner]);
  };
  parallelFor(context, 0, planes, copyPlane);
}

TypedAttr mlir::asic::transposeConstant(ElementsAttr constant,
                                        ArrayRef<int64_t> permutation) {
  auto type = cast<RankedTensorType>(constant.getType());
  SmallVector<int64_t> shape;
  for (int64_t dim : permutation)
    shape.push_back(type.getDimSize(dim));
  auto resultType = RankedTensorType::get(shape, type.getElementType());
  if (auto dense = dyn_cast<DenseElementsAttr>(constant);
      dense && dense.isSplat())
    return dense.resizeSplat(resultType);
  std::string name = (getResourceName(constant) + ".").str();
  for (int64_t dim : permutation)
    name += std::to_string(dim);
  if (lacksData(constant))
    return makeWithoutData(resultType, name);
  std::optional<ArrayRef<char>> bytes = getBytes(constant);
  if (!bytes)
    return {};
  TransposeLoops loops(type.getShape(), permutation);
  MLIRContext *context = type.getContext();
  return makeConstant(resultType, name, [&](MutableArrayRef<char> target) {
    switch (elementBytes(type.getElementType())) {
    case 1:
      return transposeAs<uint8_t>(context, loops, bytes->data(), target.data());
    case 2:
      return transposeAs<uint16_t>(context, loops, bytes->data(),
                                   target.data());
    case 4:
      return transposeAs<uint32_t>(context, loops, bytes->data(),
                                   target.data());
    default:
      return transposeAs<uint64_t>(context, loops, bytes->data(),
                                   target.data());
    }
  });
}
