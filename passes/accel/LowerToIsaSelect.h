// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instruction selection: one tile operation becomes one machine instruction.
// The scheduler uses it to price operations before addresses are known, the
// lowering to the isa dialect to produce the final fields.
#ifndef ASIC_PASSES_ACCEL_LOWERTOISASELECT_H
#define ASIC_PASSES_ACCEL_LOWERTOISASELECT_H

#include "dialects/Asic/Asic.h"
#include "passes/accel/LowerToIsaView.h"
#include "runtime/LaneProgram.h"
#include "runtime/isa/Instruction.h"

#include <map>
#include <string>

namespace mlir::asic {

/// The distinct lane programs of a machine program, numbered by first use.
class LaneProgramTable {
public:
  /// Number of `program`, which is added when it is new.
  unsigned insert(const ::asic::isa::LaneProgram &program);
  ArrayRef<::asic::isa::LaneProgram> programs() const { return list; }

private:
  std::vector<::asic::isa::LaneProgram> list;
  std::map<std::string, unsigned> numbers;
};

/// Byte address of a buffer.
using AddressOf = llvm::function_ref<int64_t(Value buffer)>;

/// Facts about the machine that selection depends on.
struct SelectOptions {
  /// The contraction array has a depthwise path.
  bool depthwise = false;
};

/// One dimension of an index space with its byte stride in every stream.
struct LoopDim {
  int64_t size = 1;
  bool reduction = false;
  /// Number of the iterator that it came from (the innermost when collapsed).
  unsigned iterator = 0;
  SmallVector<int64_t, 8> strides;
};

/// Byte strides of every iterator and the constant byte offset of `map` applied
/// to `view`; pads are subtracted from the map's results when not empty.
LogicalResult linearize(AffineMap map, const BufferView &view,
                        ArrayRef<int64_t> pads, Operation *user,
                        SmallVectorImpl<int64_t> &strides, int64_t &offset);

/// Joins neighbouring dimensions (outermost first) that every stream walks like
/// one; dimensions of size 1 go away. `mayJoin(outer, inner)` can forbid.
void collapse(
    SmallVectorImpl<LoopDim> &dims,
    llvm::function_ref<bool(const LoopDim &, const LoopDim &)> mayJoin);

/// Selects the instruction of a tile operation. Engine and synchronisation are
/// copied from the attributes of `op` when it has them. A diagnostic is emitted
/// on failure.
FailureOr<::asic::isa::Instruction>
selectInstruction(Operation *op, const SelectOptions &options,
                  LaneProgramTable &lanes, AddressOf addressOf);

FailureOr<::asic::isa::Instruction> selectContract(ContractOp op,
                                                   const SelectOptions &options,
                                                   AddressOf addressOf);
FailureOr<::asic::isa::Instruction> selectMap(MapOp op, LaneProgramTable &lanes,
                                              AddressOf addressOf);
FailureOr<::asic::isa::Instruction> selectCopy(CopyOp op, AddressOf addressOf);
FailureOr<::asic::isa::Instruction> selectFill(FillOp op, AddressOf addressOf);

/// Translates the body of a map to a lane program.
FailureOr<::asic::isa::LaneProgram> buildLaneProgram(MapOp op);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_LOWERTOISASELECT_H
