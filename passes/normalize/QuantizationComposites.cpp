// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// torch.ops.quantized_decomposed.* as markers with exact parameters.
#include "passes/Support/Constants.h"
#include "passes/normalize/Composite.h"

#include "dialects/Asic/Asic.h"

using namespace mlir;
using namespace mlir::asic;

namespace {
/// Scales and zero points of a composite.
struct Parameters {
  SmallVector<double> scales;
  SmallVector<int64_t> zeroPoints;
  IntegerAttr axis;
};
} // namespace

/// The argument `name` as numbers: an attribute, or an operand that is
/// constant.
static std::optional<SmallVector<double>> numbers(Composite &composite,
                                                  StringRef name) {
  if (std::optional<double> value = composite.number(name))
    return SmallVector<double>{*value};
  Value operand = composite.operand(name);
  ElementsAttr constant = operand ? getConstant(operand) : ElementsAttr();
  return constant ? readReals(constant) : std::nullopt;
}

/// Reads the parameters, or the reason why they are not known.
static std::string readParameters(Composite &composite, TensorBuilder &b,
                                  Parameters &parameters) {
  bool perChannel = composite.operand("scales") != Value();
  std::optional<SmallVector<double>> scales =
      numbers(composite, perChannel ? "scales" : "scale");
  std::optional<SmallVector<double>> zeroPoints =
      numbers(composite, perChannel ? "zero_points" : "zero_point");
  if (!scales || !zeroPoints)
    return "expected constant scales and zero points; quantise statically";
  for (double scale : *scales)
    if (!(scale > 0) || !std::isfinite(scale))
      return "expected positive finite scales, got " + std::to_string(scale);
  parameters.scales = *scales;
  for (double zeroPoint : *zeroPoints)
    parameters.zeroPoints.push_back(static_cast<int64_t>(zeroPoint));
  if (perChannel)
    parameters.axis =
        b.getI64IntegerAttr(composite.integer("axis").value_or(0));
  return {};
}

static std::string quantize(Composite &composite, TensorBuilder &b) {
  Parameters parameters;
  if (std::string reason = readParameters(composite, b, parameters);
      !reason.empty())
    return reason;
  RankedTensorType type = composite.resultType(0);
  std::optional<int64_t> lo = composite.integer("quant_min");
  std::optional<int64_t> hi = composite.integer("quant_max");
  if (!lo || !hi)
    return "expected quant_min and quant_max as scalars";
  unsigned width = type.getElementTypeBitWidth();
  if (!llvm::isIntN(width, *lo) || !llvm::isIntN(width, *hi))
    return "expected a range of signed integers, got " + std::to_string(*lo) +
           " to " + std::to_string(*hi) + "; quantise to a signed type";
  Value result = QuantizeOp::create(
      b, type, composite.operand("input"),
      b.getDenseF64ArrayAttr(parameters.scales),
      b.getDenseI64ArrayAttr(parameters.zeroPoints), parameters.axis,
      b.getI64IntegerAttr(*lo), b.getI64IntegerAttr(*hi));
  composite.replaceResult(0, result);
  return {};
}

static std::string dequantize(Composite &composite, TensorBuilder &b) {
  Parameters parameters;
  if (std::string reason = readParameters(composite, b, parameters);
      !reason.empty())
    return reason;
  if (composite.integer("quant_min").value_or(-1) >= 0)
    return "expected signed integers; quantise to a signed type";
  Value result = DequantizeOp::create(
      b, composite.resultType(0), composite.operand("input"),
      b.getDenseF64ArrayAttr(parameters.scales),
      b.getDenseI64ArrayAttr(parameters.zeroPoints), parameters.axis);
  composite.replaceResult(0, result);
  return {};
}

void mlir::asic::addQuantizationDecompositions(
    llvm::StringMap<Decomposition> &table) {
  table["quantized_decomposed.quantize_per_tensor"] = quantize;
  table["quantized_decomposed.quantize_per_channel"] = quantize;
  table["quantized_decomposed.dequantize_per_tensor"] = dequantize;
  table["quantized_decomposed.dequantize_per_channel"] = dequantize;
}
