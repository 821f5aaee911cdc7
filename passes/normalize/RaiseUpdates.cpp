// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/normalize/RaiseUpdates.h"

#include "dialects/Asic/Asic.h"
#include "passes/Support/Constants.h"
#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::asic;

/// `value` before reshapes.
static Value beforeReshapes(Value value) {
  while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
      value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

/// True for the constant 0, 1, 2, … in row-major order.
static bool isIota(Value value) {
  ElementsAttr constant = getConstant(value);
  if (!constant)
    return false;
  std::optional<SmallVector<double>> numbers = readReals(constant);
  return numbers && llvm::all_of(llvm::enumerate(*numbers), [](auto item) {
           return item.value() == double(item.index());
         });
}

namespace {
/// A mask that compares all places with a position, a tensor of one element.
struct PositionMask {
  Value position;
  /// True at the position, or everywhere else.
  bool isThere;
};
} // namespace

static std::optional<PositionMask> matchPositionMask(Value mask) {
  auto compare = beforeReshapes(mask).getDefiningOp<linalg::GenericOp>();
  if (!compare || !isParallel(compare) || compare.getNumDpsInputs() != 2)
    return std::nullopt;
  auto cmp = compare.getBody()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::CmpIOp>();
  bool comparesInputs =
      cmp &&
      (cmp.getPredicate() == arith::CmpIPredicate::eq ||
       cmp.getPredicate() == arith::CmpIPredicate::ne) &&
      llvm::all_of(cmp->getOperands(), [&](Value operand) {
        auto argument = dyn_cast<BlockArgument>(operand);
        return argument && argument.getOwner() == compare.getBody();
      });
  if (!comparesInputs || cmp.getLhs() == cmp.getRhs())
    return std::nullopt;
  int64_t count = tensorType(compare.getResult(0)).getNumElements();
  for (unsigned i : {0, 1}) {
    Value places = compare.getDpsInputs()[i],
          position = compare.getDpsInputs()[1 - i];
    if (tensorType(position).getNumElements() == 1 &&
        tensorType(places).getNumElements() == count && isIota(places))
      return PositionMask{position,
                          cmp.getPredicate() == arith::CmpIPredicate::eq};
  }
  return std::nullopt;
}

/// The only dimension of more than one element along which `mask` varies under
/// `map`, none when it varies along others.
static std::optional<int64_t> matchDim(AffineMap map, Value mask) {
  std::optional<int64_t> found;
  ArrayRef<int64_t> shape = tensorType(mask).getShape();
  for (auto [expr, extent] : llvm::zip_equal(map.getResults(), shape)) {
    if (extent == 1)
      continue;
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || found)
      return std::nullopt;
    found = dim.getPosition();
  }
  return found;
}

