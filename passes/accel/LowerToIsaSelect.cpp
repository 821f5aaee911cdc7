// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Selection of copies, fills and maps, and what all instructions share.
#include "passes/accel/LowerToIsaSelect.h"

#include "dialects/Isa/Isa.h"
#include "passes/Support/LinearForm.h"

using namespace mlir;
using namespace mlir::asic;
namespace machine = ::asic::isa;
using machine::FieldId;
using machine::Instruction;

//===----------------------------------------------------------------------===//
// Shared helpers
//===----------------------------------------------------------------------===//

unsigned LaneProgramTable::insert(const machine::LaneProgram &program) {
  std::vector<uint8_t> bytes;
  machine::encode(program, bytes);
  auto [it, isNew] =
      numbers.try_emplace(std::string(bytes.begin(), bytes.end()), list.size());
  if (isNew)
    list.push_back(program);
  return it->second;
}

LogicalResult mlir::asic::linearize(AffineMap map, const BufferView &view,
                                    ArrayRef<int64_t> pads, Operation *user,
                                    SmallVectorImpl<int64_t> &strides,
                                    int64_t &offset) {
  strides.assign(map.getNumDims(), 0);
  offset = view.offset;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (!addLinear(expr, view.strides[dim], strides, offset))
      return user->emitOpError("expected indexing maps that are sums of "
                               "dimensions with constant factors, got ")
             << AffineMapAttr::get(map);
    if (!pads.empty())
      offset -= pads[dim] * view.strides[dim];
  }
  return success();
}

void mlir::asic::collapse(
    SmallVectorImpl<LoopDim> &dims,
    llvm::function_ref<bool(const LoopDim &, const LoopDim &)> mayJoin) {
  SmallVector<LoopDim> joined;
  for (LoopDim &dim : dims) {
    if (dim.size == 1)
      continue;
    LoopDim *outer = joined.empty() ? nullptr : &joined.back();
    bool contiguous =
        outer && outer->reduction == dim.reduction && mayJoin(*outer, dim) &&
        llvm::all_of(llvm::zip_equal(outer->strides, dim.strides),
                     [&](auto pair) {
                       return std::get<0>(pair) == std::get<1>(pair) * dim.size;
                     });
    if (!contiguous) {
      joined.push_back(dim);
      continue;
    }
    outer->size *= dim.size;
    outer->strides = dim.strides;
    outer->iterator = dim.iterator;
  }
  dims.assign(joined.begin(), joined.end());
}

/// Copies pairs (semaphore, count) into header slots.
static void setSyncs(std::optional<ArrayRef<int64_t>> pairs,
                     std::array<machine::Sync, machine::syncSlots> &slots) {
  if (!pairs)
    return;
  for (size_t i = 0; i + 1 < pairs->size() && i / 2 < slots.size(); i += 2)
    slots[i / 2] = {uint8_t((*pairs)[i]), uint16_t((*pairs)[i + 1]), true};
}

template <typename TileOp>
static void setHeader(TileOp op, Instruction &instruction) {
  if (op.getEngine())
    instruction.engine = *op.getEngine();
  instruction.tag = op.getTag().value_or(0);
  setSyncs(op.getWaits(), instruction.waits);
  setSyncs(op.getPosts(), instruction.posts);
}

//===----------------------------------------------------------------------===//
// copy, fill
//===----------------------------------------------------------------------===//

/// Outer dimensions and contiguous run of a strided move.
struct Move {
  int64_t run = 1;
  SmallVector<LoopDim> dims;
};

/// Collapses a block of `sizes` with per-stream byte strides. The innermost
/// dimension becomes the run when every stream walks it element by element.
static FailureOr<Move> makeMove(ArrayRef<int64_t> sizes,
                                ArrayRef<const BufferView *> views,
                                Operation *user) {
  Move move;
  int64_t elementBytes = views.front()->elementBytes;
  for (auto [i, size] : llvm::enumerate(sizes)) {
    LoopDim dim;
    dim.size = size;
    for (const BufferView *view : views)
      dim.strides.push_back(view->strides[i]);
    move.dims.push_back(dim);
  }
  collapse(move.dims, [](const LoopDim &, const LoopDim &) { return true; });
  if (!move.dims.empty() &&
      llvm::all_of(move.dims.back().strides,
                   [&](int64_t stride) { return stride == elementBytes; })) {
    move.run = move.dims.back().size;
    move.dims.pop_back();
  }
  if (move.dims.size() > 4)
    return user->emitOpError("expected at most 4 strided dimensions, got ")
           << move.dims.size() << "; split the move";
  return move;
}

/// The move of one row of a copy with an index for every row.
static FailureOr<Move> makeRowMove(CopyOp op, const BufferView &source,
                                   const BufferView &target) {
  SmallVector<int64_t> sizes(source.sizes);
  sizes[*op.getDim()] = 1;
  FailureOr<Move> move = makeMove(sizes, {&source, &target}, op);
  if (succeeded(move) && move->dims.size() > 3)
    return op.emitOpError("expected at most 3 strided dimensions in a row, "
                          "got ")
           << move->dims.size() << "; split the move";
  return move;
}

