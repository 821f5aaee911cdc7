// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/ScheduleModel.h"

#include "passes/Support/PackedConstants.h"
#include "passes/Support/Target.h"
#include "runtime/Timing.h"

#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace mlir::asic;

//===----------------------------------------------------------------------===//
// Footprints
//===----------------------------------------------------------------------===//

/// True when two ranges of one dimension have a common index. Ranges of the
/// same step are compared exactly, others by their ends.
static bool rangesOverlap(const IndexRange &a, const IndexRange &b) {
  if (a.last < b.first || b.last < a.first)
    return false;
  return a.step != b.step || (a.first - b.first) % a.step == 0;
}

bool Footprint::overlaps(const Footprint &other) const {
  if (buffer != other.buffer || begin >= other.end || other.begin >= end)
    return false;
  if (box.empty() || other.box.empty())
    return true;
  return llvm::all_of(llvm::zip_equal(box, other.box), [](auto pair) {
    return rangesOverlap(std::get<0>(pair), std::get<1>(pair));
  });
}

bool Footprint::covers(const Footprint &other) const {
  if (buffer != other.buffer || begin > other.begin || end < other.end)
    return false;
  if (dense)
    return true;
  if (box.empty() || other.box.empty())
    return false;
  return llvm::all_of(llvm::zip_equal(box, other.box), [](auto pair) {
    const IndexRange &mine = std::get<0>(pair), &its = std::get<1>(pair);
    return mine.step == 1 && mine.first <= its.first && mine.last >= its.last;
  });
}

/// Describes `view` as a box of `buffer`'s own dimensions; false when it is not
/// one (a view that runs across the end of a dimension).
static bool makeBox(const BufferView &view, const ScheduleBuffer &buffer,
                    SmallVectorImpl<IndexRange> &box) {
  unsigned rank = buffer.shape.size();
  int64_t rest = view.offset;
  for (unsigned dim = 0; dim < rank; ++dim) {
    IndexRange range;
    if (buffer.strides[dim] > 0) {
      range.first = std::min(rest / buffer.strides[dim], buffer.shape[dim] - 1);
      rest -= range.first * buffer.strides[dim];
    }
    range.last = range.first;
    box.push_back(range);
  }
  if (rest != 0)
    return false;
  for (auto [size, stride] : llvm::zip_equal(view.sizes, view.strides)) {
    if (size == 1 || stride == 0)
      continue;
    // The dimension with the largest stride that divides this one; a view that
    // covers it whole continues in the next outer one (collapsed views).
    int64_t left = size, step = stride;
    for (unsigned dim = 0; dim < rank && left > 1; ++dim) {
      int64_t unit = buffer.strides[dim];
      if (unit == 0 || step % unit != 0 || buffer.shape[dim] == 1)
        continue;
      while (left > 1) {
        int64_t factor = step / unit;
        IndexRange &range = box[dim];
        if (range.first != range.last)
          return false;
        if (range.first + (left - 1) * factor < buffer.shape[dim]) {
          range.last = range.first + (left - 1) * factor;
          range.step = factor;
          left = 1;
          break;
        }
        if (factor != 1 || range.first != 0 || left % buffer.shape[dim] != 0 ||
            dim == 0)
          return false;
        range.last = buffer.shape[dim] - 1;
        left /= buffer.shape[dim];
        step = unit * buffer.shape[dim];
        do
          --dim;
        while (dim > 0 && buffer.shape[dim] == 1);
        unit = buffer.strides[dim];
        if (unit != step)
          return false;
      }
    }
    if (left > 1)
      return false;
  }
  return true;
}

/// True when the view's elements fill its interval without holes.
static bool isDense(const BufferView &view) {
  int64_t elements = 1;
  for (auto [size, stride] : llvm::zip_equal(view.sizes, view.strides))
    if (stride != 0)
      elements *= size;
  return elements * view.elementBytes == view.extent();
}

//===----------------------------------------------------------------------===//
// Building the model
//===----------------------------------------------------------------------===//

bool mlir::asic::hasTileOps(FunctionOpInterface function) {
  if (function.isExternal())
    return false;
  return llvm::any_of(function.getFunctionBody().front(), [](Operation &op) {
    return isa<ContractOp, MapOp, CopyOp, FillOp>(op);
  });
}

std::optional<int64_t> mlir::asic::getBufferAddress(Value buffer) {
  IntegerAttr address;
  if (auto argument = dyn_cast<BlockArgument>(buffer)) {
    auto function =
        cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
    address = function.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(),
                                                     kAddressAttrName);
  } else if (auto constant = buffer.getDefiningOp<ConstantOp>()) {
    address = constant.getAddressAttr();
  } else {
    address =
        buffer.getDefiningOp()->getAttrOfType<IntegerAttr>(kAddressAttrName);
  }
  if (!address)
    return std::nullopt;
  return address.getInt();
}

