// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-assign-state: the new value of a state gets the buffer of the old one.
#include "passes/Passes.h"
#include "passes/accel/ScheduleModel.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::asic {
#define GEN_PASS_DEF_ASSIGNSTATEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// The old value of a state, and its new one.
struct StatePair {
  BlockArgument before;
  Value after;
  /// Number of the result.
  unsigned result;
};

/// One access of an operation.
struct Access {
  unsigned op;
  Footprint footprint;
};

class StateAssigner {
public:
  StateAssigner(func::FuncOp function, ScheduleModel &model)
      : function(function), model(model),
        terminator(function.getBody().front().getTerminator()) {}

  void run() {
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (std::optional<StatePair> pair = findPair(i))
        assign(*pair);
  }

private:
  std::optional<StatePair> findPair(unsigned result);
  bool isOnlyReturn(Value buffer, unsigned count) const;
  SmallVector<Access> accesses(Value buffer, bool isWrite) const;
  Operation *findOrigin(const StatePair &pair, Operation *write) const;
  bool isSafe(const StatePair &pair, ArrayRef<Access> writes) const;
  void assign(const StatePair &pair);
  void copyBack(const StatePair &pair);
  void replaceBuffer(const StatePair &pair);

  func::FuncOp function;
  ScheduleModel &model;
  Operation *terminator;
};

struct AssignStatePass
    : public mlir::asic::impl::AssignStatePassBase<AssignStatePass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto assign = [&](ScheduleModel &model) {
      StateAssigner(function, model).run();
      return success();
    };
    if (failed(withScheduleModel(function, ModelDetail::footprints, assign)))
      signalPassFailure();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Which states are pairs
//===----------------------------------------------------------------------===//

/// True when the user's element type holds every value of the device's, so that
/// bytes that stay on the device are what a journey through the host gives.
static bool keepsValues(DictionaryAttr boundary, Type device) {
  auto given = boundary ? boundary.getAs<TypeAttr>("type") : TypeAttr();
  Type user = given ? given.getValue() : device;
  if (!boundary || !boundary.get("scale")) {
    auto from = dyn_cast<FloatType>(device), to = dyn_cast<FloatType>(user);
    return user == device ||
           (from && to &&
            APFloat::isRepresentableBy(from.getFloatSemantics(),
                                       to.getFloatSemantics()));
  }
  // All of a byte's codes survive float32 unless they are clamped.
  auto code = dyn_cast<IntegerType>(device);
  auto lo = boundary.getAs<IntegerAttr>("lo"),
       hi = boundary.getAs<IntegerAttr>("hi");
  if (!code || code.getWidth() != 8 || !lo || !hi)
    return false;
  int64_t least = code.isUnsigned() ? 0 : -128;
  return lo.getInt() == least && hi.getInt() == least + 255;
}

/// True when `buffer` is returned `count` times, as it is.
bool StateAssigner::isOnlyReturn(Value buffer, unsigned count) const {
  unsigned found = 0;
  for (Value operand : terminator->getOperands())
    found += getBufferBase(operand) == buffer;
  return found == count;
}

/// The pair of a result, unless its value and the old one differ in more than
/// their address.
std::optional<StatePair> StateAssigner::findPair(unsigned result) {
  auto path = function.getResultAttrOfType<StringAttr>(result, kStateAttrName);
  if (!path)
    return std::nullopt;
  BlockArgument before;
  for (BlockArgument argument : function.getArguments()) {
    if (function.getArgAttr(argument.getArgNumber(), kStateAttrName) != path)
      continue;
    // Two forms of one value: the program leaves only one.
    if (before)
      return std::nullopt;
    before = argument;
  }
  Value value = terminator->getOperand(result), after = getBufferBase(value);
  if (!before || !after.getDefiningOp<memref::AllocOp>())
    return std::nullopt;
  auto boundary = function.getArgAttrOfType<DictionaryAttr>(
      before.getArgNumber(), kBoundaryAttrName);
  auto type = cast<MemRefType>(before.getType()),
       own = cast<MemRefType>(after.getType());
  bool fits = value.getType() == type && type.getLayout().isIdentity() &&
              own.getLayout().isIdentity() &&
              own.getNumElements() == type.getNumElements() &&
              function.getResultAttr(result, kBoundaryAttrName) == boundary &&
              keepsValues(boundary, type.getElementType()) &&
              isOnlyReturn(after, 1) && isOnlyReturn(before, 0) &&
              accesses(before, /*isWrite=*/true).empty();
  if (!fits)
    return std::nullopt;
  return StatePair{before, after, result};
}

//===----------------------------------------------------------------------===//
// Who reads and writes them
//===----------------------------------------------------------------------===//

/// Footprints in a buffer, without its dimensions of one element.
SmallVector<Access> StateAssigner::accesses(Value buffer, bool isWrite) const {
  SmallVector<Access> result;
  auto it = model.bufferOf.find(buffer);
  if (it == model.bufferOf.end())
    return result;
  const ScheduleBuffer &of = model.buffers[it->second];
  for (auto [number, op] : llvm::enumerate(model.ops)) {
    ArrayRef<Footprint> touched = op.reads;
    if (isWrite)
      touched = op.writes;
    for (const Footprint &footprint : touched) {
      if (footprint.buffer != it->second)
        continue;
      Access access{unsigned(number), footprint};
      access.footprint.box.clear();
      if (!footprint.box.empty())
        for (auto [range, size] : llvm::zip_equal(footprint.box, of.shape))
          if (size != 1)
            access.footprint.box.push_back(range);
      result.push_back(std::move(access));
    }
  }
  return result;
}