/// Sets the fields of the index; rows that have one each are the steps of n3.
static LogicalResult setIndex(CopyOp op, const BufferView &source,
                              const BufferView &target, AddressOf addressOf,
                              Instruction &copy) {
  FailureOr<BufferView> index = getBufferView(op.getIndex(), op);
  if (failed(index))
    return failure();
  int64_t dim = *op.getDim();
  copy.set(machine::Copy_index_addr, addressOf(index->base) + index->offset);
  copy.set(machine::Copy_index_n, op.getNumPlaces());
  copy.set(machine::Copy_index_dst_s, target.strides[dim]);
  if (op.hasIndexPerRow() && source.sizes[dim] != 1) {
    copy.set(machine::Copy_index_s, index->strides[0]);
    copy.set(machine::Copy_n3, source.sizes[dim]);
    copy.set(machine::Copy_src_s3, source.strides[dim]);
  }
  return success();
}

/// Sets n0..n3 and the strides of `stream` from fields that follow one another.
static void setMoveDims(const Move &move, unsigned stream, FieldId firstCount,
                        FieldId firstStride, Instruction &instruction) {
  for (unsigned i = 0; i < 4; ++i) {
    bool used = i < move.dims.size();
    const LoopDim *dim = used ? &move.dims[move.dims.size() - 1 - i] : nullptr;
    instruction.set(firstCount + i, used ? dim->size : 1);
    instruction.set(firstStride + i, used ? dim->strides[stream] : 0);
  }
}

FailureOr<Instruction> mlir::asic::selectCopy(CopyOp op, AddressOf addressOf) {
  FailureOr<BufferView> source = getBufferView(op.getSource(), op);
  FailureOr<BufferView> target = getBufferView(op.getTarget(), op);
  if (failed(source) || failed(target))
    return failure();
  Instruction copy(machine::Opcode::Copy, machine::dma0);
  FailureOr<Move> move = Move();
  if (source->packed) {
    auto type = cast<MemRefType>(op.getSource().getType());
    copy.set(machine::Copy_packed_type,
             unsigned(type.getElementType().isUnsignedInteger()
                          ? ::asic::ElementType::U4
                          : ::asic::ElementType::I4));
    move->run = type.getNumElements();
  } else if (op.hasIndexPerRow()) {
    move = makeRowMove(op, *source, *target);
  } else {
    move = makeMove(source->sizes, {&*source, &*target}, op);
  }
  if (failed(move))
    return failure();
  copy.set(machine::Copy_src_space, unsigned(source->space));
  copy.set(machine::Copy_dst_space, unsigned(target->space));
  copy.set(machine::Copy_src_addr, addressOf(source->base) + source->offset);
  copy.set(machine::Copy_dst_addr, addressOf(target->base) + target->offset);
  copy.set(machine::Copy_run_bytes, move->run * source->elementBytes);
  setMoveDims(*move, 0, machine::Copy_n0, machine::Copy_src_s0, copy);
  setMoveDims(*move, 1, machine::Copy_n0, machine::Copy_dst_s0, copy);
  if (op.getIndex() && failed(setIndex(op, *source, *target, addressOf, copy)))
    return failure();
  setHeader(op, copy);
  return copy;
}

/// The bits of a scalar attribute.
static FailureOr<uint64_t> getBits(Attribute value, Operation *user) {
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return integer.getValue().getZExtValue();
  if (auto real = dyn_cast<FloatAttr>(value))
    return real.getValue().bitcastToAPInt().getZExtValue();
  return user->emitOpError("expected an integer or float value, got ") << value;
}

FailureOr<Instruction> mlir::asic::selectFill(FillOp op, AddressOf addressOf) {
  FailureOr<BufferView> target = getBufferView(op.getTarget(), op);
  if (failed(target))
    return failure();
  FailureOr<Move> move = makeMove(target->sizes, {&*target}, op);
  FailureOr<uint64_t> bits = getBits(op.getValueAttr(), op);
  if (failed(move) || failed(bits))
    return failure();
  Instruction fill(machine::Opcode::Fill, machine::dma0);
  fill.set(machine::Fill_dst_space, unsigned(target->space));
  fill.set(machine::Fill_elem_bytes, target->elementBytes);
  fill.set(machine::Fill_dst_addr, addressOf(target->base) + target->offset);
  fill.set(machine::Fill_value, int64_t(*bits));
  fill.set(machine::Fill_run, move->run);
  setMoveDims(*move, 0, machine::Fill_n0, machine::Fill_dst_s0, fill);
  setHeader(op, fill);
  return fill;
}

//===----------------------------------------------------------------------===//
// map
//===----------------------------------------------------------------------===//

