// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sorting and searching. All of it is stable and has NaN above all numbers, as
// in PyTorch. Short rows are sorted by counting, which the accelerator runs;
// long ones by a radix sort on the host.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

/// Rows of at most this many elements are sorted by counting.
constexpr int64_t kMaxCountedRow = 128;
/// Comparisons that counting may take in all.
constexpr int64_t kMaxComparisons = int64_t(1) << 24;

namespace {
/// A tensor to be sorted along `dim`.
struct Rows {
  Value tensor;
  int64_t dim;
  bool isDescending = false;
  bool isUnsigned = false;

  RankedTensorType type() const { return tensorType(tensor); }
  int64_t size() const { return type().getDimSize(dim); }
};

/// The first elements of sorted rows and their former places as i32.
struct Sorted {
  Value values, places;
};
} // namespace

//===----------------------------------------------------------------------===//
// Extremes
//===----------------------------------------------------------------------===//

static Value isNan(ImplicitLocOpBuilder &b, Value value) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value);
}

/// The least or greatest value of `type`: where a maximum or minimum starts.
static TypedAttr extremeOf(OpBuilder &b, Type type, bool isLeast,
                           bool isUnsigned) {
  if (auto floats = dyn_cast<FloatType>(type))
    return b.getFloatAttr(type,
                          APFloat::getInf(floats.getFloatSemantics(), isLeast));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt value = isLeast ? (isUnsigned ? APInt::getMinValue(width)
                                      : APInt::getSignedMinValue(width))
                        : (isUnsigned ? APInt::getMaxValue(width)
                                      : APInt::getSignedMaxValue(width));
  return b.getIntegerAttr(type, value);
}

static Value pickExtreme(ImplicitLocOpBuilder &b, Value x, Value y, bool isMax,
                         bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return isMax ? Value(arith::MaximumFOp::create(b, x, y))
                 : Value(arith::MinimumFOp::create(b, x, y));
  if (isUnsigned)
    return isMax ? Value(arith::MaxUIOp::create(b, x, y))
                 : Value(arith::MinUIOp::create(b, x, y));
  return isMax ? Value(arith::MaxSIOp::create(b, x, y))
               : Value(arith::MinSIOp::create(b, x, y));
}

/// The extreme of every row, and the first place where it is.
static Sorted emitExtreme(TensorBuilder &b, Rows rows, bool isMax) {
  RankedTensorType type = rows.type();
  int64_t rank = type.getRank();
  SmallVector<int64_t> kept = dimsWithout(rank, rows.dim);
  Type element = type.getElementType(), i32 = b.getI32Type();
  Value extreme = b.reduce(
      rows.tensor, kept, extremeOf(b, element, isMax, rows.isUnsigned),
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        return pickExtreme(b, args[0], args[1], isMax, rows.isUnsigned);
      });
  Value none =
      b.fill(tensorType(extreme).getShape(), b.getI32IntegerAttr(rows.size()));
  AffineMap row = b.dimsMap(rank, kept);
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value hit;
    if (isa<FloatType>(element)) {
      hit =
          arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, args[0], args[1]);
      hit = arith::OrIOp::create(b, hit, isNan(b, args[0]));
    } else {
      hit =
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, args[0], args[1]);
    }
    Value far = arith::ConstantOp::create(b, b.getI32IntegerAttr(rows.size()));
    Value place = arith::SelectOp::create(b, hit, args[2], far);
    return arith::MinSIOp::create(b, place, args[3]);
  };
  Value places =
      b.generic({rows.tensor, extreme, iota(b, rows.size(), i32)}, none,
                {b.identityMap(rank), row, b.dimsMap(rank, rows.dim), row},
                body)
          .getResult(0);
  return {extreme, places};
}

