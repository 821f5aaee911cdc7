// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/TensorBuilder.h"
#include "passes/cpu/Cpu.h"
#include "passes/cpu/Extents.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <set>

namespace mlir::asic {
#define GEN_PASS_DEF_CLIPLOOPSPASS
#define GEN_PASS_DEF_EXPANDPADDEDDIMSPASS
#include "passes/Passes.h.inc"

namespace {

//===----------------------------------------------------------------------===//
// Clipping
//===----------------------------------------------------------------------===//

/// Rewrites the linalg ops of one function.
class Clipper {
public:
  Clipper(func::FuncOp function, ArrayRef<std::string> names)
      : function(function), builder(function.getContext()) {
    MLIRContext *context = function.getContext();
    for (const std::string &name : names) {
      (void)function.insertArgument(
          function.getNumArguments(), IndexType::get(context),
          DictionaryAttr::get(
              context, NamedAttribute(StringAttr::get(context, kExtentAttrName),
                                      StringAttr::get(context, name))),
          function.getLoc());
      arguments.push_back(function.getArgument(function.getNumArguments() - 1));
    }
  }

  void clip(linalg::LinalgOp op, const Reaches &loops) {
    SmallVector<OpFoldResult> sizes = sizesOf(loops, op.getStaticLoopRanges());
    if (!llvm::any_of(sizes, [](OpFoldResult size) { return bool(size); }))
      return;
    builder.setInsertionPoint(op);
    SmallVector<Value> operands;
    for (OpOperand &operand : op->getOpOperands())
      operands.push_back(
          slice(op.getLoc(), operand.get(), partOf(op, operand, sizes)));
    SmallVector<Type> types;
    for (OpOperand &init : op.getDpsInitsMutable())
      types.push_back(operands[init.getOperandNumber()].getType());
    Operation *made = mlir::clone(builder, op, types, operands);
    SmallVector<Value> results;
    for (auto [init, result] :
         llvm::zip_equal(op.getDpsInitsMutable(), made->getResults()))
      results.push_back(
          insert(op.getLoc(), result, init.get(), partOf(op, init, sizes)));
    op->replaceAllUsesWith(results);
    op->erase();
  }

  void clip(tensor::PadOp op, const Reaches &dims) {
    RankedTensorType type = op.getResultType();
    SmallVector<OpFoldResult> parts = sizesOf(dims, type.getShape());
    if (!llvm::any_of(parts, [](OpFoldResult size) { return bool(size); }))
      return;
    builder.setInsertionPoint(op);
    SmallVector<OpFoldResult> sourceSizes, sizes;
    SmallVector<int64_t> shape(type.getShape());
    for (auto [dim, part] : llvm::enumerate(parts)) {
      sourceSizes.push_back(
          part ? part
               : builder.getIndexAttr(op.getSourceType().getDimSize(dim)));
      sizes.push_back(part ? part : builder.getIndexAttr(shape[dim]));
      if (part)
        shape[dim] = getConstantIntValue(part).value_or(ShapedType::kDynamic);
    }
    IRMapping mapping;
    mapping.map(op.getSource(),
                slice(op.getLoc(), op.getSource(), sourceSizes));
    Operation *made = builder.clone(*op, mapping);
    made->getResult(0).setType(type.clone(shape));
    Value whole = tensor::EmptyOp::create(builder, op.getLoc(), type.getShape(),
                                          type.getElementType());
    op.getResult().replaceAllUsesWith(
        insert(op.getLoc(), made->getResult(0), whole, sizes));
    op.erase();
  }

private:
  /// How much of each dimension of these sizes `reaches` name; null for all.
  SmallVector<OpFoldResult> sizesOf(ArrayRef<Reach> reaches,
                                    ArrayRef<int64_t> sizes) {
    SmallVector<OpFoldResult> result;
    for (auto [reach, size] : llvm::zip_equal(reaches, sizes))
      result.push_back(sizeOf(reach, size));
    return result;
  }

  /// The places of `size` that `reach` names; null for all.
  OpFoldResult sizeOf(const Reach &reach, int64_t size) {
    if (reach.getExtents().empty() || ShapedType::isDynamic(size))
      return {};
    int64_t fixed = 0;
    bool isFixed = true;
    for (AffineExpr extent : reach.getExtents())
      if (auto constant = dyn_cast<AffineConstantExpr>(extent))
        fixed = std::max(fixed, constant.getValue());
      else
        isFixed = false;
    if (fixed >= size)
      return {};
    if (isFixed)
      return builder.getIndexAttr(fixed);
    AffineMap map = AffineMap::get(0, arguments.size(), reach.getExtents(),
                                   builder.getContext());
    Value &known = sizes[{map, size}];
    if (!known)
      known = makeSize(reach, size);
    return known;
  }

  /// The largest of the extents, at most `size`.

