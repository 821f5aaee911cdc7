// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/Support/ScalarBodies.h"
#include "passes/Support/Target.h"
#include "passes/quantize/QuantizedForm.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::asic {
#define GEN_PASS_DEF_CONVERTWEIGHTONLYPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;
using ::asic::ElementType;
using ::asic::TargetModel;

/// Whether the matrix unit multiplies floats by int8 weights.
static bool hasMixedMode(const TargetModel &target) {
  return llvm::any_of(target.mxu.modes, [](const TargetModel::MxuMode &mode) {
    return isFloatType(mode.a) && bitWidth(mode.a) >= 16 &&
           mode.w == ElementType::I8 && mode.acc == ElementType::F32;
  });
}

namespace {
/// A contraction of floats and a weight of which only the integers are read.
struct WeightOnly {
  linalg::GenericOp op;
  unsigned weight;
  QuantizedForm form;
  /// Dimensions of the result that the scales lie along.
  SmallVector<int64_t> axes;
};

struct ConvertWeightOnlyPass
    : mlir::asic::impl::ConvertWeightOnlyPassBase<ConvertWeightOnlyPass> {
  void runOnOperation() override {
    // Without a target this computer multiplies anything.
    if (getTarget(getOperation())) {
      FailureOr<TargetModel> target = readTarget(getOperation());
      if (failed(target))
        return signalPassFailure();
      if (!hasMixedMode(*target))
        return;
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration())
        convert(function);
  }

  void convert(func::FuncOp function) {
    OpBuilder builder(function);
    FormBuilder forms(builder, RoundingAttr::get(&getContext(), Rounding::sr));
    SmallVector<linalg::GenericOp> contractions;
    function.walk([&](linalg::GenericOp op) {
      if (!isParallel(op) && op.hasPureTensorSemantics() &&
          isa<FloatType>(tensorType(op.getResult(0)).getElementType()) &&
          matchMultiplyAccumulate(op))
        contractions.push_back(op);
    });
    // All forms before the first replacement: forms are those of the old ops.
    SmallVector<WeightOnly> found;
    for (linalg::GenericOp op : contractions)
      if (std::optional<WeightOnly> match = matchWeightOnly(op, forms))
        found.push_back(std::move(*match));
    for (WeightOnly &match : found)
      replace(match, builder, forms);
  }

  /// The operand that is a constant dequantised weight; the other one is real.
  static std::optional<WeightOnly> matchWeightOnly(linalg::GenericOp op,
                                                   FormBuilder &forms) {
    for (unsigned weight : {1u, 0u}) {
      Operand operand = classify(op.getOperand(weight));
      Operand other = classify(op.getOperand(1 - weight));
      // Integers on both sides are asic-quantize's.
      if (operand != Operand::weight || other != Operand::real)
        continue;
      const QuantizedForm *form = forms.getForm(op.getOperand(weight));
      if (!form || form->pending || form->zeroPoint != 0 ||
          !form->elementType().isInteger(8) || !getConstant(form->value))
        continue;
      QuantizedForm codes = *form;
      std::optional<SmallVector<int64_t>> axes =
          resultAxes(op, weight, codes.axes);
      if (axes)
        return WeightOnly{op, weight, std::move(codes), std::move(*axes)};
    }
    return std::nullopt;
  }

  /// What a value is behind the data movement that makes it: a dequantised
  /// constant, dequantised codes, or neither.
  enum class Operand { weight, codes, real };
  static Operand classify(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      if (auto marker = dyn_cast<DequantizeOp>(op))
        return getConstant(marker.getInput()) ? Operand::weight
                                              : Operand::codes;
      auto generic = dyn_cast<linalg::GenericOp>(op);
      if (!(generic && isDataMovement(generic)) &&
          !isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::PadOp,
               tensor::ExtractSliceOp, tensor::ConcatOp>(op))
        break;
      value = op->getOperand(0);
    }
    return Operand::real;
  }

  static void replace(WeightOnly &match, OpBuilder &builder,
                      FormBuilder &forms) {
    linalg::GenericOp op = match.op;
    builder.setInsertionPoint(op);
    TensorBuilder b(op.getLoc(), builder);
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    Value init = op.getDpsInits().front(), result = op.getResult(0);
    RankedTensorType type = tensorType(result);
    Type f32 = b.getF32Type();
    Value zeros = b.fillFloat(type.getShape(), b.getF32Type(), 0);
    auto product =
        b.generic({op.getOperand(1 - match.weight), match.form.value}, zeros,
                  {maps[1 - match.weight], maps[match.weight], maps[2]},
                  [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                    Value x = widenToFloat(nested, args[0]);
                    Value w = widenToFloat(nested, args[1]);
                    Value product = arith::MulFOp::create(nested, x, w);
                    return arith::AddFOp::create(nested, args[2], product);
                  });
    QuantizedForm sum;
    sum.value = product.getResult(0);
    sum.scales = match.form.scales;
    sum.axes = match.axes;
    std::optional<TypedAttr> fill = matchFill(init);
    auto start = fill ? dyn_cast<FloatAttr>(*fill) : FloatAttr();
    bool fromZero = start && start.getValue().isPosZero();
    Value real = forms.dequantizeSum(sum, op.getLoc(),
                                     fromZero ? type.getElementType() : f32);
    if (!fromZero)
      real = b.elementwise(
          {real, init}, type.getElementType(),
          [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
            Value biased = arith::AddFOp::create(nested, args[0],
                                                 widenFloat(nested, args[1]));
            return narrowFloat(nested, biased, type.getElementType());
          });
    result.replaceAllUsesWith(real);
    op.erase();
  }
};
} // namespace
