// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Updates at places that tensors name. Rows along one dimension are written, a
// few that are combined with what is there become selections by position: both
// run on the accelerator. Anything else is a loop over the updates, in order,
// on the host. Places outside end the run there.
#include "dialects/Asic/Asic.h"
#include "passes/Support/Constants.h"
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Traits.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::asic;

/// At most this many rows that are combined with what is there are selections.
constexpr int64_t kMaxRows = 4;

namespace {
/// What an update does to the element that it meets.
enum class Update { assign, add, multiply, max, min };

/// Updates of elements of `destination`: one for every place of a box `shape`.
struct Updates {
  Value destination;
  SmallVector<int64_t> shape;
  Update kind = Update::assign;
  bool isUnsigned = false;
};

/// Computes the update's value and its position in the destination from its
/// place in the box.
using UpdateFn = function_ref<Value(ImplicitLocOpBuilder &, ValueRange place,
                                    SmallVector<Value> &position)>;
} // namespace

static Value combine(ImplicitLocOpBuilder &b, Update kind, Value old,
                     Value value, bool isUnsigned) {
  bool isFloat = isa<FloatType>(value.getType());
  // Sums and products of booleans saturate, as in PyTorch.
  bool isBool = value.getType().isInteger(1);
  switch (kind) {
  case Update::assign:
    return value;
  case Update::add:
    if (isBool)
      return arith::OrIOp::create(b, old, value);
    return isFloat ? Value(arith::AddFOp::create(b, old, value))
                   : Value(arith::AddIOp::create(b, old, value));
  case Update::multiply:
    return isFloat ? Value(arith::MulFOp::create(b, old, value))
                   : Value(arith::MulIOp::create(b, old, value));
  case Update::max:
    if (isFloat)
      return arith::MaximumFOp::create(b, old, value);
    return isUnsigned || isBool ? Value(arith::MaxUIOp::create(b, old, value))
                                : Value(arith::MaxSIOp::create(b, old, value));
  case Update::min:
    if (isFloat)
      return arith::MinimumFOp::create(b, old, value);
    return isUnsigned || isBool ? Value(arith::MinUIOp::create(b, old, value))
                                : Value(arith::MinSIOp::create(b, old, value));
  }
  llvm_unreachable("an update of no kind");
}

/// Makes the updates one after the other, in row-major order.
static Value emitUpdates(TensorBuilder &b, const Updates &updates,
                         UpdateFn update) {
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  SmallVector<Value> low(updates.shape.size(), index(0));
  SmallVector<Value> step(updates.shape.size(), index(1));
  SmallVector<Value> high = llvm::map_to_vector(updates.shape, index);
  auto body = [&](OpBuilder &nested, Location loc, ValueRange place,
                  ValueRange state) -> scf::ValueVector {
    ImplicitLocOpBuilder b(loc, nested);
    SmallVector<Value> position;
    Value value = update(b, place, position);
    if (updates.kind != Update::assign)
      value = combine(b, updates.kind, extractAt(b, state.front(), position),
                      value, updates.isUnsigned);
    return {tensor::InsertOp::create(b, value, state.front(), position)};
  };
  return scf::buildLoopNest(b, b.getLoc(), low, high, step, updates.destination,
                            body)
      .results.front();
}

/// The scalar argument `name` as an element of `type`, null for none.
static Value scalarArgument(Composite &composite, TensorBuilder &b,
                            StringRef name, Type type) {
  TypedAttr scalar = composite.scalar(name, type);
  return scalar ? arith::ConstantOp::create(b, scalar).getResult() : Value();
}

//===----------------------------------------------------------------------===//
// Along one dimension
//===----------------------------------------------------------------------===//

namespace {
/// Rows along `dim` of a tensor that `index` (1-D, or none) names.
struct Rows {
  int64_t dim;
  Value index;
  /// Whether negative ones count from the end; PyTorch refuses them elsewhere.
  bool wraps = false;

  /// A scalar of `index` as a position in a dimension of `extent`.
  Value position(ImplicitLocOpBuilder &b, Value row, int64_t extent) const {
    if (wraps)
      return wrapIndex(b, row, extent);
    return arith::IndexCastOp::create(b, b.getIndexType(), row);
  }
};
} // namespace