int64_t mlir::asic::getBufferBytes(MemRefType type) {
  int64_t offset, last = 0;
  SmallVector<int64_t> strides;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return 0;
  for (auto [size, stride] : llvm::zip_equal(type.getShape(), strides)) {
    if (size == 0)
      return 0;
    last += (size - 1) * stride;
  }
  if (isPacked(type))
    return packedBytes(last + 1);
  return (last + 1) * getElementBytes(type.getElementType());
}

namespace {

/// Collects operations, buffers and dependences in program order.
class ModelBuilder {
public:
  ModelBuilder(FunctionOpInterface function, const ::asic::TargetModel &target,
               ModelDetail detail)
      : function(function), detail(detail) {
    model.target = &target;
    options.depthwise = target.mxu.depthwiseMacsPerCycle > 0;
  }

  FailureOr<ScheduleModel> build();

private:
  LogicalResult addOp(Operation *op);
  FailureOr<unsigned> addBuffer(Value base, Operation *user);
  FailureOr<Footprint> makeFootprint(Value memref, Operation *user);
  EngineKind kindOf(Operation *op);
  void addDependences(unsigned number);

  FunctionOpInterface function;
  ModelDetail detail;
  ScheduleModel model;
  SelectOptions options;
  LaneProgramTable lanes;
  /// Accesses per buffer that later ones may depend on.
  struct Access {
    unsigned op;
    const Footprint *footprint;
  };
  std::vector<SmallVector<Access>> writers, readers;
};

} // namespace

FailureOr<unsigned> ModelBuilder::addBuffer(Value base, Operation *user) {
  auto [it, isNew] = model.bufferOf.try_emplace(base, model.buffers.size());
  if (!isNew)
    return it->second;
  if (!isa<BlockArgument>(base) &&
      !isa<memref::AllocOp, ConstantOp>(base.getDefiningOp()))
    return user->emitOpError("expected buffers from memref.alloc, "
                             "asic.constant or function arguments, got ")
           << *base.getDefiningOp();
  FailureOr<BufferView> view = getBufferView(base, user);
  if (failed(view))
    return failure();
  auto type = cast<MemRefType>(base.getType());
  ScheduleBuffer buffer;
  buffer.value = base;
  buffer.space = view->space;
  buffer.bytes = getBufferBytes(type);
  buffer.shape.assign(view->sizes.begin(), view->sizes.end());
  buffer.strides.assign(view->strides.begin(), view->strides.end());
  buffer.address = getBufferAddress(base).value_or(-1);
  model.buffers.push_back(buffer);
  return model.buffers.size() - 1;
}

FailureOr<Footprint> ModelBuilder::makeFootprint(Value memref,
                                                 Operation *user) {
  FailureOr<BufferView> view = getBufferView(memref, user);
  if (failed(view))
    return failure();
  FailureOr<unsigned> buffer = addBuffer(view->base, user);
  if (failed(buffer))
    return failure();
  Footprint footprint;
  footprint.buffer = *buffer;
  footprint.begin = view->offset;
  footprint.end = view->offset + view->extent();
  footprint.dense = isDense(*view);
  if (footprint.begin < 0 || footprint.end > model.buffers[*buffer].bytes)
    return user->emitOpError("expected a view inside its buffer of ")
           << model.buffers[*buffer].bytes << " bytes, got bytes "
           << footprint.begin << " to " << footprint.end;
  if (!makeBox(*view, model.buffers[*buffer], footprint.box))
    footprint.box.clear();
  return footprint;
}

EngineKind ModelBuilder::kindOf(Operation *op) {
  if (isa<ContractOp>(op))
    return EngineKind::mxu;
  if (isa<MapOp>(op))
    return EngineKind::vpu;
  if (auto fill = dyn_cast<FillOp>(op))
    return getSpace(cast<MemRefType>(fill.getTarget().getType())) == Space::sram
               ? EngineKind::load
               : EngineKind::store;
  auto copy = cast<CopyOp>(op);
  bool fromDram =
      getSpace(cast<MemRefType>(copy.getSource().getType())) == Space::dram;
  bool toSram =
      getSpace(cast<MemRefType>(copy.getTarget().getType())) == Space::sram;
  return fromDram && toSram ? EngineKind::load : EngineKind::store;
}

