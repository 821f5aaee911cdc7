// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-allocate-dram: addresses of everything outside the chip.
#include "dialects/Asic/Asic.h"
#include "passes/Passes.h"
#include "passes/accel/AllocateSpace.h"
#include "passes/accel/ScheduleModel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::asic {
#define GEN_PASS_DEF_ALLOCATEDRAMPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// Buffers of one function in the order of their addresses.
class DramAllocator {
public:
  DramAllocator(func::FuncOp function, ScheduleModel &model)
      : function(function), model(model),
        alignment(std::max(model.target->dram.align,
                           model.target->dram.burstBytes)) {}

  LogicalResult run();

private:
  int64_t append(int64_t bytes) {
    int64_t address = end;
    end += (bytes + alignment - 1) / alignment * alignment;
    return address;
  }
  void placeConstants();
  void placeBorder();
  LogicalResult placeScratch();
  void setAddress(Value value, int64_t address);

  func::FuncOp function;
  ScheduleModel &model;
  int64_t alignment, end = 0;
  DenseSet<Value> placed;
};

struct AllocateDramPass
    : public mlir::asic::impl::AllocateDramPassBase<AllocateDramPass> {
  void runOnOperation() override {
    auto allocate = [&](ScheduleModel &model) {
      return DramAllocator(getOperation(), model).run();
    };
    if (failed(withScheduleModel(getOperation(), ModelDetail::footprints,
                                 allocate)))
      signalPassFailure();
  }
};

} // namespace

void DramAllocator::setAddress(Value value, int64_t address) {
  Builder builder(function.getContext());
  IntegerAttr attr = builder.getI64IntegerAttr(address);
  placed.insert(value);
  if (auto argument = dyn_cast<BlockArgument>(value))
    function.setArgAttr(argument.getArgNumber(), kAddressAttrName, attr);
  else if (auto constant = value.getDefiningOp<ConstantOp>())
    constant.setAddressAttr(attr);
  else
    value.getDefiningOp()->setAttr(kAddressAttrName, attr);
}

/// Constants of the same value and storage share their bytes.
void DramAllocator::placeConstants() {
  DenseMap<std::pair<Attribute, Type>, int64_t> known;
  for (const ScheduleBuffer &buffer : model.buffers) {
    auto constant = buffer.value.getDefiningOp<ConstantOp>();
    if (!constant)
      continue;
    Type element = cast<MemRefType>(constant.getType()).getElementType();
    auto [it, isNew] = known.try_emplace({constant.getValue(), element}, 0);
    if (isNew)
      it->second = append(buffer.bytes);
    setAddress(buffer.value, it->second);
  }
}

/// Arguments, then results.
void DramAllocator::placeBorder() {
  Block &block = function.getBody().front();
  for (BlockArgument argument : block.getArguments())
    if (auto type = dyn_cast<MemRefType>(argument.getType()))
      setAddress(argument, append(getBufferBytes(type)));
  for (Value result : block.getTerminator()->getOperands()) {
    if (!isa<MemRefType>(result.getType()))
      continue;
    Value base = getBufferBase(result);
    if (!placed.contains(base))
      setAddress(base,
                 append(getBufferBytes(cast<MemRefType>(base.getType()))));
  }
}

/// Everything else is placed for as long as the stream uses it.
LogicalResult DramAllocator::placeScratch() {
  int64_t capacity = model.target->dram.bytes;
  AllocateSpace memory(std::max<int64_t>(capacity - end, 0), alignment);
  std::vector<SmallVector<unsigned, 2>> first(model.ops.size()),
      last(model.ops.size());
  for (auto [number, buffer] : llvm::enumerate(model.buffers)) {
    if (buffer.space != Space::dram || placed.contains(buffer.value) ||
        buffer.firstUse < 0)
      continue;
    first[buffer.firstUse].push_back(number);
    last[buffer.lastUse].push_back(number);
  }
  std::vector<int64_t> addresses(model.buffers.size(), 0);
  for (unsigned position = 0; position < model.ops.size(); ++position) {
    for (unsigned number : first[position]) {
      const ScheduleBuffer &buffer = model.buffers[number];
      auto place = memory.allocate(buffer.bytes, position, Placement::tight);
      if (!place)
        return model.ops[position].op->emitOpError(
                   "expected room for a buffer of ")
               << buffer.bytes << " bytes in dram, got " << memory.largestFree()
               << " of " << capacity << " bytes free in one piece";
      addresses[number] = place->address;
      setAddress(buffer.value, end + place->address);
    }
    for (unsigned number : last[position])
      memory.release(addresses[number], model.buffers[number].bytes, position);
  }
  end += memory.peakEnd();
  return success();
}

LogicalResult DramAllocator::run() {
  placeConstants();
  placeBorder();
  if (failed(placeScratch()))
    return failure();
  if (uint64_t(end) > model.target->dram.bytes)
    return function.emitOpError("expected constants, inputs, outputs and "
                                "scratch within dram of ")
           << model.target->dram.bytes << " bytes, got " << end;
  Builder builder(function.getContext());
  function->setAttr(kDramBytesAttrName, builder.getI64IntegerAttr(end));
  return success();
}
