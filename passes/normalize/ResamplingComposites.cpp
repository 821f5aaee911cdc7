// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Resampling of signals, images and volumes: one dimension after the other, by
// tables of taps that are known here. Where the taps repeat, as they do for
// whole and simple factors, an output is a weighted sum of shifted slices,
// which the accelerator runs; else the host gathers.
#include "passes/Support/Constants.h"
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace mlir::asic;

/// Outputs that may differ in their taps before they repeat.
constexpr int64_t kMaxPhases = 16;

namespace {
/// What an output along one dimension is made of: the weights of the inputs
/// from `first` on; places outside are those at the border.
struct Taps {
  int64_t first;
  SmallVector<float> weights;
};

/// A dimension to be resampled.
struct Axis {
  int64_t dim, in, out;
  /// The user's factor, if it is to be used instead of the sizes' ratio.
  std::optional<double> factor;
  bool alignCorners = false;

  /// Steps of the input for a step of the output.
  double scale() const {
    if (alignCorners)
      return out > 1 ? double(in - 1) / double(out - 1) : 0;
    return factor && *factor > 0 ? 1 / *factor : double(in) / double(out);
  }
  /// The place in the input of the center of output `i`.
  double center(int64_t i) const {
    double place = double(i);
    return alignCorners ? scale() * place : scale() * (place + 0.5) - 0.5;
  }
};

using Table = SmallVector<Taps>;
} // namespace

//===----------------------------------------------------------------------===//
// Tables, in f64
//===----------------------------------------------------------------------===//

static Table nearestTable(const Axis &axis, bool isExact) {
  Table table;
  // Equal and doubled sizes do not look at the factor.
  int64_t whole = axis.out == axis.in ? 1 : axis.out == 2 * axis.in ? 2 : 0;
  for (int64_t i = 0; i < axis.out; ++i) {
    if (whole && !isExact) {
      table.push_back({i / whole, {1.0f}});
      continue;
    }
    // In f32 as in PyTorch: a last bit can decide the element.
    float place = (float(i) + (isExact ? 0.5f : 0.0f)) * float(axis.scale());
    table.push_back({std::min<int64_t>(int64_t(place), axis.in - 1), {1.0f}});
  }
  return table;
}

static Table linearTable(const Axis &axis) {
  Table table;
  for (int64_t i = 0; i < axis.out; ++i) {
    double place = axis.in == axis.out ? double(i) : axis.center(i);
    // Before the first center the first element is repeated; the border does
    // the same, so the phase stays.
    double floor = std::floor(place), lambda = place - floor;
    table.push_back({int64_t(floor), {float(1 - lambda), float(lambda)}});
  }
  return table;
}

static Table cubicTable(const Axis &axis) {
  constexpr double a = -0.75f;
  auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  Table table;
  for (int64_t i = 0; i < axis.out; ++i) {
    double place = axis.center(i), floor = std::floor(place);
    double t = place - floor;
    table.push_back({int64_t(floor) - 1,
                     {float(far(t + 1)), float(near(t)), float(near(1 - t)),
                      float(far(2 - t))}});
  }
  return table;
}

/// A filter that covers all inputs under an output: antialiasing.
static Table filteredTable(const Axis &axis, bool isCubic) {
  constexpr double a = -0.5f;
  auto filter = [&](double x) {
    x = std::fabs(x);
    if (!isCubic)
      return x < 1 ? 1 - x : 0.0;
    if (x < 1)
      return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
  };
  double scale = axis.scale(), wide = std::max(scale, 1.0);
  double support = (isCubic ? 2.0 : 1.0) * wide;
  Table table;
  for (int64_t i = 0; i < axis.out; ++i) {
    double center = scale * (double(i) + 0.5);
    int64_t first = std::max<int64_t>(int64_t(center - support + 0.5), 0);
    int64_t end = std::min<int64_t>(int64_t(center + support + 0.5), axis.in);
    Taps taps{first, {}};
    double total = 0;
    for (int64_t j = first; j < end; ++j) {
      taps.weights.push_back(filter((float(j) - center + 0.5f) * (1 / wide)));
      total += taps.weights.back();
    }
    for (float &weight : taps.weights)
      weight = float(weight / total);
    table.push_back(taps);
  }
  return table;
}

//===----------------------------------------------------------------------===//
// Repeating taps: slices
//===----------------------------------------------------------------------===//

namespace {
/// Taps that are the same `step` inputs further on for every `count` outputs.
struct Phases {
  int64_t count, step;
};
} // namespace

/// The shortest period of the table, None when it is too long.
static std::optional<Phases> findPhases(const Table &table, int64_t in) {
  int64_t out = table.size();
  for (int64_t count = 1; count <= std::min(out, kMaxPhases); ++count) {
    if (out % count != 0 || in * count % out != 0)
      continue;
    int64_t step = in * count / out;
    bool repeats = true;
    for (int64_t i = count; i < out && repeats; ++i)
      repeats = table[i].first == table[i - count].first + step &&
                table[i].weights == table[i - count].weights;
    if (repeats)
      return Phases{count, step};
  }
  return std::nullopt;
}

