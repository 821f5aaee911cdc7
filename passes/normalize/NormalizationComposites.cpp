// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layer and group normalisation. Statistics are f32 whatever the element type,
// as in PyTorch.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// What layer and group normalisation share: statistics over some dimensions of
/// `input`, then scale and shift.
struct Normalization {
  Value input;
  /// Dimensions with statistics of their own.
  SmallVector<int64_t> kept;
  /// Optional scale and shift, and the dimensions that they lie along.
  Value weight, bias;
  SmallVector<int64_t> affineDims;
  double eps;

  Value mean, reciprocal;

  Value emit(TensorBuilder &b, Type type);
};
} // namespace

Value Normalization::emit(TensorBuilder &b, Type type) {
  ArrayRef<int64_t> shape = tensorType(input).getShape();
  int64_t rank = shape.size();
  double count = double(tensorType(input).getNumElements());
  for (int64_t dim : kept)
    count /= double(shape[dim]);
  AffineMap whole = b.identityMap(rank), row = b.dimsMap(rank, kept);

  mean = b.elementwise(sum(b, input, kept), b.getF32Type(),
                       [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         return arith::DivFOp::create(b, args[0],
                                                      scalarF32(b, count));
                       });
  SmallVector<int64_t> rowShape(tensorType(mean).getShape());
  Value zero = b.fillFloat(rowShape, b.getF32Type(), 0);
  Value squares =
      b.generic({input, mean}, zero, {whole, row, row},
                [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                  Value centered =
                      arith::SubFOp::create(b, widenFloat(b, args[0]), args[1]);
                  Value square = arith::MulFOp::create(b, centered, centered);
                  return arith::AddFOp::create(b, args[2], square);
                })
          .getResult(0);
  reciprocal = b.elementwise(
      squares, b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value variance = arith::DivFOp::create(b, args[0], scalarF32(b, count));
        Value shifted = arith::AddFOp::create(b, variance, scalarF32(b, eps));
        return math::RsqrtOp::create(b, shifted);
      });

  SmallVector<Value> inputs{input, mean, reciprocal};
  SmallVector<AffineMap> maps{whole, row, row};
  for (Value parameter : {weight, bias})
    if (parameter) {
      inputs.push_back(parameter);
      maps.push_back(b.dimsMap(rank, affineDims));
    }
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value centered = arith::SubFOp::create(b, widenFloat(b, args[0]), args[1]);
    Value result = arith::MulFOp::create(b, centered, args[2]);
    unsigned next = 3;
    if (weight)
      result = arith::MulFOp::create(b, result, widenFloat(b, args[next++]));
    if (bias)
      result = arith::AddFOp::create(b, result, widenFloat(b, args[next++]));
    return narrowFloat(b, result, type);
  };
  return b.map(inputs, maps, shape, type, body);
}

/// Replaces the statistics results, which keep unit dimensions in PyTorch.
static void replaceStatistics(Composite &composite, TensorBuilder &b,
                              const Normalization &normalization) {
  Value statistics[] = {normalization.mean, normalization.reciprocal};
  for (auto [index, value] : llvm::enumerate(statistics))
    if (RankedTensorType type = composite.resultType(1 + index))
      composite.replaceResult(1 + index, b.reshape(value, type.getShape()));
}

/// Whether the statistics that somebody reads are f32, the type they are
/// computed in.
static bool hasFloatStatistics(Composite &composite) {
  for (int64_t index : {1, 2})
    if (RankedTensorType type = composite.resultType(index))
      if (!type.getElementType().isF32())
        return false;
  return true;
}

static std::string layerNorm(Composite &composite, TensorBuilder &b) {
  Value input = composite.operand("input");
  auto shape = composite.argument<ArrayAttr>("normalized_shape");
  if (!input || !shape || !isFloatTensor(tensorType(input)))
    return "expected a float tensor and the normalised shape";
  if (!hasFloatStatistics(composite))
    return "expected f32 statistics";
  int64_t rank = tensorType(input).getRank(), first = rank - shape.size();
  Normalization normalization;
  normalization.input = input;
  normalization.kept = llvm::to_vector(llvm::seq<int64_t>(0, first));
  normalization.weight = composite.operand("weight");
  normalization.bias = composite.operand("bias");
  normalization.affineDims = llvm::to_vector(llvm::seq<int64_t>(first, rank));
  normalization.eps = composite.number("eps").value_or(1e-5);
  Value result = normalization.emit(b, tensorType(input).getElementType());
  composite.replaceResult(0, result);
  replaceStatistics(composite, b, normalization);
  return {};
}

static std::string groupNorm(Composite &composite, TensorBuilder &b) {
  Value input = composite.operand("input");
  std::optional<int64_t> groups = composite.integer("group");
  if (!input || !groups || !isFloatTensor(tensorType(input)) ||
      tensorType(input).getRank() < 2)
    return "expected a float tensor and the number of groups";
  if (!hasFloatStatistics(composite))
    return "expected f32 statistics";
  SmallVector<int64_t> shape(tensorType(input).getShape()), split(shape);
  int64_t perGroup = shape[1] / *groups;
  split[1] = *groups;
  split.insert(split.begin() + 2, perGroup);

  Normalization normalization;
  normalization.input = b.reshape(input, split);
  normalization.kept = {0, 1};
  normalization.affineDims = {1, 2};
  normalization.eps = composite.number("eps").value_or(1e-5);
  if (Value weight = composite.operand("weight"))
    normalization.weight = b.reshape(weight, {*groups, perGroup});
  if (Value bias = composite.operand("bias"))
    normalization.bias = b.reshape(bias, {*groups, perGroup});
  Value result = normalization.emit(b, tensorType(input).getElementType());
  composite.replaceResult(0, b.reshape(result, shape));
  replaceStatistics(composite, b, normalization);
  return {};
}

void mlir::asic::addNormalizationDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten.native_group_norm"] = groupNorm;
  table["aten.native_layer_norm"] = layerNorm;
}
