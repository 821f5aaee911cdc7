// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-synchronize writes the waits and posts; asic-verify-schedule proves a
// schedule without using them to find what must be proven.
#include "passes/Passes.h"
#include "passes/accel/Synchronize.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <deque>
#include <map>

namespace mlir::asic {
#define GEN_PASS_DEF_SYNCHRONIZEPASS
#define GEN_PASS_DEF_VERIFYSCHEDULEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

namespace {

/// A function whose operations have engines, in stream order.
struct ScheduledFunction {
  ScheduleModel &model;
  std::vector<unsigned> stream, engines;
};

} // namespace

/// The value of an integer attribute of a tile operation.
static std::optional<int64_t> getInt(Operation *op, StringRef name) {
  auto attr = op->getAttrOfType<IntegerAttr>(name);
  if (!attr)
    return std::nullopt;
  return attr.getInt();
}

/// The schedule that the attributes of the model's operations say.
static FailureOr<ScheduledFunction> readSchedule(ScheduleModel &model) {
  ScheduledFunction scheduled{model, {}, {}};
  unsigned numEngines = model.target->numEngines();
  for (auto [number, op] : llvm::enumerate(model.ops)) {
    auto engine = getInt(op.op, "engine");
    if (!engine || *engine < 0 || *engine >= int64_t(numEngines))
      return op.op->emitOpError("expected an engine below ")
             << numEngines << "; run asic-schedule first";
    scheduled.stream.push_back(number);
    scheduled.engines.push_back(*engine);
  }
  for (const ScheduleBuffer &buffer : model.buffers)
    if (buffer.address < 0 && buffer.firstUse >= 0)
      return model.ops[buffer.firstUse].op->emitOpError(
                 "expected every buffer to have an address; ")
             << "run asic-schedule and asic-allocate-dram first";
  return std::move(scheduled);
}

//===----------------------------------------------------------------------===//
// asic-synchronize
//===----------------------------------------------------------------------===//

namespace {

struct SynchronizePass
    : public mlir::asic::impl::SynchronizePassBase<SynchronizePass> {
  void runOnOperation() override {
    auto write = [&](ScheduleModel &model) { return synchronizeAll(model); };
    if (failed(
            withScheduleModel(getOperation(), ModelDetail::footprints, write)))
      signalPassFailure();
  }

  LogicalResult synchronizeAll(ScheduleModel &model) {
    FailureOr<ScheduledFunction> scheduled = readSchedule(model);
    if (failed(scheduled))
      return failure();
    FailureOr<std::vector<SyncLists>> lists =
        synchronize(model, scheduled->stream, scheduled->engines);
    if (failed(lists))
      return failure();
    Builder builder(&getContext());
    auto set = [&](Operation *op, StringRef name, ArrayRef<int64_t> pairs) {
      if (pairs.empty())
        op->removeAttr(name);
      else
        op->setAttr(name, builder.getDenseI64ArrayAttr(pairs));
    };
    for (auto [op, sync] : llvm::zip_equal(model.ops, *lists)) {
      set(op.op, "waits", sync.waits);
      set(op.op, "posts", sync.posts);
    }
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// asic-verify-schedule
//===----------------------------------------------------------------------===//

namespace {

/// Replays waits and posts with vector clocks and checks that every dependence
/// is ordered by them.
class ScheduleVerifier {
public:
  explicit ScheduleVerifier(ScheduledFunction &scheduled)
      : model(scheduled.model), scheduled(scheduled),
        numEngines(model.target->numEngines()) {}

  LogicalResult run();

private:
  using Clock = SmallVector<unsigned, 8>;

  LogicalResult checkAddresses();
  LogicalResult checkLifetimes();
  LogicalResult checkSlots(Operation *op, StringRef name);
  LogicalResult takeWaits(unsigned position, Clock &clock);
  LogicalResult addPosts(unsigned position);
  Operation *opAt(unsigned position) { return model.ops[position].op; }

  ScheduleModel &model;
  ScheduledFunction &scheduled;
  unsigned numEngines;
  std::vector<Clock> clocks;
  /// Positions whose posts nobody has waited for, per semaphore, with counts.
  std::map<int64_t, std::deque<std::pair<unsigned, int64_t>>> posted;
  std::map<int64_t, unsigned> producers, consumers;
};

struct VerifySchedulePass
    : public mlir::asic::impl::VerifySchedulePassBase<VerifySchedulePass> {
  void runOnOperation() override {
    auto verify = [](ScheduleModel &model) -> LogicalResult {
      FailureOr<ScheduledFunction> scheduled = readSchedule(model);
      return failed(scheduled) ? failure() : ScheduleVerifier(*scheduled).run();
    };
    if (failed(
            withScheduleModel(getOperation(), ModelDetail::footprints, verify)))
      signalPassFailure();
  }
};

} // namespace

/// Every buffer lies inside its space.
LogicalResult ScheduleVerifier::checkAddresses() {
  const ::asic::TargetModel &target = *model.target;
  for (const ScheduleBuffer &buffer : model.buffers) {
    if (buffer.firstUse < 0)
      continue;
    uint64_t capacity = buffer.space == Space::dram   ? target.dram.bytes
                        : buffer.space == Space::sram ? target.sram.bytes
                                                      : target.acc.bytes;
    if (uint64_t(buffer.address + buffer.bytes) > capacity)
      return opAt(buffer.firstUse)->emitOpError("expected its buffers inside ")
             << stringifySpace(buffer.space) << " of " << capacity
             << " bytes, got one that ends at "
             << buffer.address + buffer.bytes;
  }
  return success();
}

/// Buffers that are alive at the same time share no bytes. Constants of one
/// value may.
LogicalResult ScheduleVerifier::checkLifetimes() {
  std::vector<SmallVector<unsigned, 2>> first(model.ops.size()),
      last(model.ops.size());
  for (auto [number, buffer] : llvm::enumerate(model.buffers)) {
    if (buffer.firstUse < 0 || buffer.bytes == 0)
      continue;
    bool outlives = buffer.space == Space::dram &&
                    !buffer.value.getDefiningOp<memref::AllocOp>();
    first[outlives ? 0 : buffer.firstUse].push_back(number);
    last[outlives ? model.ops.size() - 1 : buffer.lastUse].push_back(number);
  }
  // Living buffers by space and address.
  std::map<std::pair<Space, int64_t>, unsigned> living;
  auto keyOf = [&](unsigned number) {
    const ScheduleBuffer &buffer = model.buffers[number];
    return std::pair(buffer.space, buffer.address);
  };
  auto overlap = [&](unsigned a, unsigned b) {
    const ScheduleBuffer &one = model.buffers[a], &other = model.buffers[b];
    bool isShared =
        one.address == other.address && !one.isWritten && !other.isWritten;
    return one.space == other.space && !isShared &&
           one.address < other.address + other.bytes &&
           other.address < one.address + one.bytes;
  };
  for (unsigned position = 0; position < model.ops.size(); ++position) {
    for (unsigned number : first[position]) {
      auto next = living.lower_bound(keyOf(number));
      SmallVector<unsigned, 2> neighbours;
      if (next != living.end())
        neighbours.push_back(next->second);
      if (next != living.begin())
        neighbours.push_back(std::prev(next)->second);
      for (unsigned neighbour : neighbours)
        if (overlap(number, neighbour))
          return opAt(position)->emitOpError("expected buffers with bytes of "
                                             "their own, got one at ")
                 << stringifySpace(model.buffers[number].space) << " address "
                 << model.buffers[number].address
                 << " that overlaps one in use, at address "
                 << model.buffers[neighbour].address;
      living[keyOf(number)] = number;
    }
    for (unsigned number : last[position])
      if (auto it = living.find(keyOf(number));
          it != living.end() && it->second == number)
        living.erase(it);
  }
  return success();
}

LogicalResult ScheduleVerifier::checkSlots(Operation *op, StringRef name) {
  auto pairs = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!pairs || (pairs.size() % 2 == 0 &&
                 pairs.size() / 2 <= int64_t(::asic::isa::syncSlots)))
    return success();
  return op->emitOpError("expected at most ")
         << ::asic::isa::syncSlots << " pairs as " << name << ", got "
         << pairs.size() << " numbers";
}

LogicalResult ScheduleVerifier::takeWaits(unsigned position, Clock &clock) {
  Operation *op = opAt(position);
  auto waits = op->getAttrOfType<DenseI64ArrayAttr>("waits");
  if (failed(checkSlots(op, "waits")))
    return failure();
  if (!waits)
    return success();
  for (int64_t i = 0; i < waits.size(); i += 2) {
    int64_t semaphore = waits[i], count = waits[i + 1];
    unsigned engine = scheduled.engines[position];
    if (consumers.try_emplace(semaphore, engine).first->second != engine)
      return op->emitOpError("expected one consumer engine of semaphore ")
             << semaphore;
    auto &queue = posted[semaphore];
    while (count > 0) {
      if (queue.empty())
        return op->emitOpError("expected the posts of semaphore ")
               << semaphore << " before this wait in the stream";
      auto &[source, units] = queue.front();
      int64_t taken = std::min(units, count);
      count -= taken;
      units -= taken;
      for (unsigned other = 0; other < numEngines; ++other)
        clock[other] = std::max(clock[other], clocks[source][other]);
      if (units == 0)
        queue.pop_front();
    }
  }
  return success();
}

LogicalResult ScheduleVerifier::addPosts(unsigned position) {
  Operation *op = opAt(position);
  auto posts = op->getAttrOfType<DenseI64ArrayAttr>("posts");
  if (failed(checkSlots(op, "posts")))
    return failure();
  if (!posts)
    return success();
  for (int64_t i = 0; i < posts.size(); i += 2) {
    unsigned engine = scheduled.engines[position];
    if (producers.try_emplace(posts[i], engine).first->second != engine)
      return op->emitOpError("expected one producer engine of semaphore ")
             << posts[i];
    posted[posts[i]].push_back({position, posts[i + 1]});
  }
  return success();
}

LogicalResult ScheduleVerifier::run() {
  if (failed(checkAddresses()) || failed(checkLifetimes()))
    return failure();
  std::vector<SmallVector<unsigned, 4>> dependences =
      findDependences(model, scheduled.stream, scheduled.engines);
  std::vector<Clock> engineClock(numEngines, Clock(numEngines, 0));
  for (unsigned position = 0; position < model.ops.size(); ++position) {
    unsigned engine = scheduled.engines[position];
    Clock &clock = engineClock[engine];
    if (failed(takeWaits(position, clock)))
      return failure();
    for (unsigned source : dependences[position])
      if (clock[scheduled.engines[source]] <= source)
        return opAt(position)
                   ->emitOpError("expected to wait for an operation on ")
                   .append(::asic::isa::engineName(scheduled.engines[source]),
                           " that touches the same bytes")
                   .attachNote(opAt(source)->getLoc())
               << "the other operation, number " << source << " of the stream";
    clock[engine] = position + 1;
    clocks.push_back(clock);
    if (failed(addPosts(position)))
      return failure();
  }
  for (auto &[semaphore, queue] : posted)
    if (!queue.empty())
      return opAt(queue.front().first)
                 ->emitOpError("expected every post to be waited for, got ")
             << queue.size() << " left on semaphore " << semaphore;
  return success();
}