/// Moves the parallel dimension that is contiguous in the output (the last
/// stream) to the innermost place, where the lanes are.
static void chooseLaneDim(SmallVectorImpl<LoopDim> &dims, int64_t outputBytes) {
  LoopDim *best = nullptr;
  for (LoopDim &dim : dims)
    if (!dim.reduction && dim.strides.back() == outputBytes &&
        (!best || dim.size > best->size))
      best = &dim;
  // Without one, the smallest output stride keeps stores close together.
  if (!best)
    for (LoopDim &dim : dims)
      if (!dim.reduction && dim.strides.back() > 0 &&
          (!best || dim.strides.back() < best->strides.back()))
        best = &dim;
  if (best)
    std::rotate(best, best + 1, dims.end());
}

/// The machine's element type of a stream.
static FailureOr<::asic::ElementType> getStreamType(Type type,
                                                    Operation *user) {
  auto element = asicisa::getElementType(type);
  if (!element)
    return user->emitOpError("expected an element type of the machine, got ")
           << type;
  return *element;
}

FailureOr<Instruction> mlir::asic::selectMap(MapOp op, LaneProgramTable &lanes,
                                             AddressOf addressOf) {
  FailureOr<machine::LaneProgram> program = buildLaneProgram(op);
  if (failed(program))
    return failure();
  SmallVector<Value> operands(op.getInputs());
  operands.push_back(op.getOutput());
  unsigned numInputs = op.getInputs().size();

  // Every iterator becomes a dimension with one stride per stream.
  SmallVector<BufferView> views;
  SmallVector<int64_t> offsets(operands.size(), 0);
  SmallVector<LoopDim> dims;
  for (auto [iterator, size] : llvm::enumerate(op.getLoopRanges())) {
    LoopDim dim;
    dim.size = size;
    dim.reduction = op.isReduction(iterator);
    dim.iterator = iterator;
    dims.push_back(dim);
  }
  for (auto [index, operand] : llvm::enumerate(operands)) {
    FailureOr<BufferView> view = getBufferView(operand, op);
    SmallVector<int64_t> strides;
    if (failed(view) || failed(linearize(op.getMap(index), *view, {}, op,
                                         strides, offsets[index])))
      return failure();
    for (auto [dim, stride] : llvm::zip_equal(dims, strides))
      dim.strides.push_back(stride);
    views.push_back(*view);
  }
  collapse(dims, [](const LoopDim &, const LoopDim &) { return true; });
  if (dims.size() > 5)
    return op.emitOpError("expected at most 5 dimensions after joining "
                          "contiguous ones, got ")
           << dims.size() << "; tile an outer dimension to 1";
  chooseLaneDim(dims, views.back().elementBytes);

  Instruction map(machine::Opcode::Map, machine::vpu);
  map.set(machine::Map_program, lanes.insert(*program));
  unsigned reduce = 0;
  for (unsigned i = 0; i < 5; ++i) {
    bool used = i < dims.size();
    const LoopDim *dim = used ? &dims[dims.size() - 1 - i] : nullptr;
    map.set(machine::Map_n0 + i, used ? dim->size : 1);
    reduce |= unsigned(used && dim->reduction) << i;
  }
  // A reduction over one point still combines with its initial value.
  if (!reduce && op.getNumReductions() > 0) {
    if (dims.size() == 5)
      return op.emitOpError("expected at most 4 dimensions beside a reduction "
                            "of one point; drop the reduction");
    reduce = 1u << dims.size();
  }
  map.set(machine::Map_reduce, reduce);
  for (auto [index, view] : llvm::enumerate(views)) {
    unsigned stream = index < numInputs ? index : machine::mapStreams - 1;
    unsigned first = machine::Map_s0_type + stream * machine::mapStreamFields;
    FailureOr<::asic::ElementType> type = getStreamType(
        cast<MemRefType>(operands[index].getType()).getElementType(), op);
    if (failed(type))
      return failure();
    // An input whose element the body does not use is not loaded.
    if (index < numInputs && !(program->inMask >> index & 1))
      continue;
    map.set(first, unsigned(*type));
    map.set(first + 1, unsigned(view.space));
    map.set(first + 2, addressOf(view.base) + offsets[index]);
    for (unsigned i = 0; i < dims.size(); ++i)
      map.set(first + 3 + i, dims[dims.size() - 1 - i].strides[index]);
  }
  setHeader(op, map);
  return map;
}

FailureOr<Instruction>
mlir::asic::selectInstruction(Operation *op, const SelectOptions &options,
                              LaneProgramTable &lanes, AddressOf addressOf) {
  FailureOr<Instruction> instruction = failure();
  if (auto copy = dyn_cast<CopyOp>(op))
    instruction = selectCopy(copy, addressOf);
  else if (auto fill = dyn_cast<FillOp>(op))
    instruction = selectFill(fill, addressOf);
  else if (auto map = dyn_cast<MapOp>(op))
    instruction = selectMap(map, lanes, addressOf);
  else if (auto contract = dyn_cast<ContractOp>(op)) {
    instruction = selectContract(contract, options, addressOf);
    if (succeeded(instruction))
      setHeader(contract, *instruction);
  } else
    return op->emitOpError("expected a tile operation");
  return instruction;
}