/// `input` with its first and last elements along `dim` repeated.
static Value padByBorder(TensorBuilder &b, Value input, int64_t dim,
                         int64_t before, int64_t after) {
  int64_t size = tensorType(input).getDimSize(dim);
  SmallVector<Value> parts(std::max<int64_t>(before, 0),
                           slice(b, input, dim, 0, 1));
  parts.push_back(input);
  parts.append(std::max<int64_t>(after, 0), slice(b, input, dim, size - 1, 1));
  return concat(b, parts, dim);
}

/// Whether every output is one of the inputs.
static bool isCopy(const Table &table) {
  return llvm::all_of(table, [](const Taps &taps) {
    return taps.weights.size() == 1 && taps.weights.front() == 1;
  });
}

/// Σ weights[k] · slices[k] in f32.
static Value weightedSum(TensorBuilder &b, ArrayRef<Value> slices,
                         ArrayRef<float> weights) {
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value sum;
    for (auto [argument, weight] : llvm::zip(args, weights)) {
      Value term = arith::MulFOp::create(b, widenFloat(b, argument),
                                         scalarF32(b, weight));
      sum = sum ? Value(arith::AddFOp::create(b, sum, term)) : term;
    }
    return sum;
  };
  return b.elementwise(slices, b.getF32Type(), body);
}

/// Every phase is a weighted sum of slices; the phases interleave.
static Value resampleByPhases(TensorBuilder &b, Value input, const Axis &axis,
                              const Table &table, Phases phases) {
  int64_t groups = axis.out / phases.count, before = 0, after = 0;
  for (const Taps &taps : table) {
    before = std::max(before, -taps.first);
    after =
        std::max<int64_t>(after, taps.first + taps.weights.size() - axis.in);
  }
  Value padded = padByBorder(b, input, axis.dim, before, after);
  SmallVector<Value> parts;
  for (const Taps &taps : ArrayRef(table).take_front(phases.count)) {
    SmallVector<Value> slices;
    SmallVector<float> weights;
    for (auto [k, weight] : llvm::enumerate(taps.weights)) {
      if (weight == 0)
        continue;
      slices.push_back(slice(b, padded, axis.dim, taps.first + k + before,
                             groups, phases.step));
      weights.push_back(weight);
    }
    Value part =
        isCopy(table) ? slices.front() : weightedSum(b, slices, weights);
    // A unit dimension behind, for the phases to lie along.
    SmallVector<int64_t> shape(tensorType(part).getShape());
    shape.insert(shape.begin() + axis.dim + 1, 1);
    parts.push_back(b.reshape(part, shape));
  }
  Value together = concat(b, parts, axis.dim + 1);
  SmallVector<int64_t> shape(tensorType(input).getShape());
  shape[axis.dim] = axis.out;
  return b.reshape(together, shape);
}

/// Every element `count` times: one map instead of slices.
static Value repeat(TensorBuilder &b, Value input, const Axis &axis) {
  SmallVector<int64_t> shape(tensorType(input).getShape()), wide(shape);
  int64_t rank = shape.size(), count = axis.out / axis.in;
  wide.insert(wide.begin() + axis.dim + 1, count);
  SmallVector<int64_t> dims = dimsWithout(rank + 1, axis.dim + 1);
  Value repeated =
      b.map(input, b.dimsMap(rank + 1, dims), wide,
            tensorType(input).getElementType(),
            [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
  shape[axis.dim] = axis.out;
  return b.reshape(repeated, shape);
}

//===----------------------------------------------------------------------===//
// Any taps: gather
//===----------------------------------------------------------------------===//

/// A constant [out] of integers.
static Value placesOf(TensorBuilder &b, const Axis &axis, const Table &table,
                      int64_t tap) {
  SmallVector<int64_t> places;
  for (const Taps &taps : table)
    places.push_back(std::clamp<int64_t>(taps.first + tap, 0, axis.in - 1));
  auto type = RankedTensorType::get(axis.out, b.getI32Type());
  return arith::ConstantOp::create(b, makeConstant(type, "places", places));
}

static Value weightsOf(TensorBuilder &b, const Axis &axis, const Table &table,
                       int64_t tap) {
  auto type = RankedTensorType::get(axis.out, b.getF32Type());
  auto fill = [&](MutableArrayRef<char> bytes) {
    auto values = reinterpret_cast<float *>(bytes.data());
    for (const Taps &taps : table)
      *values++ = tap < int64_t(taps.weights.size()) ? taps.weights[tap] : 0;
  };
  return arith::ConstantOp::create(b, makeConstant(type, "weights", fill));
}

static Value resampleByGather(TensorBuilder &b, Value input, const Axis &axis,
                              const Table &table) {
  SmallVector<int64_t> shape(tensorType(input).getShape());
  int64_t rank = shape.size(), taps = 0;
  shape[axis.dim] = axis.out;
  for (const Taps &entry : table)
    taps = std::max<int64_t>(taps, entry.weights.size());
  bool copies = isCopy(table);
  SmallVector<Value> inputs;
  for (int64_t tap = 0; tap < taps; ++tap) {
    inputs.push_back(placesOf(b, axis, table, tap));
    if (!copies)
      inputs.push_back(weightsOf(b, axis, table, tap));
  }
  SmallVector<AffineMap> maps(inputs.size(), b.dimsMap(rank, axis.dim));
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    SmallVector<Value> position;
    for (int64_t dim = 0; dim < rank; ++dim)
      position.push_back(linalg::IndexOp::create(b, dim));
    auto at = [&](Value place) {
      position[axis.dim] =
          arith::IndexCastOp::create(b, b.getIndexType(), place);
      return extractAt(b, input, position);
    };
    if (copies)
      return at(args[0]);
    Value sum;
    for (int64_t tap = 0; tap < taps; ++tap) {
      Value weight = args[2 * tap + 1];
      Value term =
          arith::MulFOp::create(b, widenFloat(b, at(args[2 * tap])), weight);
      // What does not count may be anything, also infinite.
      Value zero = scalarF32(b, 0);
      Value counts =
          arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, weight, zero);
      term = arith::SelectOp::create(b, counts, term, zero);
      sum = sum ? Value(arith::AddFOp::create(b, sum, term)) : term;
    }
    return sum;
  };
  Type type = copies ? tensorType(input).getElementType() : b.getF32Type();
  return b.map(inputs, maps, shape, type, body);
}

