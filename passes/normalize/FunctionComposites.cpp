// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Neural-network functions in linalg, each in one place. All arithmetic is f32
// whatever the element type, as in PyTorch.
#include "passes/Support/Constants.h"
#include "passes/normalize/Composite.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::asic;

/// A scalar widened to f32.
static Value widen(ImplicitLocOpBuilder &b, Value value) {
  Type f32 = b.getF32Type();
  if (value.getType() == f32)
    return value;
  if (value.getType().getIntOrFloatBitWidth() > 32)
    return arith::TruncFOp::create(b, f32, value);
  return arith::ExtFOp::create(b, f32, value);
}

/// An f32 scalar rounded to `type`.
static Value narrow(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (type.getIntOrFloatBitWidth() > 32)
    return arith::ExtFOp::create(b, type, value);
  return arith::TruncFOp::create(b, type, value);
}

static Value scalar(ImplicitLocOpBuilder &b, double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value)));
}

static bool isFloatTensor(RankedTensorType type) {
  return type && isa<FloatType>(type.getElementType());
}

/// Dimensions 0 … rank-1 without those that `dropped` holds.
static SmallVector<int64_t> dimsWithout(int64_t rank,
                                        ArrayRef<int64_t> dropped) {
  SmallVector<int64_t> kept;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(dropped, dim))
      kept.push_back(dim);
  return kept;
}

static Value addBody(ImplicitLocOpBuilder &b, ValueRange args) {
  return arith::AddFOp::create(b, widen(b, args[0]), args[1]);
}

/// Sum over all dimensions but `kept`, in f32.
static Value sum(TensorBuilder &b, Value input, ArrayRef<int64_t> kept) {
  return b.reduce(input, kept, b.getF32FloatAttr(0), addBody);
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// A function of one number applied to `self`.
static std::string applyUnary(Composite &composite, TensorBuilder &b,
                              BodyFn function) {
  Value input = composite.operand("self");
  if (!input || !isFloatTensor(composite.resultType(0)))
    return "expected a float tensor";
  Type type = composite.resultType(0).getElementType();
  auto body = [&](ImplicitLocOpBuilder &nested, ValueRange args) {
    return narrow(nested, function(nested, widen(nested, args[0])), type);
  };
  composite.replaceResult(0, b.elementwise(input, type, body));
  return {};
}

/// x / 2 · (1 + erf(x / √2)).
static Value geluErf(ImplicitLocOpBuilder &b, ValueRange args) {
  Value x = args[0];
  Value scaled = arith::MulFOp::create(b, x, scalar(b, M_SQRT1_2));
  Value erf = math::ErfOp::create(b, scaled);
  Value gate = arith::AddFOp::create(b, erf, scalar(b, 1));
  Value half = arith::MulFOp::create(b, x, scalar(b, 0.5));
  return arith::MulFOp::create(b, half, gate);
}

/// x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).
static Value geluTanh(ImplicitLocOpBuilder &b, ValueRange args) {
  Value x = args[0];
  Value square = arith::MulFOp::create(b, x, x);
  Value cube = arith::MulFOp::create(b, square, x);
  Value cubic = arith::MulFOp::create(b, cube, scalar(b, 0.044715));
  Value inner = arith::AddFOp::create(b, x, cubic);
  Value scaled =
      arith::MulFOp::create(b, inner, scalar(b, M_SQRT2 * M_2_SQRTPI * 0.5));
  Value tanh = math::TanhOp::create(b, scaled);
  Value gate = arith::AddFOp::create(b, tanh, scalar(b, 1));
  Value half = arith::MulFOp::create(b, x, scalar(b, 0.5));
  return arith::MulFOp::create(b, half, gate);
}

static std::string gelu(Composite &composite, TensorBuilder &b) {
  auto approximate = composite.argument<StringAttr>("approximate");
  bool tanh = approximate && approximate.getValue() == "tanh";
  return applyUnary(composite, b, tanh ? geluTanh : geluErf);
}

/// x / (1 + e^-x).
static Value siluBody(ImplicitLocOpBuilder &b, ValueRange args) {
  Value exp = math::ExpOp::create(b, arith::NegFOp::create(b, args[0]));
  Value denominator = arith::AddFOp::create(b, exp, scalar(b, 1));
  return arith::DivFOp::create(b, args[0], denominator);
}

static std::string silu(Composite &composite, TensorBuilder &b) {
  return applyUnary(composite, b, siluBody);
}

//===----------------------------------------------------------------------===//
// Softmax and attention
//===----------------------------------------------------------------------===//

/// e^(x - max) / Σ e^(x - max) along `dim`; the result has `type` elements.
static Value emitSoftmax(TensorBuilder &b, Value input, int64_t dim,
                         Type type) {
  int64_t rank = tensorType(input).getRank();
  SmallVector<int64_t> kept = dimsWithout(rank, dim);
  AffineMap whole = b.identityMap(rank), row = b.dimsMap(rank, kept);
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  Value max = b.reduce(input, kept, b.getF32FloatAttr(lowest),
                       [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         return arith::MaximumFOp::create(b, widen(b, args[0]),
                                                          args[1]);
                       });
  ArrayRef<int64_t> shape = tensorType(input).getShape();
  Value exp = b.map({input, max}, {whole, row}, shape, b.getF32Type(),
                    [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                      Value shifted =
                          arith::SubFOp::create(b, widen(b, args[0]), args[1]);
                      return math::ExpOp::create(b, shifted);
                    });
  return b.map({exp, sum(b, exp, kept)}, {whole, row}, shape, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 return narrow(b, arith::DivFOp::create(b, args[0], args[1]),
                               type);
               });
}

