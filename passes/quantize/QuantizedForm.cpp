// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/quantize/QuantizedForm.h"
#include "passes/Support/Constants.h"
#include "passes/Support/ScalarBodies.h"
#include "target/Rescale.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::asic;

std::nullopt_t FormBuilder::refuse(Operation *op, const Twine &why) {
  stop = op;
  reason = why.str();
  return std::nullopt;
}

const QuantizedForm *FormBuilder::getForm(Value value) {
  auto [entry, isNew] = forms.try_emplace(value);
  if (!isNew)
    return entry->second.get();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(value);
  Result form = build(value);
  if (!form)
    return nullptr;
  // Operands of `value` have grown the table, so look its entry up again.
  std::unique_ptr<QuantizedForm> &owner = forms[value];
  owner = std::make_unique<QuantizedForm>(std::move(*form));
  return owner.get();
}

const QuantizedForm *FormBuilder::codes(Operation *op, unsigned index) {
  const QuantizedForm *form = getForm(op->getOperand(index));
  return form && !form->pending ? form : nullptr;
}

FormBuilder::Result FormBuilder::build(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](DequantizeOp marker) -> Result {
        QuantizedForm form;
        form.value = marker.getInput();
        form.scales.assign(marker.getScales().begin(),
                           marker.getScales().end());
        if (marker.getAxis())
          form.axes.push_back(*marker.getAxis());
        form.zeroPoint = marker.getZeroPoints().front();
        if (!llvm::all_equal(marker.getZeroPoints()))
          return refuse(op, "expected one zero point");
        return form;
      })
      .Case([&](linalg::GenericOp generic) { return buildGeneric(generic); })
      .Case([&](tensor::PadOp pad) { return buildPad(pad); })
      .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
          [&](Operation *reshape) { return buildReshape(reshape); })
      .Case([&](tensor::ExtractSliceOp slice) { return buildSlice(slice); })
      .Case([&](tensor::ConcatOp concat) { return buildConcat(concat); })
      .Default([&](Operation *other) -> Result {
        return refuse(other, "no integer arithmetic for '" +
                                 other->getName().getStringRef() + "'");
      });
}

FormBuilder::Result FormBuilder::buildGeneric(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumResults() != 1)
    return refuse(op, "expected one result");
  if (!isParallel(op)) {
    if (matchMultiplyAccumulate(op))
      return buildContraction(op);
    if (matchesReduction<arith::MaximumFOp>(op) && op.getNumDpsInputs() == 2)
      return buildMaxPool(op);
    if (matchesReduction<arith::AddFOp>(op))
      return buildSum(op);
    return refuse(op, "no integer arithmetic for this reduction");
  }
  if (isDataMovement(op))
    return buildMovement(op);
  if (op.getNumDpsInputs() == 1)
    return buildClampOrAverage(op);
  return buildBinary(op);
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

std::optional<SmallVector<int64_t>>
mlir::asic::resultAxes(linalg::GenericOp op, unsigned index,
                       ArrayRef<int64_t> axes) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<int64_t> result;
  for (int64_t axis : axes) {
    AffineExpr expr = maps[index].getResult(axis);
    std::optional<unsigned> position = maps.back().getResultPosition(expr);
    if (!isa<AffineDimExpr>(expr) || !position)
      return std::nullopt;
    result.push_back(*position);
  }
  return result;
}