/// The rows of a dimension of `extent` that `rows` names as i32. The indices
/// alone are 64 bits wide: a few elements for the host, which looks each up in
/// the list of all places, so that one that does not exist is found.
static Value makePlaces(TensorBuilder &b, const Rows &rows, int64_t extent) {
  Type i32 = b.getI32Type();
  Value places = iota(b, extent, i32);
  return b.elementwise(
      rows.index, i32, [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        return extractAt(b, places, rows.position(b, args[0], extent));
      });
}

/// The destination with the rows of `source` at those that `rows` names, the
/// later ones over the earlier ones.
static Value writeRows(TensorBuilder &b, Value destination, Rows rows,
                       Value source) {
  if (tensorType(rows.index).getNumElements() == 1)
    rows.index = b.reshape(rows.index, {});
  Value places =
      makePlaces(b, rows, tensorType(destination).getDimSize(rows.dim));
  return UpdateSliceOp::create(b, tensorType(destination), source, destination,
                               places, rows.dim);
}

/// The destination whose row that `rows` names is combined with `source`.
static Value combineRow(TensorBuilder &b, Value destination, Rows rows,
                        Value source, Update kind) {
  int64_t dim = rows.dim;
  RankedTensorType type = tensorType(destination);
  int64_t rank = type.getRank(), extent = type.getDimSize(dim);
  Value places = iota(b, extent, b.getI32Type());
  rows.index = b.reshape(rows.index, {});
  Value place = makePlaces(b, rows, extent);
  SmallVector<int64_t> others = dimsWithout(rank, dim), shape;
  for (int64_t other : others)
    shape.push_back(type.getDimSize(other));
  SmallVector<Value> inputs{destination, place, places};
  SmallVector<AffineMap> maps{b.identityMap(rank), b.dimsMap(rank, {}),
                              b.dimsMap(rank, dim)};
  inputs.push_back(b.reshape(source, shape));
  maps.push_back(b.dimsMap(rank, others));
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    Value here =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, args[1], args[2]);
    Value value = combine(b, kind, args[0], args[3], /*isUnsigned=*/false);
    return arith::SelectOp::create(b, here, value, args[0]);
  };
  return b.map(inputs, maps, type.getShape(), type.getElementType(), body);
}

/// The first of the rows that a constant names one after the other, none for
/// any other index and for rows that do not exist.
static std::optional<int64_t> matchRun(const Rows &rows, int64_t extent) {
  ElementsAttr constant = getConstant(rows.index);
  std::optional<SmallVector<double>> numbers;
  if (constant)
    numbers = readReals(constant);
  if (!numbers || numbers->empty())
    return std::nullopt;
  int64_t first = numbers->front(), count = numbers->size();
  if (rows.wraps && first < 0)
    first += extent;
  for (auto [n, number] : llvm::enumerate(*numbers))
    if (int64_t(number) + (rows.wraps && number < 0 ? extent : 0) !=
        first + int64_t(n))
      return std::nullopt;
  return first >= 0 && first + count <= extent ? std::optional(first)
                                               : std::nullopt;
}

