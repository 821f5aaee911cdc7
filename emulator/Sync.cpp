// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/Sync.h"

#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <array>
#include <deque>

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

namespace asic::emulator {

/// One pass over the stream.
class SyncBuilder {
public:
  SyncBuilder(SyncAnalysis &analysis, llvm::ArrayRef<Instruction> stream,
              const TargetModel &target)
      : analysis(analysis), stream(stream), target(target),
        engines(analysis.numEngines), now(engines, Clock(engines, 0)),
        issuedAfter(engines) {}

  void run() {
    countPosts();
    for (size_t pc = 0; pc < stream.size(); ++pc)
      step(pc);
    checkLeaks();
  }

private:
  using Clock = std::vector<uint32_t>;
  struct Unit {
    uint64_t first, last; // cumulative units before and after this post
    Clock clock;
  };
  struct Semaphore {
    std::optional<unsigned> producer, consumer;
    std::deque<Unit> posted;
    uint64_t units = 0, taken = 0, total = 0;
    size_t lastPost = 0;
    /// Per wait: consumer ordinal and cumulative units taken.
    std::vector<std::pair<uint32_t, uint64_t>> waits;
  };

  static void join(Clock &into, const Clock &from) {
    for (size_t e = 0; e < into.size(); ++e)
      into[e] = std::max(into[e], from[e]);
  }

  Fault makeFault(FaultKind kind, size_t pc, const std::string &message) {
    Fault fault(kind, message);
    fault.pc = pc;
    fault.engine = stream[pc].engine;
    fault.tag = stream[pc].tag;
    return fault;
  }
  void report(std::optional<Fault> &slot, Fault fault) {
    if (!slot)
      slot = std::move(fault);
  }

  void countPosts() {
    for (const Instruction &instruction : stream)
      for (const Sync &post : instruction.posts)
        if (post.valid)
          semaphores[post.semaphore].total += post.count;
  }

  void step(size_t pc) {
    const Instruction &instruction = stream[pc];
    unsigned engine = instruction.engine;
    uint32_t ordinal = ++issuedAfter[engine];
    analysis.ordinals.push_back(ordinal);
    analysis.engines.push_back(uint8_t(engine));
    // Whatever the dispatcher knows holds for all it dispatches later.
    join(now[engine], now[ctrl]);
    for (const Sync &wait : instruction.waits)
      if (wait.valid)
        take(pc, wait, ordinal);
    if (instruction.opcode == Opcode::Fence)
      fence(uint64_t(instruction.get(Fence_engines)));
    if (instruction.opcode == Opcode::Halt)
      fence(~uint64_t(0));
    analysis.clocks.insert(analysis.clocks.end(), now[engine].begin(),
                           now[engine].end());
    for (const Sync &post : instruction.posts)
      if (post.valid)
        give(pc, post, ordinal);
  }

  /// The dispatcher has seen the engines idle.
  void fence(uint64_t mask) {
    for (unsigned e = 1; e < engines; ++e)
      if (mask >> e & 1) {
        join(now[ctrl], now[e]);
        now[ctrl][e] = issuedAfter[e];
      }
  }

  void take(size_t pc, const Sync &wait, uint32_t ordinal) {
    Semaphore &semaphore = semaphores[wait.semaphore];
    unsigned engine = stream[pc].engine;
    if (semaphore.consumer && *semaphore.consumer != engine)
      report(analysis.checked,
             sharing(pc, wait, "consumer", *semaphore.consumer));
    semaphore.consumer = engine;
    semaphore.taken += wait.count;
    semaphore.waits.push_back({ordinal, semaphore.taken});
    if (semaphore.taken > semaphore.units) {
      bool never = semaphore.taken > semaphore.total;
      report(analysis.always,
             makeFault(
                 never ? FaultKind::Deadlock : FaultKind::WaitBeforePost, pc,
                 "wait for unit " + llvm::utostr(semaphore.taken) +
                     " of semaphore " + llvm::utostr(unsigned(wait.semaphore)) +
                     "; expected that many posted before it in the "
                     "stream, got " +
                     llvm::utostr(semaphore.units) + " of " +
                     llvm::utostr(semaphore.total) + " in all"));
    }
    // Units are taken in the order in which they were posted.
    for (const Unit &unit : semaphore.posted)
      if (unit.first < semaphore.taken)
        join(now[engine], unit.clock);
    while (!semaphore.posted.empty() &&
           semaphore.posted.front().last <= semaphore.taken)
      semaphore.posted.pop_front();
  }

