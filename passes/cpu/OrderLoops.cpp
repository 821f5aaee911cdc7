// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/LinearForm.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::asic {
#define GEN_PASS_DEF_ORDERLOOPSPASS
#include "passes/Passes.h.inc"

namespace {

/// How an operand's address moves with a loop.
enum class Stride { none, unit, far };

Stride strideOf(AffineMap map, unsigned loop) {
  Stride result = Stride::none;
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    if (!expr.isFunctionOfDim(loop))
      continue;
    SmallVector<int64_t> factors(map.getNumDims(), 0);
    int64_t constant = 0;
    bool isLast = position + 1 == map.getNumResults();
    if (!isLast || !addLinear(expr, 1, factors, constant) || factors[loop] != 1)
      return Stride::far;
    result = Stride::unit;
  }
  return result;
}

/// A reduction worth reordering has a parallel loop over neighbours in its
/// result.
std::optional<unsigned> findInnerLoop(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumReductionLoops() == 0 ||
      op.getNumDpsInits() != 1)
    return std::nullopt;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (map.getNumResults() == 0)
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(map.getResults().back());
  if (!dim || op.getStaticLoopRanges()[dim.getPosition()] == 1)
    return std::nullopt;
  return dim.getPosition();
}

/// How often the loops that `map` does not know repeat each element.
int64_t countUses(linalg::GenericOp op, AffineMap map) {
  int64_t count = 1;
  for (auto [loop, extent] : llvm::enumerate(op.getStaticLoopRanges()))
    if (!map.isFunctionOfDim(loop) && !ShapedType::isDynamic(extent))
      count *= extent;
  return count;
}

/// Below this many uses per element a transposed copy costs more than it saves.
constexpr int64_t kMinUses = 8;

/// Copies `operand` with the dimension that `loop` walks last; false when that
/// does not pay or its index is no single loop.
bool transposeOperand(linalg::GenericOp op, OpOperand &operand, unsigned loop) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!type || !type.hasStaticShape() || !map.isProjectedPermutation() ||
      countUses(op, map) < kMinUses)
    return false;
  SmallVector<int64_t> order, shape;
  SmallVector<AffineExpr> results;
  auto append = [&](unsigned position) {
    order.push_back(position);
    shape.push_back(type.getDimSize(position));
    results.push_back(map.getResult(position));
  };
  unsigned last = 0;
  for (unsigned position = 0; position < map.getNumResults(); ++position)
    if (map.getResult(position).isFunctionOfDim(loop))
      last = position;
    else
      append(position);
  append(last);

  OpBuilder b(op);
  Value init =
      tensor::EmptyOp::create(b, op.getLoc(), shape, type.getElementType());
  Value copy =
      linalg::TransposeOp::create(b, op.getLoc(), operand.get(), init, order)
          .getResult()[0];
  operand.set(copy);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps[operand.getOperandNumber()] =
      AffineMap::get(map.getNumDims(), 0, results, op.getContext());
  op.setIndexingMapsAttr(b.getAffineMapArrayAttr(maps));
  return true;
}

struct OrderLoopsPass : impl::OrderLoopsPassBase<OrderLoopsPass> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : ops)
      if (std::optional<unsigned> loop = findInnerLoop(op);
          loop && makeNear(op, *loop))
        order(rewriter, op, *loop);
  }

  /// Whether every operand's neighbours lie along `loop`, transposing where
  /// that pays.
  static bool makeNear(linalg::GenericOp op, unsigned loop) {
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(operand);
      if (strideOf(map, loop) == Stride::far &&
          !transposeOperand(op, *operand, loop))
        return false;
    }
    return true;
  }

  /// Parallel loops, then reductions in their old order, then `inner`: every
  /// sum still takes its terms in the same order.
  static void order(IRRewriter &rewriter, linalg::GenericOp op,
                    unsigned inner) {
    SmallVector<unsigned> parallel, loops;
    op.getParallelDims(parallel);
    for (unsigned loop : parallel)
      if (loop != inner)
        loops.push_back(loop);
    op.getReductionDims(loops);
    loops.push_back(inner);
    rewriter.setInsertionPoint(op);
    // Fails only for permutations that are none.
    (void)linalg::interchangeGenericOp(rewriter, op, loops);
  }
};

} // namespace
} // namespace mlir::asic