/// Updates the rows that `rows` names, each by its row of `source`.
static Value updateRows(TensorBuilder &b, Value destination, Rows rows,
                        Value source, Update kind) {
  RankedTensorType type = tensorType(destination);
  int64_t count = tensorType(rows.index).getNumElements();
  int64_t rank = type.getRank(), dim = rows.dim;
  Value index = b.reshape(rows.index, {count});
  if (rank == 0)
    return kind == Update::assign
               ? source
               : b.elementwise({destination, source}, type.getElementType(),
                               [&](auto &b, ValueRange args) {
                                 return combine(b, kind, args[0], args[1],
                                                false);
                               });
  std::optional<int64_t> first = matchRun(rows, type.getDimSize(dim));
  if (first && kind == Update::assign) {
    SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0)),
        strides(rank, b.getIndexAttr(1));
    offsets[dim] = b.getIndexAttr(*first);
    auto sizes =
        getAsIndexOpFoldResult(b.getContext(), tensorType(source).getShape());
    return tensor::InsertSliceOp::create(b, source, destination, offsets, sizes,
                                         strides);
  }
  bool isEmpty = type.getDimSize(dim) == 0 || count == 0;
  if (kind == Update::assign && !isEmpty)
    return writeRows(b, destination, {dim, index, rows.wraps}, source);
  if (count <= kMaxRows) {
    for (int64_t row = 0; row < count; ++row)
      destination = combineRow(b, destination,
                               {dim, slice(b, index, 0, row, 1), rows.wraps},
                               slice(b, source, dim, row, 1), kind);
    return destination;
  }
  Updates updates{destination, SmallVector<int64_t>(type.getShape()), kind};
  updates.shape[dim] = count;
  return emitUpdates(b, updates,
                     [&](ImplicitLocOpBuilder &b, ValueRange place,
                         SmallVector<Value> &position) {
                       position.assign(place.begin(), place.end());
                       Value row = extractAt(b, index, place[dim]);
                       position[dim] =
                           rows.position(b, row, type.getDimSize(dim));
                       return extractAt(b, source, place);
                     });
}

static std::string indexCopy(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self"), index = composite.operand("index"),
        source = composite.operand("source");
  std::optional<int64_t> dim = composite.dimOf(self);
  if (!self || !dim || !index || !source)
    return "expected a tensor, an index and a source";
  composite.replaceResult(
      0, updateRows(b, self, {*dim, index}, source, Update::assign));
  return {};
}

/// `factor` times every element, in its own type.
static Value scale(TensorBuilder &b, Value tensor, Value factor) {
  Type type = tensorType(tensor).getElementType();
  return b.elementwise(tensor, type,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         if (isa<FloatType>(type))
                           return arith::MulFOp::create(b, args[0], factor);
                         return arith::MulIOp::create(b, args[0], factor);
                       });
}

static std::string indexAdd(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self"), index = composite.operand("index"),
        source = composite.operand("source");
  std::optional<int64_t> dim = composite.dimOf(self);
  if (!self || !dim || !index || !source)
    return "expected a tensor, an index and a source";
  if (composite.number("alpha").value_or(1) != 1)
    source = scale(b, source,
                   scalarArgument(composite, b, "alpha",
                                  tensorType(self).getElementType()));
  composite.replaceResult(
      0, updateRows(b, self, {*dim, index}, source, Update::add));
  return {};
}