/// Reads the tensor and the dimension; without one, the flat tensor.
static std::string readRows(Composite &composite, TensorBuilder &b,
                            Rows &rows) {
  rows.tensor = composite.operand("self");
  if (!rows.tensor)
    return "expected a tensor";
  RankedTensorType type = rows.type();
  if (isFloatTensor(type))
    rows.tensor = convertTensor(b, rows.tensor, b.getF32Type());
  else if (type.getElementType().isInteger(1))
    rows.tensor = convertTensor(b, rows.tensor, b.getI32Type());
  rows.isUnsigned = composite.isUnsigned();
  std::optional<int64_t> dim = composite.dimOf(rows.tensor);
  if (!dim || type.getRank() == 0)
    rows.tensor = b.reshape(rows.tensor, {type.getNumElements()});
  rows.dim = type.getRank() == 0 ? 0 : dim.value_or(0);
  return rows.size() == 0 ? "expected rows with elements" : "";
}

/// Makes `value` a result of the op: its element type and its shape.
static void replace(Composite &composite, TensorBuilder &b, int64_t index,
                    Value value, bool isUnsigned = false) {
  RankedTensorType type = composite.resultType(index);
  if (!type)
    return;
  value = convertTensor(b, value, type.getElementType(), isUnsigned);
  composite.replaceResult(index, b.reshape(value, type.getShape()));
}

template <bool isMax>
static std::string argExtreme(Composite &composite, TensorBuilder &b) {
  Rows rows;
  if (std::string reason = readRows(composite, b, rows); !reason.empty())
    return reason;
  replace(composite, b, 0, emitExtreme(b, rows, isMax).places);
  return {};
}

template <bool isMax>
static std::string extreme(Composite &composite, TensorBuilder &b) {
  if (composite.operand("other"))
    return "expected one tensor";
  Rows rows;
  if (std::string reason = readRows(composite, b, rows); !reason.empty())
    return reason;
  Sorted found = emitExtreme(b, rows, isMax);
  replace(composite, b, 0, found.values, rows.isUnsigned);
  replace(composite, b, 1, found.places);
  return {};
}

//===----------------------------------------------------------------------===//
// Sorting by counting
//===----------------------------------------------------------------------===//

/// x < y with NaN above all numbers.
static Value isLess(ImplicitLocOpBuilder &b, Value x, Value y,
                    bool isUnsigned) {
  if (!isa<FloatType>(x.getType()))
    return arith::CmpIOp::create(
        b, isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt,
        x, y);
  Value less = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
  Value isNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, x, x);
  Value above = arith::AndIOp::create(b, isNan(b, y), isNumber);
  return arith::OrIOp::create(b, less, above);
}

/// The place of every element in its sorted row: how many come before it.
static Value countBefore(TensorBuilder &b, const Rows &rows) {
  ArrayRef<int64_t> shape = rows.type().getShape();
  int64_t rank = shape.size();
  Type i32 = b.getI32Type();
  Value order = iota(b, rows.size(), i32);
  // The last loop walks the row that the others are compared with.
  SmallVector<int64_t> mine = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  SmallVector<int64_t> other = mine;
  other[rows.dim] = rank;
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value mine = args[0], other = args[1];
    if (rows.isDescending)
      std::swap(mine, other);
    Value before = isLess(b, other, mine, rows.isUnsigned);
    Value after = isLess(b, mine, other, rows.isUnsigned);
    if (rows.isDescending)
      std::swap(mine, other);
    Value earlier =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, args[3], args[2]);
    // Equal elements stay in order.
    Value one = arith::ConstantOp::create(b, b.getI32IntegerAttr(1));
    Value zero = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
    Value tied = arith::SelectOp::create(b, earlier, one, zero);
    Value count = arith::SelectOp::create(b, after, zero, tied);
    count = arith::SelectOp::create(b, before, one, count);
    return arith::AddIOp::create(b, count, args[4]);
  };
  return b
      .generic({rows.tensor, rows.tensor, order, order},
               b.fill(shape, b.getI32IntegerAttr(0)),
               {b.dimsMap(rank + 1, mine), b.dimsMap(rank + 1, other),
                b.dimsMap(rank + 1, rows.dim), b.dimsMap(rank + 1, rank),
                b.dimsMap(rank + 1, mine)},
               body)
      .getResult(0);
}

