// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sampling at places that a grid names: one gather on the host.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
enum Mode { bilinear, nearest, bicubic };
enum Padding { zeros, border, reflection };

/// Emits the body of a sampler: places of one output in the input.
struct Sampler {
  ImplicitLocOpBuilder &b;
  Value input;
  Mode mode;
  Padding padding;
  bool alignCorners;
  /// Batch and channel of the output.
  Value batch, channel;

  Value constant(double value) { return scalarF32(b, value); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }

  int64_t extent(unsigned axis) {
    return tensorType(input).getDimSize(axis + 2);
  }
  /// From [-1, 1] to places of the input.
  Value unnormalize(Value place, unsigned axis);
  Value clip(Value place, unsigned axis);
  Value reflect(Value place, unsigned axis);
  /// What the padding mode makes of a place.
  Value pad(Value place, unsigned axis);
  /// The input at whole places, 0 outside.
  Value fetch(ArrayRef<Value> places);
  /// Σ of the corners around `places`, weighted by their nearness.
  Value interpolate(ArrayRef<Value> places);
  Value sampleCubic(Value y, Value x);
  Value sample(ArrayRef<Value> grid);
};
} // namespace

Value Sampler::unnormalize(Value place, unsigned axis) {
  double size = double(extent(axis));
  if (alignCorners)
    return mul(add(place, constant(1)), constant((size - 1) / 2));
  Value scaled = sub(mul(add(place, constant(1)), constant(size)), constant(1));
  return mul(scaled, constant(0.5));
}

Value Sampler::clip(Value place, unsigned axis) {
  // NaN becomes 0, as in PyTorch.
  Value low = arith::MaxNumFOp::create(b, place, constant(0));
  return arith::MinNumFOp::create(b, low, constant(double(extent(axis) - 1)));
}

Value Sampler::reflect(Value place, unsigned axis) {
  double size = double(extent(axis));
  double low = alignCorners ? 0 : -0.5;
  double span = alignCorners ? size - 1 : size;
  if (span == 0)
    return constant(0);
  Value away = math::AbsFOp::create(b, sub(place, constant(low)));
  Value flips =
      math::FloorOp::create(b, arith::DivFOp::create(b, away, constant(span)));
  Value extra = arith::RemFOp::create(b, away, constant(span));
  Value odd = arith::CmpFOp::create(
      b, arith::CmpFPredicate::OEQ,
      arith::RemFOp::create(b, flips, constant(2)), constant(1));
  Value there = add(extra, constant(low));
  Value back = add(sub(constant(span), extra), constant(low));
  return arith::SelectOp::create(b, odd, back, there);
}

Value Sampler::pad(Value place, unsigned axis) {
  if (padding == zeros)
    return place;
  if (padding == reflection)
    place = reflect(place, axis);
  return clip(place, axis);
}

Value Sampler::fetch(ArrayRef<Value> places) {
  SmallVector<Value> position{batch, channel};
  Value inside;
  for (auto [axis, place] : llvm::enumerate(places)) {
    Value low =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, place, constant(0));
    Value high = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, place,
                                       constant(double(extent(axis) - 1)));
    Value both = arith::AndIOp::create(b, low, high);
    inside = inside ? Value(arith::AndIOp::create(b, inside, both)) : both;
    // Clipped first: out of range the conversion would be undefined.
    Value whole = arith::FPToSIOp::create(b, b.getI32Type(), clip(place, axis));
    position.push_back(arith::IndexCastOp::create(b, b.getIndexType(), whole));
  }
  Value value = widenFloat(b, extractAt(b, input, position));
  return arith::SelectOp::create(b, inside, value, constant(0));
}

Value Sampler::interpolate(ArrayRef<Value> places) {
  unsigned axes = places.size();
  SmallVector<Value> low, high, fraction, rest;
  for (Value place : places) {
    low.push_back(math::FloorOp::create(b, place));
    high.push_back(add(low.back(), constant(1)));
    fraction.push_back(sub(place, low.back()));
    rest.push_back(sub(high.back(), place));
  }
  Value sum;
  for (unsigned corner = 0; corner < (1u << axes); ++corner) {
    SmallVector<Value> at;
    Value weight;
    for (unsigned axis = 0; axis < axes; ++axis) {
      bool isHigh = corner >> (axes - 1 - axis) & 1;
      at.push_back(isHigh ? high[axis] : low[axis]);
      Value factor = isHigh ? fraction[axis] : rest[axis];
      weight = weight ? mul(weight, factor) : factor;
    }
    Value term = mul(fetch(at), weight);
    sum = sum ? add(sum, term) : term;
  }
  return sum;
}

