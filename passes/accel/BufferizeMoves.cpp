// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Buffers of slices, paddings, concatenations, reshapes and results.
#include "passes/accel/Bufferize.h"
#include "passes/accel/Tiles.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace mlir::asic;

Value Bufferizer::view(Value buffer, ArrayRef<int64_t> offsets,
                       ArrayRef<int64_t> sizes, ArrayRef<int64_t> steps) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getShape() == sizes)
    return buffer;
  SmallVector<int64_t> strides(steps);
  strides.resize(sizes.size(), 1);
  return memref::SubViewOp::create(
      builder, buffer.getLoc(),
      cast<MemRefType>(
          memref::SubViewOp::inferResultType(type, offsets, sizes, strides)),
      buffer, getAsIndexOpFoldResult(builder.getContext(), offsets),
      getAsIndexOpFoldResult(builder.getContext(), sizes),
      getAsIndexOpFoldResult(builder.getContext(), strides));
}

/// A load copies a tile to SRAM; another slice is a view.
void Bufferizer::convertSlice(tensor::ExtractSliceOp op) {
  Value source = bufferOf(op.getSource());
  ArrayRef<int64_t> offsets = op.getStaticOffsets(),
                    sizes = op.getStaticSizes();
  Value part;
  if (llvm::all_of(op.getStaticStrides(), [](int64_t s) { return s == 1; })) {
    part = view(source, offsets, sizes);
  } else {
    auto type = cast<MemRefType>(memref::SubViewOp::inferResultType(
        cast<MemRefType>(source.getType()), offsets, sizes,
        op.getStaticStrides()));
    part = memref::SubViewOp::create(
        builder, op.getLoc(), type, source,
        getAsIndexOpFoldResult(builder.getContext(), offsets),
        getAsIndexOpFoldResult(builder.getContext(), sizes),
        getAsIndexOpFoldResult(builder.getContext(), op.getStaticStrides()));
  }
  auto type = op.getType();
  if (type.getRank() != int64_t(sizes.size()))
    part = reshape(part, type.getShape());
  // What a stored padding reads is copied into the middle of it.
  bool onlyPadded =
      op->hasAttr(kLoadAttrName) &&
      llvm::all_of(op->getUsers(), [&](Operation *user) {
        auto pad = dyn_cast<tensor::PadOp>(user);
        if (!pad)
          return false;
        return llvm::none_of(pad->getUses(), [&](OpOperand &u) {
          auto generic = dyn_cast<linalg::GenericOp>(u.getOwner());
          auto contraction =
              generic ? matchContraction(generic, target) : std::nullopt;
          return contraction && contraction->a == u.getOperandNumber();
        });
      });
  if (op->hasAttr(kLoadAttrName) && !onlyPadded &&
      spaceOf(source) == Space::dram) {
    Value tile = allocate(op.getLoc(), type.getShape(), type.getElementType(),
                          Space::sram);
    if (isPacked(cast<MemRefType>(part.getType())))
      CopyOp::create(builder, op.getLoc(), part, tile);
    else
      memref::CopyOp::create(builder, op.getLoc(), part, tile);
    part = tile;
  }
  buffers[op.getResult()] = part;
}

/// The buffer of `dest` for its only user to write to; a copy when something
/// else reads what would be overwritten.
Value Bufferizer::ownedBuffer(Value dest, Location loc) {
  Value buffer = bufferOf(dest);
  Operation *def = dest.getDefiningOp();
  if (def && dest.hasOneUse() &&
      isa<tensor::EmptyOp, tensor::InsertSliceOp, UpdateSliceOp,
          linalg::FillOp>(def))
    return buffer;
  auto type = cast<MemRefType>(buffer.getType());
  Value copy =
      allocate(loc, type.getShape(), type.getElementType(), Space::dram);
  memref::CopyOp::create(builder, loc, buffer, copy);
  return copy;
}

/// The block goes to its place with the machine's indexed copy.
void Bufferizer::convertUpdate(UpdateSliceOp op) {
  Value target = ownedBuffer(op.getDest(), op.getLoc());
  Value source = bufferOf(op.getSource());
  if (spaceOf(source) == Space::acc)
    source = drain(source, op.getLoc());
  CopyOp::create(builder, op.getLoc(), source, target, onChip(op.getIndex()),
                 op.getDim());
  buffers[op.getResult()] = target;
}

/// A buffer of `index` in SRAM, where indices are read; one for all its users.
Value Bufferizer::onChip(Value index) {
  Value &buffer = indices[index];
  if (buffer)
    return buffer;
  buffer = bufferOf(index);
  auto type = cast<MemRefType>(buffer.getType());
  if (spaceOf(buffer) == Space::sram)
    return buffer;
  Value copy = allocate(index.getLoc(), type.getShape(), type.getElementType(),
                        Space::sram);
  memref::CopyOp::create(builder, index.getLoc(), buffer, copy);
  return buffer = copy;
}

