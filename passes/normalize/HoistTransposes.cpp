// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Transpositions towards the arguments: transpose(op(x)) becomes
// op(transpose(x)) where that ends well on every path.
#include "passes/Support/Constants.h"
#include "passes/Support/Locations.h"
#include "passes/normalize/TransposeUtils.h"

#include "dialects/Asic/Asic.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Makes transposed versions of values by changing how they are made.
class Hoister {
public:
  explicit Hoister(IRRewriter &rewriter) : rewriter(rewriter) {}

  /// Whether `value` can be had in the order of `permutation` without a
  /// transposition inside the network.
  bool canHoist(Value value, ArrayRef<int64_t> permutation, int depth = 0);

  /// `value` in the order of `permutation`; `canHoist` must hold.
  Value hoist(Value value, ArrayRef<int64_t> permutation);

private:
  /// Paths longer than this are not followed.
  static constexpr int kMaxDepth = 32;

  /// How the inputs of a generic whose result is permuted must be permuted; an
  /// identity where nothing changes.
  static SmallVector<SmallVector<int64_t>>
  inputOrders(linalg::GenericOp op, ArrayRef<int64_t> permutation);

  Value hoistMarker(Operation *op, ArrayRef<int64_t> permutation);
  Value hoistGeneric(linalg::GenericOp op, ArrayRef<int64_t> permutation);
  Value hoistContraction(linalg::GenericOp op, ArrayRef<int64_t> permutation);
  Value hoistPad(tensor::PadOp op, ArrayRef<int64_t> permutation);

  IRRewriter &rewriter;
};
} // namespace

static AffineMap permuteResults(AffineMap map, ArrayRef<int64_t> order) {
  return AffineMap::get(map.getNumDims(), 0, permuted(map.getResults(), order),
                        map.getContext());
}

/// Whether `value` costs nothing in any layout.
static bool isUniform(Value value) {
  return value.getDefiningOp<tensor::EmptyOp>() ||
         value.getDefiningOp<linalg::FillOp>() || matchBroadcastVector(value);
}

static bool isConstantWithData(Value value) {
  ElementsAttr constant = getConstant(value);
  return constant && (getBytes(constant) || lacksData(constant));
}

SmallVector<SmallVector<int64_t>>
Hoister::inputOrders(linalg::GenericOp op, ArrayRef<int64_t> permutation) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<int64_t> like =
      permuted<int64_t>(*loopsOf(maps.back()), permutation);
  SmallVector<SmallVector<int64_t>> orders;
  for (AffineMap map : ArrayRef(maps).drop_back())
    orders.push_back(orderLike(*loopsOf(map), like));
  return orders;
}

bool Hoister::canHoist(Value value, ArrayRef<int64_t> permutation, int depth) {
  if (isIdentity(permutation) || isConstantWithData(value) || isUniform(value))
    return true;
  if (depth > kMaxDepth)
    return false;
  Operation *op = value.getDefiningOp();
  if (!op)
    return true;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    SmallVector<int64_t> both =
        compose(transpose.getPermutation(), permutation);
    return canHoist(transpose.getInput(), both, depth + 1);
  }
  if (isa<QuantizeOp, DequantizeOp>(op))
    return canHoist(op->getOperand(0), permutation, depth + 1);
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return pad.getConstantPaddingValue() &&
           canHoist(pad.getSource(), permutation, depth + 1);
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || !generic->hasOneUse())
    return false;
  if (isPlainContraction(generic))
    return isUniform(generic.getDpsInits().front());
  if (!isPermutable(generic) || !isUniform(generic.getDpsInits().front()))
    return false;
  for (auto [input, order] :
       llvm::zip(generic.getInputs(), inputOrders(generic, permutation)))
    if (!canHoist(input, order, depth + 1))
      return false;
  return true;
}

