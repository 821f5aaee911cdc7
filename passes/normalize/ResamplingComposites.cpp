// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Resampling of images.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Support/Constants.h"
#include <cmath>

using namespace mlir;
using namespace mlir::asic;

/// Repeats every pixel factors[0] × factors[1] times.
static Value repeatPixels(TensorBuilder &b, Value input,
                          ArrayRef<int64_t> factors) {
  ArrayRef<int64_t> shape = tensorType(input).getShape();
  int64_t repeated[] = {shape[0],   shape[1], shape[2],
                        factors[0], shape[3], factors[1]};
  Value result =
      b.map(input, b.dimsMap(6, {0, 1, 2, 4}), repeated,
            tensorType(input).getElementType(),
            [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
  return b.reshape(result, {shape[0], shape[1], shape[2] * factors[0],
                            shape[3] * factors[1]});
}

/// The source index of every output index along a dimension, computed in f32 as
/// PyTorch does.
static Value nearestIndices(TensorBuilder &b, int64_t in, int64_t out,
                            std::optional<double> factor) {
  float scale = factor ? float(1 / *factor) : float(in) / float(out);
  SmallVector<int64_t> indices;
  for (int64_t i = 0; i < out; ++i)
    indices.push_back(
        std::min<int64_t>(int64_t(std::floor(float(i) * scale)), in - 1));
  auto type = RankedTensorType::get(out, b.getI64Type());
  return arith::ConstantOp::create(
      b, makeConstant(type, "nearest_indices", indices));
}

/// Gathers pixels by index tables; only the host runs this.
static Value gatherPixels(TensorBuilder &b, Value input,
                          ArrayRef<int64_t> shape, Value rows, Value columns) {
  Type type = tensorType(input).getElementType();
  return b.map({rows, columns}, {b.dimsMap(4, 2), b.dimsMap(4, 3)}, shape, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 auto index = [&](Value value) -> Value {
                   return arith::IndexCastOp::create(b, b.getIndexType(),
                                                     value);
                 };
                 Value position[] = {linalg::IndexOp::create(b, 0),
                                     linalg::IndexOp::create(b, 1),
                                     index(args[0]), index(args[1])};
                 return tensor::ExtractOp::create(b, input, position);
               });
}

static std::string upsampleNearest(Composite &composite, TensorBuilder &b) {
  Value input = composite.operand("input");
  if (!input)
    input = composite.operand("self");
  RankedTensorType result = composite.resultType(0);
  if (!input || !result || result.getRank() != 4)
    return "expected a tensor of rank 4";
  ArrayRef<int64_t> from = tensorType(input).getShape(), to = result.getShape();
  if (to[2] % from[2] == 0 && to[3] % from[3] == 0) {
    Value repeated = repeatPixels(b, input, {to[2] / from[2], to[3] / from[3]});
    composite.replaceResult(0, repeated);
    return {};
  }
  std::optional<double> factors[2];
  if (auto scales = composite.argument<ArrayAttr>("scale_factors"))
    for (auto [factor, scale] : llvm::zip(factors, scales))
      if (auto number = dyn_cast<FloatAttr>(scale))
        factor = number.getValueAsDouble();
  Value rows = nearestIndices(b, from[2], to[2], factors[0]);
  Value columns = nearestIndices(b, from[3], to[3], factors[1]);
  composite.replaceResult(0, gatherPixels(b, input, to, rows, columns));
  return {};
}

void mlir::asic::addResamplingDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten.upsample_nearest2d"] = upsampleNearest;
}
