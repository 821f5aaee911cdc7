// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the scheduler knows about a function of tile operations: operations with
// their cost and exact footprints, buffers with their lifetimes. Built once
// from the IR; ordering, allocation and synchronisation work on it alone.
#ifndef ASIC_PASSES_ACCEL_SCHEDULEMODEL_H
#define ASIC_PASSES_ACCEL_SCHEDULEMODEL_H

#include "passes/accel/LowerToIsaSelect.h"
#include "target/Cost.h"
#include "target/TargetModel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace mlir::asic {

/// Indices of one dimension of a buffer: first, first + step, …, last.
struct IndexRange {
  int64_t first = 0, last = 0, step = 1;
};

/// The bytes of one buffer that an operation touches.
struct Footprint {
  unsigned buffer = 0;
  /// Smallest interval of bytes in the buffer: [begin, end).
  int64_t begin = 0, end = 0;
  /// True when every byte of the interval is touched.
  bool dense = false;
  /// One range per dimension of the buffer; empty when the view is no box.
  SmallVector<IndexRange, 4> box;

  /// True when both touch a common byte of their common buffer; exact for
  /// boxes, on the safe side otherwise.
  bool overlaps(const Footprint &other) const;
  /// True when every byte of `other` is touched.
  bool covers(const Footprint &other) const;
};

/// What decides on which engine an operation runs.
enum class EngineKind : uint8_t {
  mxu,
  vpu,
  /// Fills SRAM from dram or with a value: can run ahead of compute.
  load,
  /// Every other move.
  store
};

/// One tile operation. Operations are numbered in program order.
struct ScheduleOp {
  Operation *op = nullptr;
  EngineKind kind = EngineKind::mxu;
  ::asic::Cost cost;
  SmallVector<Footprint, 3> reads;
  SmallVector<Footprint, 1> writes;
  /// Operations that must have retired before this one issues, whatever the
  /// addresses of buffers are.
  SmallVector<unsigned, 4> predecessors;
};

/// One buffer: a memref.alloc, an asic.constant or an argument.
struct ScheduleBuffer {
  Value value;
  Space space = Space::dram;
  int64_t bytes = 0;
  /// Byte strides of its own dimensions, and their sizes.
  SmallVector<int64_t, 4> shape, strides;
  /// First and last operation that touches it, in program order; -1: none.
  int64_t firstUse = -1, lastUse = -1;
  bool isWritten = false;
  /// Byte address in its space; -1: not placed.
  int64_t address = -1;
};

/// A function ready to be scheduled.
struct ScheduleModel {
  const ::asic::TargetModel *target = nullptr;
  std::vector<ScheduleOp> ops;
  std::vector<ScheduleBuffer> buffers;
  DenseMap<Value, unsigned> bufferOf;
};

/// How much of the model is filled in.
enum class ModelDetail {
  /// Operations, buffers and footprints.
  footprints,
  /// Also costs and dependences: what ordering needs.
  full
};

/// Builds the model of the tile operations of a single-block function. Emits a
/// diagnostic on failure.
FailureOr<ScheduleModel> buildScheduleModel(FunctionOpInterface function,
                                            const ::asic::TargetModel &target,
                                            ModelDetail detail);

/// Calls `fn` with the model of a function that has tile operations, for the
/// target of its module. Nothing to do for other functions.
LogicalResult
withScheduleModel(func::FuncOp function, ModelDetail detail,
                  function_ref<LogicalResult(ScheduleModel &)> fn);

/// Address of an argument or a memref.alloc; an asic.constant has `address`.
inline constexpr StringLiteral kAddressAttrName = "asic.address";
/// What a scheduled function uses of dram, from address 0.
inline constexpr StringLiteral kDramBytesAttrName = "asic.dram_bytes";

/// True when a function has anything to schedule.
bool hasTileOps(FunctionOpInterface function);

/// The address that allocation gave a buffer; none before.
std::optional<int64_t> getBufferAddress(Value buffer);

/// Bytes of a buffer of this type, from its first to behind its last element.
int64_t getBufferBytes(MemRefType type);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_SCHEDULEMODEL_H
