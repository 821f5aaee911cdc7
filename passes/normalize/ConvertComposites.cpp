// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/normalize/Composite.h"

#include "dialects/Asic/Asic.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::asic {
#define GEN_PASS_DEF_CONVERTCOMPOSITESPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

//===----------------------------------------------------------------------===//
// Composite
//===----------------------------------------------------------------------===//

StringRef Composite::getOpName() const {
  auto name = declaration->getAttrOfType<StringAttr>("asic.op");
  if (!name)
    return {};
  // "namespace.op.overload"
  return name.getValue().rsplit('.').first;
}

Value Composite::operand(StringRef name) const {
  auto names = declaration->getAttrOfType<ArrayAttr>("asic.operands");
  if (!names)
    return {};
  for (auto [operandName, value] : llvm::zip(names, call.getOperands()))
    if (auto text = dyn_cast<StringAttr>(operandName); text && text == name)
      return value;
  return {};
}

SmallVector<Value> Composite::operandList(StringRef name) const {
  SmallVector<Value> values;
  auto names = declaration->getAttrOfType<ArrayAttr>("asic.operands");
  if (!names)
    return values;
  for (auto [operandName, value] : llvm::zip(names, call.getOperands())) {
    auto text = dyn_cast<StringAttr>(operandName);
    auto [list, place] =
        text ? text.getValue().rsplit('.') : std::pair<StringRef, StringRef>();
    unsigned index;
    if (list != name || place.getAsInteger(10, index))
      continue;
    if (values.size() <= index)
      values.resize(index + 1);
    values[index] = value;
  }
  return values;
}

std::optional<int64_t> Composite::integer(StringRef name) const {
  if (auto value = argument<IntegerAttr>(name))
    return value.getInt();
  return std::nullopt;
}

std::optional<double> Composite::number(StringRef name) const {
  if (auto value = argument<FloatAttr>(name))
    return value.getValueAsDouble();
  if (auto value = argument<IntegerAttr>(name))
    return double(value.getInt());
  return std::nullopt;
}

std::optional<bool> Composite::boolean(StringRef name) const {
  if (auto value = argument<BoolAttr>(name))
    return value.getValue();
  return std::nullopt;
}

TypedAttr Composite::scalar(StringRef name, Type type) const {
  OpBuilder b(type.getContext());
  std::optional<int64_t> integer = this->integer(name);
  if (std::optional<bool> flag = boolean(name))
    integer = *flag;
  std::optional<double> number = this->number(name);
  if (isa<FloatType>(type) && (integer || number))
    return b.getFloatAttr(type, integer ? double(*integer) : *number);
  if (!integer && !number)
    return {};
  // Numbers wrap, as where PyTorch makes a tensor of one.
  APInt wide(64, integer ? *integer : int64_t(*number), /*isSigned=*/true,
             /*implicitTrunc=*/true);
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  return b.getIntegerAttr(type, wide.sextOrTrunc(width));
}

std::optional<int64_t> Composite::dimOf(Value tensor) const {
  std::optional<int64_t> dim = integer("dim");
  if (!dim || !tensor)
    return std::nullopt;
  int64_t rank = std::max<int64_t>(tensorType(tensor).getRank(), 1);
  return *dim < 0 ? *dim + rank : *dim;
}

SmallVector<int64_t> Composite::integers(StringRef name) const {
  SmallVector<int64_t> values;
  if (auto list = argument<ArrayAttr>(name))
    for (auto value : list.getAsRange<IntegerAttr>())
      values.push_back(value.getInt());
  return values;
}

SmallVector<double> Composite::numbers(StringRef name) const {
  SmallVector<double> values;
  if (auto list = argument<ArrayAttr>(name))
    for (auto value : list.getAsRange<FloatAttr>())
      values.push_back(value.getValueAsDouble());
  return values;
}

std::optional<unsigned> Composite::position(int64_t index) const {
  auto results = declaration->getAttrOfType<ArrayAttr>("asic.results");
  if (!results)
    return index < call.getNumResults() ? std::optional<unsigned>(index)
                                        : std::nullopt;
  for (auto [position, result] : llvm::enumerate(results))
    if (auto number = dyn_cast<IntegerAttr>(result);
        number && number.getInt() == index && position < call.getNumResults())
      return position;
  return std::nullopt;
}

void Composite::replaceResult(int64_t index, Value value) {
  if (std::optional<unsigned> which = position(index))
    call.getResult(*which).replaceAllUsesWith(value);
}

RankedTensorType Composite::resultType(int64_t index) const {
  if (std::optional<unsigned> which = position(index))
    return dyn_cast<RankedTensorType>(call.getResult(*which).getType());
  return {};
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Whether every tensor of the call is static.
static bool isStatic(func::CallOp call) {
  auto isStaticType = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.hasStaticShape();
  };
  return llvm::all_of(call.getOperandTypes(), isStaticType) &&
         llvm::all_of(call.getResultTypes(), isStaticType);
}

namespace {
struct ConvertCompositesPass
    : mlir::asic::impl::ConvertCompositesPassBase<ConvertCompositesPass> {
  void runOnOperation() override {
    llvm::StringMap<Decomposition> table;
    addActivationDecompositions(table);
    addAttentionDecompositions(table);
    addElementwiseDecompositions(table);
    addIndexingDecompositions(table);
    addNormalizationDecompositions(table);
    addQuantizationDecompositions(table);
    addResamplingDecompositions(table);
    addSamplingDecompositions(table);
    addScanDecompositions(table);
    addSortingDecompositions(table);

    SymbolTable symbols(getOperation());
    SmallVector<func::CallOp> calls;
    getOperation().walk([&](func::CallOp call) { calls.push_back(call); });
    for (func::CallOp call : calls) {
      auto declaration = symbols.lookup<func::FuncOp>(call.getCallee());
      if (declaration && declaration.isDeclaration())
        convert(Composite(call, declaration), table);
    }
    eraseUnusedDeclarations(symbols);
  }

  /// Replaces one call, or leaves it with a remark that gives the reason.
  void convert(Composite composite,
               const llvm::StringMap<Decomposition> &table) {
    func::CallOp call = composite.getCall();
    auto decomposition = table.find(composite.getOpName());
    if (decomposition == table.end())
      return;
    if (!isStatic(call)) {
      call.emitRemark(composite.getOpName())
          << " stays a call: expected static shapes";
      return;
    }
    OpBuilder builder(call);
    TensorBuilder b(call.getLoc(), builder);
    if (llvm::all_of(call.getResultTypes(), isEmptyTensor)) {
      for (Value result : call.getResults())
        result.replaceAllUsesWith(b.empty(tensorType(result).getShape(),
                                          tensorType(result).getElementType()));
      return call.erase();
    }
    std::string reason = decomposition->second(composite, b);
    if (reason.empty())
      call.erase();
    else
      call.emitRemark(composite.getOpName()) << " stays a call: " << reason;
  }

  /// Erases declarations that nobody calls any more.
  void eraseUnusedDeclarations(SymbolTable &symbols) {
    llvm::DenseSet<StringRef> called;
    getOperation().walk(
        [&](func::CallOp call) { called.insert(call.getCallee()); });
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (function.isDeclaration() && function->hasAttr("asic.op") &&
          !called.contains(function.getName()))
        symbols.erase(function);
  }
};
} // namespace
