// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/Support/ScalarBodies.h"
#include "passes/Support/Target.h"
#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::asic {
#define GEN_PASS_DEF_LEGALIZECONTRACTIONSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;
using ::asic::ElementType;
using ::asic::TargetModel;

/// The MLIR type of a float format with 16 or 32 bits, null for others.
static FloatType floatType(MLIRContext *context, ElementType type) {
  switch (type) {
  case ElementType::F32:
    return Float32Type::get(context);
  case ElementType::BF16:
    return BFloat16Type::get(context);
  case ElementType::F16:
    return Float16Type::get(context);
  default:
    return {};
  }
}

/// Order of preference: more bits, then the wider range.
static int width(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return 3;
  case ElementType::BF16:
    return 2;
  case ElementType::F16:
    return 1;
  default:
    return 0;
  }
}

/// The mode with the widest float operands that sums in f32; one of floats and
/// `weights` when these are integers.
static const TargetModel::MxuMode *widestMode(const TargetModel &target,
                                              ElementType weights) {
  auto rank = [&](const TargetModel::MxuMode &mode) {
    if (mode.acc != ElementType::F32)
      return 0;
    return isIntegerType(weights) ? (mode.w == weights) * width(mode.a)
                                  : std::min(width(mode.a), width(mode.w));
  };
  const TargetModel::MxuMode *best = nullptr;
  for (const TargetModel::MxuMode &mode : target.mxu.modes)
    if (rank(mode) > 0 && (!best || rank(mode) > rank(*best)))
      best = &mode;
  return best;
}

/// The element of a constant of f32 or of 16-bit floats at `source`, as `type`,
/// rounded to nearest even.
static uint16_t roundElement(const char *source, FloatType from,
                             FloatType type) {
  unsigned width = from.getWidth();
  uint32_t bits = 0;
  std::memcpy(&bits, source, width / 8);
  bool isNaN = (bits & 0x7fffffff) > 0x7f800000;
  if (from.isF32() && type.isBF16() && !isNaN)
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  APFloat value(from.getFloatSemantics(), APInt(width, bits));
  bool losesInfo;
  value.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value.bitcastToAPInt().getZExtValue();
}

/// A float constant rounded to the 16-bit `type`.
static TypedAttr roundConstant(ElementsAttr constant, FloatType type) {
  auto resultType = RankedTensorType::get(
      cast<ShapedType>(constant.getType()).getShape(), type);
  std::string suffix = type.isBF16() ? ".bf16" : ".f16";
  if (lacksData(constant) && type.getWidth() == 16)
    return makeWithoutData(resultType,
                           (getResourceName(constant) + suffix).str());
  std::optional<ArrayRef<char>> bytes = getBytes(constant);
  auto from = dyn_cast<FloatType>(constant.getElementType());
  if (!bytes || !from || (from.getWidth() != 32 && from.getWidth() != 16) ||
      type.getWidth() != 16)
    return {};
  size_t size = from.getWidth() / 8;
  bool splat = bytes->size() == size;
  return makeConstant(
      resultType, (getResourceName(constant) + suffix).str(),
      [&](MutableArrayRef<char> target) {
        for (size_t i = 0, e = target.size() / 2; i < e; ++i) {
          const char *source = bytes->data() + (splat ? 0 : i * size);
          uint16_t half = roundElement(source, from, type);
          std::memcpy(target.data() + 2 * i, &half, sizeof(half));
        }
      });
}

/// `value` rounded to `type`, in front of a padding so that the conversion
/// meets what made the value.
static Value roundTo(TensorBuilder &b, Value value, FloatType type) {
  RankedTensorType from = tensorType(value);
  if (from.getElementType() == type)
    return value;
  if (ElementsAttr constant = getConstant(value))
    if (TypedAttr rounded = roundConstant(constant, type))
      return arith::ConstantOp::create(b, rounded);
  auto pad = value.getDefiningOp<tensor::PadOp>();
  FloatAttr padding;
  if (pad && pad->hasOneUse() && pad.getConstantPaddingValue() &&
      matchPattern(pad.getConstantPaddingValue(), m_Constant(&padding)) &&
      padding.getValue().isZero()) {
    Value source = roundTo(b, pad.getSource(), type);
    return tensor::PadOp::create(
        b, RankedTensorType::get(from.getShape(), type), source,
        pad.getMixedLowPad(), pad.getMixedHighPad(), b.floatConstant(type, 0));
  }
  return b.elementwise(
      value, type, [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
        Value wide = args[0];
        if (!wide.getType().isF32())
          wide = arith::ExtFOp::create(nested, nested.getF32Type(), wide);
        if (type.isF32())
          return wide;
        return arith::TruncFOp::create(nested, type, wide);
      });
}

namespace {
struct LegalizeContractionsPass
    : mlir::asic::impl::LegalizeContractionsPassBase<LegalizeContractionsPass> {
  void runOnOperation() override {
    if (!getTarget(getOperation()))
      return;
    FailureOr<TargetModel> target = readTarget(getOperation());
    if (failed(target))
      return signalPassFailure();
    SmallVector<linalg::GenericOp> contractions;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.hasPureTensorSemantics() && !isParallel(op) &&
          matchMultiplyAccumulate(op) && needsMode(op, *target))
        contractions.push_back(op);
    });
    for (linalg::GenericOp op : contractions)
      if (const TargetModel::MxuMode *mode =
              widestMode(*target, typeOf(op.getOperand(1))))
        convert(op, *mode);
  }

  static ElementType typeOf(Value value) {
    return getElementType(tensorType(value).getElementType())
        .value_or(ElementType::None);
  }

  /// Whether the contraction is one of floats that the target has no mode for.
  static bool needsMode(linalg::GenericOp op, const TargetModel &target) {
    ElementType a = typeOf(op.getOperand(0)), w = typeOf(op.getOperand(1));
    if (!width(a) || !(width(w) || isIntegerType(w)) ||
        !tensorType(op.getResult(0)).getElementType().isF32())
      return false;
    return llvm::none_of(
        target.mxu.modes, [&](const TargetModel::MxuMode &mode) {
          return mode.a == a && mode.w == w && mode.acc == ElementType::F32;
        });
  }

  static void convert(linalg::GenericOp op, const TargetModel::MxuMode &mode) {
    MultiplyAccumulate match = *matchMultiplyAccumulate(op);
    OpBuilder builder(op);
    TensorBuilder b(op.getLoc(), builder);
    MLIRContext *context = op.getContext();
    Value inputs[] = {roundTo(b, op.getOperand(0), floatType(context, mode.a)),
                      op.getOperand(1)};
    if (width(mode.w))
      inputs[1] = roundTo(b, inputs[1], floatType(context, mode.w));
    auto contraction =
        b.generic(inputs, op.getDpsInits().front(), op.getIndexingMapsArray(),
                  [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                    Value product = arith::MulFOp::create(
                        nested, widenToFloat(nested, args[match.lhs]),
                        widenToFloat(nested, args[match.rhs]));
                    return arith::AddFOp::create(nested, args[2], product);
                  });
    op.getResult(0).replaceAllUsesWith(contraction.getResult(0));
    op.erase();
  }
};
} // namespace
