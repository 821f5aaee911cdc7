// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands behind a real tensor in a quantised network: integers, and how
// they become numbers (docs/quantization.md).
#ifndef ASIC_PASSES_QUANTIZE_QUANTIZEDFORM_H
#define ASIC_PASSES_QUANTIZE_QUANTIZEDFORM_H

#include "dialects/Asic/Asic.h"
#include "passes/Support/TensorBuilder.h"

#include "llvm/ADT/DenseMap.h"
#include <limits>
#include <memory>

namespace mlir::asic {

/// The real tensor `clamp((value - zeroPoint) * scale / divisor, lo, hi)`.
struct QuantizedForm {
  /// i8 codes, or i32 sums.
  Value value;
  /// One scale, or one per index of `axes`, row-major.
  SmallVector<double> scales;
  /// Dimensions of `value` that the scales lie along.
  SmallVector<int64_t> axes;
  int64_t zeroPoint = 0;
  /// Divides the scale: a window's size, or the headroom of an addition.
  double divisor = 1;
  /// A sum, which a division by a constant makes an average.
  bool isSum = false;
  /// The result of an op or a clamp: only clamps, data movement without padding
  /// and a quantize may follow.
  bool pending = false;
  double lo = -std::numeric_limits<double>::infinity();
  double hi = std::numeric_limits<double>::infinity();

  bool isPerTensor() const { return axes.empty(); }
  bool isClamped() const { return std::isfinite(lo) || std::isfinite(hi); }
  Type elementType() const { return tensorType(value).getElementType(); }
};

/// Dimensions of the result that dimensions `axes` of operand `index` become;
/// none when one of them is not a plain parallel dimension.
std::optional<SmallVector<int64_t>>
resultAxes(linalg::GenericOp op, unsigned index, ArrayRef<int64_t> axes);

/// Finds the integers behind real tensors and builds the integer ops between
/// them.
class FormBuilder {
public:
  explicit FormBuilder(OpBuilder &builder, RoundingAttr rounding)
      : builder(builder), rounding(rounding) {}

  /// The form of `value`, or null; then `getReason` says why.
  const QuantizedForm *getForm(Value value);

  /// Integers of `marker` from the form of its input, or null.
  Value requantize(QuantizeOp marker);

  /// The real tensor of an i32 or f32 sum, as one multiplication.
  Value dequantizeSum(const QuantizedForm &form, Location loc, Type type);

  /// Quantises in front of the data movement that makes the input of `marker`,
  /// so that integers are moved; the marker that is left, or none when it
  /// stands behind nothing of that kind.
  QuantizeOp hoist(QuantizeOp marker);

  /// The op that stopped the last search, and why.
  Operation *getStop() const { return stop; }
  StringRef getReason() const { return reason; }

private:
  using Result = std::optional<QuantizedForm>;

  Result build(Value value);
  Result buildGeneric(linalg::GenericOp op);
  Result buildContraction(linalg::GenericOp op);
  Result buildSum(linalg::GenericOp op);
  Result buildMaxPool(linalg::GenericOp op);
  Result buildBinary(linalg::GenericOp op);
  Result buildClampOrAverage(linalg::GenericOp op);
  Result buildMovement(linalg::GenericOp op);
  Result buildPad(tensor::PadOp op);
  Result buildReshape(Operation *op);
  Result buildSlice(tensor::ExtractSliceOp op);
  Result buildConcat(tensor::ConcatOp op);

  /// The form of operand `index` when it is codes.
  const QuantizedForm *codes(Operation *op, unsigned index);
  /// The int32 initial value of a contraction whose sums have these scales.
  Value buildBias(linalg::GenericOp op, const QuantizedForm &sum);
  /// `operand` of a generic as a window shape; integers in place of floats.
  Value integerWindow(TensorBuilder &b, Value window, Type type);
  /// `op` on `input` instead of its first operand, folded when it is constant.
  Value moveValue(Operation *op, Value input);
  /// `op` on the codes `input`, padded with `code`.
  Value padWith(tensor::PadOp op, Value input, int64_t code);
  /// Integers of a form by a marker's parameters.
  Value emitRequantize(const QuantizedForm &form, QuantizeOp marker);
  /// The form's own codes when they are what `marker` asks for.
  Value reuseCodes(const QuantizedForm &form, QuantizeOp marker);
  /// Integers of a concatenation of codes with several scales, or null.
  Value requantizeConcat(QuantizeOp marker);

  std::nullopt_t refuse(Operation *op, const Twine &why);

  OpBuilder &builder;
  RoundingAttr rounding;
  DenseMap<Value, std::unique_ptr<QuantizedForm>> forms;
  Operation *stop = nullptr;
  std::string reason;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_QUANTIZE_QUANTIZEDFORM_H
