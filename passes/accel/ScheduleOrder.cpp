// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/ScheduleOrder.h"

#include <deque>

using namespace mlir;
using namespace mlir::asic;

/// A load and a store queue of their own leave three other engines at most for
/// each to wait for; a third engine shares the loads.
static constexpr unsigned maxDmaEngines = 3;

unsigned mlir::asic::getUsedDmaEngines(const ::asic::TargetModel &target) {
  return std::min<unsigned>(target.dma.count, maxDmaEngines);
}

namespace {

/// Buffers of one on-chip space in the order of their first use.
struct SpaceState {
  Space space;
  AllocateSpace memory;
  std::vector<unsigned> order;
  size_t next = 0;
};

/// Replays the machine and emits operations in the order of their issue.
class OrderBuilder {
public:
  OrderBuilder(ScheduleModel &model, const OrderOptions &options)
      : model(model), options(options),
        dmaEngines(getUsedDmaEngines(*model.target)) {}

  std::optional<OrderResult> run(OrderFailure &why);

private:
  void prepare();
  void placeForProgramOrder(SpaceState &state);
  bool allocateNext(SpaceState &state);
  void allocateAhead();
  Placement placementOf(unsigned buffer, const SpaceState &state) const;
  uint64_t issueTime(unsigned op, unsigned &engine) const;
  void enginesOf(EngineKind kind, SmallVectorImpl<unsigned> &engines) const;
  bool isReady(unsigned op) const {
    return pendingPredecessors[op] == 0 && pendingBuffers[op] == 0;
  }
  std::optional<unsigned> chooseNext(unsigned &engine);
  void emit(unsigned op, unsigned engine);
  void releaseBuffers(unsigned op);
  OrderFailure explain() const;

  ScheduleModel &model;
  const OrderOptions &options;
  unsigned dmaEngines;
  OrderResult result;

  std::vector<SpaceState> spaces;
  std::vector<SmallVector<unsigned, 4>> successors;
  std::vector<unsigned> pendingPredecessors, pendingBuffers;
  /// Operations that have not been emitted, per buffer.
  std::vector<unsigned> pendingUses;
  /// Buffers that wait for their space, by first user.
  std::vector<SmallVector<unsigned, 4>> usersOf;
  /// Time from which an operation's inputs and space are there.
  std::vector<uint64_t> readyTime, retireTime;
  /// When the last user of a buffer retires.
  std::vector<uint64_t> bufferTime;
  /// Bytes first used in the same space during the life of a buffer.
  std::vector<int64_t> turnover;
  std::vector<bool> emitted;
  /// Unemitted operations per kind, in program order.
  std::deque<unsigned> queues[4];
  std::vector<uint64_t> engineTime, engineRetire;
  uint64_t portTime = 0, now = 0;
  unsigned oldest = 0;
};

} // namespace

/// Buffers that an operation touches, each once.
static SmallVector<unsigned, 4> buffersOf(const ScheduleOp &op) {
  SmallVector<unsigned, 4> buffers;
  for (const Footprint &footprint : op.reads)
    buffers.push_back(footprint.buffer);
  for (const Footprint &footprint : op.writes)
    buffers.push_back(footprint.buffer);
  llvm::sort(buffers);
  buffers.erase(llvm::unique(buffers), buffers.end());
  return buffers;
}

void OrderBuilder::prepare() {
  size_t numOps = model.ops.size(), numBuffers = model.buffers.size();
  successors.resize(numOps);
  pendingPredecessors.resize(numOps);
  pendingBuffers.resize(numOps);
  readyTime.resize(numOps);
  retireTime.resize(numOps);
  emitted.resize(numOps);
  pendingUses.resize(numBuffers);
  usersOf.resize(numBuffers);
  bufferTime.resize(numBuffers);
  turnover.resize(numBuffers);
  result.engines.resize(numOps);
  engineTime.resize(::asic::isa::dma0 + dmaEngines);
  engineRetire.resize(engineTime.size());

  const ::asic::TargetModel &target = *model.target;
  int64_t alignment = target.sram.align;
  spaces.push_back(
      {Space::sram, AllocateSpace(target.sram.bytes, alignment), {}, 0});
  spaces.push_back(
      {Space::acc,
       AllocateSpace(target.acc.bytes, std::max<int64_t>(target.acc.align, 4)),
       {},
       0});
  for (auto [number, op] : llvm::enumerate(model.ops)) {
    queues[unsigned(op.kind)].push_back(number);
    pendingPredecessors[number] = op.predecessors.size();
    for (unsigned predecessor : op.predecessors)
      successors[predecessor].push_back(number);
    for (unsigned buffer : buffersOf(op)) {
      ++pendingUses[buffer];
      Space space = model.buffers[buffer].space;
      if (space == Space::dram)
        continue;
      ++pendingBuffers[number];
      usersOf[buffer].push_back(number);
      SpaceState &state = spaces[space == Space::acc];
      if (model.buffers[buffer].firstUse == int64_t(number))
        state.order.push_back(buffer);
    }
  }
  for (SpaceState &state : spaces) {
    // A buffer outlives the others when more than half of the memory is given
    // out anew while it lives.
    std::vector<int64_t> before(state.order.size() + 1, 0);
    std::vector<int64_t> firstUses;
    for (auto [i, buffer] : llvm::enumerate(state.order)) {
      before[i + 1] =
          before[i] + state.memory.align(model.buffers[buffer].bytes);
      firstUses.push_back(model.buffers[buffer].firstUse);
    }
    for (auto [i, buffer] : llvm::enumerate(state.order)) {
      size_t end = llvm::upper_bound(firstUses, model.buffers[buffer].lastUse) -
                   firstUses.begin();
      turnover[buffer] = before[end] - before[i];
    }
    if (options.fixedAddresses)
      placeForProgramOrder(state);
  }
}

