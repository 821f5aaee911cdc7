// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-fold-zero-points: depthwise sums of the vector unit in one operation per
// product.
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/Support/ScalarBodies.h"
#include "passes/Support/Target.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace mlir::asic {
#define GEN_PASS_DEF_FOLDZEROPOINTSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Σ (x - z) * w[c] + b[c] with constant w and b, where w has no iterator of
/// its own but those of the sum.
struct DepthwiseSum {
  /// Operand numbers.
  unsigned data, weight;
  int64_t zeroPoint;
  /// Dimension of the result that w lies along.
  int64_t channel;
  SmallVector<int64_t> bias;
};
} // namespace

/// The zero point that a factor of a product subtracts; none when it subtracts
/// nothing.
static std::optional<int64_t> zeroPointOf(Value factor) {
  auto subtract = factor.getDefiningOp<arith::SubIOp>();
  APInt zero;
  if (!subtract || !matchPattern(subtract.getRhs(), m_ConstantInt(&zero)))
    return std::nullopt;
  return zero.getSExtValue();
}

/// The result dimension that the weights lie along, when all other iterators of
/// theirs are summed over and every iterator is one of the data, too.
static std::optional<int64_t> findChannel(linalg::GenericOp op, unsigned data,
                                          unsigned weight) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto types = op.getIteratorTypesArray();
  std::optional<int64_t> channel;
  for (AffineExpr expr : maps[weight].getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return std::nullopt;
    if (types[dim.getPosition()] == utils::IteratorType::reduction)
      continue;
    std::optional<unsigned> position = maps.back().getResultPosition(expr);
    if (channel || !position || !maps[data].isFunctionOfDim(dim.getPosition()))
      return std::nullopt;
    channel = *position;
  }
  return channel;
}

/// The constant that the sum starts from, per channel.
static std::optional<SmallVector<int64_t>> readBias(Value init,
                                                    int64_t channel) {
  int64_t channels = tensorType(init).getDimSize(channel);
  if (std::optional<TypedAttr> fill = matchFill(init))
    if (auto number = dyn_cast<IntegerAttr>(*fill))
      return SmallVector<int64_t>(channels, number.getInt());
  std::optional<BroadcastVector> vector = matchBroadcastVector(init);
  ElementsAttr constant =
      vector && vector->dim == channel ? getConstant(vector->vector) : nullptr;
  std::optional<SmallVector<double>> reals =
      constant ? readReals(constant) : std::nullopt;
  if (!reals)
    return std::nullopt;
  return SmallVector<int64_t>(reals->begin(), reals->end());
}

static std::optional<DepthwiseSum> matchDepthwise(linalg::GenericOp op) {
  std::optional<MultiplyAccumulate> match = matchMultiplyAccumulate(op);
  if (!match || !isa<arith::MulIOp>(match->multiply))
    return std::nullopt;
  DepthwiseSum sum{match->lhs, match->rhs, 0, 0, {}};
  Value data = match->multiply->getOperand(0);
  Value weight = match->multiply->getOperand(1);
  if (getConstant(op.getDpsInputs()[sum.data])) {
    std::swap(sum.data, sum.weight);
    std::swap(data, weight);
  }
  std::optional<int64_t> zero = zeroPointOf(data);
  ElementsAttr constant = getConstant(op.getDpsInputs()[sum.weight]);
  std::optional<SmallVector<double>> weights =
      constant ? readReals(constant) : std::nullopt;
  std::optional<int64_t> channel = findChannel(op, sum.data, sum.weight);
  if (!zero || zeroPointOf(weight) || !weights || !channel)
    return std::nullopt;
  std::optional<SmallVector<int64_t>> bias =
      readBias(op.getDpsInits().front(), *channel);
  if (!bias)
    return std::nullopt;
  sum.zeroPoint = *zero;
  sum.channel = *channel;
  sum.bias = std::move(*bias);

  // b[c] - z * Σ w[…, c, …].
  AffineMap output = op.getIndexingMapsArray().back();
  AffineMap map = op.getIndexingMapsArray()[sum.weight];
  ArrayRef<int64_t> shape =
      tensorType(op.getDpsInputs()[sum.weight]).getShape();
  int64_t inner = 1;
  unsigned axis = *map.getResultPosition(output.getResult(sum.channel));
  for (int64_t extent : shape.drop_front(axis + 1))
    inner *= extent;
  for (auto [index, value] : llvm::enumerate(*weights))
    sum.bias[index / inner % shape[axis]] -= sum.zeroPoint * int64_t(value);
  if (!llvm::all_of(sum.bias, [](int64_t b) { return llvm::isInt<32>(b); }))
    return std::nullopt;
  return sum;
}

/// Σ x * w, then one addition per sum, which fuses with what follows.
static void rewrite(linalg::GenericOp op, const DepthwiseSum &sum) {
  OpBuilder builder(op);
  TensorBuilder b(op.getLoc(), builder);
  Value result = op.getResult(0);
  RankedTensorType type = tensorType(result);
  Value start = b.fill(type.getShape(), b.getI32IntegerAttr(0));
  Value data = op.getDpsInputs()[sum.data];
  Value weight = op.getDpsInputs()[sum.weight];
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value total =
      b.generic({data, weight}, start,
                {maps[sum.data], maps[sum.weight], maps.back()},
                [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                  Value product = arith::MulIOp::create(
                      nested, widenInteger(nested, args[0]),
                      widenInteger(nested, args[1]));
                  return arith::AddIOp::create(nested, product, args[2]);
                })
          .getResult(0);
  auto vector = RankedTensorType::get(sum.bias.size(), b.getI32Type());
  Value bias =
      arith::ConstantOp::create(b, makeConstant(vector, "bias", sum.bias));
  AffineMap along = b.dimsMap(type.getRank(), {sum.channel});
  Value sums = b.map({total, bias}, {b.identityMap(type.getRank()), along},
                     type.getShape(), b.getI32Type(),
                     [](ImplicitLocOpBuilder &nested, ValueRange args) {
                       return arith::AddIOp::create(nested, args[0], args[1]);
                     });
  result.replaceAllUsesWith(sums);
  op.erase();
}

namespace {
struct FoldZeroPointsPass
    : mlir::asic::impl::FoldZeroPointsPassBase<FoldZeroPointsPass> {
  void runOnOperation() override {
    if (!getTarget(getOperation()))
      return;
    FailureOr<::asic::TargetModel> target = readTarget(getOperation());
    if (failed(target))
      return signalPassFailure();
    // The matrix unit subtracts zero points on the way in.
    if (target->mxu.depthwiseMacsPerCycle > 0)
      return;
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops)
      if (std::optional<DepthwiseSum> sum = matchDepthwise(op))
        rewrite(op, *sum);
  }
};
} // namespace