LogicalResult ModelBuilder::addOp(Operation *op) {
  ScheduleOp entry;
  entry.op = op;
  entry.kind = kindOf(op);
  SmallVector<MemoryEffects::EffectInstance> effects;
  cast<MemoryEffectOpInterface>(op).getEffects(effects);
  for (MemoryEffects::EffectInstance &effect : effects) {
    FailureOr<Footprint> footprint = makeFootprint(effect.getValue(), op);
    if (failed(footprint))
      return failure();
    bool isWrite = isa<MemoryEffects::Write>(effect.getEffect());
    if (footprint->begin == footprint->end)
      continue;
    if (isWrite)
      entry.writes.push_back(*footprint);
    else
      entry.reads.push_back(*footprint);
    ScheduleBuffer &buffer = model.buffers[footprint->buffer];
    if (buffer.firstUse < 0)
      buffer.firstUse = model.ops.size();
    buffer.lastUse = model.ops.size();
    buffer.isWritten |= isWrite;
  }
  if (detail == ModelDetail::footprints) {
    model.ops.push_back(std::move(entry));
    return success();
  }
  FailureOr<::asic::isa::Instruction> instruction =
      selectInstruction(op, options, lanes, [](Value) { return int64_t(0); });
  if (failed(instruction))
    return failure();
  entry.cost =
      ::asic::timedInstruction(*model.target, *instruction, lanes.programs())
          .cost;
  model.ops.push_back(std::move(entry));
  return success();
}

void ModelBuilder::addDependences(unsigned number) {
  ScheduleOp &op = model.ops[number];
  SmallVectorImpl<unsigned> &predecessors = op.predecessors;
  auto collect = [&](const SmallVector<Access> &list, const Footprint &mine) {
    for (const Access &access : list)
      if (access.op != number && access.footprint->overlaps(mine))
        predecessors.push_back(access.op);
  };
  for (const Footprint &read : op.reads)
    if (model.buffers[read.buffer].isWritten)
      collect(writers[read.buffer], read);
  for (const Footprint &write : op.writes) {
    collect(writers[write.buffer], write);
    collect(readers[write.buffer], write);
  }
  // What a write covers need not be remembered: the write comes after it.
  for (const Footprint &write : op.writes)
    for (auto *lists : {&writers, &readers})
      llvm::erase_if((*lists)[write.buffer], [&](const Access &access) {
        return write.covers(*access.footprint);
      });
  for (const Footprint &read : op.reads)
    if (model.buffers[read.buffer].isWritten)
      readers[read.buffer].push_back({number, &read});
  for (const Footprint &write : op.writes)
    writers[write.buffer].push_back({number, &write});
  llvm::sort(predecessors);
  predecessors.erase(llvm::unique(predecessors), predecessors.end());
}

FailureOr<ScheduleModel> ModelBuilder::build() {
  if (!function.getFunctionBody().hasOneBlock())
    return function.emitOpError("expected one block of tile operations");
  // Arguments and results exist even when no operation touches them.
  Block &block = function.getFunctionBody().front();
  for (BlockArgument argument : block.getArguments())
    if (isa<MemRefType>(argument.getType()) &&
        failed(addBuffer(argument, function)))
      return failure();
  for (Operation &op : block) {
    if (isa<ContractOp, MapOp, CopyOp, FillOp>(op)) {
      if (failed(addOp(&op)))
        return failure();
    } else if (op.hasTrait<OpTrait::IsTerminator>()) {
      for (Value operand : op.getOperands())
        if (isa<MemRefType>(operand.getType()) &&
            failed(addBuffer(getBufferBase(operand), &op)))
          return failure();
    } else if (isa<memref::DeallocOp>(op)) {
      continue;
    } else if (!isa<memref::AllocOp, ConstantOp, ViewLikeOpInterface>(op) &&
               !isPure(&op)) {
      return op.emitOpError("expected tile operations, buffers and views in a "
                            "function to schedule");
    }
  }
  if (detail == ModelDetail::footprints)
    return std::move(model);
  writers.resize(model.buffers.size());
  readers.resize(model.buffers.size());
  for (unsigned number = 0; number < model.ops.size(); ++number)
    addDependences(number);
  return std::move(model);
}

FailureOr<ScheduleModel>
mlir::asic::buildScheduleModel(FunctionOpInterface function,
                               const ::asic::TargetModel &target,
                               ModelDetail detail) {
  return ModelBuilder(function, target, detail).build();
}

LogicalResult
mlir::asic::withScheduleModel(func::FuncOp function, ModelDetail detail,
                              function_ref<LogicalResult(ScheduleModel &)> fn) {
  if (!hasTileOps(function))
    return success();
  FailureOr<::asic::TargetModel> target = readTarget(function);
  if (failed(target))
    return failure();
  FailureOr<ScheduleModel> model =
      buildScheduleModel(function, *target, detail);
  if (failed(model))
    return failure();
  return fn(*model);
}