static std::string indexFill(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self"), index = composite.operand("index");
  std::optional<int64_t> dim = composite.dimOf(self);
  if (!self || !dim || !index)
    return "expected a tensor, a dimension and an index";
  RankedTensorType type = tensorType(self);
  Value value = scalarArgument(composite, b, "value", type.getElementType());
  if (!value)
    return "expected a constant value";
  SmallVector<int64_t> shape(type.getShape());
  if (!shape.empty())
    shape[*dim] = tensorType(index).getNumElements();
  Value source =
      linalg::FillOp::create(b, value, b.empty(shape, type.getElementType()))
          .getResult(0);
  composite.replaceResult(0, updateRows(b, self, {*dim, index, /*wraps=*/true},
                                        source, Update::assign));
  return {};
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

/// The updates of a scatter into `self`, without dimensions where that has
/// none.
static Value sourceOf(Composite &composite, TensorBuilder &b, Value self) {
  Value source = composite.operand("src");
  return self && source && tensorType(self).getRank() == 0
             ? b.reshape(source, {})
             : source;
}

/// `destination` updated at the places of `index` along `dim` by `value`, which
/// computes an update from its place.
static Value
scatterInto(TensorBuilder &b, Value destination, int64_t dim, Value index,
            Update kind, bool isUnsigned,
            function_ref<Value(ImplicitLocOpBuilder &, ValueRange)> value) {
  // The one place of a scalar may be named by an index with a dimension.
  if (tensorType(destination).getRank() == 0)
    index = b.reshape(index, {});
  Updates updates{destination,
                  SmallVector<int64_t>(tensorType(index).getShape()), kind,
                  isUnsigned};
  return emitUpdates(b, updates,
                     [&](ImplicitLocOpBuilder &b, ValueRange place,
                         SmallVector<Value> &position) {
                       position.assign(place.begin(), place.end());
                       if (!position.empty())
                         position[dim] = arith::IndexCastOp::create(
                             b, b.getIndexType(), extractAt(b, index, place));
                       return value(b, place);
                     });
}

static std::optional<Update> parseReduction(StringRef name) {
  return llvm::StringSwitch<std::optional<Update>>(name)
      .Case("", Update::assign)
      .Cases({"add", "sum", "mean"}, Update::add)
      .Cases({"multiply", "prod"}, Update::multiply)
      .Case("amax", Update::max)
      .Case("amin", Update::min)
      .Default(std::nullopt);
}

static std::string scatter(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self"), index = composite.operand("index"),
        source = sourceOf(composite, b, self);
  std::optional<int64_t> dim = composite.dimOf(self);
  auto reduce = composite.argument<StringAttr>("reduce");
  std::optional<Update> kind = parseReduction(reduce ? reduce.getValue() : "");
  if (!self || !dim || !index || !kind)
    return "expected a tensor, an index and a known reduction";
  Value value = source ? source
                       : scalarArgument(composite, b, "value",
                                        tensorType(self).getElementType());
  if (!value)
    return "expected a source or a constant value";
  Value result =
      scatterInto(b, self, *dim, index, *kind, composite.isUnsigned(),
                  [&](ImplicitLocOpBuilder &b, ValueRange place) {
                    return source ? extractAt(b, source, place) : value;
                  });
  composite.replaceResult(0, result);
  return {};
}

static std::string scatterAdd(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self"), index = composite.operand("index"),
        source = sourceOf(composite, b, self);
  std::optional<int64_t> dim = composite.dimOf(self);
  if (!self || !dim || !index || !source)
    return "expected a tensor, an index and a source";
  composite.replaceResult(
      0, scatterInto(b, self, *dim, index, Update::add, false,
                     [&](ImplicitLocOpBuilder &b, ValueRange place) {
                       return extractAt(b, source, place);
                     }));
  return {};
}

/// What a reduction starts from where the old element does not count.
static Value identityOf(TensorBuilder &b, Update kind, Type type,
                        bool isUnsigned) {
  unsigned width = type.getIntOrFloatBitWidth();
  isUnsigned |= type.isInteger(1);
  if (auto floats = dyn_cast<FloatType>(type)) {
    double infinity = std::numeric_limits<double>::infinity();
    double value = kind == Update::multiply ? 1
                   : kind == Update::max    ? -infinity
                   : kind == Update::min    ? infinity
                                            : 0;
    return b.floatConstant(floats, value);
  }
  APInt value = APInt(width, kind == Update::multiply);
  if (kind == Update::max && !isUnsigned)
    value = APInt::getSignedMinValue(width);
  if (kind == Update::min)
    value = isUnsigned ? APInt::getMaxValue(width)
                       : APInt::getSignedMaxValue(width);
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
}

/// Sums divided by the number of summands: floor for integers.
static Value divide(TensorBuilder &b, Value sums, Value counts,
                    bool isUnsigned) {
  Type type = tensorType(sums).getElementType();
  return b.elementwise({sums, counts}, type,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         if (isa<FloatType>(type))
                           return arith::DivFOp::create(b, args[0], args[1]);
                         if (isUnsigned)
                           return arith::DivUIOp::create(b, args[0], args[1]);
                         return arith::FloorDivSIOp::create(b, args[0],
                                                            args[1]);
                       });
}

