// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/TileSlice.h"

#include "passes/Support/PackedConstants.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mlir::asic;

/// Constants of more elements travel as resources.
static constexpr int64_t inlineElements = 64;

/// True when the box is one run of the tensor's elements.
static bool isContiguous(ArrayRef<int64_t> shape, const Box &box) {
  bool partial = false;
  for (int64_t dim = int64_t(shape.size()) - 1; dim >= 0; --dim) {
    if (partial && box.sizes[dim] != 1)
      return false;
    partial |= box.sizes[dim] != shape[dim];
  }
  return true;
}

/// Elements in front of the box.
static int64_t firstElement(ArrayRef<int64_t> shape, const Box &box) {
  int64_t at = 0;
  for (auto [size, offset] : llvm::zip_equal(shape, box.offsets))
    at = at * size + offset;
  return at;
}

/// The bytes of a constant's value; empty when there are none.
static ArrayRef<char> bytesOf(ElementsAttr value) {
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    return dense.getRawData();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      return blob->getData();
  return {};
}

/// Copies a box row by row.
static std::vector<char> copyBox(ArrayRef<char> bytes, ArrayRef<int64_t> shape,
                                 const Box &box, int64_t elementBytes) {
  unsigned rank = shape.size();
  std::vector<char> result(box.numElements() * elementBytes);
  int64_t run = box.sizes[rank - 1] * elementBytes;
  SmallVector<int64_t> index(rank, 0);
  for (char *out = result.data(), *end = out + result.size(); out != end;
       out += run) {
    int64_t at = 0;
    for (unsigned dim = 0; dim < rank; ++dim)
      at = at * shape[dim] + box.offsets[dim] + index[dim];
    memcpy(out, bytes.data() + at * elementBytes, run);
    for (int64_t dim = int64_t(rank) - 2; dim >= 0; --dim) {
      if (++index[dim] < box.sizes[dim])
        break;
      index[dim] = 0;
    }
  }
  return result;
}

static ElementsAttr makeValue(RankedTensorType type, ArrayRef<char> bytes,
                              StringRef name) {
  if (type.getNumElements() <= inlineElements)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  return DenseResourceElementsAttr::get(
      type, name,
      HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, /*align=*/64,
                                                    /*dataIsMutable=*/false));
}

Value ConstantSlices::slice(OpBuilder &builder, Value source, const Box &box) {
  auto constant = source.getDefiningOp<arith::ConstantOp>();
  auto type = dyn_cast<RankedTensorType>(source.getType());
  if (!constant || !type)
    return Value();
  // Of what is packed, a load starts at a whole byte.
  Type packed = getPackedType(source);
  if (isContiguous(type.getShape(), box) &&
      (!packed || firstElement(type.getShape(), box) % 2 == 0))
    return Value();
  SmallVector<int64_t> key(box.offsets);
  key.append(box.sizes.begin(), box.sizes.end());
  auto [it, isNew] =
      known.try_emplace({source.getAsOpaquePointer(), key}, Value());
  if (!isNew)
    return it->second;
  RankedTensorType tileType =
      RankedTensorType::get(box.sizes, type.getElementType());
  auto value = cast<ElementsAttr>(constant.getValue());
  ElementsAttr tile;
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (dense && dense.isSplat()) {
    tile = dense.resizeSplat(tileType);
  } else {
    int64_t elementBytes = type.getElementTypeBitWidth() / 8;
    ArrayRef<char> bytes = bytesOf(value);
    if (int64_t(bytes.size()) != type.getNumElements() * elementBytes) {
      if (!failed)
        constant.emitOpError("expected ")
            << type.getNumElements() * elementBytes << " bytes of data, got "
            << bytes.size() << "; bind the weights before compiling";
      failed = true;
      return Value();
    }
    std::string name = "tile";
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
      name = resource.getRawHandle().getKey().str();
    tile = makeValue(tileType,
                     copyBox(bytes, type.getShape(), box, elementBytes), name);
  }
  // Next to the constant it is cut from, so that every tile may use it.
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfter(constant);
  auto cut = arith::ConstantOp::create(builder, constant.getLoc(),
                                       cast<TypedAttr>(tile));
  if (packed)
    cut->setAttr(kPackedAttrName, TypeAttr::get(packed));
  return it->second = cut;
}
