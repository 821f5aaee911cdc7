// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/ContractionBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::asic;

/// The block argument behind `ext(x)` or `ext(x) - zero`; null otherwise.
static BlockArgument stripFactor(Value value, int64_t &zero) {
  zero = 0;
  APInt constant;
  if (auto sub = value.getDefiningOp<arith::SubIOp>())
    if (matchPattern(sub.getRhs(), m_ConstantInt(&constant)) &&
        constant.isSignedIntN(8)) {
      zero = constant.getSExtValue();
      value = sub.getLhs();
    }
  if (Operation *ext = value.getDefiningOp())
    if (isa<arith::ExtSIOp, arith::ExtFOp, arith::SIToFPOp>(ext))
      value = ext->getOperand(0);
  return dyn_cast<BlockArgument>(value);
}

std::optional<ContractionBody>
mlir::asic::matchContractionBody(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() == 0)
    return std::nullopt;
  Block *body = op.getBody();
  Operation *add = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddIOp, arith::AddFOp>(add))
    return std::nullopt;
  for (bool swap : {false, true}) {
    Operation *product = add->getOperand(!swap).getDefiningOp();
    if (add->getOperand(swap) != body->getArgument(2) ||
        !isa_and_nonnull<arith::MulIOp, arith::MulFOp>(product))
      continue;
    int64_t zeros[2];
    BlockArgument left = stripFactor(product->getOperand(0), zeros[0]);
    BlockArgument right = stripFactor(product->getOperand(1), zeros[1]);
    if (!left || !right || left == right || left.getArgNumber() > 1 ||
        right.getArgNumber() > 1)
      return std::nullopt;
    ContractionBody result;
    result.zeroPoints[left.getArgNumber()] = zeros[0];
    result.zeroPoints[right.getArgNumber()] = zeros[1];
    return result;
  }
  return std::nullopt;
}
