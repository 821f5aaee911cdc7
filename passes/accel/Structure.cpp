// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::asic;

/// Reads `value` as (block argument - constant), through one widening cast.
static bool matchFactor(Value value, Block *body, unsigned &argument,
                        int64_t &zero) {
  zero = 0;
  if (auto sub = value.getDefiningOp<arith::SubIOp>()) {
    APInt constant;
    if (!matchPattern(sub.getRhs(), m_ConstantInt(&constant)))
      return false;
    zero = constant.getSExtValue();
    value = sub.getLhs();
  }
  if (Operation *cast = value.getDefiningOp())
    if (isa<arith::ExtSIOp, arith::ExtFOp>(cast))
      value = cast->getOperand(0);
  auto blockArgument = dyn_cast<BlockArgument>(value);
  if (!blockArgument || blockArgument.getOwner() != body)
    return false;
  argument = blockArgument.getArgNumber();
  return true;
}

std::optional<Contraction>
mlir::asic::matchContraction(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() == 0)
    return std::nullopt;
  Block *body = op.getBody();
  Operation *sum = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!sum || !isa<arith::AddIOp, arith::AddFOp>(sum))
    return std::nullopt;
  Value accumulator = body->getArgument(2);
  Value product = sum->getOperand(0) == accumulator ? sum->getOperand(1)
                                                    : sum->getOperand(0);
  if (!llvm::is_contained(sum->getOperands(), accumulator))
    return std::nullopt;
  Operation *multiply = product.getDefiningOp();
  if (!multiply || !isa<arith::MulIOp, arith::MulFOp>(multiply))
    return std::nullopt;

  unsigned arguments[2];
  int64_t zeros[2];
  for (unsigned side = 0; side < 2; ++side)
    if (!matchFactor(multiply->getOperand(side), body, arguments[side],
                     zeros[side]))
      return std::nullopt;
  if (arguments[0] > 1 || arguments[1] > 1 || arguments[0] == arguments[1])
    return std::nullopt;
  if (arguments[0] == 1) {
    std::swap(arguments[0], arguments[1]);
    std::swap(zeros[0], zeros[1]);
  }

  Contraction result;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!maps[1].isProjectedPermutation()) {
    if (!maps[0].isProjectedPermutation())
      return std::nullopt;
    result.a = 1;
    result.w = 0;
    std::swap(zeros[0], zeros[1]);
  }
  result.aZero = zeros[0];
  result.wZero = zeros[1];
  if (!maps[2].isProjectedPermutation())
    return std::nullopt;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    bool inA = maps[result.a].isFunctionOfDim(loop);
    bool inW = maps[result.w].isFunctionOfDim(loop);
    bool inOut = maps[2].isFunctionOfDim(loop);
    if (!inOut)
      result.k.push_back(loop);
    else if (inA && inW)
      result.batch.push_back(loop);
    else if (inW)
      result.n.push_back(loop);
    else
      result.m.push_back(loop);
  }
  return result;
}

std::optional<Value> mlir::asic::matchContractionInit(Value init) {
  if (auto fill = init.getDefiningOp<linalg::FillOp>()) {
    Value value = fill.getInputs()[0];
    if (matchPattern(value, m_Zero()) || matchPattern(value, m_AnyZeroFloat()))
      return Value();
    return std::nullopt;
  }
  auto generic = init.getDefiningOp<linalg::GenericOp>();
  if (!generic || generic.getNumDpsInputs() != 1 || !isElementwise(generic))
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(generic.getInputs()[0].getType());
  if (!type || type.getRank() != 1 ||
      generic.getBody()->getTerminator()->getOperand(0) !=
          generic.getBody()->getArgument(0))
    return std::nullopt;
  return generic.getInputs()[0];
}

bool mlir::asic::isElementwise(linalg::GenericOp op) {
  return op.getNumParallelLoops() == op.getNumLoops();
}

SmallVector<int64_t> mlir::asic::tileShape(AffineMap map,
                                           ArrayRef<int64_t> sizes) {
  SmallVector<AffineExpr> last;
  for (int64_t size : sizes)
    last.push_back(getAffineConstantExpr(std::max<int64_t>(size, 1) - 1,
                                         map.getContext()));
  SmallVector<int64_t> shape;
  for (AffineExpr expr : map.getResults()) {
    auto bound = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(expr.replaceDims(last), 0, 0));
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    int64_t high = bound ? bound.getValue() : 0;
    shape.push_back(constant ? 1 : high + 1);
  }
  return shape;
}
