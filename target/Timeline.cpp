// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/Timeline.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace asic;

static constexpr uint64_t kNever = InstructionTimes::kNever;

Timeline::Timeline(const TargetModel &target,
                   llvm::ArrayRef<TimedInstruction> program,
                   TimelineOptions options)
    : target(target), program(program), options(options),
      syncLatency(target.sync.postLatency + target.sync.waitLatency),
      engines(target.numEngines()) {
  outcome.times.resize(program.size());
  outcome.engines.resize(engines.size());
  outcome.semaphores.assign(target.sync.count, 0);
  if (!validate())
    return;
  for (auto [index, instruction] : llvm::enumerate(program))
    engines[instruction.engine].order.push_back(index);
  engines[kMxuEngine].queue = target.mxu.queue;
  engines[kVpuEngine].queue = target.vpu.queue;
  for (unsigned i = kDma0Engine; i < engines.size(); ++i) {
    engines[i].queue = target.dma.queue;
    engines[i].outstanding = target.dma.outstanding;
  }
}

/// Ends the run at once when an instruction names what the target has not.
bool Timeline::validate() {
  for (auto [index, instruction] : llvm::enumerate(program)) {
    auto illegal = [&](const SemaphoreUse &use) {
      return use.semaphore >= target.sync.count;
    };
    llvm::ArrayRef<SemaphoreUse> waits(instruction.waits, instruction.numWaits);
    llvm::ArrayRef<SemaphoreUse> posts(instruction.posts, instruction.numPosts);
    bool controlPosts =
        instruction.engine == kCtrlEngine && instruction.numPosts != 0;
    if (instruction.engine < engines.size() && !controlPosts &&
        llvm::none_of(waits, illegal) && llvm::none_of(posts, illegal))
      continue;
    outcome.culprit = index;
    outcome.status = TimelineStatus::IllegalInstruction;
    return false;
  }
  return true;
}

std::optional<TimelineEvent> Timeline::next() {
  while (nextEvent == events.size()) {
    if (outcome.status != TimelineStatus::Running)
      return std::nullopt;
    advance();
  }
  return events[nextEvent++];
}

const TimelineResult &Timeline::run() {
  while (outcome.status == TimelineStatus::Running)
    advance();
  events.clear();
  nextEvent = 0;
  return outcome;
}

/// Simulates cycle `now`, then moves on to the next cycle in which something
/// can happen.
void Timeline::advance() {
  events.clear();
  nextEvent = 0;
  retireAndPost();
  if (outcome.status != TimelineStatus::Running)
    return;
  issueHeads();
  dispatch();
  if ((halted || nextDispatch == program.size()) && allIdle()) {
    // Posts still on their way count among the values left at the end.
    for (Engine &engine : engines)
      while (engine.posted < engine.posts.size())
        if (!deliverPost(engine.posts[engine.posted++].instruction))
          return;
    return finish(TimelineStatus::Finished);
  }
  uint64_t cycle = nextCycle();
  if (cycle == kNever) {
    reportBlocked();
    return finish(TimelineStatus::Deadlock);
  }
  now = cycle;
}

void Timeline::retireAndPost() {
  for (Engine &engine : engines) {
    while (engine.retired < engine.issued) {
      uint32_t instruction = engine.order[engine.retired];
      uint64_t cycle = outcome.times[instruction].retire;
      if (cycle > now)
        break;
      ++engine.retired;
      events.push_back({TimelineEvent::Retire, instruction, cycle});
      if (program[instruction].numPosts)
        engine.posts.push_back({cycle + syncLatency, instruction});
    }
    while (engine.posted < engine.posts.size() &&
           engine.posts[engine.posted].visible <= now)
      if (!deliverPost(engine.posts[engine.posted++].instruction))
        return;
  }
}

/// Adds what `instruction` posts; ends the run when a semaphore overflows.
bool Timeline::deliverPost(uint32_t instruction) {
  const TimedInstruction &timed = program[instruction];
  for (unsigned i = 0; i < timed.numPosts; ++i) {
    uint32_t &value = outcome.semaphores[timed.posts[i].semaphore];
    value += timed.posts[i].count;
    if (value <= target.sync.maxValue)
      continue;
    outcome.culprit = instruction;
    outcome.culpritSemaphore = timed.posts[i].semaphore;
    finish(TimelineStatus::SemaphoreOverflow);
    return false;
  }
  return true;
}