static std::string softmax(Composite &composite, TensorBuilder &b) {
  Value input = composite.operand("self");
  std::optional<int64_t> dim = composite.integer("dim");
  if (!input || !dim || !isFloatTensor(tensorType(input)) ||
      !composite.resultType(0))
    return "expected a float tensor and a dimension";
  if (*dim < 0)
    *dim += tensorType(input).getRank();
  composite.replaceResult(
      0, emitSoftmax(b, input, *dim, composite.resultType(0).getElementType()));
  return {};
}

/// Σ_k a·w in f32 from zero, with the given maps of a, w and the result.
static Value contract(TensorBuilder &b, Value lhs, Value rhs,
                      ArrayRef<AffineMap> maps, ArrayRef<int64_t> shape) {
  Value init = b.fillFloat(shape, b.getF32Type(), 0);
  return b
      .generic({lhs, rhs}, init, maps,
               [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 Value product = arith::MulFOp::create(b, widen(b, args[0]),
                                                       widen(b, args[1]));
                 return arith::AddFOp::create(b, args[2], product);
               })
      .getResult(0);
}

/// `value` without its unit dimensions where it is broadcast to `shape`, and
/// the map that broadcasts the rest. None when it does not broadcast.
static std::optional<std::pair<Value, AffineMap>>
broadcastTo(TensorBuilder &b, Value value, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(value);
  int64_t offset = int64_t(shape.size()) - type.getRank();
  if (offset < 0)
    return std::nullopt;
  SmallVector<int64_t> dims, sizes;
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (size == 1 && shape[dim + offset] != 1)
      continue;
    if (size != shape[dim + offset])
      return std::nullopt;
    dims.push_back(dim + offset);
    sizes.push_back(size);
  }
  return std::make_pair(b.reshape(value, sizes), b.dimsMap(shape.size(), dims));
}

/// A constant [rows, columns] that is 0 on and below the diagonal and -∞ above.
static Value causalMask(TensorBuilder &b, int64_t rows, int64_t columns) {
  auto type = RankedTensorType::get({rows, columns}, b.getF32Type());
  auto fill = [&](MutableArrayRef<char> bytes) {
    auto values = reinterpret_cast<float *>(bytes.data());
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        *values++ =
            column > row ? -std::numeric_limits<float>::infinity() : 0.0f;
  };
  return arith::ConstantOp::create(b, makeConstant(type, "causal_mask", fill));
}

/// scores · scale + mask, where a boolean mask keeps what is true.
static Value maskScores(TensorBuilder &b, Value scores, double scale,
                        Value mask, AffineMap maskMap) {
  ArrayRef<int64_t> shape = tensorType(scores).getShape();
  SmallVector<Value> inputs{scores};
  SmallVector<AffineMap> maps{b.identityMap(shape.size())};
  if (mask) {
    inputs.push_back(mask);
    maps.push_back(maskMap);
  }
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value scaled = arith::MulFOp::create(b, args[0], scalar(b, scale));
    if (!mask)
      return scaled;
    if (!args[1].getType().isInteger(1))
      return arith::AddFOp::create(b, scaled, widen(b, args[1]));
    Value lowest = scalar(b, -std::numeric_limits<double>::infinity());
    return arith::SelectOp::create(b, args[1], scaled, lowest);
  };
  return b.map(inputs, maps, shape, b.getF32Type(), body);
}

