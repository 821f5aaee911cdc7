// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scans in log2(n) elementwise steps: each adds to every element the sum that
// ends 1, 2, 4, … places before it. Floats are f32; integers are exact.
#include "passes/normalize/CompositeSupport.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Tensors of one shape that a scan carries, each computed by a function of
/// (all earlier ones, all later ones).
using Carried = SmallVector<Value>;
using Combine = function_ref<Value(ImplicitLocOpBuilder &, unsigned number,
                                   ValueRange earlier, ValueRange later)>;
} // namespace

/// The inclusive scan of `carried` along `dim` by an associative function.
static Carried scan(TensorBuilder &b, Carried carried, int64_t dim,
                    Combine combine) {
  int64_t size = tensorType(carried.front()).getDimSize(dim);
  unsigned count = carried.size();
  for (int64_t distance = 1; distance < size; distance *= 2) {
    SmallVector<Value> inputs;
    for (int64_t from : {int64_t(0), distance})
      for (Value value : carried)
        inputs.push_back(slice(b, value, dim, from, size - distance));
    Carried next;
    for (unsigned number = 0; number < count; ++number) {
      Value tail =
          b.elementwise(inputs, tensorType(carried[number]).getElementType(),
                        [&](ImplicitLocOpBuilder &b, ValueRange args) {
                          return combine(b, number, args.take_front(count),
                                         args.slice(count, count));
                        });
      Value head = slice(b, carried[number], dim, 0, distance);
      next.push_back(concat(b, {head, tail}, dim));
    }
    carried = next;
  }
  return carried;
}

/// A scan of one tensor in the type of the result, f32 for floats.
static std::string
scanOne(Composite &composite, TensorBuilder &b,
        function_ref<Value(ImplicitLocOpBuilder &, Value, Value)> combine) {
  Value input = composite.operand("self");
  std::optional<int64_t> dim = composite.dimOf(input);
  RankedTensorType result = composite.resultType(0);
  if (!input || !dim || !result)
    return "expected a tensor and a dimension";
  Value value = convertTensor(b, input, computeType(result.getElementType()),
                              composite.isUnsigned());
  if (result.getRank() != 0)
    value =
        scan(b, {value}, *dim,
             [&](ImplicitLocOpBuilder &b, unsigned, ValueRange earlier,
                 ValueRange later) { return combine(b, earlier[0], later[0]); })
            .front();
  composite.replaceResult(0, convertTensor(b, value, result.getElementType()));
  return {};
}

static std::string cumsum(Composite &composite, TensorBuilder &b) {
  return scanOne(composite, b,
                 [](ImplicitLocOpBuilder &b, Value x, Value y) -> Value {
                   if (isa<FloatType>(x.getType()))
                     return arith::AddFOp::create(b, x, y);
                   return arith::AddIOp::create(b, x, y);
                 });
}

static std::string cumprod(Composite &composite, TensorBuilder &b) {
  return scanOne(composite, b,
                 [](ImplicitLocOpBuilder &b, Value x, Value y) -> Value {
                   if (isa<FloatType>(x.getType()))
                     return arith::MulFOp::create(b, x, y);
                   return arith::MulIOp::create(b, x, y);
                 });
}

/// log(e^x + e^y) = max + log(1 + e^(min - max)); equal infinities stay.
static Value logAddExp(ImplicitLocOpBuilder &b, Value x, Value y) {
  Value max = arith::MaximumFOp::create(b, x, y);
  Value min = arith::MinimumFOp::create(b, x, y);
  Value exp = math::ExpOp::create(b, arith::SubFOp::create(b, min, max));
  Value sum = arith::AddFOp::create(b, exp, scalarF32(b, 1));
  Value log = math::LogOp::create(b, sum);
  Value result = arith::AddFOp::create(b, max, log);
  Value equal = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
  Value twice = arith::AddFOp::create(b, x, scalarF32(b, M_LN2));
  return arith::SelectOp::create(b, equal, twice, result);
}

static std::string logCumsumExp(Composite &composite, TensorBuilder &b) {
  if (!isFloatTensor(composite.resultType(0)))
    return "expected a float tensor";
  return scanOne(composite, b, logAddExp);
}

/// Whether the later of two values replaces the earlier: it is no worse, or
/// NaN.
static Value replaces(ImplicitLocOpBuilder &b, Value earlier, Value later,
                      bool isMax, bool isUnsigned) {
  if (isa<FloatType>(later.getType())) {
    Value better = arith::CmpFOp::create(
        b, isMax ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OLE, later,
        earlier);
    Value isNan =
        arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, later, later);
    return arith::OrIOp::create(b, better, isNan);
  }
  auto predicate = isMax ? (isUnsigned ? arith::CmpIPredicate::uge
                                       : arith::CmpIPredicate::sge)
                         : (isUnsigned ? arith::CmpIPredicate::ule
                                       : arith::CmpIPredicate::sle);
  return arith::CmpIOp::create(b, predicate, later, earlier);
}

/// Running extremes and the places of the last of them; a scalar is its own,
/// at place 0.
template <bool isMax>
static std::string cumulativeExtreme(Composite &composite, TensorBuilder &b) {
  Value input = composite.operand("self");
  std::optional<int64_t> dim = composite.dimOf(input);
  if (!input || !dim)
    return "expected a tensor and a dimension";
  if (tensorType(input).getRank() == 0) {
    input = b.reshape(input, {1});
    dim = 0;
  }
  RankedTensorType type = tensorType(input);
  Type i32 = b.getI32Type();
  Value places =
      b.broadcast(iota(b, type.getDimSize(*dim), i32), *dim, type.getShape());
  // True is the larger of booleans, whose bit a signed comparison takes for -1.
  bool isUnsigned =
      composite.isUnsigned() || type.getElementType().isInteger(1);
  Value value = convertTensor(b, input, computeType(type.getElementType()));
  Carried carried = scan(
      b, {value, places}, *dim,
      [&](ImplicitLocOpBuilder &b, unsigned number, ValueRange earlier,
          ValueRange later) -> Value {
        Value take = replaces(b, earlier[0], later[0], isMax, isUnsigned);
        return arith::SelectOp::create(b, take, later[number], earlier[number]);
      });
  for (auto [number, tensor] : llvm::enumerate(carried))
    if (RankedTensorType result = composite.resultType(number))
      composite.replaceResult(
          number, b.reshape(convertTensor(b, tensor, result.getElementType()),
                            result.getShape()));
  return {};
}

void mlir::asic::addScanDecompositions(llvm::StringMap<Decomposition> &table) {
  table["aten.cummax"] = cumulativeExtreme</*isMax=*/true>;
  table["aten.cummin"] = cumulativeExtreme</*isMax=*/false>;
  table["aten.cumprod"] = cumprod;
  table["aten.cumsum"] = cumsum;
  table["aten.logcumsumexp"] = logCumsumExp;
}
