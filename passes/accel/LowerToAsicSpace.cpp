// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Index spaces with more dimensions than the machine has.
#include "passes/accel/LowerToAsic.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Support/LinearForm.h"

using namespace mlir;
using namespace mlir::asic;

/// Element strides of every iterator in an operand.
static SmallVector<int64_t> iteratorStrides(Value operand, AffineMap map) {
  auto type = cast<MemRefType>(operand.getType());
  int64_t offset;
  SmallVector<int64_t> strides, result(map.getNumDims(), 0);
  (void)type.getStridesAndOffset(strides, offset);
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    SmallVector<int64_t> coefficients(map.getNumDims(), 0);
    int64_t constant = 0;
    addLinear(expr, strides[dim], coefficients, constant);
    for (auto [sum, part] : llvm::zip_equal(result, coefficients))
      sum += part;
  }
  return result;
}

bool mlir::asic::isBounded(const TileSpace &space, unsigned iterator) {
  if (!space.pad)
    return false;
  auto shape = cast<MemRefType>(space.operands[0].getType()).getShape();
  Box loops;
  loops.offsets.assign(space.ranges.size(), 0);
  loops.sizes.assign(space.ranges.begin(), space.ranges.end());
  Box image = imageOf(space.maps[0], loops);
  for (auto [dim, pad] : llvm::enumerate(*space.pad)) {
    int64_t first = image.offsets[dim] - pad;
    if (space.maps[0].getResult(dim).isFunctionOfDim(iterator) &&
        (first < 0 || first + image.sizes[dim] > shape[dim]))
      return true;
  }
  return false;
}

SpaceDims mlir::asic::mergeDims(const TileSpace &space) {
  SmallVector<SmallVector<int64_t>> strides;
  for (auto [operand, map] : llvm::zip_equal(space.operands, space.maps))
    strides.push_back(iteratorStrides(operand, map));
  SpaceDims merged;
  for (auto [iterator, size] : llvm::enumerate(space.ranges)) {
    if (size == 1)
      continue;
    SpaceDims::Dim dim{size,
                       space.reduction[iterator],
                       unsigned(iterator),
                       unsigned(iterator),
                       {}};
    for (const SmallVector<int64_t> &operand : strides)
      dim.strides.push_back(operand[iterator]);
    SpaceDims::Dim *outer = merged.dims.empty() ? nullptr : &merged.dims.back();
    bool joins = outer && outer->reduction == dim.reduction &&
                 !isBounded(space, outer->iterator) &&
                 !isBounded(space, iterator);
    if (joins)
      for (auto [mine, its] : llvm::zip_equal(dim.strides, outer->strides))
        joins &= its == mine * dim.size;
    if (!joins) {
      merged.dims.push_back(dim);
      continue;
    }
    outer->size *= dim.size;
    outer->strides = dim.strides;
    outer->iterator = iterator;
  }
  return merged;
}

/// The part of `operand` that the map reaches when `iterator` is `index`.
static Value narrow(OpBuilder &builder, Location loc, Value operand,
                    AffineMap map, unsigned iterator, int64_t index,
                    int64_t range) {
  if (!map.isFunctionOfDim(iterator))
    return operand;
  auto type = cast<MemRefType>(operand.getType());
  SmallVector<int64_t> offsets(type.getRank(), 0), sizes(type.getShape());
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    SmallVector<int64_t> coefficients(map.getNumDims(), 0);
    int64_t constant = 0;
    addLinear(expr, 1, coefficients, constant);
    offsets[dim] = coefficients[iterator] * index;
    sizes[dim] -= coefficients[iterator] * (range - 1);
  }
  SmallVector<int64_t> strides(type.getRank(), 1);
  auto part = cast<MemRefType>(
      memref::SubViewOp::inferResultType(type, offsets, sizes, strides));
  return memref::SubViewOp::create(
      builder, loc, part, operand,
      getAsIndexOpFoldResult(builder.getContext(), offsets),
      getAsIndexOpFoldResult(builder.getContext(), sizes),
      getAsIndexOpFoldResult(builder.getContext(), strides));
}

void mlir::asic::unroll(OpBuilder &builder, Location loc,
                        const TileSpace &space, unsigned iterator,
                        function_ref<void(const TileSpace &)> emit) {
  for (int64_t index = 0; index < space.ranges[iterator]; ++index) {
    TileSpace part = space;
    part.ranges[iterator] = 1;
    for (unsigned i = 0; i < part.operands.size(); ++i) {
      if (i != 0 || !space.pad) {
        part.operands[i] =
            narrow(builder, loc, space.operands[i], space.maps[i], iterator,
                   index, space.ranges[iterator]);
        continue;
      }
      // A padded operand keeps its extent: its bounds move instead.
      for (auto [pad, expr] :
           llvm::zip_equal(*part.pad, space.maps[i].getResults())) {
        SmallVector<int64_t> coefficients(space.ranges.size(), 0);
        int64_t constant = 0;
        addLinear(expr, 1, coefficients, constant);
        pad -= coefficients[iterator] * index;
      }
    }
    emit(part);
  }
}