static std::string attention(Composite &composite, TensorBuilder &b) {
  Value query = composite.operand("query"), key = composite.operand("key"),
        value = composite.operand("value"),
        mask = composite.operand("attn_mask");
  RankedTensorType result = composite.resultType(0);
  if (!query || !key || !value || !isFloatTensor(result))
    return "expected float query, key and value";
  if (composite.number("dropout_p").value_or(0) != 0)
    return "expected no dropout; export the model in eval mode";
  int64_t rank = result.getRank();
  SmallVector<int64_t> q(tensorType(query).getShape()),
      k(tensorType(key).getShape()), v(tensorType(value).getShape());
  if (rank < 2 || k.size() != q.size() || v.size() != q.size())
    return "expected query, key and value of one rank";
  double scale =
      composite.number("scale").value_or(1 / std::sqrt(double(q[rank - 1])));

  // Grouped queries: heads (h) become (h of key, g); key and value lack g.
  bool grouped = rank >= 3 && q[rank - 3] != k[rank - 3];
  if (grouped) {
    int64_t heads = k[rank - 3], groups = q[rank - 3] / heads;
    q[rank - 3] = heads;
    q.insert(q.end() - 2, groups);
    query = b.reshape(query, q);
  }
  int64_t qRank = q.size(), batch = qRank - 2;
  for (int64_t dim = 0; dim < batch; ++dim)
    if (dim < rank - 2 && (q[dim] != k[dim] || q[dim] != v[dim]))
      return "expected equal batch dimensions of query, key and value";

  // Loops (b…, m, n, k).
  SmallVector<int64_t> both = llvm::to_vector(llvm::seq<int64_t>(0, batch));
  SmallVector<int64_t> keyBatch(both.begin(), both.begin() + (rank - 2));
  auto dims = [&](ArrayRef<int64_t> prefix, int64_t x, int64_t y) {
    SmallVector<int64_t> all(prefix);
    all.append({x, y});
    return b.dimsMap(batch + 3, all);
  };
  int64_t m = batch, n = batch + 1, r = batch + 2;
  SmallVector<int64_t> scoreShape(q.begin(), q.end() - 1);
  scoreShape.push_back(k[rank - 2]);

  AffineMap maskMap;
  if (!mask && composite.boolean("is_causal").value_or(false))
    mask = causalMask(b, scoreShape[batch], scoreShape[batch + 1]);
  if (mask) {
    if (grouped && tensorType(mask).getRank() > 2)
      return "expected a mask without head dimension with grouped queries";
    auto broadcast = broadcastTo(b, mask, scoreShape);
    if (!broadcast)
      return "expected a mask that broadcasts to the scores";
    std::tie(mask, maskMap) = *broadcast;
  }
  Value scores = contract(
      b, query, key, {dims(both, m, r), dims(keyBatch, n, r), dims(both, m, n)},
      scoreShape);
  scores = maskScores(b, scores, scale, mask, maskMap);
  Type type = result.getElementType();
  Value weights = emitSoftmax(b, scores, batch + 1, type);
  SmallVector<int64_t> outShape(q.begin(), q.end() - 1);
  outShape.push_back(v[rank - 1]);
  Value out = contract(
      b, weights, value,
      {dims(both, m, r), dims(keyBatch, r, n), dims(both, m, n)}, outShape);
  if (type != b.getF32Type())
    out =
        b.elementwise(out, type, [&](ImplicitLocOpBuilder &b, ValueRange args) {
          return narrow(b, args[0], type);
        });
  composite.replaceResult(0, b.reshape(out, result.getShape()));
  return {};
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

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
                                                      scalar(b, count));
                       });
  SmallVector<int64_t> rowShape(tensorType(mean).getShape());
  Value zero = b.fillFloat(rowShape, b.getF32Type(), 0);
  Value squares =
      b.generic({input, mean}, zero, {whole, row, row},
                [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                  Value centered =
                      arith::SubFOp::create(b, widen(b, args[0]), args[1]);
                  Value square = arith::MulFOp::create(b, centered, centered);
                  return arith::AddFOp::create(b, args[2], square);
                })
          .getResult(0);
  reciprocal = b.elementwise(
      squares, b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value variance = arith::DivFOp::create(b, args[0], scalar(b, count));
        Value shifted = arith::AddFOp::create(b, variance, scalar(b, eps));
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
    Value centered = arith::SubFOp::create(b, widen(b, args[0]), args[1]);
    Value result = arith::MulFOp::create(b, centered, args[2]);
    unsigned next = 3;
    if (weight)
      result = arith::MulFOp::create(b, result, widen(b, args[next++]));
    if (bias)
      result = arith::AddFOp::create(b, result, widen(b, args[next++]));
    return narrow(b, result, type);
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

//===----------------------------------------------------------------------===//
// Upsampling
//===----------------------------------------------------------------------===//

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

void mlir::asic::addFunctionDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten._softmax"] = softmax;
  table["aten.gelu"] = gelu;
  table["aten.native_group_norm"] = groupNorm;
  table["aten.native_layer_norm"] = layerNorm;
  table["aten.scaled_dot_product_attention"] = attention;
  table["aten.silu"] = silu;
  table["aten.upsample_nearest2d"] = upsampleNearest;
}