  Fault sharing(size_t pc, const Sync &sync, const char *role, unsigned other) {
    return makeFault(
        FaultKind::SemaphoreSharing, pc,
        std::string("expected one ") + role + " engine of semaphore " +
            llvm::utostr(unsigned(sync.semaphore)) + ", got " +
            engineName(other) + " and " + engineName(stream[pc].engine));
  }

  void give(size_t pc, const Sync &post, uint32_t ordinal) {
    Semaphore &semaphore = semaphores[post.semaphore];
    unsigned engine = stream[pc].engine;
    if (semaphore.producer && *semaphore.producer != engine)
      report(analysis.checked,
             sharing(pc, post, "producer", *semaphore.producer));
    semaphore.producer = engine;
    Clock clock = now[engine];
    clock[engine] = ordinal;
    uint64_t first = semaphore.units;
    semaphore.units += post.count;
    semaphore.lastPost = pc;
    checkOverflow(pc, post, clock);
    semaphore.posted.push_back({first, semaphore.units, std::move(clock)});
  }

  /// The count must stay in range however far the consumer lags: it has issued
  /// what happens before the post and, as dispatch is in order, all but the
  /// queue's capacity of what precedes the post in the stream.
  void checkOverflow(size_t pc, const Sync &post, const Clock &clock) {
    Semaphore &semaphore = semaphores[post.semaphore];
    uint64_t consumed = 0;
    if (semaphore.consumer) {
      unsigned consumer = *semaphore.consumer;
      uint64_t issued = issuedAfter[consumer];
      uint64_t queue = consumer == ctrl  ? 0
                       : consumer == mxu ? target.mxu.queue
                       : consumer == vpu ? target.vpu.queue
                                         : target.dma.queue;
      uint64_t known = issued > queue ? issued - queue : 0;
      known = std::max<uint64_t>(known, clock[consumer]);
      auto it = std::upper_bound(
          semaphore.waits.begin(), semaphore.waits.end(), known,
          [](uint64_t k, const auto &wait) { return k < wait.first; });
      if (it != semaphore.waits.begin())
        consumed = std::prev(it)->second;
    }
    if (semaphore.units - std::min(consumed, semaphore.units) >
        target.sync.maxValue)
      report(analysis.checked,
             makeFault(FaultKind::SemaphoreOverflow, pc,
                       "expected at most " +
                           llvm::utostr(target.sync.maxValue) +
                           " units in semaphore " +
                           llvm::utostr(unsigned(post.semaphore)) +
                           ", which can reach " +
                           llvm::utostr(semaphore.units - consumed)));
  }

  void checkLeaks() {
    for (unsigned s = 0; s < numSemaphores; ++s) {
      const Semaphore &semaphore = semaphores[s];
      if (semaphore.units > semaphore.taken)
        report(analysis.checked,
               makeFault(FaultKind::SemaphoreLeak, semaphore.lastPost,
                         "expected every post to be waited for, got " +
                             llvm::utostr(semaphore.units - semaphore.taken) +
                             " units of semaphore " + llvm::utostr(s) +
                             " left at the end"));
    }
  }

  SyncAnalysis &analysis;
  llvm::ArrayRef<Instruction> stream;
  const TargetModel &target;
  unsigned engines;
  /// What each engine knows to have retired when its next instruction issues.
  std::vector<Clock> now;
  /// Instructions seen so far per engine.
  std::vector<uint32_t> issuedAfter;
  std::array<Semaphore, numSemaphores> semaphores;
};

} // namespace asic::emulator

SyncAnalysis::SyncAnalysis(llvm::ArrayRef<Instruction> stream,
                           const TargetModel &target)
    : numEngines(target.numEngines()) {
  SyncBuilder(*this, stream, target).run();
}