void Timeline::issueHeads() {
  for (unsigned number = kMxuEngine; number < engines.size(); ++number) {
    Engine &engine = engines[number];
    if (engine.issued == engine.dispatched || engine.freeAt > now ||
        engine.issued - engine.retired >= engine.outstanding)
      continue;
    uint32_t instruction = engine.order[engine.issued];
    if (outcome.times[instruction].dispatch >= now ||
        !waitsSatisfied(program[instruction]))
      continue;
    issue(number, instruction);
  }
}

void Timeline::issue(unsigned number, uint32_t instruction) {
  Engine &engine = engines[number];
  const Cost &cost = program[instruction].cost;
  InstructionTimes &times = outcome.times[instruction];
  EngineTimes &account = outcome.engines[number];
  takeWaits(program[instruction]);

  // The port is granted in the order of requests. All transfers ask the same
  // number of cycles after their issue, so this is the order of issues.
  uint64_t portWait = 0;
  if (cost.portCycles) {
    uint64_t request = now + cost.setup;
    uint64_t grant = std::max(request, portFreeAt);
    portWait = grant - request;
    portFreeAt = grant + cost.portCycles;
    outcome.dramPortBusy += cost.portCycles;
  }
  uint64_t busy = cost.occupancy() + extraCycles(instruction);
  times.issue = now;
  times.end = now + portWait + busy;
  times.retire = std::max(times.end + cost.tail, engine.lastRetire);

  account.busy += busy;
  account.portStall += portWait;
  account.waitStall += now - std::max(engine.freeAt, times.dispatch + 1);
  ++account.instructions;
  engine.freeAt = times.end;
  engine.lastRetire = times.retire;
  ++engine.issued;
  events.push_back({TimelineEvent::Issue, instruction, now});
}

void Timeline::dispatch() {
  dispatchBlocked = false;
  if (halted || now < dispatchFreeAt)
    return;
  EngineTimes &account = outcome.engines[kCtrlEngine];
  for (uint64_t slot = 0; slot < target.isa.dispatchPerCycle; ++slot) {
    if (halted || nextDispatch == program.size())
      return;
    if (!dispatchOne(nextDispatch)) {
      dispatchBlocked = true;
      return;
    }
    if (lastDispatchCycle != now)
      ++account.busy;
    account.waitStall += now > dispatchReady ? now - dispatchReady : 0;
    lastDispatchCycle = now;
    ++account.instructions;
    ++nextDispatch;
    bool keepsBusy = dispatchFreeAt > now + 1;
    dispatchReady = dispatchFreeAt = std::max(dispatchFreeAt, now + 1);
    if (keepsBusy)
      return;
  }
}

/// Dispatches `instruction` in cycle `now` if it can be.
bool Timeline::dispatchOne(uint32_t instruction) {
  const TimedInstruction &timed = program[instruction];
  if (timed.engine == kCtrlEngine)
    return dispatchControl(instruction);
  Engine &engine = engines[timed.engine];
  if (engine.dispatched - engine.issued >= engine.queue)
    return false;
  outcome.times[instruction].dispatch = now;
  ++engine.dispatched;
  return true;
}

/// Executes an instruction of the dispatcher itself.
bool Timeline::dispatchControl(uint32_t instruction) {
  const TimedInstruction &timed = program[instruction];
  if (!waitsSatisfied(timed))
    return false;
  if (timed.control == ControlKind::Halt && !allIdle())
    return false;
  if (timed.control == ControlKind::Fence)
    for (unsigned i = kMxuEngine; i < engines.size(); ++i)
      if ((timed.fenceMask >> i & 1) && !isIdle(engines[i]))
        return false;
  takeWaits(timed);
  uint64_t cycles = timed.cost.occupancy();
  uint64_t end = now + cycles;
  outcome.times[instruction] = {now, now, end, end};
  outcome.engines[kCtrlEngine].busy += cycles - 1;
  dispatchFreeAt = end;
  Engine &ctrl = engines[kCtrlEngine];
  ++ctrl.dispatched;
  ++ctrl.issued;
  events.push_back({TimelineEvent::Issue, instruction, now});
  halted = timed.control == ControlKind::Halt;
  return true;
}