Value Hoister::hoist(Value value, ArrayRef<int64_t> permutation) {
  if (isIdentity(permutation))
    return value;
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointAfterValue(value);
  TensorBuilder b(getUserLoc(value), rewriter);
  Operation *op = value.getDefiningOp();
  if (!op || isConstantWithData(value) || isUniform(value))
    return b.transpose(value, permutation);
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return hoist(transpose.getInput(),
                 compose(transpose.getPermutation(), permutation));
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return hoistPad(pad, permutation);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return isPlainContraction(generic) ? hoistContraction(generic, permutation)
                                       : hoistGeneric(generic, permutation);
  return hoistMarker(op, permutation);
}

Value Hoister::hoistMarker(Operation *op, ArrayRef<int64_t> permutation) {
  Value input = hoist(op->getOperand(0), permutation);
  rewriter.setInsertionPointAfter(op);
  IRMapping mapping;
  mapping.map(op->getOperand(0), input);
  Operation *clone = rewriter.clone(*op, mapping);
  RankedTensorType type = tensorType(op->getResult(0));
  clone->getResult(0).setType(RankedTensorType::get(
      permuted(type.getShape(), permutation), type.getElementType()));
  if (auto axis = op->getAttrOfType<IntegerAttr>("axis"))
    clone->setAttr("axis", rewriter.getI64IntegerAttr(
                               llvm::find(permutation, axis.getInt()) -
                               permutation.begin()));
  return clone->getResult(0);
}

Value Hoister::hoistPad(tensor::PadOp op, ArrayRef<int64_t> permutation) {
  Value input = hoist(op.getSource(), permutation);
  rewriter.setInsertionPointAfter(op);
  RankedTensorType type = op.getResultType();
  auto resultType = RankedTensorType::get(
      permuted(type.getShape(), permutation), type.getElementType());
  return tensor::PadOp::create(
      rewriter, op.getLoc(), resultType, input,
      permuted<OpFoldResult>(op.getMixedLowPad(), permutation),
      permuted<OpFoldResult>(op.getMixedHighPad(), permutation),
      op.getConstantPaddingValue());
}

Value Hoister::hoistGeneric(linalg::GenericOp op,
                            ArrayRef<int64_t> permutation) {
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (auto [input, map, order] :
       llvm::zip(op.getInputs(), op.getIndexingMapsArray(),
                 inputOrders(op, permutation))) {
    inputs.push_back(hoist(input, order));
    maps.push_back(permuteResults(map, order));
  }
  rewriter.setInsertionPointAfter(op);
  TensorBuilder b(op.getLoc(), rewriter);
  Value init = b.transpose(op.getDpsInits().front(), permutation);
  AffineMap output =
      permuteResults(op.getIndexingMapsArray().back(), permutation);
  return rebuild(b, op, inputs, maps, init, output, *loopsOf(output))
      .getResult(0);
}

Value Hoister::hoistContraction(linalg::GenericOp op,
                                ArrayRef<int64_t> permutation) {
  rewriter.setInsertionPointAfter(op);
  TensorBuilder b(op.getLoc(), rewriter);
  Value init = b.transpose(op.getDpsInits().front(), permutation);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps.back() = permuteResults(maps.back(), permutation);
  auto result = linalg::GenericOp::create(b, TypeRange(init.getType()),
                                          op.getInputs(), ValueRange(init),
                                          maps, op.getIteratorTypesArray());
  IRMapping mapping;
  op.getRegion().cloneInto(&result.getRegion(), mapping);
  return result.getResult(0);
}

void mlir::asic::hoistTransposes(IRRewriter &rewriter, Operation *root) {
  SmallVector<linalg::TransposeOp> transposes;
  root->walk([&](linalg::TransposeOp op) {
    op->removeAttr(kPinnedAttr);
    transposes.push_back(op);
  });
  Hoister hoister(rewriter);
  for (linalg::TransposeOp op : transposes) {
    if (isa<BlockArgument>(op.getInput()) ||
        !hoister.canHoist(op.getInput(), op.getPermutation()))
      continue;
    SmallVector<int64_t> permutation(op.getPermutation());
    rewriter.replaceOp(op, hoister.hoist(op.getInput(), permutation));
  }
}
