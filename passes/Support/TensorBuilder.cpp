// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/TensorBuilder.h"
#include "passes/Support/Constants.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::asic;

Value TensorBuilder::empty(ArrayRef<int64_t> shape, Type elementType) {
  return tensor::EmptyOp::create(*this, shape, elementType);
}

Value TensorBuilder::fill(ArrayRef<int64_t> shape, TypedAttr value) {
  Value scalar = arith::ConstantOp::create(*this, value);
  return linalg::FillOp::create(*this, scalar, empty(shape, value.getType()))
      .getResult(0);
}

Value TensorBuilder::fillFloat(ArrayRef<int64_t> shape, FloatType type,
                               double value) {
  return fill(shape, getFloatAttr(type, value));
}

Value TensorBuilder::floatConstant(Type type, double value) {
  return arith::ConstantOp::create(*this, getFloatAttr(type, value));
}

Value TensorBuilder::intConstant(Type type, int64_t value) {
  return arith::ConstantOp::create(*this, getIntegerAttr(type, value));
}

AffineMap TensorBuilder::dimsMap(int64_t rank, ArrayRef<int64_t> dims) {
  SmallVector<AffineExpr> exprs;
  for (int64_t dim : dims)
    exprs.push_back(getAffineDimExpr(dim));
  return AffineMap::get(rank, 0, exprs, getContext());
}

