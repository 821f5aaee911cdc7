// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/Synchronize.h"

#include "runtime/isa/Instruction.h"

#include <map>

using namespace mlir;
using namespace mlir::asic;

//===----------------------------------------------------------------------===//
// Dependences
//===----------------------------------------------------------------------===//

namespace {

/// Follows the bytes of all spaces through a stream.
class DependenceFinder {
public:
  DependenceFinder(const ScheduleModel &model, ArrayRef<unsigned> stream,
                   ArrayRef<unsigned> engines)
      : model(model), stream(stream), engines(engines),
        states(model.buffers.size()), owners(3) {}

  std::vector<SmallVector<unsigned, 4>> run();

private:
  /// An access to a buffer by the operation at `position`.
  struct Access {
    unsigned position;
    const Footprint *footprint;
  };
  /// What an earlier owner of the bytes [begin, end) of a space did with them.
  struct Inherited {
    unsigned position;
    int64_t begin, end;
  };
  struct BufferState {
    bool live = false;
    SmallVector<Access> writers, readers;
    std::vector<Inherited> inherited;
  };
  /// A range of a space and the buffer that used it last.
  struct Owner {
    int64_t end;
    unsigned buffer;
  };

  void require(unsigned position);
  void enter(unsigned buffer);
  void inherit(const BufferState &from, int64_t address, int64_t begin,
               int64_t end, std::vector<Inherited> &into);
  void visit(unsigned position);
  unsigned engineAt(unsigned position) const {
    return engines[stream[position]];
  }

  const ScheduleModel &model;
  ArrayRef<unsigned> stream, engines;
  std::vector<BufferState> states;
  /// By space, keyed by first address.
  std::vector<std::map<int64_t, Owner>> owners;
  unsigned current = 0;
  /// Latest required position plus one, per engine.
  SmallVector<unsigned, 8> required;
};

} // namespace

void DependenceFinder::require(unsigned position) {
  unsigned engine = engineAt(position);
  if (engine >= required.size())
    required.resize(engine + 1, 0);
  required[engine] = std::max(required[engine], position + 1);
}

/// Collects what happened to the bytes [begin, end) in `from`, a buffer at
/// `address`.
void DependenceFinder::inherit(const BufferState &from, int64_t address,
                               int64_t begin, int64_t end,
                               std::vector<Inherited> &into) {
  auto add = [&](unsigned position, int64_t first, int64_t last) {
    first = std::max(first, begin);
    last = std::min(last, end);
    if (first < last)
      into.push_back({position, first, last});
  };
  for (const auto *list : {&from.writers, &from.readers})
    for (const Access &access : *list)
      add(access.position, address + access.footprint->begin,
          address + access.footprint->end);
  for (const Inherited &earlier : from.inherited)
    add(earlier.position, earlier.begin, earlier.end);
}

/// Makes `number` the owner of its bytes and takes over what earlier owners
/// have left behind.
void DependenceFinder::enter(unsigned number) {
  BufferState &state = states[number];
  if (state.live)
    return;
  state.live = true;
  const ScheduleBuffer &buffer = model.buffers[number];
  // Without an address a buffer shares its bytes with nobody.
  if (buffer.address < 0 || buffer.bytes == 0)
    return;
  int64_t begin = buffer.address, end = begin + buffer.bytes;
  auto &map = owners[unsigned(buffer.space)];
  auto it = map.lower_bound(begin);
  if (it != map.begin() && std::prev(it)->second.end > begin)
    --it;
  while (it != map.end() && it->first < end) {
    int64_t first = it->first;
    Owner owner = it->second;
    inherit(states[owner.buffer], model.buffers[owner.buffer].address,
            std::max(first, begin), std::min(owner.end, end), state.inherited);
    it = map.erase(it);
    if (first < begin)
      map[first] = {begin, owner.buffer};
    if (owner.end > end) {
      map[end] = owner;
      break;
    }
  }
  map[begin] = {end, number};
  // Engines work in order: of two accesses of one engine to the same bytes the
  // later one is enough.
  auto &list = state.inherited;
  llvm::sort(list, [](const Inherited &a, const Inherited &b) {
    return a.position > b.position;
  });
  std::vector<Inherited> kept;
  for (const Inherited &entry : list)
    if (llvm::none_of(kept, [&](const Inherited &later) {
          return engineAt(later.position) == engineAt(entry.position) &&
                 later.begin <= entry.begin && entry.end <= later.end;
        }))
      kept.push_back(entry);
  list = std::move(kept);
}

void DependenceFinder::visit(unsigned position) {
  const ScheduleOp &op = model.ops[stream[position]];
  current = position;
  for (ArrayRef<Footprint> list : {ArrayRef(op.reads), ArrayRef(op.writes)})
    for (const Footprint &footprint : list)
      enter(footprint.buffer);
  auto collect = [&](const SmallVector<Access> &list, const Footprint &mine) {
    for (const Access &access : list)
      if (access.footprint->overlaps(mine))
        require(access.position);
  };
  for (const Footprint &read : op.reads)
    if (model.buffers[read.buffer].isWritten)
      collect(states[read.buffer].writers, read);
  for (const Footprint &write : op.writes) {
    BufferState &state = states[write.buffer];
    collect(state.writers, write);
    collect(state.readers, write);
    int64_t address = model.buffers[write.buffer].address;
    int64_t begin = address + write.begin, end = address + write.end;
    for (const Inherited &earlier : state.inherited)
      if (earlier.begin < end && begin < earlier.end)
        require(earlier.position);
    auto isCovered = [&](const Access &access) {
      return write.covers(*access.footprint);
    };
    llvm::erase_if(state.writers, isCovered);
    llvm::erase_if(state.readers, isCovered);
    if (write.dense)
      llvm::erase_if(state.inherited, [&](const Inherited &earlier) {
        return begin <= earlier.begin && earlier.end <= end;
      });
  }
  for (const Footprint &read : op.reads)
    if (model.buffers[read.buffer].isWritten)
      states[read.buffer].readers.push_back({position, &read});
  for (const Footprint &write : op.writes)
    states[write.buffer].writers.push_back({position, &write});
}