/// Gives every buffer an address that no other with an overlapping life in
/// program order has: large and long-lived ones first, each as low as possible.
void OrderBuilder::placeForProgramOrder(SpaceState &state) {
  std::vector<unsigned> bySize(state.order);
  llvm::sort(bySize, [&](unsigned a, unsigned b) {
    return std::pair(-model.buffers[a].bytes, a) <
           std::pair(-model.buffers[b].bytes, b);
  });
  // Placed buffers by first use, so that only overlapping lives are looked at.
  std::vector<unsigned> placed;
  for (unsigned number : bySize) {
    ScheduleBuffer &buffer = model.buffers[number];
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (unsigned other : placed) {
      const ScheduleBuffer &its = model.buffers[other];
      if (its.firstUse <= buffer.lastUse && buffer.firstUse <= its.lastUse)
        taken.push_back(
            {its.address, its.address + state.memory.align(its.bytes)});
    }
    llvm::sort(taken);
    int64_t address = 0;
    for (auto [begin, end] : taken) {
      if (begin >= address + state.memory.align(buffer.bytes))
        break;
      address = std::max(address, end);
    }
    buffer.address = address;
    placed.push_back(number);
  }
}

Placement OrderBuilder::placementOf(unsigned buffer,
                                    const SpaceState &state) const {
  int64_t capacity = state.space == Space::acc ? model.target->acc.bytes
                                               : model.target->sram.bytes;
  return turnover[buffer] > capacity / 2 ? Placement::top : Placement::earliest;
}

/// Gives the next buffer in need its space, if there is some.
bool OrderBuilder::allocateNext(SpaceState &state) {
  if (state.next == state.order.size())
    return false;
  unsigned number = state.order[state.next];
  ScheduleBuffer &buffer = model.buffers[number];
  if (buffer.firstUse > int64_t(oldest + options.lookahead))
    return false;
  auto place = options.fixedAddresses
                   ? state.memory.allocateAt(buffer.address, buffer.bytes)
                   : state.memory.allocate(buffer.bytes, now,
                                           placementOf(number, state));
  if (!place)
    return false;
  buffer.address = place->address;
  ++state.next;
  for (unsigned user : usersOf[number]) {
    --pendingBuffers[user];
    readyTime[user] = std::max(readyTime[user], place->freeSince);
  }
  return true;
}

void OrderBuilder::allocateAhead() {
  for (SpaceState &state : spaces)
    while (allocateNext(state)) {
    }
}

void OrderBuilder::enginesOf(EngineKind kind,
                             SmallVectorImpl<unsigned> &engines) const {
  using namespace ::asic::isa;
  switch (kind) {
  case EngineKind::mxu:
    engines.push_back(mxu);
    return;
  case EngineKind::vpu:
    engines.push_back(vpu);
    return;
  case EngineKind::store:
    engines.push_back(dmaEngines > 1 ? dma0 + 1 : dma0);
    return;
  case EngineKind::load:
    engines.push_back(dma0);
    for (unsigned i = 2; i < dmaEngines; ++i)
      engines.push_back(dma0 + i);
    return;
  }
}

/// Earliest issue of a ready operation, on the engine that gives it.
uint64_t OrderBuilder::issueTime(unsigned op, unsigned &engine) const {
  SmallVector<unsigned, 4> engines;
  enginesOf(model.ops[op].kind, engines);
  engine = *llvm::min_element(engines, [&](unsigned a, unsigned b) {
    return engineTime[a] < engineTime[b];
  });
  return std::max(engineTime[engine], readyTime[op]);
}

