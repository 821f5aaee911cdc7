// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where forms end: markers and real readers.
#include "passes/Support/Constants.h"
#include "passes/Support/ScalarBodies.h"
#include "passes/quantize/QuantizedForm.h"
#include "target/Rescale.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

/// Inputs, maps and scalars of values that lie along `axes` of a tensor: a
/// scalar when all are equal.
namespace {
class PerAxis {
public:
  PerAxis(TensorBuilder &b, ArrayRef<int64_t> values, Type type,
          const QuantizedForm &form, StringRef name)
      : type(type), isScalar(llvm::all_equal(values)) {
    if (isScalar) {
      scalar = values.front();
      return;
    }
    RankedTensorType of = tensorType(form.value);
    SmallVector<int64_t> shape;
    for (int64_t axis : form.axes)
      shape.push_back(of.getDimSize(axis));
    auto tensor = RankedTensorType::get(shape, type);
    input = arith::ConstantOp::create(b, makeConstant(tensor, name, values));
    map = b.dimsMap(of.getRank(), form.axes);
  }

  /// Adds the tensor to a generic's inputs.
  void addTo(SmallVectorImpl<Value> &inputs, SmallVectorImpl<AffineMap> &maps) {
    if (isScalar)
      return;
    position = inputs.size();
    inputs.push_back(input);
    maps.push_back(map);
  }

  /// The value in the body.
  Value get(ImplicitLocOpBuilder &nested, ValueRange args) const {
    if (!isScalar)
      return args[position];
    if (auto floatType = dyn_cast<FloatType>(type))
      return arith::ConstantOp::create(
          nested, nested.getFloatAttr(
                      floatType, APFloat(floatType.getFloatSemantics(),
                                         APInt(floatType.getWidth(), scalar))));
    return arith::ConstantOp::create(nested,
                                     nested.getIntegerAttr(type, scalar));
  }

private:
  Type type;
  bool isScalar;
  int64_t scalar = 0;
  Value input;
  AffineMap map;
  unsigned position = 0;
};
} // namespace

Value FormBuilder::emitRequantize(const QuantizedForm &form,
                                  QuantizeOp marker) {
  double scale = marker.getScales().front();
  int64_t zeroPoint = marker.getZeroPoints().front();
  SmallVector<int64_t> multipliers, shifts;
  for (double from : form.scales) {
    std::optional<::asic::Rescale> rescale =
        ::asic::deriveRescale(from / (form.divisor * scale));
    if (!rescale) {
      refuse(marker, "expected a change of scale below 2^29");
      return {};
    }
    multipliers.push_back(rescale->multiplier);
    shifts.push_back(rescale->shift);
  }
  int64_t lo = ::asic::quantizeBound(form.lo, scale, zeroPoint, marker.getLo(),
                                     marker.getHi());
  int64_t hi = ::asic::quantizeBound(form.hi, scale, zeroPoint, marker.getLo(),
                                     marker.getHi());
  builder.setInsertionPoint(marker);
  TensorBuilder b(marker.getLoc(), builder);
  PerAxis multiplier(b, multipliers, b.getI32Type(), form, "multipliers");
  PerAxis shift(b, shifts, b.getI8Type(), form, "shifts");
  ArrayRef<int64_t> shape = tensorType(form.value).getShape();
  Type element = tensorType(marker.getResult()).getElementType();
  SmallVector<Value> inputs{form.value};
  SmallVector<AffineMap> maps{b.identityMap(shape.size())};
  multiplier.addTo(inputs, maps);
  shift.addTo(inputs, maps);
  return b.map(
      inputs, maps, shape, element,
      [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
        Value x =
            subtractZero(nested, widenInteger(nested, args[0]), form.zeroPoint);
        Value scaled =
            RescaleOp::create(nested, x, multiplier.get(nested, args),
                              shift.get(nested, args), rounding);
        return clampToCodes(nested, scaled, zeroPoint, lo, hi, element);
      });
}

Value FormBuilder::requantize(QuantizeOp marker) {
  stop = nullptr;
  reason.clear();
  if (marker.getAxis()) {
    refuse(marker, "expected one scale for activations");
    return {};
  }
  OpBuilder::InsertionGuard guard(builder);
  const QuantizedForm *form = getForm(marker.getInput());
  if (!form)
    return requantizeConcat(marker);
  if (Value codes = reuseCodes(*form, marker))
    return codes;
  if (!form->pending && !form->elementType().isInteger(8)) {
    refuse(marker, "expected int8 codes");
    return {};
  }
  return emitRequantize(*form, marker);
}

/// Whether the op moves real numbers without computing, for one reader.
static bool isRealMovement(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  auto pad = dyn_cast_or_null<tensor::PadOp>(op);
  FloatAttr padding;
  bool padsZero =
      pad && pad.getConstantPaddingValue() &&
      matchPattern(pad.getConstantPaddingValue(), m_Constant(&padding)) &&
      padding.getValue().isZero();
  return (padsZero || (generic && isDataMovement(generic)) ||
          isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                          tensor::ExtractSliceOp>(op)) &&
         op->hasOneUse() &&
         isa<FloatType>(tensorType(op->getOperand(0)).getElementType());
}

