// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/PlanContraction.h"

#include "passes/Support/ContractionBody.h"
#include "passes/Support/LinearForm.h"
#include "passes/Support/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::asic;

/// The role of every iterator; false when one fits none.
static bool assignRoles(linalg::GenericOp op, Contraction &contraction) {
  AffineMap a = op.getMatchingIndexingMap(op.getDpsInputOperand(contraction.a));
  AffineMap w = op.getMatchingIndexingMap(op.getDpsInputOperand(contraction.w));
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!w.isProjectedPermutation() || !out.isProjectedPermutation())
    return false;
  bool hasBatch = false, hasN = false;
  for (unsigned i = 0; i < op.getNumLoops(); ++i) {
    bool inA = a.isFunctionOfDim(i), inW = w.isFunctionOfDim(i);
    bool inOut = out.isFunctionOfDim(i);
    if (!inOut && !(inA && inW))
      return false;
    LoopRole role = !inOut       ? LoopRole::k
                    : inA && inW ? LoopRole::batch
                    : inW        ? LoopRole::n
                                 : LoopRole::m;
    hasBatch |= role == LoopRole::batch && op.getStaticLoopRanges()[i] > 1;
    hasN |= role == LoopRole::n;
    contraction.roles.push_back(role);
  }
  contraction.depthwise = hasBatch && !hasN;
  return true;
}

std::optional<Contraction>
mlir::asic::matchContraction(linalg::GenericOp op,
                             const ::asic::TargetModel &target) {
  std::optional<ContractionBody> body = matchContractionBody(op);
  if (!body)
    return std::nullopt;
  // The first input is A unless the second has a window index.
  Contraction contraction;
  contraction.aZero = body->zeroPoints[0];
  contraction.wZero = body->zeroPoints[1];
  if (!op.getIndexingMapsArray()[1].isProjectedPermutation()) {
    std::swap(contraction.a, contraction.w);
    std::swap(contraction.aZero, contraction.wZero);
  }
  if (!assignRoles(op, contraction))
    return std::nullopt;
  auto typeOf = [&](Value value) {
    return getElementType(getElementTypeOrSelf(value))
        .value_or(::asic::ElementType::None);
  };
  if (!target.findMode(typeOf(op.getDpsInputs()[contraction.a]),
                       typeOf(op.getDpsInputs()[contraction.w]),
                       typeOf(op.getDpsInits()[0])))
    return std::nullopt;
  if (contraction.depthwise && target.mxu.depthwiseMacsPerCycle == 0)
    return std::nullopt;
  return contraction;
}

int64_t Box::numElements() const {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  return count;
}

Box mlir::asic::imageOf(AffineMap map, const Box &loops) {
  Box image;
  SmallVector<int64_t, 8> coefficients;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      image.offsets.push_back(loops.offsets[dim.getPosition()]);
      image.sizes.push_back(loops.sizes[dim.getPosition()]);
      continue;
    }
    coefficients.assign(map.getNumDims(), 0);
    int64_t low = 0;
    addLinear(expr, 1, coefficients, low);
    int64_t high = low;
    for (auto [i, factor] : llvm::enumerate(coefficients)) {
      int64_t first = factor * loops.offsets[i];
      int64_t last = first + factor * (loops.sizes[i] - 1);
      low += std::min(first, last);
      high += std::max(first, last);
    }
    image.offsets.push_back(low);
    image.sizes.push_back(high - low + 1);
  }
  return image;
}

bool mlir::asic::isBroadcast(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() != 0)
    return false;
  Block *body = op.getBody();
  AffineMap in = op.getIndexingMapsArray()[0],
            out = op.getIndexingMapsArray()[1];
  return &body->front() == body->getTerminator() &&
         body->getTerminator()->getOperand(0) == body->getArgument(0) &&
         in.isProjectedPermutation() && out.isPermutation() &&
         in.getNumResults() < out.getNumResults();
}

bool mlir::asic::isAbsorbed(Operation *op) {
  if (isa<tensor::EmptyOp, linalg::FillOp>(op))
    return true;
  auto isCompute = [](Operation *user) { return isa<linalg::GenericOp>(user); };
  if (isa<tensor::PadOp>(op))
    return llvm::any_of(op->getUsers(), isCompute);
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || !isBroadcast(generic))
    return false;
  // Only as the initial value of a reduction or contraction.
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
    return user && user.isDpsInit(&use) && user.getNumReductionLoops() > 0;
  });
}