static std::string scatterReduce(Composite &composite, TensorBuilder &b) {
  Value self = composite.operand("self"), index = composite.operand("index"),
        source = sourceOf(composite, b, self);
  std::optional<int64_t> dim = composite.dimOf(self);
  auto reduce = composite.argument<StringAttr>("reduce");
  std::optional<Update> kind = parseReduction(reduce ? reduce.getValue() : "");
  if (!self || !dim || !index || !source || !kind || *kind == Update::assign)
    return "expected a tensor, an index, a source and a known reduction";
  RankedTensorType type = tensorType(self);
  Type element = type.getElementType();
  bool isUnsigned = composite.isUnsigned(),
       isMean = reduce.getValue() == "mean";
  auto apply = [&](Value to, Update how, Value constant) {
    return scatterInto(b, to, *dim, index, how, isUnsigned,
                       [&](ImplicitLocOpBuilder &b, ValueRange place) {
                         return constant ? constant
                                         : extractAt(b, source, place);
                       });
  };
  bool includesSelf = composite.boolean("include_self").value_or(true);
  Value result = self;
  if (!includesSelf)
    result = apply(result, Update::assign,
                   identityOf(b, *kind, element, isUnsigned));
  result = apply(result, *kind, Value());
  if (isMean) {
    TypedAttr one = isa<FloatType>(element)
                        ? TypedAttr(b.getFloatAttr(element, 1))
                        : TypedAttr(b.getIntegerAttr(element, 1));
    Value counts = b.fill(type.getShape(), one);
    Value unit = arith::ConstantOp::create(b, one);
    if (!includesSelf)
      counts = apply(counts, Update::assign,
                     identityOf(b, Update::add, element, isUnsigned));
    counts = apply(counts, Update::add, unit);
    result = divide(b, result, counts, isUnsigned);
  }
  composite.replaceResult(0, result);
  return {};
}

//===----------------------------------------------------------------------===//
// Several index tensors
//===----------------------------------------------------------------------===//

namespace {
/// `self[indices] = values` with index tensors of shapes that broadcast to
/// `broadcast`; dimensions without an index keep theirs.
struct IndexPut {
  Value self;
  SmallVector<Value> indices;
  SmallVector<int64_t> broadcast;
  /// Where the dimensions of `broadcast` are among those of an update.
  int64_t first = 0;

  /// Shape of all updates.
  SmallVector<int64_t> shape() const;
  /// Elements of the broadcast tensor at the last dimensions of `place`.
  static Value read(ImplicitLocOpBuilder &b, Value tensor, ValueRange place);
  SmallVector<Value> position(ImplicitLocOpBuilder &b, ValueRange place) const;
};
} // namespace

SmallVector<int64_t> IndexPut::shape() const {
  SmallVector<int64_t> result;
  for (auto [dim, extent] : llvm::enumerate(tensorType(self).getShape()))
    if (dim >= indices.size() || !indices[dim])
      result.push_back(extent);
  result.insert(result.begin() + first, broadcast.begin(), broadcast.end());
  return result;
}

Value IndexPut::read(ImplicitLocOpBuilder &b, Value tensor, ValueRange place) {
  ArrayRef<int64_t> shape = tensorType(tensor).getShape();
  SmallVector<Value> position(place.take_back(shape.size()));
  for (auto [extent, index] : llvm::zip(shape, position))
    if (extent == 1)
      index = arith::ConstantIndexOp::create(b, 0);
  return extractAt(b, tensor, position);
}

SmallVector<Value> IndexPut::position(ImplicitLocOpBuilder &b,
                                      ValueRange place) const {
  ValueRange common = place.slice(first, broadcast.size());
  SmallVector<Value> result;
  int64_t next = 0;
  for (auto [dim, extent] : llvm::enumerate(tensorType(self).getShape())) {
    if (dim < indices.size() && indices[dim]) {
      result.push_back(wrapIndex(b, read(b, indices[dim], common), extent));
      continue;
    }
    if (next == first)
      next += broadcast.size();
    result.push_back(place[next++]);
  }
  return result;
}