std::vector<SmallVector<unsigned, 4>> DependenceFinder::run() {
  std::vector<SmallVector<unsigned, 4>> dependences(stream.size());
  for (unsigned position = 0; position < stream.size(); ++position) {
    required.assign(required.size(), 0);
    visit(position);
    for (auto [engine, latest] : llvm::enumerate(required))
      if (latest && engine != engineAt(position))
        dependences[position].push_back(latest - 1);
  }
  return dependences;
}

std::vector<SmallVector<unsigned, 4>>
mlir::asic::findDependences(const ScheduleModel &model,
                            ArrayRef<unsigned> stream,
                            ArrayRef<unsigned> engines) {
  return DependenceFinder(model, stream, engines).run();
}

//===----------------------------------------------------------------------===//
// Semaphores
//===----------------------------------------------------------------------===//

namespace {

/// Turns dependences into semaphores, one per pair of engines.
class SemaphoreAssigner {
public:
  SemaphoreAssigner(const ScheduleModel &model, ArrayRef<unsigned> stream,
                    ArrayRef<unsigned> engines)
      : model(model), stream(stream), engines(engines),
        numEngines(engines.empty() ? 0 : *llvm::max_element(engines) + 1) {}

  FailureOr<std::vector<SyncLists>> run();

private:
  /// Position plus one of the latest operation known to have retired, per
  /// engine.
  using Clock = SmallVector<unsigned, 6>;

  void reduce();
  bool throttle();
  FailureOr<std::vector<SyncLists>> emit();
  unsigned engineAt(unsigned position) const {
    return engines[stream[position]];
  }

  const ScheduleModel &model;
  ArrayRef<unsigned> stream, engines;
  unsigned numEngines;
  std::vector<SmallVector<unsigned, 4>> dependences;
  /// Dependences that need a semaphore, per position.
  std::vector<SmallVector<unsigned, 4>> edges;
  std::vector<Clock> clocks;
};

} // namespace

/// Keeps the dependences that neither the engine nor another one implies.
void SemaphoreAssigner::reduce() {
  std::vector<Clock> engineClock(numEngines, Clock(numEngines, 0));
  clocks.assign(stream.size(), {});
  edges.assign(stream.size(), {});
  for (unsigned position = 0; position < stream.size(); ++position) {
    Clock &clock = engineClock[engineAt(position)];
    for (unsigned source : dependences[position]) {
      unsigned engine = engineAt(source);
      if (clock[engine] > source)
        continue;
      bool implied = llvm::any_of(dependences[position], [&](unsigned other) {
        return other != source && clocks[other][engine] > source;
      });
      if (!implied)
        edges[position].push_back(source);
    }
    for (unsigned source : edges[position])
      for (unsigned engine = 0; engine < numEngines; ++engine)
        clock[engine] = std::max(clock[engine], clocks[source][engine]);
    // The clock of an operation includes the operation: it is read only by
    // those that wait for it to retire.
    clocks[position] = clock;
    clocks[position][engineAt(position)] = position + 1;
    clock[engineAt(position)] = position + 1;
  }
}

/// Makes a producer wait before it could post more units than a semaphore
/// holds. True when dependences were added.
bool SemaphoreAssigner::throttle() {
  uint64_t limit = model.target->sync.maxValue;
  bool added = false;
  // Per pair of engines, positions of posts and of the waits for them, in
  // order.
  std::map<std::pair<unsigned, unsigned>,
           std::vector<std::pair<unsigned, unsigned>>>
      units;
  for (unsigned position = 0; position < stream.size(); ++position)
    for (unsigned source : edges[position])
      units[{engineAt(source), engineAt(position)}].push_back(
          {source, position});
  for (auto &[pair, list] : units)
    for (size_t i = limit; i < list.size(); ++i) {
      unsigned producer = list[i].first, consumer = list[i - limit].second;
      if (clocks[producer][pair.second] > consumer || consumer >= producer)
        continue;
      dependences[producer].push_back(consumer);
      added = true;
    }
  return added;
}

FailureOr<std::vector<SyncLists>> SemaphoreAssigner::emit() {
  const ::asic::TargetModel::Sync &sync = model.target->sync;
  std::vector<SyncLists> lists(stream.size());
  std::map<std::pair<unsigned, unsigned>, unsigned> semaphores;
  for (unsigned position = 0; position < stream.size(); ++position)
    for (unsigned source : edges[position]) {
      std::pair<unsigned, unsigned> pair{engineAt(source), engineAt(position)};
      unsigned semaphore =
          semaphores.try_emplace(pair, semaphores.size()).first->second;
      lists[source].posts.append({semaphore, 1});
      lists[position].waits.append({semaphore, 1});
    }
  if (semaphores.size() > sync.count)
    return model.ops.front().op->emitOpError("expected at most ")
           << sync.count << " pairs of engines that wait for each other, got "
           << semaphores.size() << "; raise sync.count of the target";
  return lists;
}

FailureOr<std::vector<SyncLists>> SemaphoreAssigner::run() {
  dependences = findDependences(model, stream, engines);
  reduce();
  while (throttle())
    reduce();
  return emit();
}

FailureOr<std::vector<SyncLists>>
mlir::asic::synchronize(const ScheduleModel &model, ArrayRef<unsigned> stream,
                        ArrayRef<unsigned> engines) {
  return SemaphoreAssigner(model, stream, engines).run();
}
