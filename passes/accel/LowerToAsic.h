// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From linalg on buffers to tile operations.
#ifndef ASIC_PASSES_ACCEL_LOWERTOASIC_H
#define ASIC_PASSES_ACCEL_LOWERTOASIC_H

#include "dialects/Asic/Asic.h"
#include "passes/accel/PlanContraction.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::asic {

/// A copy; with an index, to a place along `dim` of a larger target, or its
/// rows along `dim` to one each.
struct Move {
  Value source, target;
  Value index = {};
  std::optional<int64_t> dim = {};

  bool hasIndexPerRow() const {
    return index && cast<MemRefType>(index.getType()).getRank() == 1;
  }
};

/// Lowers the operations of one function in order.
class TileLowering {
public:
  TileLowering(func::FuncOp function, const ::asic::TargetModel &target)
      : function(function), target(target), builder(function.getContext()) {}

  LogicalResult run();

private:
  // Moves.
  void lowerCopy(Location loc, Move move);
  void copyThroughSram(Location loc, Move move);
  LogicalResult lowerFill(linalg::FillOp fill);

  // Compute.
  LogicalResult lowerGeneric(linalg::GenericOp op);
  LogicalResult lowerContraction(linalg::GenericOp op,
                                 const Contraction &contraction);
  LogicalResult lowerMap(linalg::GenericOp op);
  void emitMap(linalg::GenericOp op, ValueRange inputs, Value output,
               ArrayRef<AffineMap> maps, TypedAttr init,
               function_ref<void(OpBuilder &, Block &)> body);
  void addBroadcast(linalg::GenericOp op, linalg::GenericOp broadcast,
                    Value output);
  /// The operation that gave `output` its initial value, if it waits for its
  /// user; it waits no longer.
  Operation *takeInit(Value output);

  func::FuncOp function;
  const ::asic::TargetModel &target;
  OpBuilder builder;
  /// Fills, broadcasts and copies that may become part of the next operation on
  /// the same buffer.
  DenseMap<Value, Operation *> pending;
};

/// Operands, maps and iterators of a tile operation that may have more
/// dimensions than the machine.
struct TileSpace {
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  SmallVector<int64_t> ranges;
  SmallVector<bool> reduction;
  /// Of operand 0 of a contraction.
  std::optional<SmallVector<int64_t>> pad;
};

/// Dimensions of a space that the machine walks one by one, by what they
/// index: merged with their neighbours where every operand allows it.
struct SpaceDims {
  struct Dim {
    int64_t size;
    bool reduction;
    /// Outermost iterator that it is made of.
    unsigned outermost;
    unsigned iterator;
    SmallVector<int64_t, 8> strides;
  };
  /// Outermost first.
  SmallVector<Dim> dims;
};

/// True when the index of a padded operand that `iterator` moves can leave it:
/// the array compares such an iterator alone.
bool isBounded(const TileSpace &space, unsigned iterator);

/// The merged dimensions; iterators that are bounded stay alone.
SpaceDims mergeDims(const TileSpace &space);

/// Calls `emit` for every value of `iterator`, with operands narrowed to it.
void unroll(OpBuilder &builder, Location loc, const TileSpace &space,
            unsigned iterator, function_ref<void(const TileSpace &)> emit);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_LOWERTOASIC_H
