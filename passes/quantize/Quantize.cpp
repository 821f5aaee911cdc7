// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/Support/Target.h"
#include "passes/quantize/QuantizedForm.h"
#include "passes/quantize/ScalarBodies.h"

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

/// Numbers along `axis` as a 1-D constant, or none when all are equal.
static Value alongAxis(TensorBuilder &b, ArrayRef<int64_t> values, Type type,
                       StringRef name) {
  if (llvm::all_equal(values))
    return {};
  auto tensor = RankedTensorType::get(values.size(), type);
  return arith::ConstantOp::create(b, makeConstant(tensor, name, values));
}

static SmallVector<int64_t> floatBits(ArrayRef<double> values,
                                      function_ref<float(double)> convert) {
  SmallVector<int64_t> bits;
  for (double value : values)
    bits.push_back(llvm::bit_cast<uint32_t>(convert(value)));
  return bits;
}

namespace {
/// The scalars of a marker that stays float: factors (f32) and zero points, each
/// one number or one per index of the axis.
struct MarkerOperands {
  Value factors, zeroPoints;
  float factor;
  int64_t zeroPoint;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;

  MarkerOperands(TensorBuilder &b, Value input, ArrayRef<int64_t> factorBits,
                 ArrayRef<int64_t> zeros, std::optional<int64_t> axis)
      : factors(alongAxis(b, factorBits, b.getF32Type(), "scales")),
        zeroPoints(alongAxis(b, zeros, b.getI32Type(), "zero_points")),
        factor(llvm::bit_cast<float>(uint32_t(factorBits.front()))),
        zeroPoint(zeros.front()) {
    int64_t rank = tensorType(input).getRank();
    inputs.push_back(input);
    maps.push_back(b.identityMap(rank));
    for (Value tensor : {factors, zeroPoints})
      if (tensor) {
        inputs.push_back(tensor);
        maps.push_back(b.dimsMap(rank, *axis));
      }
  }

  Value factorIn(ImplicitLocOpBuilder &b, ValueRange args) const {
    if (factors)
      return args[1];
    return arith::ConstantOp::create(b, b.getF32FloatAttr(factor));
  }

  Value zeroIn(ImplicitLocOpBuilder &b, ValueRange args) const {
    if (zeroPoints)
      return args[factors ? 2 : 1];
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(zeroPoint));
  }

  bool hasZero() const { return zeroPoints || zeroPoint != 0; }
};

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
      if (!isParallel(op) && isa<FloatType>(getElementTypeOrSelf(
                                 op->getResult(0).getType())) &&
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
      Value value = isa<QuantizeOp>(op) ? emit(cast<QuantizeOp>(op), b)
                                        : emit(cast<DequantizeOp>(op), b);
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    }
  }

  /// clamp(roundeven(x · (1 / scale)) + zero point, lo, hi), the clamp in front of the addition
  /// so that everything fits in 32 bits.
  static Value emit(QuantizeOp op, TensorBuilder &b) {
    SmallVector<int64_t> inverse = floatBits(
        op.getScales(), [](double scale) { return float(1.0 / scale); });
    MarkerOperands operands(b, op.getInput(), inverse, op.getZeroPoints(),
                            op.getAxis());
    RankedTensorType type = tensorType(op.getResult());
    Type i32 = b.getI32Type(), f32 = b.getF32Type();
    auto bound = [&](ImplicitLocOpBuilder &nested, ValueRange args,
                     int64_t limit) -> Value {
      if (!operands.zeroPoints)
        return arith::ConstantOp::create(
            nested,
            nested.getF32FloatAttr(float(limit - operands.zeroPoint)));
      Value constant = arith::ConstantOp::create(
          nested, nested.getI32IntegerAttr(static_cast<int32_t>(limit)));
      Value shifted = arith::SubIOp::create(nested, constant,
                                            operands.zeroIn(nested, args));
      return arith::SIToFPOp::create(nested, f32, shifted);
    };
    auto body = [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
      Value x = widenFloat(nested, args[0]);
      x = arith::MulFOp::create(nested, x, operands.factorIn(nested, args));
      x = math::RoundEvenOp::create(nested, x);
      x = arith::MaximumFOp::create(nested, x, bound(nested, args, op.getLo()));
      x = arith::MinimumFOp::create(nested, x, bound(nested, args, op.getHi()));
      Value q = arith::FPToSIOp::create(nested, i32, x);
      if (operands.hasZero())
        q = arith::AddIOp::create(nested, q, operands.zeroIn(nested, args));
      if (type.getElementType() == i32)
        return q;
      return arith::TruncIOp::create(nested, type.getElementType(), q);
    };
    return b.map(operands.inputs, operands.maps, type.getShape(),
                 type.getElementType(), body);
  }

  /// (q - zero point) · scale; of a constant, now.
  static Value emit(DequantizeOp op, TensorBuilder &b) {
    if (TypedAttr folded = fold(op))
      return arith::ConstantOp::create(b, folded);
    SmallVector<int64_t> scales = floatBits(
        op.getScales(), [](double scale) { return float(scale); });
    MarkerOperands operands(b, op.getInput(), scales, op.getZeroPoints(),
                            op.getAxis());
    RankedTensorType type = tensorType(op.getResult());
    auto body = [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
      Value q = widenInteger(nested, args[0]);
      if (operands.hasZero())
        q = arith::SubIOp::create(nested, q, operands.zeroIn(nested, args));
      Value x = arith::SIToFPOp::create(nested, nested.getF32Type(), q);
      x = arith::MulFOp::create(nested, x, operands.factorIn(nested, args));
      return narrowFloat(nested, x, type.getElementType());
    };
    return b.map(operands.inputs, operands.maps, type.getShape(),
                 type.getElementType(), body);
  }

  /// The real tensor behind a constant of whole bytes, as f32.
  static TypedAttr fold(DequantizeOp op) {
    ElementsAttr constant = getConstant(op.getInput());
    RankedTensorType type = op.getType();
    std::optional<ArrayRef<char>> bytes =
        constant ? getBytes(constant) : std::nullopt;
    if (!bytes || !type.getElementType().isF32())
      return {};
    Type from = constant.getElementType();
    size_t width = elementBytes(from);
    bool splat = bytes->size() == width && constant.getNumElements() != 1;
    // Elements that share one scale, in a row.
    int64_t inner = 1, axis = op.getAxis().value_or(-1);
    for (int64_t dim = axis + 1; axis >= 0 && dim < type.getRank(); ++dim)
      inner *= type.getDimSize(dim);
    ArrayRef<double> scales = op.getScales();
    ArrayRef<int64_t> zeros = op.getZeroPoints();
    std::string name = (getResourceName(constant) + ".f32").str();
    return makeConstant(type, name, [&](MutableArrayRef<char> target) {
      for (int64_t i = 0, e = constant.getNumElements(); i < e; ++i) {
        size_t channel = i / inner % scales.size();
        double q = readElement(bytes->data() + (splat ? 0 : i * width), from);
        float x = float(q - double(zeros[channel])) * float(scales[channel]);
        std::memcpy(target.data() + i * sizeof(float), &x, sizeof(float));
      }
    });
  }
};
} // namespace
