// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The event simulation (docs/isa/README.md, "Timing"): dispatch, queues,
// semaphores and the DRAM port, without data. The compiler runs it to predict a
// program; the emulator runs it and executes instruction bodies at the events
// it yields. Both therefore count the same cycles.
//
// Within a cycle: retirements and the posts that become visible, by engine
// number; then issues, by engine number; then dispatch.

#ifndef ASIC_TARGET_TIMELINE_H
#define ASIC_TARGET_TIMELINE_H

#include "target/Cost.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace asic {

/// `count` units of a semaphore, waited for or posted.
struct SemaphoreUse {
  uint8_t semaphore = 0;
  uint16_t count = 0;
};

/// What the dispatcher does with an instruction of engine ctrl.
enum class ControlKind : uint8_t { None, Fence, Halt };

/// All that time depends on in an instruction.
struct TimedInstruction {
  uint8_t engine = kCtrlEngine;
  ControlKind control = ControlKind::None; ///< Of engine ctrl only.
  uint16_t fenceMask = 0;                  ///< Engines of a fence.
  uint8_t numWaits = 0, numPosts = 0;
  SemaphoreUse waits[4], posts[4];
  Cost cost;

  void wait(unsigned semaphore, unsigned count) {
    waits[numWaits++] = {static_cast<uint8_t>(semaphore),
                         static_cast<uint16_t>(count)};
  }
  void post(unsigned semaphore, unsigned count) {
    posts[numPosts++] = {static_cast<uint8_t>(semaphore),
                         static_cast<uint16_t>(count)};
  }
};

/// When an instruction passed each stage, in cycles.
struct InstructionTimes {
  static constexpr uint64_t kNever = UINT64_MAX;
  uint64_t dispatch = kNever; ///< Left the dispatcher.
  uint64_t issue = kNever;    ///< Inputs are read.
  uint64_t end = kNever;      ///< The engine is free for the next.
  uint64_t retire = kNever;   ///< Writes are visible.
};

/// How an engine spent its cycles; busy + stall + idle = cycles of the run.
struct EngineTimes {
  uint64_t busy = 0;
  uint64_t waitStall = 0; ///< An instruction is there but may not issue yet.
  uint64_t portStall = 0; ///< A transfer waits for the DRAM port.
  uint64_t idle = 0;
  uint64_t instructions = 0;

  uint64_t stall() const { return waitStall + portStall; }
};

/// An event of a run.
struct TimelineEvent {
  enum Kind : uint8_t { Issue, Retire } kind;
  uint32_t instruction;
  uint64_t cycle;
};

/// An instruction that cannot go on in a deadlock.
struct BlockedInstruction {
  uint32_t instruction = 0;
  unsigned engine = 0;
  /// What it lacks, e.g. "semaphore 3 is 0, needs 1".
  std::string reason;
};

/// Why a run ended.
enum class TimelineStatus : uint8_t {
  Running,           ///< It has not.
  Finished,          ///< Halt, or the end of the stream with idle engines.
  Deadlock,          ///< No engine can go on; see `blocked`.
  SemaphoreOverflow, ///< A post of `culprit` passed sync.max_value.
  IllegalInstruction ///< `culprit` names an engine or semaphore that is not.
};

/// Outcome of a run.
struct TimelineResult {
  TimelineStatus status = TimelineStatus::Running;
  uint64_t cycles = 0; ///< Until the last engine is idle and halt is done.
  std::vector<InstructionTimes> times; ///< By instruction.
  std::vector<EngineTimes> engines;    ///< By engine number.
  std::vector<uint32_t> semaphores;    ///< Values left at the end.
  std::vector<BlockedInstruction> blocked;
  uint32_t culprit = 0;
  unsigned culpritSemaphore = 0;
  uint64_t dramPortBusy = 0; ///< Cycles that the DRAM port was held.

  bool finished() const { return status == TimelineStatus::Finished; }
};

/// Variation for asynchronous stress: every instruction on an engine keeps it
/// up to `maxExtraCycles` longer, drawn from `seed` and the instruction's
/// index.
struct TimelineOptions {
  uint64_t seed = 0;
  uint64_t maxExtraCycles = 0;
};

/// One run of a program.
class Timeline {
public:
  /// `program` must outlive the timeline.
  Timeline(const TargetModel &target, llvm::ArrayRef<TimedInstruction> program,
           TimelineOptions options = {});

  /// The next issue or retirement in order of time, or nothing when the run is
  /// over (see result().status).
  std::optional<TimelineEvent> next();

  /// Runs to the end.
  const TimelineResult &run();

  /// Outcome so far; complete once next() has returned nothing.
  const TimelineResult &result() const { return outcome; }

private:
  /// Posted units on their way to a semaphore.
  struct PendingPost {
    uint64_t visible;
    uint32_t instruction;
  };

  /// An engine's queue and pipeline. `order` lists its instructions; the
  /// counters are positions in it.
  struct Engine {
    std::vector<uint32_t> order;
    std::vector<PendingPost> posts;
    uint32_t dispatched = 0, issued = 0, retired = 0, posted = 0;
    uint64_t queue = 0;
    uint64_t outstanding = UINT64_MAX;
    uint64_t freeAt = 0, lastRetire = 0;
  };

  bool validate();
  void advance();
  void retireAndPost();
  bool deliverPost(uint32_t instruction);
  void issueHeads();
  void issue(unsigned engineNumber, uint32_t instruction);
  void dispatch();
  bool dispatchOne(uint32_t instruction);
  bool dispatchControl(uint32_t instruction);
  bool waitsSatisfied(const TimedInstruction &instruction) const;
  void takeWaits(const TimedInstruction &instruction);
  bool isIdle(const Engine &engine) const {
    return engine.retired == engine.dispatched;
  }
  bool allIdle() const;
  uint64_t nextCycle() const;
  uint64_t extraCycles(uint32_t instruction) const;
  void finish(TimelineStatus status);
  void reportBlocked();

  const TargetModel &target;
  llvm::ArrayRef<TimedInstruction> program;
  TimelineOptions options;
  uint64_t syncLatency;
  std::vector<Engine> engines;
  uint64_t now = 0;
  uint64_t portFreeAt = 0;
  uint32_t nextDispatch = 0;
  uint64_t dispatchFreeAt = 0; ///< First cycle the dispatcher may act in.
  uint64_t dispatchReady = 0;  ///< Since when its instruction has been ready.
  uint64_t lastDispatchCycle = InstructionTimes::kNever;
  bool dispatchBlocked = false;
  bool halted = false;
  std::vector<TimelineEvent> events; ///< Of the current cycle.
  size_t nextEvent = 0;
  TimelineResult outcome;
};

/// Predicted cycles of a program, or nothing when it does not finish.
std::optional<uint64_t> predictCycles(const TargetModel &target,
                                      llvm::ArrayRef<TimedInstruction> program);

} // namespace asic

#endif // ASIC_TARGET_TIMELINE_H