/// The same elements of two contiguous buffers, in the same order.
static bool isSameView(const BufferView &a, const BufferView &b) {
  if (a.offset != b.offset || a.sizes != b.sizes)
    return false;
  for (auto [size, mine, its] : llvm::zip_equal(a.sizes, a.strides, b.strides))
    if (size != 1 && mine != its)
      return false;
  return true;
}

/// The operation that loads what `write` stores when both are at the same
/// place and nobody else has to do with the buffer between them.
Operation *StateAssigner::findOrigin(const StatePair &pair,
                                     Operation *write) const {
  auto store = dyn_cast<CopyOp>(write);
  // Rows that have an index each may change places.
  Value between =
      store && !store.hasIndexPerRow() ? store.getSource() : Value();
  if (!between || !between.getDefiningOp<memref::AllocOp>() ||
      llvm::range_size(between.getUses()) != 2)
    return nullptr;
  for (Operation *user : between.getUsers()) {
    auto load = dyn_cast<CopyOp>(user);
    if (!load || load.getTarget() != between)
      continue;
    FailureOr<BufferView> from = getBufferView(load.getSource(), load),
                          to = getBufferView(store.getTarget(), store);
    if (succeeded(from) && succeeded(to) && from->base == pair.before &&
        to->base == pair.after && isSameView(*from, *to))
      return load;
  }
  return nullptr;
}

/// True when no operation reads bytes of the old value behind one that has
/// written new ones there.
bool StateAssigner::isSafe(const StatePair &pair,
                           ArrayRef<Access> writes) const {
  auto sizes = [](Value buffer) {
    return llvm::to_vector(
        llvm::make_filter_range(cast<MemRefType>(buffer.getType()).getShape(),
                                [](int64_t size) { return size != 1; }));
  };
  bool isComparable = sizes(pair.before) == sizes(pair.after);
  auto overlap = [&](Footprint mine, Footprint its) {
    its.buffer = mine.buffer;
    if (!isComparable)
      its.box.clear();
    return mine.overlaps(its);
  };
  SmallVector<Access> reads = accesses(pair.before, /*isWrite=*/false);
  return llvm::none_of(writes, [&](const Access &write) {
    return llvm::any_of(reads, [&](const Access &read) {
      return read.op >= write.op && overlap(write.footprint, read.footprint);
    });
  });
}

void StateAssigner::assign(const StatePair &pair) {
  // What is copied onto itself is no write.
  SmallVector<Access> writes = accesses(pair.after, /*isWrite=*/true);
  llvm::SetVector<Operation *> unneeded;
  llvm::erase_if(writes, [&](const Access &write) {
    Operation *store = model.ops[write.op].op;
    Operation *load = findOrigin(pair, store);
    if (load) {
      unneeded.insert(store);
      unneeded.insert(load);
    }
    return load != nullptr;
  });
  if (isSafe(pair, writes)) {
    for (Operation *op : unneeded)
      op->erase();
    replaceBuffer(pair);
  } else {
    copyBack(pair);
  }
  terminator->setOperand(pair.result, pair.before);
}

/// Copies the new value over the old one at the end. One end of a move is on
/// the chip, so it goes through SRAM, in pieces of an eighth of it.
void StateAssigner::copyBack(const StatePair &pair) {
  OpBuilder builder(terminator);
  Location loc = pair.after.getLoc();
  auto type = cast<MemRefType>(pair.before.getType());
  int64_t count = type.getNumElements();
  int64_t step = std::max<int64_t>(int64_t(model.target->sram.bytes) / 8 /
                                       getElementBytes(type.getElementType()),
                                   1);
  for (int64_t at = 0; at < count; at += step) {
    int64_t size = std::min(step, count - at);
    auto part = [&](Value buffer) -> Value {
      auto layout =
          StridedLayoutAttr::get(builder.getContext(), at, /*strides=*/{1});
      return memref::ReinterpretCastOp::create(
          builder, loc,
          MemRefType::get(size, type.getElementType(), layout,
                          type.getMemorySpace()),
          buffer, at, ArrayRef<int64_t>{size}, ArrayRef<int64_t>{1});
    };
    Value between = memref::AllocOp::create(
        builder, loc,
        MemRefType::get(size, type.getElementType(),
                        MemRefLayoutAttrInterface(),
                        SpaceAttr::get(builder.getContext(), Space::sram)));
    CopyOp::create(builder, loc, part(pair.after), between);
    CopyOp::create(builder, loc, between, part(pair.before));
  }
}

/// Puts the old buffer in the place of the new one.
void StateAssigner::replaceBuffer(const StatePair &pair) {
  Operation *alloc = pair.after.getDefiningOp();
  OpBuilder builder(alloc);
  Value buffer = pair.before;
  auto type = cast<MemRefType>(pair.after.getType());
  if (type != buffer.getType()) {
    SmallVector<int64_t> strides;
    int64_t offset;
    (void)type.getStridesAndOffset(strides, offset);
    buffer = memref::ReinterpretCastOp::create(builder, alloc->getLoc(), type,
                                               buffer, offset, type.getShape(),
                                               strides);
  }
  Value(pair.after).replaceAllUsesWith(buffer);
  alloc->erase();
}