/// Number of terms of every sum of a contraction.
static int64_t numTerms(linalg::GenericOp op) {
  int64_t terms = 1;
  for (auto [range, type] :
       llvm::zip(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (type == utils::IteratorType::reduction)
      terms *= range;
  return terms;
}

FormBuilder::Result FormBuilder::buildContraction(linalg::GenericOp op) {
  MultiplyAccumulate match = *matchMultiplyAccumulate(op);
  const QuantizedForm *found[] = {codes(op, 0), codes(op, 1)};
  if (!found[0] || !found[1])
    return std::nullopt;
  QuantizedForm lhs = *found[match.lhs], rhs = *found[match.rhs];
  if (match.lhs != 0)
    std::swap(lhs, rhs);
  if (!lhs.isPerTensor())
    return refuse(op, "expected one scale for the activations");
  if (!lhs.elementType().isInteger(8) || !rhs.elementType().isInteger(8))
    return refuse(op, "expected int8 operands");
  std::optional<SmallVector<int64_t>> axes = resultAxes(op, 1, rhs.axes);
  if (!axes)
    return refuse(op, "expected weight scales along the output channels");
  if (numTerms(op) > (int64_t(1) << 31) / (255 * 255))
    return refuse(op,
                  "sums of " + Twine(numTerms(op)) + " terms may leave int32");

  QuantizedForm sum;
  sum.pending = true;
  sum.axes = *axes;
  for (double scale : rhs.scales)
    sum.scales.push_back(lhs.scales.front() * scale);
  Value init = buildBias(op, sum);
  if (!init)
    return std::nullopt;
  auto widen = [&](ImplicitLocOpBuilder &nested, Value value,
                   int64_t zeroPoint) {
    return subtractZero(nested, widenInteger(nested, value), zeroPoint);
  };
  sum.value =
      TensorBuilder(op.getLoc(), builder)
          .generic({lhs.value, rhs.value}, init, op.getIndexingMapsArray(),
                   [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                     Value a = widen(nested, args[0], lhs.zeroPoint);
                     Value w = widen(nested, args[1], rhs.zeroPoint);
                     Value product = arith::MulIOp::create(nested, a, w);
                     return arith::AddIOp::create(nested, product, args[2]);
                   })
          .getResult(0);
  return sum;
}

Value FormBuilder::buildBias(linalg::GenericOp op, const QuantizedForm &sum) {
  Value init = op.getDpsInits().front();
  ArrayRef<int64_t> shape = tensorType(init).getShape();
  Type i32 = builder.getI32Type();
  builder.setInsertionPointAfter(op);
  if (std::optional<TypedAttr> fill = matchFill(init)) {
    auto number = dyn_cast<FloatAttr>(*fill);
    if (number && number.getValue().isZero())
      return TensorBuilder(op.getLoc(), builder)
          .fill(shape, builder.getI32IntegerAttr(0));
  }
  // A float constant is rounded to the scales of the sums.
  std::optional<BroadcastVector> vector = matchBroadcastVector(init);
  ElementsAttr constant = vector ? getConstant(vector->vector) : ElementsAttr();
  if (constant && isa<FloatType>(constant.getElementType())) {
    std::optional<SmallVector<double>> reals = readReals(constant);
    if (!reals || (!sum.isPerTensor() &&
                   ArrayRef(sum.axes) != ArrayRef<int64_t>(vector->dim))) {
      refuse(op, "expected a constant bias along the output channels");
      return {};
    }
    SmallVector<int64_t> values;
    for (auto [index, real] : llvm::enumerate(*reals))
      values.push_back(::asic::quantizeBias(
          real, sum.isPerTensor() ? sum.scales.front() : sum.scales[index]));
    TensorBuilder b(op.getLoc(), builder);
    auto type = RankedTensorType::get(values.size(), i32);
    Value bias =
        arith::ConstantOp::create(b, makeConstant(type, "bias", values));
    return b.broadcast(bias, vector->dim, shape);
  }
  const QuantizedForm *bias = getForm(init);
  if (bias && !bias->pending && bias->elementType() == i32 &&
      bias->zeroPoint == 0)
    return bias->value;
  refuse(op, "expected no bias, a constant one, or int32");
  return {};
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Value FormBuilder::integerWindow(TensorBuilder &b, Value window, Type type) {
  return b.empty(tensorType(window).getShape(), type);
}

FormBuilder::Result FormBuilder::buildSum(linalg::GenericOp op) {
  const QuantizedForm *found = codes(op, 0);
  if (!found)
    return std::nullopt;
  QuantizedForm form = *found;
  std::optional<TypedAttr> init = matchFill(op.getDpsInits().front());
  auto zero = init ? dyn_cast<FloatAttr>(*init) : FloatAttr();
  if (!form.isPerTensor() || !zero || !zero.getValue().isZero())
    return refuse(op, "expected a sum from zero of one scale");
  TensorBuilder b(op.getLoc(), builder);
  SmallVector<Value> inputs{form.value};
  if (op.getNumDpsInputs() == 2)
    inputs.push_back(integerWindow(b, op.getOperand(1), form.elementType()));
  Value start =
      b.fill(tensorType(op.getResult(0)).getShape(), b.getI32IntegerAttr(0));
  Value sum =
      b.generic(inputs, start, op.getIndexingMapsArray(),
                [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                  Value x = subtractZero(nested, widenInteger(nested, args[0]),
                                         form.zeroPoint);
                  return arith::AddIOp::create(nested, x, args.back());
                })
          .getResult(0);
  QuantizedForm result;
  result.value = sum;
  result.scales = form.scales;
  result.pending = result.isSum = true;
  return result;
}

FormBuilder::Result FormBuilder::buildMaxPool(linalg::GenericOp op) {
  const QuantizedForm *found = codes(op, 0);
  if (!found)
    return std::nullopt;
  QuantizedForm form = *found;
  std::optional<TypedAttr> init = matchFill(op.getDpsInits().front());
  auto lowest = init ? dyn_cast<FloatAttr>(*init) : FloatAttr();
  if (!form.isPerTensor() || !lowest || !lowest.getValue().isNegative() ||
      !(lowest.getValue().isInfinity() || lowest.getValue().isLargest()))
    return refuse(op, "expected a maximum from the lowest number");
  TensorBuilder b(op.getLoc(), builder);
  auto type = cast<IntegerType>(form.elementType());
  Value start = b.fill(tensorType(op.getResult(0)).getShape(),
                       b.getIntegerAttr(type, llvm::minIntN(type.getWidth())));
  Value window = integerWindow(b, op.getOperand(1), type);
  form.value =
      b.generic({form.value, window}, start, op.getIndexingMapsArray(),
                [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                  return arith::MaxSIOp::create(nested, args[2], args[0]);
                })
          .getResult(0);
  return form;
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

FormBuilder::Result FormBuilder::buildBinary(linalg::GenericOp op) {
  std::optional<BinaryBody> body = matchBinary(op);
  if (!body)
    return refuse(op, "no integer arithmetic for this elementwise op");
  const QuantizedForm *left = codes(op, body->lhs);
  if (!left)
    return std::nullopt;
  QuantizedForm lhs = *left;
  const QuantizedForm *right = codes(op, body->rhs);
  if (!right)
    return std::nullopt;
  QuantizedForm rhs = *right;
  if (!lhs.isPerTensor() || !rhs.isPerTensor() ||
      !lhs.elementType().isInteger(8) || !rhs.elementType().isInteger(8) ||
      getConstant(lhs.value) || getConstant(rhs.value))
    return refuse(op, "expected two int8 activations of one scale each");

  QuantizedForm form;
  form.pending = true;
  bool isProduct = body->kind == BinaryBody::mul;
  std::optional<::asic::AddRescale> add;
  if (isProduct) {
    form.scales.push_back(lhs.scales.front() * rhs.scales.front());
  } else {
    add = ::asic::deriveAddRescale(lhs.scales.front(), rhs.scales.front());
    if (!add)
      return refuse(op, "scales differ too much");
    form.scales.push_back(2 * std::max(lhs.scales.front(), rhs.scales.front()));
    form.divisor = std::ldexp(1.0, ::asic::kAddHeadroom);
  }
  auto operand = [&](ImplicitLocOpBuilder &nested, Value value,
                     const QuantizedForm &side,
                     const ::asic::Rescale *rescale) -> Value {
    Value x = subtractZero(nested, widenInteger(nested, value), side.zeroPoint);
    if (!rescale)
      return x;
    Value headroom = arith::ConstantOp::create(
        nested, nested.getI32IntegerAttr(::asic::kAddHeadroom));
    Value shifted = arith::ShLIOp::create(nested, x, headroom);
    return emitRescale(nested, shifted, *rescale, rounding);
  };
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  TensorBuilder b(op.getLoc(), builder);
  Value init = b.empty(tensorType(op.getResult(0)).getShape(), b.getI32Type());
  AffineMap generic[] = {maps[body->lhs], maps[body->rhs], maps.back()};
  form.value =
      b.generic({lhs.value, rhs.value}, init, generic,
                [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                  Value x =
                      operand(nested, args[0], lhs, add ? &add->lhs : nullptr);
                  Value y =
                      operand(nested, args[1], rhs, add ? &add->rhs : nullptr);
                  if (isProduct)
                    return arith::MulIOp::create(nested, x, y);
                  if (body->kind == BinaryBody::sub)
                    return arith::SubIOp::create(nested, x, y);
                  return arith::AddIOp::create(nested, x, y);
                })
          .getResult(0);
  return form;
}

FormBuilder::Result FormBuilder::buildClampOrAverage(linalg::GenericOp op) {
  std::optional<double> divisor = matchDivision(op);
  std::optional<ClampBody> clamp = divisor ? std::nullopt : matchClamp(op);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if ((!divisor && !clamp) || maps.front() != maps.back())
    return refuse(op, "no integer arithmetic for this elementwise op");
  const QuantizedForm *found = getForm(op.getOperand(0));
  if (!found)
    return std::nullopt;
  QuantizedForm form = *found;
  if (divisor) {
    if (!form.isSum || form.isClamped() || !(*divisor > 0))
      return refuse(op, "expected the division of a sum by its window's size");
    form.divisor = *divisor;
    form.isSum = false;
    return form;
  }
  form.pending = true;
  form.lo = std::min(std::max(form.lo, clamp->lo), clamp->hi);
  form.hi = std::min(std::max(form.hi, clamp->lo), clamp->hi);
  return form;
}

//===----------------------------------------------------------------------===//
// Data movement
//===----------------------------------------------------------------------===//

/// A data movement of a constant by permuted dimensions, done now.
static TypedAttr foldMovement(linalg::GenericOp op, ElementsAttr constant) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!maps[0].isPermutation() || !maps[1].isPermutation())
    return {};
  SmallVector<int64_t> permutation;
  for (AffineExpr expr : maps[1].getResults())
    permutation.push_back(*maps[0].getResultPosition(expr));
  return transposeConstant(constant, permutation);
}

Value FormBuilder::moveValue(Operation *op, Value input) {
  RankedTensorType type = tensorType(op->getResult(0));
  Type element = tensorType(input).getElementType();
  auto resultType = RankedTensorType::get(type.getShape(), element);
  TensorBuilder b(op->getLoc(), builder);
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (ElementsAttr constant = getConstant(input)) {
    TypedAttr folded;
    if (generic)
      folded = foldMovement(generic, constant);
    else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      folded = reshapeConstant(constant, type.getShape());
    if (folded)
      return arith::ConstantOp::create(b, folded);
  }
  if (generic) {
    Value init = b.empty(type.getShape(), element);
    return b
        .generic(
            input, init, generic.getIndexingMapsArray(),
            [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; })
        .getResult(0);
  }
  IRMapping mapping;
  mapping.map(op->getOperand(0), input);
  Operation *clone = b.clone(*op, mapping);
  clone->getResult(0).setType(resultType);
  return clone->getResult(0);
}

FormBuilder::Result FormBuilder::buildMovement(linalg::GenericOp op) {
  const QuantizedForm *found = getForm(op->getOperand(0));
  if (!found)
    return std::nullopt;
  QuantizedForm form = *found;
  std::optional<SmallVector<int64_t>> axes = resultAxes(op, 0, form.axes);
  if (!axes)
    return refuse(op, "scales lie along a dimension that disappears");
  form.axes = *axes;
  form.value = moveValue(op, form.value);
  return form;
}

FormBuilder::Result FormBuilder::buildReshape(Operation *op) {
  const QuantizedForm *found = getForm(op->getOperand(0));
  if (!found)
    return std::nullopt;
  QuantizedForm form = *found;
  SmallVector<int64_t> axes;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<ReassociationIndices> groups = expand.getReassociationIndices();
    for (int64_t axis : form.axes)
      for (int64_t dim : groups[axis])
        if (expand.getResultType().getDimSize(dim) != 1)
          axes.push_back(dim);
  } else if (!form.isPerTensor()) {
    auto collapse = cast<tensor::CollapseShapeOp>(op);
    for (auto [index, group] :
         llvm::enumerate(collapse.getReassociationIndices())) {
      SmallVector<int64_t> dims;
      for (int64_t dim : group)
        if (collapse.getSrcType().getDimSize(dim) != 1)
          dims.push_back(dim);
      auto hasScales = [&](int64_t dim) {
        return llvm::is_contained(form.axes, dim);
      };
      if (llvm::none_of(dims, hasScales))
        continue;
      if (!llvm::all_of(dims, hasScales))
        return refuse(op, "scales lie along a part of a dimension");
      axes.push_back(index);
    }
  }
  form.axes = axes;
  form.value = moveValue(op, form.value);
  return form;
}

FormBuilder::Result FormBuilder::buildSlice(tensor::ExtractSliceOp op) {
  const QuantizedForm *found = getForm(op->getOperand(0));
  if (!found)
    return std::nullopt;
  QuantizedForm form = *found;
  if (!form.isPerTensor())
    return refuse(op, "expected one scale");
  form.value = moveValue(op, form.value);
  return form;
}

Value FormBuilder::padWith(tensor::PadOp op, Value input, int64_t code) {
  TensorBuilder b(op.getLoc(), builder);
  Type element = tensorType(input).getElementType();
  return tensor::PadOp::create(b, op.getResultType().clone(element), input,
                               op.getMixedLowPad(), op.getMixedHighPad(),
                               b.intConstant(element, code));
}

FormBuilder::Result FormBuilder::buildPad(tensor::PadOp op) {
  const QuantizedForm *found = codes(op, 0);
  if (!found)
    return std::nullopt;
  QuantizedForm form = *found;
  FloatAttr padding;
  Value value = op.getConstantPaddingValue();
  if (!form.isPerTensor() || !value ||
      !matchPattern(value, m_Constant(&padding)))
    return refuse(op, "expected one scale and a constant padding");
  int64_t code = form.zeroPoint;
  bool lowest =
      padding.getValue().isNegative() &&
      (padding.getValue().isInfinity() || padding.getValue().isLargest());
  if (lowest) {
    // The lowest number never wins a maximum; its code does not either.
    bool onlyMaxima = llvm::all_of(op->getUsers(), [](Operation *user) {
      auto generic = dyn_cast<linalg::GenericOp>(user);
      return generic && matchesReduction<arith::MaximumFOp>(generic);
    });
    if (!onlyMaxima)
      return refuse(op, "expected padding with zero");
    code = llvm::minIntN(form.elementType().getIntOrFloatBitWidth());
  } else if (!padding.getValue().isZero()) {
    return refuse(op, "expected padding with zero");
  }
  form.value = padWith(op, form.value, code);
  return form;
}

FormBuilder::Result FormBuilder::buildConcat(tensor::ConcatOp op) {
  SmallVector<Value> values;
  Result first;
  for (unsigned index = 0; index < op.getNumOperands(); ++index) {
    const QuantizedForm *form = codes(op, index);
    if (!form)
      return std::nullopt;
    if (!first)
      first = *form;
    if (!form->isPerTensor() || form->scales != first->scales ||
        form->zeroPoint != first->zeroPoint ||
        form->elementType() != first->elementType())
      return refuse(op, "expected equal scales and zero points");
    values.push_back(form->value);
  }
  builder.setInsertionPointAfter(op);
  TensorBuilder b(op.getLoc(), builder);
  auto type = RankedTensorType::get(op.getResultType().getShape(),
                                    first->elementType());
  first->value = tensor::ConcatOp::create(b, type, op.getDim(), values);
  return first;
}