static Value resample(TensorBuilder &b, Value input, const Axis &axis,
                      const Table &table) {
  if (axis.in == axis.out &&
      llvm::all_of(llvm::enumerate(table), [](auto entry) {
        const Taps &taps = entry.value();
        return taps.first == int64_t(entry.index()) && taps.weights[0] == 1;
      }))
    return input;
  std::optional<Phases> phases = findPhases(table, axis.in);
  if (!phases)
    return resampleByGather(b, input, axis, table);
  bool repeats =
      phases->step == 1 && phases->count > 1 &&
      llvm::all_of(ArrayRef(table).take_front(phases->count),
                   [](const Taps &taps) {
                     return taps.first == 0 && taps.weights.size() == 1;
                   });
  return repeats ? repeat(b, input, axis)
                 : resampleByPhases(b, input, axis, table, *phases);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

/// Resamples the dimensions behind batch and channels by `makeTable`.
static std::string resampleAll(Composite &composite, TensorBuilder &b,
                               function_ref<Table(const Axis &)> makeTable) {
  Value input = composite.operand("input");
  if (!input)
    input = composite.operand("self");
  RankedTensorType result = composite.resultType(0);
  if (!input || !result || result.getRank() < 3)
    return "expected a tensor with batch, channels and at least one dimension";
  Value value = input;
  SmallVector<double> factors = composite.numbers("scale_factors");
  StringRef names[] = {"scales_d", "scales_h", "scales_w"};
  for (int64_t dim = 2, rank = result.getRank(); dim < rank; ++dim) {
    Axis axis{dim, tensorType(input).getDimSize(dim), result.getDimSize(dim),
              std::nullopt, composite.boolean("align_corners").value_or(false)};
    if (int64_t(factors.size()) == rank - 2)
      axis.factor = factors[dim - 2];
    else if (auto number = composite.number(names[dim - rank + 3]))
      axis.factor = number;
    else if (auto number = composite.number("scales"))
      axis.factor = number;
    value = resample(b, value, axis, makeTable(axis));
  }
  composite.replaceResult(0, convertTensor(b, value, result.getElementType()));
  return {};
}

template <bool isExact>
static std::string nearest(Composite &composite, TensorBuilder &b) {
  return resampleAll(composite, b, [](const Axis &axis) {
    return nearestTable(axis, isExact);
  });
}

static std::string linear(Composite &composite, TensorBuilder &b) {
  if (!isFloatTensor(composite.resultType(0)))
    return "expected a float tensor";
  return resampleAll(composite, b, linearTable);
}

static std::string cubic(Composite &composite, TensorBuilder &b) {
  if (!isFloatTensor(composite.resultType(0)))
    return "expected a float tensor";
  return resampleAll(composite, b, cubicTable);
}

template <bool isCubic>
static std::string filtered(Composite &composite, TensorBuilder &b) {
  if (!isFloatTensor(composite.resultType(0)))
    return "expected a float tensor";
  return resampleAll(composite, b, [](const Axis &axis) {
    return filteredTable(axis, isCubic);
  });
}

void mlir::asic::addResamplingDecompositions(
    llvm::StringMap<Decomposition> &table) {
  for (StringRef rank : {"1d", "2d", "3d"}) {
    table[("aten.upsample_nearest" + rank).str()] = nearest</*isExact=*/false>;
    table[("aten._upsample_nearest_exact" + rank).str()] =
        nearest</*isExact=*/true>;
  }
  table["aten.upsample_linear1d"] = linear;
  table["aten.upsample_bilinear2d"] = linear;
  table["aten.upsample_trilinear3d"] = linear;
  table["aten.upsample_bicubic2d"] = cubic;
  table["aten._upsample_bilinear2d_aa"] = filtered</*isCubic=*/false>;
  table["aten._upsample_bicubic2d_aa"] = filtered</*isCubic=*/true>;
}
