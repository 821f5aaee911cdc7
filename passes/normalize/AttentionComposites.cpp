// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention: two contractions with a softmax between them.
#include "passes/normalize/CompositeSupport.h"

#include "passes/Support/Constants.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::asic;

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
    Value scaled = arith::MulFOp::create(b, args[0], scalarF32(b, scale));
    if (!mask)
      return scaled;
    if (!args[1].getType().isInteger(1))
      return arith::AddFOp::create(b, scaled, widenFloat(b, args[1]));
    Value lowest = scalarF32(b, -std::numeric_limits<double>::infinity());
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
          return narrowFloat(b, args[0], type);
        });
  composite.replaceResult(0, b.reshape(out, result.getShape()));
  return {};
}

void mlir::asic::addAttentionDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten.scaled_dot_product_attention"] = attention;
}