LogicalResult Bufferizer::convertInsert(tensor::InsertSliceOp op) {
  Value target = ownedBuffer(op.getDest(), op.getLoc());
  buffers[op.getResult()] = target;
  Value source = bufferOf(op.getSource());
  if (spaceOf(source) == Space::acc)
    source = drain(source, op.getLoc());
  Value part = view(target, op.getStaticOffsets(), op.getStaticSizes(),
                    op.getStaticStrides());
  auto sourceType = cast<MemRefType>(source.getType());
  if (sourceType.getRank() != cast<MemRefType>(part.getType()).getRank())
    source = reshape(source, op.getStaticSizes());
  // A tile of a resident tensor was written in its place.
  Value written = source;
  if (auto subview = written.getDefiningOp<memref::SubViewOp>();
      subview && subview.getSource() == target)
    return success();
  if (written == target)
    return success();
  memref::CopyOp::create(builder, op.getLoc(), source, part);
  return success();
}

void Bufferizer::convertConcat(tensor::ConcatOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  Value whole = allocate(op.getLoc(), type.getShape(), type.getElementType(),
                         Space::dram);
  buffers[op.getResult()] = whole;
  SmallVector<int64_t> offsets(type.getRank(), 0);
  for (Value input : op.getInputs()) {
    auto shape = cast<RankedTensorType>(input.getType()).getShape();
    memref::CopyOp::create(builder, op.getLoc(), bufferOf(input),
                           view(whole, offsets, shape));
    offsets[op.getDim()] += shape[op.getDim()];
  }
}

/// Fills `buffer` and copies the padding's source into its middle.
LogicalResult Bufferizer::storePadded(tensor::PadOp pad, Value buffer) {
  Value value = pad.getConstantPaddingValue();
  if (!value)
    return pad.emitOpError("expected a constant padding value");
  linalg::FillOp::create(builder, pad.getLoc(), value, buffer);
  Value source = bufferOf(pad.getSource());
  if (spaceOf(source) == Space::acc)
    source = drain(source, pad.getLoc());
  memref::CopyOp::create(builder, pad.getLoc(), source,
                         view(buffer, pad.getStaticLow(),
                              cast<MemRefType>(source.getType()).getShape()));
  return success();
}

LogicalResult Bufferizer::convertPad(tensor::PadOp op) {
  // Paddings of tiles are made where they are read.
  if (llvm::all_of(op->getUsers(), llvm::IsaPred<linalg::GenericOp>))
    return success();
  auto type = op.getType();
  Value buffer = allocate(op.getLoc(), type.getShape(), type.getElementType(),
                          Space::dram);
  buffers[op.getResult()] = buffer;
  return storePadded(op, buffer);
}

/// The same elements in another shape; a copy when they are not contiguous.
Value Bufferizer::reshape(Value buffer, ArrayRef<int64_t> shape) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t offset;
  SmallVector<int64_t> strides;
  bool isStrided = succeeded(type.getStridesAndOffset(strides, offset));
  int64_t expected = 1;
  bool isContiguous = isStrided;
  for (int64_t dim = type.getRank() - 1; dim >= 0 && isContiguous; --dim) {
    isContiguous = type.getDimSize(dim) == 1 || strides[dim] == expected;
    expected *= type.getDimSize(dim);
  }
  Location loc = buffer.getLoc();
  if (!isContiguous) {
    Value copy =
        allocate(loc, type.getShape(), type.getElementType(), Space::dram);
    memref::CopyOp::create(builder, loc, buffer, copy);
    buffer = copy;
    type = cast<MemRefType>(copy.getType());
    offset = 0;
  }
  SmallVector<int64_t> newStrides(shape.size(), 1);
  for (int64_t dim = int64_t(shape.size()) - 2; dim >= 0; --dim)
    newStrides[dim] = newStrides[dim + 1] * shape[dim + 1];
  MemRefLayoutAttrInterface layout;
  if (offset != 0)
    layout = StridedLayoutAttr::get(builder.getContext(), offset, newStrides);
  auto shaped = MemRefType::get(shape, type.getElementType(), layout,
                                type.getMemorySpace());
  return memref::ReinterpretCastOp::create(builder, loc, shaped, buffer, offset,
                                           shape, newStrides);
}

void Bufferizer::convertReshape(Operation *op) {
  buffers[op->getResult(0)] =
      reshape(bufferOf(op->getOperand(0)),
              cast<RankedTensorType>(op->getResult(0).getType()).getShape());
}

/// Results are buffers of their own, whole and in dram.
LogicalResult Bufferizer::convertReturn(func::ReturnOp op) {
  SmallVector<Value> results;
  DenseSet<Value> returned;
  for (Value operand : op.getOperands()) {
    Value buffer = bufferOf(operand);
    Value base = buffer;
    while (auto view = base.getDefiningOp<ViewLikeOpInterface>())
      base = view.getViewSource();
    auto type = cast<MemRefType>(buffer.getType());
    bool isOwn = base.getDefiningOp<memref::AllocOp>() &&
                 spaceOf(base) == Space::dram &&
                 type.getLayout().isIdentity() &&
                 cast<MemRefType>(base.getType()).getNumElements() ==
                     type.getNumElements() &&
                 returned.insert(base).second;
    if (!isOwn) {
      Value copy = allocate(op.getLoc(), type.getShape(), type.getElementType(),
                            Space::dram);
      memref::CopyOp::create(builder, op.getLoc(), buffer, copy);
      buffer = copy;
    }
    results.push_back(buffer);
  }
  builder.setInsertionPointAfter(op);
  func::ReturnOp::create(builder, op.getLoc(), results);
  return success();
}