namespace {

/// select(place == position, row, argument), or its opposite, writes the row at
/// the position. A tensor that the network computes is left to the vector unit,
/// which selects while the tensor is on the chip.
struct RaiseSelect : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 1 || !isParallel(op))
      return rewriter.notifyMatchFailure(op, "no map");
    auto select = op.getBody()
                      ->getTerminator()
                      ->getOperand(0)
                      .getDefiningOp<arith::SelectOp>();
    if (!select)
      return rewriter.notifyMatchFailure(op, "no selection");
    auto operandOf = [&](Value value) -> OpOperand * {
      auto argument = dyn_cast<BlockArgument>(value);
      if (!argument || argument.getOwner() != op.getBody() ||
          argument.getArgNumber() >= op.getNumDpsInputs())
        return nullptr;
      return op.getDpsInputOperand(argument.getArgNumber());
    };
    OpOperand *mask = operandOf(select.getCondition()),
              *row = operandOf(select.getTrueValue()),
              *old = operandOf(select.getFalseValue());
    if (!mask || !row || !old)
      return rewriter.notifyMatchFailure(op, "no selection of tensors");
    std::optional<int64_t> dim =
        matchDim(op.getMatchingIndexingMap(mask), mask->get());
    auto found = dim ? matchPositionMask(mask->get()) : std::nullopt;
    if (!found)
      return rewriter.notifyMatchFailure(op, "no mask of a position");
    if (!found->isThere)
      std::swap(row, old);
    RankedTensorType type = tensorType(op.getResult(0));
    if (old->get().getType() != type || !isArgument(old->get()) ||
        !op.getMatchingIndexingMap(old).isIdentity() ||
        !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
      return rewriter.notifyMatchFailure(op, "no selection from an argument");
    if (!isRow(op.getMatchingIndexingMap(row), row->get(), type, *dim))
      return rewriter.notifyMatchFailure(op, "no row at a position");

    TensorBuilder b(op.getLoc(), rewriter);
    SmallVector<int64_t> shape(type.getShape());
    shape[*dim] = 1;
    Value index = makeIndex(b, found->position, type.getDimSize(*dim));
    Value slice = b.reshape(row->get(), shape);
    rewriter.replaceOpWithNewOp<UpdateSliceOp>(op, slice, old->get(), index,
                                               *dim);
    return success();
  }

  static bool isArgument(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && isa<func::FuncOp>(argument.getOwner()->getParentOp());
  }

  /// True when `value` has every element of a row of `type` across `dim`, in
  /// order.
  static bool isRow(AffineMap map, Value value, RankedTensorType type,
                    int64_t dim) {
    SmallVector<int64_t> wanted, found;
    for (auto [d, extent] : llvm::enumerate(type.getShape()))
      if (int64_t(d) != dim && extent != 1)
        wanted.push_back(d);
    ArrayRef<int64_t> shape = tensorType(value).getShape();
    for (auto [expr, extent] : llvm::zip_equal(map.getResults(), shape)) {
      if (extent == 1)
        continue;
      auto its = dyn_cast<AffineDimExpr>(expr);
      if (!its)
        return false;
      found.push_back(its.getPosition());
    }
    return wanted == found;
  }

  /// The position as an index: -1, which no place has, for all that are
  /// outside.
  static Value makeIndex(TensorBuilder &b, Value position, int64_t places) {
    Type i32 = b.getI32Type();
    Type type = tensorType(position).getElementType();
    // As an index it is nowhere, too.
    if (type == i32)
      return b.reshape(position, {});
    unsigned width = type.getIntOrFloatBitWidth();
    return b.elementwise(
        b.reshape(position, {}), i32,
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          if (width < 32)
            return arith::ExtSIOp::create(b, i32, args[0]);
          Value bound =
              arith::ConstantOp::create(b, b.getIntegerAttr(type, places));
          Value isInside = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                                 args[0], bound);
          Value index = arith::TruncIOp::create(b, i32, args[0]);
          Value outside = arith::ConstantOp::create(b, b.getI32IntegerAttr(-1));
          return arith::SelectOp::create(b, isInside, index, outside);
        });
  }
};

/// An update at a constant place is an insertion, or nothing.
struct FoldConstantUpdate : OpRewritePattern<UpdateSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UpdateSliceOp op,
                                PatternRewriter &rewriter) const override {
    DenseIntElementsAttr constant;
    if (op.getIndex().getType().getRank() != 0 ||
        !matchPattern(op.getIndex(), m_Constant(&constant)))
      return rewriter.notifyMatchFailure(op, "no constant place");
    int64_t place = constant.getValues<APInt>()[0].getSExtValue();
    RankedTensorType type = op.getSource().getType();
    int64_t dim = op.getDim();
    int64_t last =
        op.getDest().getType().getDimSize(dim) - type.getDimSize(dim);
    if (place < 0 || place > last) {
      rewriter.replaceOp(op, op.getDest());
      return success();
    }
    SmallVector<OpFoldResult> offsets(type.getRank(), rewriter.getIndexAttr(0)),
        strides(type.getRank(), rewriter.getIndexAttr(1));
    offsets[dim] = rewriter.getIndexAttr(place);
    rewriter.replaceOpWithNewOp<tensor::InsertSliceOp>(
        op, op.getSource(), op.getDest(), offsets,
        getAsIndexOpFoldResult(op.getContext(), type.getShape()), strides);
    return success();
  }
};

} // namespace

void mlir::asic::populateRaiseUpdatePatterns(RewritePatternSet &patterns) {
  patterns.add<RaiseSelect, FoldConstantUpdate>(patterns.getContext());
}