/// The first `count` elements of the order that `ranks` gives to `tensor`,
/// whose map is `source`.
static Value pick(TensorBuilder &b, const Rows &rows, Value ranks, Value tensor,
                  AffineMap source, int64_t count) {
  SmallVector<int64_t> shape(rows.type().getShape());
  int64_t rank = shape.size();
  shape[rows.dim] = count;
  Type element = tensorType(tensor).getElementType();
  SmallVector<int64_t> from = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  SmallVector<int64_t> to = from;
  from[rows.dim] = rank;
  TypedAttr least = extremeOf(b, element, /*isLeast=*/true, rows.isUnsigned);
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value here =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, args[0], args[1]);
    Value lowest = arith::ConstantOp::create(b, least);
    Value value = arith::SelectOp::create(b, here, args[2], lowest);
    return pickExtreme(b, value, args[3], /*isMax=*/true, rows.isUnsigned);
  };
  return b
      .generic({ranks, iota(b, count, b.getI32Type()), tensor},
               b.fill(shape, least),
               {b.dimsMap(rank + 1, from), b.dimsMap(rank + 1, rows.dim),
                source, b.dimsMap(rank + 1, to)},
               body)
      .getResult(0);
}

static Sorted sortByCounting(TensorBuilder &b, const Rows &rows,
                             int64_t count) {
  int64_t rank = rows.type().getRank();
  Value ranks = countBefore(b, rows);
  SmallVector<int64_t> from = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  from[rows.dim] = rank;
  return {pick(b, rows, ranks, rows.tensor, b.dimsMap(rank + 1, from), count),
          pick(b, rows, ranks, iota(b, rows.size(), b.getI32Type()),
               b.dimsMap(rank + 1, rank), count)};
}

//===----------------------------------------------------------------------===//
// Radix sort
//===----------------------------------------------------------------------===//

/// An unsigned integer in the order of the elements; complemented when
/// descending.
static Value sortKey(ImplicitLocOpBuilder &b, Value value, const Rows &rows) {
  auto constant = [&](Type type, const APInt &number) -> Value {
    return arith::ConstantOp::create(b, b.getIntegerAttr(type, number));
  };
  unsigned width = value.getType().getIntOrFloatBitWidth();
  Type type = b.getIntegerType(width);
  Value ones = constant(type, APInt::getAllOnes(width));
  Value sign = constant(type, APInt::getSignMask(width));
  Value key = value;
  if (isa<FloatType>(value.getType())) {
    // Both zeros are +0; negative numbers are in reverse.
    Value sum = arith::AddFOp::create(b, value, scalarF32(b, 0));
    Value bits = arith::BitcastOp::create(b, type, sum);
    Value zero = constant(type, APInt::getZero(width));
    Value negative =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, bits, zero);
    Value mask = arith::SelectOp::create(b, negative, ones, sign);
    key = arith::XOrIOp::create(b, bits, mask);
    key = arith::SelectOp::create(b, isNan(b, value), ones, key);
  } else if (!rows.isUnsigned) {
    key = arith::XOrIOp::create(b, key, sign);
  }
  return rows.isDescending ? arith::XOrIOp::create(b, key, ones) : key;
}

namespace {
/// Emits the loops of a stable least-significant-bit radix sort of one row.
struct RadixSort {
  ImplicitLocOpBuilder &b;
  /// Keys [rows, n], the row that is sorted, its size.
  Value keys, row, size;
  Value zero, one;

  /// Bit `bit` of the key of the element that place `i` of `order` names.
  Value bitAt(Value order, Value i, Value bit);
  /// Stably moves elements whose bit is 0 to the front: `to` in the new order.
  Value pass(Value from, Value to, Value bit);
};
} // namespace