  Value makeSize(const Reach &reach, int64_t size) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&function.getBody().front());
    Location loc = function.getLoc();
    Value result;
    for (AffineExpr extent : reach.getExtents()) {
      Value next = affine::AffineApplyOp::create(
          builder, loc, AffineMap::get(0, arguments.size(), extent), arguments);
      result =
          result
              ? arith::MaxSIOp::create(builder, loc, result, next).getResult()
              : next;
    }
    Value most = arith::ConstantIndexOp::create(builder, loc, size);
    return arith::MinSIOp::create(builder, loc, result, most);
  }

  /// Sizes of the part of an operand that the loops read or write; empty when
  /// that is all.
  SmallVector<OpFoldResult> partOf(linalg::LinalgOp op, OpOperand &operand,
                                   ArrayRef<OpFoldResult> loops) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type)
      return {};
    SmallVector<OpFoldResult> sizes;
    bool isPart = false;
    for (auto [dim, expr] :
         llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      OpFoldResult size = loop ? loops[loop.getPosition()] : OpFoldResult();
      isPart |= bool(size);
      sizes.push_back(size ? size : builder.getIndexAttr(type.getDimSize(dim)));
    }
    return isPart ? sizes : SmallVector<OpFoldResult>();
  }

  /// The first `sizes` places of `value`; empty for all.
  Value slice(Location loc, Value value, ArrayRef<OpFoldResult> sizes) {
    if (sizes.empty())
      return value;
    SmallVector<OpFoldResult> zeros(sizes.size(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> ones(sizes.size(), builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(builder, loc, value, zeros, sizes,
                                          ones);
  }

  /// `whole` with `part` as its first `sizes` places; empty for all.
  Value insert(Location loc, Value part, Value whole,
               ArrayRef<OpFoldResult> sizes) {
    if (sizes.empty())
      return part;
    SmallVector<OpFoldResult> zeros(sizes.size(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> ones(sizes.size(), builder.getIndexAttr(1));
    return tensor::InsertSliceOp::create(builder, loc, part, whole, zeros,
                                         sizes, ones);
  }

  func::FuncOp function;
  OpBuilder builder;
  SmallVector<Value> arguments;
  DenseMap<std::pair<AffineMap, int64_t>, Value> sizes;
};

struct ClipLoopsPass : impl::ClipLoopsPassBase<ClipLoopsPass> {
  void runOnOperation() override {
    Extents extents(getOperation());
    if (extents.getNames().empty())
      return;
    // All is known before anything changes.
    SmallVector<std::pair<linalg::LinalgOp, Reaches>> ops;
    SmallVector<std::pair<tensor::PadOp, Reaches>> pads;
    for (linalg::LinalgOp op : getOperation().getOps<linalg::LinalgOp>())
      ops.emplace_back(op, extents.loopsOf(op));
    for (tensor::PadOp op : getOperation().getOps<tensor::PadOp>())
      pads.emplace_back(op, extents.dimsOf(op));
    Clipper clipper(getOperation(), extents.getNames());
    for (auto &[op, loops] : ops)
      clipper.clip(op, loops);
    for (auto &[op, dims] : pads)
      clipper.clip(op, dims);
    // What is made and read in part needs no more memory than that.
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    tensor::ExtractSliceOp::getCanonicalizationPatterns(patterns, context);
    tensor::populateFoldTensorEmptyPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

//===----------------------------------------------------------------------===//
// Expanding
//===----------------------------------------------------------------------===//

/// The sizes of dimensions that are merged to one.
using Group = SmallVector<int64_t>;

SmallVector<Group> groupsOf(RankedTensorType expanded,
                            ArrayRef<ReassociationIndices> indices) {
  SmallVector<Group> groups;
  for (const ReassociationIndices &dims : indices) {
    Group &group = groups.emplace_back();
    for (int64_t dim : dims)
      group.push_back(expanded.getDimSize(dim));
  }
  return groups;
}

struct ExpandPaddedDimsPass
    : impl::ExpandPaddedDimsPassBase<ExpandPaddedDimsPass> {
  void runOnOperation() override {
    Extents extents(getOperation());
    if (extents.getNames().empty())
      return;
    // A reshape that an operation is moved across leaves one of the same
    // sizes, which has to go on.
    std::set<Group> padded;
    getOperation().walk([&](tensor::CollapseShapeOp op) {
      SmallVector<Group> groups =
          groupsOf(op.getSrcType(), op.getReassociationIndices());
      for (auto [group, indices] :
           llvm::zip_equal(groups, op.getReassociationIndices()))
        if (extents.isMergedPadding(op.getSrc(), indices))
          padded.insert(group);
    });
    if (padded.empty())
      return;
    auto isPadded = [&](const Group &group) { return padded.count(group) > 0; };
    linalg::ControlFusionFn control = [&](OpOperand *operand) {
      if (auto op = operand->get().getDefiningOp<tensor::CollapseShapeOp>())
        return llvm::any_of(
            groupsOf(op.getSrcType(), op.getReassociationIndices()), isPadded);
      if (auto op = dyn_cast<tensor::ExpandShapeOp>(operand->getOwner()))
        return llvm::any_of(
            groupsOf(op.getResultType(), op.getReassociationIndices()),
            isPadded);
      return false;
    };
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, control);
    linalg::FillOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::populateFoldTensorEmptyPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace mlir::asic
