// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Locations.h"
#include "passes/Support/TensorBuilder.h"

#include "dialects/Asic/Asic.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace mlir::asic {
#define GEN_PASS_DEF_CONVERTPREDICATESPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// Whether `type` is a tensor of i1.
static bool isPredicate(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getElementType().isInteger(1);
}

/// The tensor with bytes in place of bits.
static RankedTensorType stored(Type type) {
  return cast<RankedTensorType>(type).clone(
      IntegerType::get(type.getContext(), 8));
}

/// Ops that pass elements on without looking at them.
static bool isMovement(Operation *op) {
  return isa<tensor::EmptyOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::ConcatOp,
             UpdateSliceOp>(op);
}

namespace {
struct ConvertPredicatesPass
    : mlir::asic::impl::ConvertPredicatesPassBase<ConvertPredicatesPass> {
  void runOnOperation() override {
    if (!getTarget(getOperation()))
      return;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration())
        convert(function);
  }

  /// Every predicate between two converted ops changes its type in place;
  /// wherever an op of another kind makes or reads one, it is converted.
  void convert(func::FuncOp function) {
    SmallVector<Operation *> ops;
    SmallVector<Value> others;
    Block &body = function.getBody().front();
    for (BlockArgument argument : body.getArguments())
      if (isPredicate(argument.getType()))
        others.push_back(argument);
    for (Operation &op : body) {
      if (!llvm::any_of(op.getOperandTypes(), isPredicate) &&
          !llvm::any_of(op.getResultTypes(), isPredicate))
        continue;
      bool converts =
          isMovement(&op) || isa<linalg::GenericOp, linalg::FillOp,
                                 arith::ConstantOp, tensor::PadOp>(op);
      if (converts)
        ops.push_back(&op);
      else
        llvm::append_range(
            others, llvm::make_filter_range(op.getResults(), [](Value value) {
              return isPredicate(value.getType());
            }));
    }
    DenseSet<Operation *> converted(ops.begin(), ops.end());
    for (Operation *op : ops)
      unpackReaders(op, converted);
    for (Value value : others)
      packFor(value, converted);
    for (Operation *op : ops)
      retype(op);
  }

  /// Bits of the results of `op` for its readers that stay as they are.
  static void unpackReaders(Operation *op,
                            const DenseSet<Operation *> &converted) {
    for (Value result : op->getResults()) {
      if (!isPredicate(result.getType()))
        continue;
      SmallVector<OpOperand *> uses;
      for (OpOperand &use : result.getUses())
        if (!converted.contains(use.getOwner()))
          uses.push_back(&use);
      if (uses.empty())
        continue;
      OpBuilder builder(op->getContext());
      builder.setInsertionPointAfter(op);
      TensorBuilder b(op->getLoc(), builder);
      // Built on a stand-in of the new type, which `result` becomes below.
      Value bytes = UnrealizedConversionCastOp::create(
                        b, stored(result.getType()), result)
                        .getResult(0);
      Value bits = b.elementwise(
          bytes, b.getI1Type(),
          [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
            return isSet(nested, args[0]);
          });
      for (OpOperand *use : uses)
        use->set(bits);
    }
  }

  /// Bytes of a value that stays as it is, for its converted readers.
  static void packFor(Value value, const DenseSet<Operation *> &converted) {
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : value.getUses())
      if (converted.contains(use.getOwner()))
        uses.push_back(&use);
    if (uses.empty())
      return;
    OpBuilder builder(value.getContext());
    builder.setInsertionPointAfterValue(value);
    TensorBuilder b(getUserLoc(value), builder);
    Value bytes = b.elementwise(
        value, b.getI8Type(),
        [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
          return arith::ExtUIOp::create(nested, nested.getI8Type(), args[0]);
        });
    for (OpOperand *use : uses)
      use->set(bytes);
  }

  static Value isSet(ImplicitLocOpBuilder &b, Value byte) {
    Value zero = arith::ConstantOp::create(b, b.getI8IntegerAttr(0));
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, byte, zero);
  }

  /// Gives `op` the new types; its body still computes with bits.
  static void retype(Operation *op) {
    for (Value result : op->getResults()) {
      if (!isPredicate(result.getType()))
        continue;
      result.setType(stored(result.getType()));
      for (Operation *user : llvm::make_early_inc_range(result.getUsers()))
        if (auto cast = dyn_cast<UnrealizedConversionCastOp>(user);
            cast && cast.getResult(0).getType() == result.getType()) {
          cast.getResult(0).replaceAllUsesWith(result);
          cast.erase();
        }
    }
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      constant.setValueAttr(
          bytesOf(constant.getValue(), cast<ShapedType>(constant.getType())));
    } else if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
      retypeBody(generic);
    } else if (auto fill = dyn_cast<linalg::FillOp>(op)) {
      retypeFill(fill);
    } else if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      Operation *yield = pad.getRegion().front().getTerminator();
      widenYield(yield);
    }
  }

  /// The bits of a constant as bytes; a resource has a byte for each already.
  static TypedAttr bytesOf(Attribute bits, ShapedType type) {
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(bits))
      return DenseResourceElementsAttr::get(type, resource.getRawHandle());
    SmallVector<int8_t> bytes;
    for (bool bit : cast<DenseElementsAttr>(bits).getValues<bool>())
      bytes.push_back(bit);
    return DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes));
  }

  static void retypeBody(linalg::GenericOp op) {
    Block *body = op.getBody();
    ImplicitLocOpBuilder b(op.getLoc(), op.getContext());
    b.setInsertionPointToStart(body);
    for (auto [argument, operand] :
         llvm::zip_equal(body->getArguments(), op->getOperands())) {
      // Operands have their new types already: ops go from top to bottom.
      Type element = getElementTypeOrSelf(operand.getType());
      if (argument.getType() == element)
        continue;
      argument.setType(element);
      if (argument.use_empty())
        continue;
      Value bit = isSet(b, argument);
      argument.replaceAllUsesExcept(bit, bit.getDefiningOp());
    }
    widenYield(body->getTerminator());
  }

  /// Yields bytes wherever the op around has results of bytes.
  static void widenYield(Operation *yield) {
    Operation *parent = yield->getParentOp();
    for (auto [operand, result] :
         llvm::zip_equal(yield->getOpOperands(), parent->getResults())) {
      Value bit = operand.get();
      if (bit.getType() == getElementTypeOrSelf(result.getType()))
        continue;
      // A constant is one for others, too: it stands outside.
      bool isConstant = matchPattern(bit, m_Constant());
      ImplicitLocOpBuilder b(yield->getLoc(), isConstant ? parent : yield);
      operand.set(byteOf(b, bit));
    }
  }

  /// A bit as a byte that is 0 or 1; a constant stays one.
  static Value byteOf(ImplicitLocOpBuilder &b, Value bit) {
    APInt constant;
    if (matchPattern(bit, m_ConstantInt(&constant)))
      return arith::ConstantOp::create(
          b, b.getI8IntegerAttr(constant.getZExtValue()));
    return arith::ExtUIOp::create(b, b.getI8Type(), bit);
  }

  static void retypeFill(linalg::FillOp op) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    auto fill = linalg::FillOp::create(b, byteOf(b, op.getInputs().front()),
                                       op.getOutputs());
    op.getResult(0).replaceAllUsesWith(fill.getResult(0));
    op.erase();
  }
};
} // namespace