Value RadixSort::bitAt(Value order, Value i, Value bit) {
  Value place =
      arith::IndexCastOp::create(b, b.getIndexType(), extractAt(b, order, i));
  Value key = extractAt(b, keys, {row, place});
  Value amount = arith::IndexCastOp::create(b, key.getType(), bit);
  Value shifted = arith::ShRUIOp::create(b, key, amount);
  return arith::TruncIOp::create(b, b.getI1Type(), shifted);
}

Value RadixSort::pass(Value from, Value to, Value bit) {
  auto loop = [&](ValueRange start,
                  function_ref<SmallVector<Value>(Value, ValueRange)> body) {
    auto op =
        scf::ForOp::create(b, zero, size, one, start,
                           [](OpBuilder &, Location, Value, ValueRange) {});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    SmallVector<Value> next =
        body(op.getInductionVar(), op.getRegionIterArgs());
    scf::YieldOp::create(b, next);
    return op;
  };
  auto zeros = loop(zero, [&](Value i, ValueRange sums) -> SmallVector<Value> {
    Value next = arith::AddIOp::create(b, sums[0], one);
    return {arith::SelectOp::create(b, bitAt(from, i, bit), sums[0], next)};
  });
  auto moved =
      loop({to, zero, zeros.getResult(0)},
           [&](Value i, ValueRange state) -> SmallVector<Value> {
             Value isOne = bitAt(from, i, bit);
             Value at = arith::SelectOp::create(b, isOne, state[2], state[1]);
             Value next = arith::AddIOp::create(b, at, one);
             Value moved = tensor::InsertOp::create(b, extractAt(b, from, i),
                                                    state[0], at);
             return {moved, arith::SelectOp::create(b, isOne, state[1], next),
                     arith::SelectOp::create(b, isOne, next, state[2])};
           });
  return moved.getResult(0);
}

/// The sorted order of the rows of `keys` [rows, n] as i32 [rows, n].
static Value radixSort(TensorBuilder &b, Value keys) {
  RankedTensorType type = tensorType(keys);
  int64_t size = type.getDimSize(1);
  Type i32 = b.getI32Type();
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  Value zero = index(0), one = index(1), two = index(2);
  Value bits = index(type.getElementTypeBitWidth());
  Value start = iota(b, size, i32), result = b.empty(type.getShape(), i32);
  auto rows = scf::ForOp::create(
      b, zero, index(type.getDimSize(0)), one, result,
      [&](OpBuilder &nested, Location loc, Value row, ValueRange results) {
        ImplicitLocOpBuilder b(loc, nested);
        Value spare = tensor::EmptyOp::create(b, size, i32);
        auto passes = scf::ForOp::create(
            b, zero, bits, two, ValueRange{start, spare},
            [&](OpBuilder &nested, Location loc, Value bit, ValueRange state) {
              ImplicitLocOpBuilder b(loc, nested);
              RadixSort sort{b, keys, row, index(0), zero, one};
              sort.size = arith::ConstantIndexOp::create(b, size);
              Value there = sort.pass(state[0], state[1], bit);
              Value next = arith::AddIOp::create(b, bit, one);
              Value back = sort.pass(there, state[0], next);
              scf::YieldOp::create(b, ValueRange{back, there});
            });
        SmallVector<OpFoldResult> offsets{row, b.getIndexAttr(0)};
        SmallVector<OpFoldResult> sizes{b.getIndexAttr(1),
                                        b.getIndexAttr(size)};
        SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
        Value inserted = tensor::InsertSliceOp::create(
            b, passes.getResult(0), results[0], offsets, sizes, strides);
        scf::YieldOp::create(b, inserted);
      });
  return rows.getResult(0);
}