/// The operation that issues next: the head of a compute queue or one of the
/// first loads or stores.
std::optional<unsigned> OrderBuilder::chooseNext(unsigned &engine) {
  std::optional<std::tuple<uint64_t, unsigned, unsigned>> best;
  unsigned bestEngine = 0;
  auto consider = [&](unsigned op, unsigned priority) {
    if (!isReady(op) || op > oldest + options.lookahead)
      return;
    unsigned its;
    std::tuple<uint64_t, unsigned, unsigned> key{0, priority, op};
    std::get<0>(key) = issueTime(op, its);
    if (best && *best <= key)
      return;
    best = key;
    bestEngine = its;
  };
  for (EngineKind kind : {EngineKind::mxu, EngineKind::vpu})
    if (!queues[unsigned(kind)].empty())
      consider(queues[unsigned(kind)].front(), 0);
  for (EngineKind kind : {EngineKind::load, EngineKind::store}) {
    unsigned priority =
        (kind == EngineKind::load) == options.loadsFirst ? 1 : 2;
    const std::deque<unsigned> &queue = queues[unsigned(kind)];
    unsigned window = std::min<size_t>(queue.size(), options.loadWindow);
    for (unsigned i = 0; i < window; ++i)
      consider(queue[i], priority);
  }
  engine = bestEngine;
  if (!best)
    return std::nullopt;
  return std::get<2>(*best);
}

void OrderBuilder::emit(unsigned number, unsigned engine) {
  ScheduleOp &op = model.ops[number];
  uint64_t issue = std::max(engineTime[engine], readyTime[number]);
  // The dram port serves one transfer after the other.
  uint64_t delay = 0;
  if (op.cost.portCycles) {
    uint64_t request = issue + op.cost.setup;
    delay = portTime > request ? portTime - request : 0;
    portTime = request + delay + op.cost.portCycles;
  }
  uint64_t end = issue + delay + op.cost.occupancy();
  uint64_t retire = end + op.cost.tail;
  engineTime[engine] = end;
  engineRetire[engine] = std::max(engineRetire[engine], retire);
  retireTime[number] = engineRetire[engine];
  now = std::max(now, issue);

  emitted[number] = true;
  result.stream.push_back(number);
  result.engines[number] = engine;
  result.cycles = std::max(result.cycles, retireTime[number]);
  auto &queue = queues[unsigned(op.kind)];
  queue.erase(llvm::find(queue, number));
  while (oldest < model.ops.size() && emitted[oldest])
    ++oldest;
  uint64_t handover =
      model.target->sync.postLatency + model.target->sync.waitLatency;
  for (unsigned successor : successors[number]) {
    --pendingPredecessors[successor];
    // Engines see their own results in order without a semaphore.
    bool same = model.ops[successor].kind == op.kind;
    readyTime[successor] = std::max(
        readyTime[successor], same ? issue + 1 : retireTime[number] + handover);
  }
  releaseBuffers(number);
}

void OrderBuilder::releaseBuffers(unsigned number) {
  for (unsigned index : buffersOf(model.ops[number])) {
    ScheduleBuffer &buffer = model.buffers[index];
    bufferTime[index] = std::max(bufferTime[index], retireTime[number]);
    if (--pendingUses[index] > 0 || buffer.space == Space::dram)
      continue;
    spaces[buffer.space == Space::acc].memory.release(
        buffer.address, buffer.bytes, bufferTime[index]);
  }
}

OrderFailure OrderBuilder::explain() const {
  OrderFailure why;
  why.op = oldest;
  for (const SpaceState &state : spaces) {
    if (state.next == state.order.size() ||
        model.buffers[state.order[state.next]].firstUse > int64_t(oldest))
      continue;
    why.buffer = state.order[state.next];
    why.largestFree = state.memory.largestFree();
    for (unsigned i = 0; i < state.next; ++i)
      if (pendingUses[state.order[i]] > 0)
        why.holders.push_back(state.order[i]);
    break;
  }
  return why;
}

std::optional<OrderResult> OrderBuilder::run(OrderFailure &why) {
  prepare();
  result.stream.reserve(model.ops.size());
  while (result.stream.size() < model.ops.size()) {
    allocateAhead();
    unsigned engine;
    std::optional<unsigned> next = chooseNext(engine);
    if (!next) {
      why = explain();
      return std::nullopt;
    }
    emit(*next, engine);
  }
  result.sramPeak = spaces[0].memory.peakBytes();
  result.accPeak = spaces[1].memory.peakBytes();
  return std::move(result);
}

std::optional<OrderResult> mlir::asic::orderOps(ScheduleModel &model,
                                                const OrderOptions &options,
                                                OrderFailure &why) {
  return OrderBuilder(model, options).run(why);
}
