// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A composite: a call of a declaration `@asic.<op>.<n>` whose attributes say
// what the op was. Each supported op owns one decomposition.
#ifndef ASIC_PASSES_NORMALIZE_COMPOSITE_H
#define ASIC_PASSES_NORMALIZE_COMPOSITE_H

#include "passes/Support/TensorBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::asic {

/// A composite call with access to its arguments by their schema names.
class Composite {
public:
  Composite(func::CallOp call, func::FuncOp declaration)
      : call(call), declaration(declaration) {}

  /// The op without its overload, e.g. "aten.gelu".
  StringRef getOpName() const;

  /// The tensor argument `name`, null when it was not given.
  Value operand(StringRef name) const;

  /// The tensors of the list `name` by their places; absent ones are null.
  SmallVector<Value> operandList(StringRef name) const;

  /// The scalar argument `name`, null when it was not given.
  template <typename AttrT>
  AttrT argument(StringRef name) const {
    return declaration->getAttrOfType<AttrT>(("asic." + name).str());
  }
  std::optional<int64_t> integer(StringRef name) const;
  std::optional<double> number(StringRef name) const;
  std::optional<bool> boolean(StringRef name) const;

  /// The scalar argument `name` as an element of `type`, integers with all
  /// their digits; null when it was not given.
  TypedAttr scalar(StringRef name, Type type) const;

  /// The argument `dim` of an op on `tensor`, counted from the front; 0 for a
  /// tensor without dimensions. None when it was not given.
  std::optional<int64_t> dimOf(Value tensor) const;

  /// Whether the op's first tensor has unsigned elements, which MLIR's types do
  /// not say.
  bool isUnsigned() const { return boolean("unsigned").value_or(false); }

  /// The argument `name`, a list of numbers; empty when it was not given.
  SmallVector<int64_t> integers(StringRef name) const;
  SmallVector<double> numbers(StringRef name) const;

  /// The value of the op's result number `index` that replaces the call's;
  /// ignored when nobody reads it.
  void replaceResult(int64_t index, Value value);

  /// Type of the op's result number `index`, null when nobody reads it.
  RankedTensorType resultType(int64_t index) const;

  /// The call.
  func::CallOp getCall() const { return call; }

private:
  /// Position among the call's results of the op's result `index`.
  std::optional<unsigned> position(int64_t index) const;

  // Ops are handles whose accessors are not const.
  mutable func::CallOp call;
  func::FuncOp declaration;
};

/// Replaces every result of a composite and returns "", or returns the reason
/// why it cannot, having changed nothing.
using Decomposition = std::string (*)(Composite &, TensorBuilder &);

/// Decompositions by op name, a family each.
void addActivationDecompositions(llvm::StringMap<Decomposition> &table);
void addAttentionDecompositions(llvm::StringMap<Decomposition> &table);
void addElementwiseDecompositions(llvm::StringMap<Decomposition> &table);
void addIndexingDecompositions(llvm::StringMap<Decomposition> &table);
void addNormalizationDecompositions(llvm::StringMap<Decomposition> &table);
void addQuantizationDecompositions(llvm::StringMap<Decomposition> &table);
void addResamplingDecompositions(llvm::StringMap<Decomposition> &table);
void addSamplingDecompositions(llvm::StringMap<Decomposition> &table);
void addScanDecompositions(llvm::StringMap<Decomposition> &table);
void addSortingDecompositions(llvm::StringMap<Decomposition> &table);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_COMPOSITE_H
