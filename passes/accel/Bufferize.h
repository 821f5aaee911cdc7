// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From tensors to buffers, one operation after the other.
#ifndef ASIC_PASSES_ACCEL_BUFFERIZE_H
#define ASIC_PASSES_ACCEL_BUFFERIZE_H

#include "dialects/Asic/Asic.h"
#include "passes/accel/PlanContraction.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::asic {

/// Rewrites the body of one function. Operations are visited once, in order;
/// chains of insert_slice are in place because nothing else uses what they
/// extend.
class Bufferizer {
public:
  Bufferizer(func::FuncOp function, const ::asic::TargetModel &target)
      : function(function), target(target), builder(function.getContext()) {}

  LogicalResult run();

private:
  // Moves and shapes (BufferizeMoves.cpp).
  void convertSlice(tensor::ExtractSliceOp op);
  LogicalResult convertInsert(tensor::InsertSliceOp op);
  void convertUpdate(UpdateSliceOp op);
  Value ownedBuffer(Value dest, Location loc);
  Value onChip(Value index);
  void convertConcat(tensor::ConcatOp op);
  LogicalResult convertPad(tensor::PadOp op);
  void convertReshape(Operation *op);
  LogicalResult convertReturn(func::ReturnOp op);
  LogicalResult storePadded(tensor::PadOp pad, Value buffer);
  Value reshape(Value buffer, ArrayRef<int64_t> shape);
  Value view(Value buffer, ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes,
             ArrayRef<int64_t> steps = {});

  // Compute (Bufferize.cpp).
  LogicalResult convert(Operation *op);
  LogicalResult convertGeneric(linalg::GenericOp op);
  LogicalResult writeInit(linalg::GenericOp op, Value init, Value output);
  Value placeOutput(linalg::GenericOp op, bool isContraction);
  FailureOr<Value> inputBuffer(OpOperand &operand,
                               const std::optional<Contraction> &contraction);
  Value widen(tensor::PadOp pad, OpOperand &operand);
  Value drain(Value buffer, Location loc);

  /// The buffer of a tensor; one in dram is made for a tensor without one.
  Value bufferOf(Value tensor);
  Value allocate(Location loc, ArrayRef<int64_t> shape, Type element,
                 Space space);
  void cloneOnBuffers(linalg::GenericOp op, ValueRange inputs, Value output);

  func::FuncOp function;
  const ::asic::TargetModel &target;
  OpBuilder builder;
  DenseMap<Value, Value> buffers;
  /// Indices in SRAM.
  DenseMap<Value, Value> indices;
};

/// The space of a memref value.
Space spaceOf(Value memref);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_BUFFERIZE_H