static Sorted sortByRadix(TensorBuilder &b, const Rows &rows, int64_t count) {
  RankedTensorType type = rows.type();
  int64_t rank = type.getRank(), size = rows.size();
  SmallVector<int64_t> last = dimsWithout(rank, rows.dim);
  last.push_back(rows.dim);
  Value moved =
      rows.dim == rank - 1 ? rows.tensor : b.transpose(rows.tensor, last);
  SmallVector<int64_t> shape(tensorType(moved).getShape());
  Value flat = b.reshape(moved, {type.getNumElements() / size, size});
  unsigned width = type.getElementTypeBitWidth();
  Value keys = b.elementwise(flat, b.getIntegerType(width),
                             [&](ImplicitLocOpBuilder &b, ValueRange args) {
                               return sortKey(b, args[0], rows);
                             });
  Value order = slice(b, radixSort(b, keys), 1, 0, count);
  Value values = b.elementwise(order, type.getElementType(),
                               [&](ImplicitLocOpBuilder &b, ValueRange args) {
                                 Value row = linalg::IndexOp::create(b, 0);
                                 Value place = arith::IndexCastOp::create(
                                     b, b.getIndexType(), args[0]);
                                 return extractAt(b, flat, {row, place});
                               });
  shape.back() = count;
  SmallVector<int64_t> back = llvm::to_vector(llvm::seq<int64_t>(0, rank - 1));
  back.insert(back.begin() + rows.dim, rank - 1);
  auto restore = [&](Value tensor) {
    tensor = b.reshape(tensor, shape);
    return rows.dim == rank - 1 ? tensor : b.transpose(tensor, back);
  };
  return {restore(values), restore(order)};
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

/// The first `count` elements of the sorted rows.
static Sorted emitSort(TensorBuilder &b, const Rows &rows, int64_t count) {
  int64_t comparisons = rows.type().getNumElements() * rows.size();
  if (rows.size() <= kMaxCountedRow && comparisons <= kMaxComparisons)
    return sortByCounting(b, rows, count);
  return sortByRadix(b, rows, count);
}

static std::string sort(Composite &composite, TensorBuilder &b) {
  Rows rows;
  if (std::string reason = readRows(composite, b, rows); !reason.empty())
    return reason;
  rows.isDescending = composite.boolean("descending").value_or(false);
  Sorted sorted = emitSort(b, rows, rows.size());
  replace(composite, b, 0, sorted.values, rows.isUnsigned);
  replace(composite, b, 1, sorted.places);
  return {};
}

static std::string argsort(Composite &composite, TensorBuilder &b) {
  Rows rows;
  if (std::string reason = readRows(composite, b, rows); !reason.empty())
    return reason;
  rows.isDescending = composite.boolean("descending").value_or(false);
  replace(composite, b, 0, emitSort(b, rows, rows.size()).places);
  return {};
}

static std::string topk(Composite &composite, TensorBuilder &b) {
  Rows rows;
  if (std::string reason = readRows(composite, b, rows); !reason.empty())
    return reason;
  std::optional<int64_t> count = composite.integer("k");
  if (!count)
    return "expected a constant k";
  rows.isDescending = composite.boolean("largest").value_or(true);
  Sorted sorted = emitSort(b, rows, *count);
  replace(composite, b, 0, sorted.values, rows.isUnsigned);
  replace(composite, b, 1, sorted.places);
  return {};
}

/// Element `place` of the sorted rows.
static Sorted element(TensorBuilder &b, const Rows &rows, int64_t place) {
  Sorted sorted = emitSort(b, rows, place + 1);
  return {slice(b, sorted.values, rows.dim, place, 1),
          slice(b, sorted.places, rows.dim, place, 1)};
}

static std::string kthValue(Composite &composite, TensorBuilder &b) {
  Rows rows;
  if (std::string reason = readRows(composite, b, rows); !reason.empty())
    return reason;
  std::optional<int64_t> k = composite.integer("k");
  if (!k)
    return "expected a constant k";
  Sorted found = element(b, rows, *k - 1);
  replace(composite, b, 0, found.values, rows.isUnsigned);
  replace(composite, b, 1, found.places);
  return {};
}

/// The lower median; NaN where a row has one.
static std::string median(Composite &composite, TensorBuilder &b) {
  Rows rows;
  if (std::string reason = readRows(composite, b, rows); !reason.empty())
    return reason;
  Sorted found = element(b, rows, (rows.size() - 1) / 2);
  if (isFloatTensor(rows.type())) {
    Sorted greatest = emitExtreme(b, rows, /*isMax=*/true);
    auto choose = [&](Value median, Value other) {
      ArrayRef<int64_t> shape = tensorType(greatest.values).getShape();
      Value inputs[] = {greatest.values, b.reshape(median, shape), other};
      return b.elementwise(
          inputs, tensorType(other).getElementType(),
          [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
            return arith::SelectOp::create(b, isNan(b, args[0]), args[2],
                                           args[1]);
          });
    };
    found = {choose(found.values, greatest.values),
             choose(found.places, greatest.places)};
  }
  replace(composite, b, 0, found.values, rows.isUnsigned);
  replace(composite, b, 1, found.places);
  return {};
}

/// How many of the ascending boundaries are below each value; with `right`,
/// how many are not above it.
static std::string countBoundaries(Composite &composite, TensorBuilder &b,
                                   Value boundaries) {
  Value values = composite.operand("self");
  if (!values || !boundaries || composite.operand("sorter") ||
      !composite.resultType(0))
    return "expected tensors of values and of sorted boundaries";
  auto side = composite.argument<StringAttr>("side");
  bool right = composite.boolean("right").value_or(false) ||
               (side && side.getValue() == "right");
  RankedTensorType type = tensorType(values), edges = tensorType(boundaries);
  int64_t rank = type.getRank(), edgeRank = edges.getRank();
  if (type.getElementType() != edges.getElementType())
    return "expected values and boundaries of one type; convert them first";
  if (edgeRank != 1 && edgeRank != rank)
    return "expected boundaries of one dimension, or of as many as the values";
  SmallVector<int64_t> value = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  SmallVector<int64_t> edge = {rank};
  if (edgeRank == rank && edgeRank != 1) {
    edge = value;
    edge.back() = rank;
  }
  bool isUnsigned = composite.isUnsigned();
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value below;
    if (isFloatTensor(type))
      below = arith::CmpFOp::create(
          b, right ? arith::CmpFPredicate::ULE : arith::CmpFPredicate::ULT,
          args[1], args[0]);
    else
      below = arith::CmpIOp::create(
          b,
          right ? (isUnsigned ? arith::CmpIPredicate::ule
                              : arith::CmpIPredicate::sle)
                : (isUnsigned ? arith::CmpIPredicate::ult
                              : arith::CmpIPredicate::slt),
          args[1], args[0]);
    Value count = arith::ExtUIOp::create(b, b.getI32Type(), below);
    return arith::AddIOp::create(b, count, args[2]);
  };
  AffineMap whole = b.dimsMap(rank + 1, value);
  Value counts = b.generic({values, boundaries},
                           b.fill(type.getShape(), b.getI32IntegerAttr(0)),
                           {whole, b.dimsMap(rank + 1, edge), whole}, body)
                     .getResult(0);
  replace(composite, b, 0, counts);
  return {};
}

static std::string searchSorted(Composite &composite, TensorBuilder &b) {
  return countBoundaries(composite, b, composite.operand("sorted_sequence"));
}

static std::string bucketize(Composite &composite, TensorBuilder &b) {
  return countBoundaries(composite, b, composite.operand("boundaries"));
}

void mlir::asic::addSortingDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten.argmax"] = argExtreme</*isMax=*/true>;
  table["aten.argmin"] = argExtreme</*isMax=*/false>;
  table["aten.argsort"] = argsort;
  table["aten.bucketize"] = bucketize;
  table["aten.kthvalue"] = kthValue;
  table["aten.max"] = extreme</*isMax=*/true>;
  table["aten.median"] = median;
  table["aten.min"] = extreme</*isMax=*/false>;
  table["aten.searchsorted"] = searchSorted;
  table["aten.sort"] = sort;
  table["aten.topk"] = topk;
}