/// Reads the operands of index_put; the reason why it cannot.
static std::string readIndexPut(Composite &composite, IndexPut &put) {
  put.self = composite.operand("self");
  put.indices = composite.operandList("indices");
  if (!put.self || put.indices.empty() || !composite.operand("values"))
    return "expected a tensor, indices and values";
  SmallVector<int64_t> places;
  for (auto [dim, index] : llvm::enumerate(put.indices)) {
    if (!index)
      continue;
    if (tensorType(index).getElementType().isInteger(1))
      return "expected indices of integers; use torch.where with a mask";
    places.push_back(dim);
    SmallVector<int64_t> shape;
    if (!OpTrait::util::getBroadcastedShape(
            put.broadcast, tensorType(index).getShape(), shape))
      return "expected indices whose shapes broadcast";
    put.broadcast = shape;
  }
  // Indices that are not neighbours come first in an update.
  bool adjacent = places.back() - places.front() == int64_t(places.size()) - 1;
  put.first = adjacent ? places.front() : 0;
  return {};
}

/// Broadcasts `values` to the updates' shape.
static Value broadcastValues(TensorBuilder &b, Value values,
                             ArrayRef<int64_t> shape) {
  auto source = broadcastTo(b, values, shape);
  if (!source)
    return {};
  return b.map(source->first, source->second, shape,
               tensorType(values).getElementType(),
               [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
}

/// A mask of the shape of `self`: a selection.
static std::string putByMask(Composite &composite, TensorBuilder &b,
                             Value mask) {
  Value self = composite.operand("self"), values = composite.operand("values");
  RankedTensorType type = tensorType(self);
  int64_t rank = type.getRank();
  if (tensorType(values).getNumElements() != 1)
    return "expected one value for a mask, got a list; use torch.where";
  bool adds = composite.boolean("accumulate").value_or(false);
  auto prefix =
      llvm::to_vector(llvm::seq<int64_t>(0, tensorType(mask).getRank()));
  composite.replaceResult(
      0,
      b.map({self, mask, b.reshape(values, {})},
            {b.identityMap(rank), b.dimsMap(rank, prefix), b.dimsMap(rank, {})},
            type.getShape(), type.getElementType(),
            [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
              Value value = combine(b, adds ? Update::add : Update::assign,
                                    args[0], args[2], false);
              return arith::SelectOp::create(b, args[1], value, args[0]);
            }));
  return {};
}

static std::string indexPut(Composite &composite, TensorBuilder &b) {
  SmallVector<Value> indices = composite.operandList("indices");
  if (indices.size() == 1 && indices[0] &&
      tensorType(indices[0]).getElementType().isInteger(1))
    return putByMask(composite, b, indices[0]);
  IndexPut put;
  if (std::string reason = readIndexPut(composite, put); !reason.empty())
    return reason;
  Value values = composite.operand("values");
  Updates updates{put.self, put.shape(),
                  composite.boolean("accumulate").value_or(false)
                      ? Update::add
                      : Update::assign};
  if (tensorType(values).getElementType() !=
      tensorType(put.self).getElementType())
    return "expected values of the tensor's type; convert them first";
  auto only = llvm::find_if(put.indices, [](Value v) { return bool(v); });
  bool isOne =
      llvm::count_if(put.indices, [](Value v) { return bool(v); }) == 1;
  int64_t rows = tensorType(*only).getNumElements();
  if (isOne && (put.broadcast.size() == 1 || rows == 1)) {
    values = broadcastValues(b, values, updates.shape);
    if (!values)
      return "expected values that broadcast to the selected elements";
    int64_t dim = std::distance(put.indices.begin(), only);
    SmallVector<int64_t> shape(tensorType(put.self).getShape());
    shape[dim] = rows;
    composite.replaceResult(
        0, updateRows(b, put.self, {dim, *only, /*wraps=*/true},
                      b.reshape(values, shape), updates.kind));
    return {};
  }
  Value result = emitUpdates(b, updates,
                             [&](ImplicitLocOpBuilder &b, ValueRange place,
                                 SmallVector<Value> &position) {
                               position = put.position(b, place);
                               return IndexPut::read(b, values, place);
                             });
  composite.replaceResult(0, result);
  return {};
}

void mlir::asic::addIndexingDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["aten.index_add"] = indexAdd;
  table["aten.index_copy"] = indexCopy;
  table["aten.index_fill"] = indexFill;
  table["aten.index_put"] = indexPut;
  table["aten.scatter"] = scatter;
  table["aten.scatter_add"] = scatterAdd;
  table["aten.scatter_reduce"] = scatterReduce;
}
