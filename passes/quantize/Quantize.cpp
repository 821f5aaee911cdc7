// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Markers.h"
#include "passes/Support/ScalarBodies.h"
#include "passes/Support/Target.h"
#include "passes/quantize/QuantizedForm.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::asic {
#define GEN_PASS_DEF_QUANTIZEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// Erases ops without effect or reader, last first.
static void eraseDead(func::FuncOp function) {
  SmallVector<Operation *> ops;
  for (Operation &op : function.getBody().front())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      op->erase();
}

namespace {
struct QuantizePass : mlir::asic::impl::QuantizePassBase<QuantizePass> {
  void runOnOperation() override {
    auto rounding = Rounding::sr;
    if (getTarget(getOperation())) {
      FailureOr<::asic::TargetModel> target = readTarget(getOperation());
      if (failed(target))
        return signalPassFailure();
      rounding = static_cast<Rounding>(target->requant.defaultMode);
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration())
        convert(function, RoundingAttr::get(&getContext(), rounding));
  }

  void convert(func::FuncOp function, RoundingAttr rounding) {
    OpBuilder builder(function);
    FormBuilder forms(builder, rounding);
    SmallVector<QuantizeOp> quantizes;
    function.walk([&](QuantizeOp marker) { quantizes.push_back(marker); });
    for (QuantizeOp marker : quantizes) {
      // In program order: what a form is made of has been replaced before.
      if (Value codes = forms.requantize(marker)) {
        marker.getResult().replaceAllUsesWith(codes);
        marker.erase();
      } else {
        remark(marker, forms);
        while (marker)
          marker = forms.hoist(marker);
      }
    }
    eraseDead(function);
    convertSums(function, rounding);
    eraseDead(function);
    convertMarkers(function);
    eraseDead(function);
  }

  /// Says why the float op in front of a marker stays float.
  void remark(QuantizeOp marker, FormBuilder &forms) {
    Operation *stop = forms.getStop();
    if (!stop || forms.getReason().empty() ||
        llvm::none_of(stop->getOperands(), [](Value operand) {
          return operand.getDefiningOp<DequantizeOp>();
        }))
      return;
    stop->emitRemark("stays float: ") << forms.getReason();
  }

  /// Contractions of quantised operands whose result is read as a real tensor.
  void convertSums(func::FuncOp function, RoundingAttr rounding) {
    // Afresh: integer ops that nobody read are gone.
    OpBuilder builder(function);
    FormBuilder forms(builder, rounding);
    SmallVector<linalg::GenericOp> contractions;
    function.walk([&](linalg::GenericOp op) {
      if (!isParallel(op) &&
          isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())) &&
          matchMultiplyAccumulate(op))
        contractions.push_back(op);
    });
    // All forms before the first replacement: forms are those of the old ops.
    SmallVector<std::optional<QuantizedForm>> sums;
    for (linalg::GenericOp op : contractions) {
      const QuantizedForm *form = forms.getForm(op.getResult(0));
      sums.push_back(form ? std::optional(*form) : std::nullopt);
    }
    for (auto [op, form] : llvm::zip(contractions, sums)) {
      if (!form)
        continue;
      Value real = forms.dequantizeSum(
          *form, op.getLoc(), tensorType(op.getResult(0)).getElementType());
      op.getResult(0).replaceAllUsesWith(real);
    }
  }

  /// Every marker that is left becomes float arithmetic.
  void convertMarkers(func::FuncOp function) {
    SmallVector<Operation *> markers;
    function.walk([&](Operation *op) {
      if (isa<QuantizeOp, DequantizeOp>(op))
        markers.push_back(op);
    });
    for (Operation *op : markers) {
      OpBuilder builder(op);
      TensorBuilder b(op->getLoc(), builder);
      Value value = isa<QuantizeOp>(op)
                        ? lowerMarker(b, cast<QuantizeOp>(op))
                        : lowerMarker(b, cast<DequantizeOp>(op));
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    }
  }
};
} // namespace