linalg::GenericOp TensorBuilder::generic(ValueRange inputs, Value init,
                                         ArrayRef<AffineMap> maps,
                                         BodyFn body) {
  SmallVector<utils::IteratorType> iterators(maps.back().getNumDims(),
                                             utils::IteratorType::reduction);
  for (AffineExpr expr : maps.back().getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      iterators[dim.getPosition()] = utils::IteratorType::parallel;
  return linalg::GenericOp::create(
      *this, TypeRange(init.getType()), inputs, ValueRange(init), maps,
      iterators, [&](OpBuilder &nested, Location loc, ValueRange args) {
        ImplicitLocOpBuilder builder(loc, nested);
        Value result = body(builder, args);
        linalg::YieldOp::create(builder, result);
      });
}

Value TensorBuilder::map(ValueRange inputs, ArrayRef<AffineMap> maps,
                         ArrayRef<int64_t> shape, Type elementType,
                         BodyFn body) {
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(identityMap(shape.size()));
  return generic(inputs, empty(shape, elementType), allMaps, body).getResult(0);
}

Value TensorBuilder::elementwise(ValueRange inputs, Type elementType,
                                 BodyFn body) {
  ArrayRef<int64_t> shape = tensorType(inputs.front()).getShape();
  SmallVector<AffineMap> maps(inputs.size(), identityMap(shape.size()));
  return map(inputs, maps, shape, elementType, body);
}

Value TensorBuilder::reduce(Value input, ArrayRef<int64_t> kept, TypedAttr init,
                            BodyFn body) {
  RankedTensorType type = tensorType(input);
  SmallVector<int64_t> shape;
  for (int64_t dim : kept)
    shape.push_back(type.getDimSize(dim));
  AffineMap maps[] = {identityMap(type.getRank()),
                      dimsMap(type.getRank(), kept)};
  return generic(input, fill(shape, init), maps, body).getResult(0);
}

Value TensorBuilder::transpose(Value input, ArrayRef<int64_t> permutation) {
  RankedTensorType type = tensorType(input);
  SmallVector<int64_t> shape;
  for (int64_t dim : permutation)
    shape.push_back(type.getDimSize(dim));
  return linalg::TransposeOp::create(
             *this, input, empty(shape, type.getElementType()), permutation)
      ->getResult(0);
}

Value TensorBuilder::reshape(Value input, ArrayRef<int64_t> shape) {
  RankedTensorType from = tensorType(input);
  if (from.getShape() == shape)
    return input;
  auto to = RankedTensorType::get(shape, from.getElementType());
  if (isEmptyTensor(to))
    return empty(shape, from.getElementType());
  if (std::optional<SmallVector<ReassociationIndices>> groups =
          getReassociationIndicesForReshape(from, to)) {
    if (from.getRank() > to.getRank())
      return tensor::CollapseShapeOp::create(*this, to, input, *groups);
    return tensor::ExpandShapeOp::create(*this, to, input, *groups);
  }
  Value flat = reshape(input, {from.getNumElements()});
  return reshape(flat, shape);
}

Value TensorBuilder::broadcast(Value vector, int64_t dim,
                               ArrayRef<int64_t> shape) {
  return map(vector, dimsMap(shape.size(), dim), shape,
             tensorType(vector).getElementType(),
             [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
}

/// Operand number of the input that `value` widens, looking through casts and
/// subtractions of constants.
static std::optional<unsigned> widenedInput(linalg::GenericOp op, Value value) {
  while (Operation *cast = value.getDefiningOp()) {
    if (isa<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp, arith::SIToFPOp>(
            cast) ||
        (isa<arith::SubIOp>(cast) &&
         matchPattern(cast->getOperand(1), m_Constant())))
      value = cast->getOperand(0);
    else
      return std::nullopt;
  }
  auto argument = cast<BlockArgument>(value);
  if (argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return std::nullopt;
  return argument.getArgNumber();
}

std::optional<MultiplyAccumulate>
mlir::asic::matchMultiplyAccumulate(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1)
    return std::nullopt;
  Value yielded = op.getBody()->getTerminator()->getOperand(0);
  Operation *add = yielded.getDefiningOp();
  if (!add || !isa<arith::AddFOp, arith::AddIOp>(add))
    return std::nullopt;
  Value accumulator = op.getRegionOutputArgs().front();
  unsigned other = add->getOperand(0) == accumulator ? 1 : 0;
  if (add->getOperand(1 - other) != accumulator)
    return std::nullopt;
  Operation *multiply = add->getOperand(other).getDefiningOp();
  if (!multiply || !isa<arith::MulFOp, arith::MulIOp>(multiply))
    return std::nullopt;
  std::optional<unsigned> lhs = widenedInput(op, multiply->getOperand(0));
  std::optional<unsigned> rhs = widenedInput(op, multiply->getOperand(1));
  if (!lhs || !rhs || *lhs == *rhs)
    return std::nullopt;
  return MultiplyAccumulate{*lhs, *rhs, multiply, add};
}

bool mlir::asic::isDataMovement(linalg::GenericOp op) {
  Operation *yield = op.getBody()->getTerminator();
  auto argument = dyn_cast<BlockArgument>(yield->getOperand(0));
  return isParallel(op) && yield->getNumOperands() == 1 &&
         op.getNumDpsInputs() == 1 && argument &&
         argument.getOwner() == op.getBody() && argument.getArgNumber() == 0;
}

std::optional<BroadcastVector> mlir::asic::matchBroadcastVector(Value value) {
  if (auto op = value.getDefiningOp<linalg::BroadcastOp>()) {
    int64_t rank = tensorType(value).getRank();
    if (tensorType(op.getInput()).getRank() != 1)
      return std::nullopt;
    for (int64_t dim = 0; dim < rank; ++dim)
      if (!llvm::is_contained(op.getDimensions(), dim))
        return BroadcastVector{op.getInput(), dim};
  }
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || !isDataMovement(op) || tensorType(op.getOperand(0)).getRank() != 1)
    return std::nullopt;
  auto dim =
      dyn_cast<AffineDimExpr>(op.getIndexingMapsArray().front().getResult(0));
  AffineMap output = op.getIndexingMapsArray().back();
  if (!dim || !output.isPermutation())
    return std::nullopt;
  return BroadcastVector{op.getOperand(0), *output.getResultPosition(dim)};
}

std::optional<TypedAttr> mlir::asic::matchFill(Value value) {
  if (auto op = value.getDefiningOp<linalg::FillOp>()) {
    Attribute scalar;
    if (matchPattern(op.getInputs().front(), m_Constant(&scalar)))
      return cast<TypedAttr>(scalar);
    return std::nullopt;
  }
  auto dense = dyn_cast_or_null<DenseElementsAttr>(getConstant(value));
  if (dense && dense.isSplat())
    return cast<TypedAttr>(dense.getSplatValue<Attribute>());
  return std::nullopt;
}

/// The number in a scalar attribute.
static std::optional<double> scalarValue(Attribute attribute) {
  if (auto number = dyn_cast_or_null<FloatAttr>(attribute))
    return number.getValueAsDouble();
  if (auto number = dyn_cast_or_null<IntegerAttr>(attribute))
    return double(number.getValue().getSExtValue());
  return std::nullopt;
}

std::optional<double> mlir::asic::matchScalar(linalg::GenericOp op,
                                              Value value) {
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant)))
    return scalarValue(constant);
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return std::nullopt;
  if (std::optional<TypedAttr> fill =
          matchFill(op.getOperand(argument.getArgNumber())))
    return scalarValue(*fill);
  return std::nullopt;
}