bool Timeline::waitsSatisfied(const TimedInstruction &instruction) const {
  for (unsigned i = 0; i < instruction.numWaits; ++i) {
    uint32_t needed = 0;
    for (unsigned j = 0; j <= i; ++j)
      if (instruction.waits[j].semaphore == instruction.waits[i].semaphore)
        needed += instruction.waits[j].count;
    if (outcome.semaphores[instruction.waits[i].semaphore] < needed)
      return false;
  }
  return true;
}

void Timeline::takeWaits(const TimedInstruction &instruction) {
  for (unsigned i = 0; i < instruction.numWaits; ++i)
    outcome.semaphores[instruction.waits[i].semaphore] -=
        instruction.waits[i].count;
}

bool Timeline::allIdle() const {
  return llvm::all_of(engines,
                      [&](const Engine &engine) { return isIdle(engine); });
}

/// The first cycle after `now` in which the state can change, or kNever.
uint64_t Timeline::nextCycle() const {
  uint64_t cycle = kNever;
  auto consider = [&](uint64_t candidate) {
    if (candidate > now)
      cycle = std::min(cycle, candidate);
  };
  for (const Engine &engine : engines) {
    if (engine.retired < engine.issued)
      consider(outcome.times[engine.order[engine.retired]].retire);
    if (engine.posted < engine.posts.size())
      consider(engine.posts[engine.posted].visible);
    if (engine.issued < engine.dispatched) {
      uint64_t dispatched = outcome.times[engine.order[engine.issued]].dispatch;
      consider(std::max(engine.freeAt, dispatched + 1));
    }
  }
  if (!halted && !dispatchBlocked && nextDispatch < program.size())
    consider(std::max(dispatchFreeAt, now + 1));
  return cycle;
}

/// Deterministic noise (splitmix64).
uint64_t Timeline::extraCycles(uint32_t instruction) const {
  if (options.maxExtraCycles == 0)
    return 0;
  uint64_t z = options.seed * 0xd1342543de82ef95u +
               (uint64_t(instruction) + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return z % (options.maxExtraCycles + 1);
}

void Timeline::finish(TimelineStatus status) {
  outcome.status = status;
  outcome.cycles = now;
  for (const InstructionTimes &times : outcome.times)
    if (times.retire != kNever)
      outcome.cycles = std::max(outcome.cycles, times.retire);
  for (EngineTimes &account : outcome.engines) {
    uint64_t used = account.busy + account.stall();
    account.idle = outcome.cycles > used ? outcome.cycles - used : 0;
  }
}

/// Names every queue head and the dispatcher's instruction with what it lacks.
void Timeline::reportBlocked() {
  auto lacking = [&](const TimedInstruction &timed) -> std::string {
    for (unsigned i = 0; i < timed.numWaits; ++i) {
      const SemaphoreUse &use = timed.waits[i];
      uint32_t value = outcome.semaphores[use.semaphore];
      if (value < use.count)
        return "semaphore " + std::to_string(use.semaphore) + " is " +
               std::to_string(value) + ", needs " + std::to_string(use.count);
    }
    return "";
  };
  for (unsigned number = kMxuEngine; number < engines.size(); ++number) {
    const Engine &engine = engines[number];
    if (engine.issued == engine.dispatched)
      continue;
    uint32_t instruction = engine.order[engine.issued];
    outcome.blocked.push_back(
        {instruction, number, lacking(program[instruction])});
  }
  if (halted || nextDispatch == program.size())
    return;
  const TimedInstruction &timed = program[nextDispatch];
  std::string reason =
      "the queue of " + TargetModel::engineName(timed.engine) + " is full";
  if (timed.engine == kCtrlEngine) {
    reason = lacking(timed);
    if (reason.empty())
      reason = "an engine it waits for is not idle";
  }
  outcome.blocked.push_back({nextDispatch, kCtrlEngine, reason});
}

std::optional<uint64_t>
asic::predictCycles(const TargetModel &target,
                    llvm::ArrayRef<TimedInstruction> program) {
  Timeline timeline(target, program);
  const TimelineResult &result = timeline.run();
  if (!result.finished())
    return std::nullopt;
  return result.cycles;
}