QuantizeOp FormBuilder::hoist(QuantizeOp marker) {
  Operation *op = marker.getInput().getDefiningOp();
  // Transpositions alone are done together with the quantisation.
  Operation *other = op;
  while (isRealMovement(other) && isa<linalg::GenericOp>(other))
    other = other->getOperand(0).getDefiningOp();
  if (!isRealMovement(op) || !isRealMovement(other) || marker.getAxis())
    return {};
  auto pad = dyn_cast<tensor::PadOp>(op);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op);
  Value source = op->getOperand(0);
  Type element = tensorType(marker.getResult()).getElementType();
  auto inner = QuantizeOp::create(
      builder, marker.getLoc(), tensorType(source).clone(element), source,
      marker.getScales(), marker.getZeroPoints(), IntegerAttr(), marker.getLo(),
      marker.getHi());
  builder.setInsertionPointAfter(op);
  Value moved =
      pad ? padWith(pad, inner.getResult(), marker.getZeroPoints().front())
          : moveValue(op, inner.getResult());
  marker.getResult().replaceAllUsesWith(moved);
  for (Operation *dead : {marker.getOperation(), op}) {
    // Another value may get this one's address.
    forms.erase(dead->getResult(0));
    dead->erase();
  }
  return inner;
}

Value FormBuilder::reuseCodes(const QuantizedForm &form, QuantizeOp marker) {
  auto type =
      cast<IntegerType>(tensorType(marker.getResult()).getElementType());
  int64_t lo = marker.getLo(), hi = marker.getHi();
  bool fullRange = lo == llvm::minIntN(type.getWidth()) &&
                   hi == llvm::maxIntN(type.getWidth());
  if (form.pending || form.elementType() != type || !form.isPerTensor() ||
      !fullRange || form.scales.front() != marker.getScales().front() ||
      form.zeroPoint != marker.getZeroPoints().front())
    return {};
  return form.value;
}

Value FormBuilder::requantizeConcat(QuantizeOp marker) {
  // Clamps between the concatenation and the marker bound every part alike.
  Value input = marker.getInput();
  double lo = -HUGE_VAL, hi = HUGE_VAL;
  while (auto generic = input.getDefiningOp<linalg::GenericOp>()) {
    std::optional<ClampBody> clamp = matchClamp(generic);
    if (!clamp || !isParallel(generic) ||
        !llvm::all_of(generic.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); }))
      return {};
    // Outer bounds are met first on the way back.
    std::tie(lo, hi) = std::pair(std::min(std::max(clamp->lo, lo), hi),
                                 std::min(std::max(clamp->hi, lo), hi));
    input = generic.getOperand(0);
  }
  auto concat = input.getDefiningOp<tensor::ConcatOp>();
  if (!concat)
    return {};
  SmallVector<QuantizedForm> forms;
  for (unsigned index = 0; index < concat.getNumOperands(); ++index) {
    const QuantizedForm *form = codes(concat, index);
    if (!form)
      return {};
    if (!form->isPerTensor() || !form->elementType().isInteger(8)) {
      refuse(concat, "expected int8 activations of one scale each");
      return {};
    }
    forms.push_back(*form);
  }
  SmallVector<Value> parts;
  for (QuantizedForm &form : forms) {
    form.lo = lo;
    form.hi = hi;
    Value part = form.isClamped() ? Value() : reuseCodes(form, marker);
    parts.push_back(part ? part : emitRequantize(form, marker));
    if (!parts.back())
      return {};
  }
  stop = nullptr;
  builder.setInsertionPoint(marker);
  TensorBuilder b(marker.getLoc(), builder);
  return tensor::ConcatOp::create(b, tensorType(marker.getResult()),
                                  concat.getDim(), parts);
}

Value FormBuilder::dequantizeSum(const QuantizedForm &form, Location loc,
                                 Type type) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(form.value);
  TensorBuilder b(loc, builder);
  SmallVector<int64_t> bits;
  for (double scale : form.scales)
    bits.push_back(llvm::bit_cast<uint32_t>(float(scale)));
  PerAxis scale(b, bits, b.getF32Type(), form, "scales");
  RankedTensorType from = tensorType(form.value);
  SmallVector<Value> inputs{form.value};
  SmallVector<AffineMap> maps{b.identityMap(from.getRank())};
  scale.addTo(inputs, maps);
  return b.map(
      inputs, maps, from.getShape(), type,
      [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
        Value real = args[0];
        if (real.getType().isInteger())
          real = arith::SIToFPOp::create(nested, nested.getF32Type(), real);
        Value product =
            arith::MulFOp::create(nested, real, scale.get(nested, args));
        return narrowFloat(nested, product, type);
      });
}