/// The four weights of a cubic convolution (a = -0.75) at fraction `t`.
static SmallVector<Value> cubicWeights(Sampler &s, Value t) {
  constexpr double a = -0.75;
  auto near = [&](Value x) { // ((a + 2) x - (a + 3)) x² + 1
    Value inner = s.sub(s.mul(s.constant(a + 2), x), s.constant(a + 3));
    return s.add(s.mul(s.mul(inner, x), x), s.constant(1));
  };
  auto far = [&](Value x) { // ((a x - 5a) x + 8a) x - 4a
    Value inner = s.sub(s.mul(s.constant(a), x), s.constant(5 * a));
    inner = s.add(s.mul(inner, x), s.constant(8 * a));
    return s.sub(s.mul(inner, x), s.constant(4 * a));
  };
  Value rest = s.sub(s.constant(1), t);
  return {far(s.add(t, s.constant(1))), near(t), near(rest),
          far(s.add(rest, s.constant(1)))};
}

Value Sampler::sampleCubic(Value y, Value x) {
  Value top = math::FloorOp::create(b, y), left = math::FloorOp::create(b, x);
  SmallVector<Value> down = cubicWeights(*this, sub(y, top));
  SmallVector<Value> across = cubicWeights(*this, sub(x, left));
  Value sum;
  for (int i = 0; i < 4; ++i) {
    Value row = pad(add(top, constant(i - 1)), 0), line;
    for (int j = 0; j < 4; ++j) {
      Value column = pad(add(left, constant(j - 1)), 1);
      Value term = mul(fetch({row, column}), across[j]);
      line = line ? add(line, term) : term;
    }
    Value term = mul(line, down[i]);
    sum = sum ? add(sum, term) : term;
  }
  return sum;
}

Value Sampler::sample(ArrayRef<Value> grid) {
  SmallVector<Value> places;
  for (auto [axis, place] : llvm::enumerate(grid)) {
    places.push_back(unnormalize(place, axis));
    if (mode != bicubic)
      places.back() = pad(places.back(), axis);
    if (mode == nearest)
      places.back() = math::RoundEvenOp::create(b, places.back());
  }
  if (mode == bicubic)
    return sampleCubic(places[0], places[1]);
  return mode == nearest ? fetch(places) : interpolate(places);
}

static std::string gridSampler(Composite &composite, TensorBuilder &b) {
  Value input = composite.operand("input"), grid = composite.operand("grid");
  RankedTensorType result = composite.resultType(0);
  int64_t mode = composite.integer("interpolation_mode").value_or(-1);
  int64_t padding = composite.integer("padding_mode").value_or(-1);
  if (!input || !grid || !isFloatTensor(result))
    return "expected a float tensor and a grid";
  int64_t rank = result.getRank(), axes = rank - 2;
  if (mode < 0 || mode > 2 || padding < 0 || padding > 2 ||
      (mode == bicubic && axes != 2))
    return "expected a known interpolation and padding";
  // The last dimension of a grid has x before y before z.
  SmallVector<int64_t> places = dimsWithout(rank, 1), shape;
  for (int64_t dim : places)
    shape.push_back(result.getDimSize(dim));
  SmallVector<Value> inputs;
  for (int64_t axis = 0; axis < axes; ++axis)
    inputs.push_back(
        b.reshape(slice(b, grid, rank - 1, axes - 1 - axis, 1), shape));
  SmallVector<AffineMap> maps(axes, b.dimsMap(rank, places));
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) {
    Sampler sampler{b,
                    input,
                    Mode(mode),
                    Padding(padding),
                    composite.boolean("align_corners").value_or(false),
                    linalg::IndexOp::create(b, 0),
                    linalg::IndexOp::create(b, 1)};
    SmallVector<Value> wide;
    for (Value place : args.take_front(axes))
      wide.push_back(widenFloat(b, place));
    return narrowFloat(b, sampler.sample(wide), result.getElementType());
  };
  composite.replaceResult(
      0, b.map(inputs, maps, result.getShape(), result.getElementType(), body));
  return {};
}

void mlir::asic::addSamplingDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten.grid_sampler"] = gridSampler;
  table["aten.grid_sampler_2d"] = gridSampler;
  table["aten.grid_sampler_3d"] = gridSampler;
}
