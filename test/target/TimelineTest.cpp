// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The event simulation against traces worked out by hand, and its invariants on
// random programs.

#include "target/Timeline.h"
#include "TestTargets.h"
#include <chrono>
#include <random>

using namespace asic;
using asic::test::smallTarget;

namespace {

constexpr unsigned kDma1Engine = kDma0Engine + 1;

TimedInstruction nop(unsigned engine, uint64_t cycles) {
  TimedInstruction instruction;
  instruction.engine = static_cast<uint8_t>(engine);
  instruction.cost = nopCost(cycles);
  return instruction;
}

TimedInstruction halt() {
  TimedInstruction instruction;
  instruction.control = ControlKind::Halt;
  return instruction;
}

TimedInstruction fence(uint16_t mask) {
  TimedInstruction instruction;
  instruction.control = ControlKind::Fence;
  instruction.fenceMask = mask;
  return instruction;
}

/// A transfer: 10 cycles of setup, the port for `port`, 40 of latency.
TimedInstruction load(unsigned engine, uint64_t port) {
  TimedInstruction instruction;
  instruction.engine = static_cast<uint8_t>(engine);
  instruction.cost.setup = 10;
  instruction.cost.portCycles = instruction.cost.workCycles = port;
  instruction.cost.tail = 40;
  return instruction;
}

TimelineResult simulate(const TargetModel &target,
                        const std::vector<TimedInstruction> &program,
                        TimelineOptions options = {}) {
  Timeline timeline(target, program, options);
  return timeline.run();
}

/// busy + stall + idle = cycles on every engine.
void expectAccounted(const TimelineResult &result) {
  for (const EngineTimes &engine : result.engines)
    EXPECT_EQ(engine.busy + engine.stall() + engine.idle, result.cycles);
}

} // namespace

TEST(Timeline, EmptyProgram) {
  TimelineResult result = simulate(smallTarget(), {});
  EXPECT_TRUE(result.finished());
  EXPECT_EQ(result.cycles, 0u);
}

TEST(Timeline, OneInstruction) {
  TimedInstruction work = nop(kMxuEngine, 30);
  work.cost.tail = 5;
  TimelineResult result = simulate(smallTarget(), {work, halt()});
  ASSERT_TRUE(result.finished());
  // Dispatched in cycle 0, issued in 1, free at 31, retired at 36; halt sees
  // idle engines then and takes a cycle.
  EXPECT_EQ(result.times[0].dispatch, 0u);
  EXPECT_EQ(result.times[0].issue, 1u);
  EXPECT_EQ(result.times[0].end, 31u);
  EXPECT_EQ(result.times[0].retire, 36u);
  EXPECT_EQ(result.times[1].dispatch, 36u);
  EXPECT_EQ(result.cycles, 37u);
  EXPECT_EQ(result.engines[kMxuEngine].busy, 30u);
  EXPECT_EQ(result.engines[kMxuEngine].stall(), 0u);
  EXPECT_EQ(result.engines[kCtrlEngine].busy, 2u);
  EXPECT_EQ(result.engines[kCtrlEngine].waitStall, 35u);
  expectAccounted(result);
}

TEST(Timeline, EnginesOverlapPipelinesAndRetireInOrder) {
  TimedInstruction slow = nop(kVpuEngine, 10), fast = nop(kVpuEngine, 10);
  slow.cost.tail = 50;
  TimelineResult result = simulate(smallTarget(), {slow, fast});
  EXPECT_EQ(result.times[1].issue, 11u); // while the first is in its pipeline
  EXPECT_EQ(result.times[0].retire, 61u);
  EXPECT_EQ(result.times[1].retire, 61u); // not before the first
  EXPECT_EQ(result.cycles, 61u);
  expectAccounted(result);
}

TEST(Timeline, SemaphoresOrderEngines) {
  TimedInstruction producer = nop(kMxuEngine, 20),
                   consumer = nop(kVpuEngine, 7);
  producer.post(3, 1);
  consumer.wait(3, 1);
  TimelineResult result = simulate(smallTarget(), {producer, consumer, halt()});
  ASSERT_TRUE(result.finished());
  // Retired at 21; visible after post_latency 3 + wait_latency 2.
  EXPECT_EQ(result.times[0].retire, 21u);
  EXPECT_EQ(result.times[1].issue, 26u);
  // Dispatched in 1, so it could have issued in 2.
  EXPECT_EQ(result.engines[kVpuEngine].waitStall, 24u);
  EXPECT_EQ(result.semaphores[3], 0u);
  expectAccounted(result);
}

TEST(Timeline, CountingSemaphores) {
  TimedInstruction post = nop(kMxuEngine, 5), wait = nop(kVpuEngine, 1);
  post.post(0, 2);
  wait.wait(0, 3);
  TimelineResult result = simulate(smallTarget(), {post, post, wait});
  EXPECT_EQ(result.times[2].issue, 11u + 5);
  EXPECT_EQ(result.semaphores[0], 1u); // a unit is left
  // The same semaphore in two slots needs the sum.
  TimedInstruction twice = nop(kVpuEngine, 1);
  twice.wait(0, 2);
  twice.wait(0, 1);
  EXPECT_EQ(simulate(smallTarget(), {post, post, twice}).times[2].issue, 16u);
}

TEST(Timeline, PostsLeftUnreadAreCountedEvenWhenStillOnTheirWay) {
  TimedInstruction post = nop(kMxuEngine, 5);
  post.post(1, 4);
  EXPECT_EQ(simulate(smallTarget(), {post}).semaphores[1], 4u);
  EXPECT_EQ(simulate(smallTarget(), {post, halt()}).semaphores[1], 4u);
}

TEST(Timeline, FullQueueStopsDispatch) {
  // Queues of the DMA engines hold 2.
  std::vector<TimedInstruction> program(4, nop(kDma0Engine, 100));
  program.push_back(nop(kMxuEngine, 1));
  TimelineResult result = simulate(smallTarget(), program);
  EXPECT_EQ(result.times[0].issue, 1u);
  EXPECT_EQ(result.times[1].dispatch, 1u);
  EXPECT_EQ(result.times[2].dispatch, 2u);   // the first left the queue in 1
  EXPECT_EQ(result.times[3].dispatch, 101u); // when the second issues
  EXPECT_EQ(result.times[4].dispatch, 102u);
  expectAccounted(result);
}

TEST(Timeline, PortServesRequestsInOrder) {
  TimelineResult result =
      simulate(smallTarget(), {load(kDma0Engine, 45), load(kDma1Engine, 20)});
  // Issues in 1 and 2, requests in 11 and 12; the second is granted at 56.
  EXPECT_EQ(result.times[0].end, 56u);
  EXPECT_EQ(result.times[1].end, 76u);
  EXPECT_EQ(result.times[1].retire, 116u);
  EXPECT_EQ(result.engines[kDma1Engine].portStall, 44u);
  EXPECT_EQ(result.engines[kDma1Engine].busy, 30u);
  EXPECT_EQ(result.dramPortBusy, 65u);
  expectAccounted(result);
}

TEST(Timeline, TransfersInFlightAreLimited) {
  // `outstanding` is 2: the third issues when the first has retired.
  std::vector<TimedInstruction> program(3, load(kDma0Engine, 1));
  TimelineResult result = simulate(smallTarget(), program);
  EXPECT_EQ(result.times[0].retire, 52u);
  EXPECT_EQ(result.times[1].issue, 12u);
  EXPECT_EQ(result.times[2].issue, 52u);
  expectAccounted(result);
}

TEST(Timeline, FenceWaitsForItsEnginesOnly) {
  TimelineResult result =
      simulate(smallTarget(), {nop(kMxuEngine, 10), nop(kVpuEngine, 50),
                               fence(1 << kMxuEngine), nop(kMxuEngine, 1)});
  EXPECT_EQ(result.times[2].dispatch, 11u);
  EXPECT_EQ(result.times[3].dispatch, 12u);
  EXPECT_EQ(result.times[3].issue, 13u);
  expectAccounted(result);
}

TEST(Timeline, DispatcherMayWaitForSemaphores) {
  TimedInstruction post = nop(kMxuEngine, 9), control;
  post.post(2, 1);
  control.wait(2, 1);
  TimelineResult result =
      simulate(smallTarget(), {post, control, nop(kVpuEngine, 1)});
  EXPECT_EQ(result.times[1].dispatch, 15u); // 1 + 9 + 3 + 2
  EXPECT_EQ(result.times[2].dispatch, 16u);
}

TEST(Timeline, NothingAfterHaltRuns) {
  TimelineResult result = simulate(smallTarget(), {halt(), nop(kMxuEngine, 9)});
  ASSERT_TRUE(result.finished());
  EXPECT_EQ(result.cycles, 1u);
  EXPECT_EQ(result.times[1].dispatch, InstructionTimes::kNever);
}

TEST(Timeline, SeveralDispatchesPerCycle) {
  TargetModel target =
      smallTarget({{"sync:", "isa: {dispatch_per_cycle: 2}\nsync:"}});
  TimelineResult result =
      simulate(target, {nop(kMxuEngine, 1), nop(kVpuEngine, 1),
                        nop(kDma0Engine, 1), halt()});
  EXPECT_EQ(result.times[1].dispatch, 0u);
  EXPECT_EQ(result.times[2].dispatch, 1u);
  expectAccounted(result);
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

TEST(Timeline, DeadlockNamesTheBlockedHeads) {
  TimedInstruction a = nop(kMxuEngine, 1), b = nop(kVpuEngine, 1);
  a.wait(0, 1);
  a.post(1, 1);
  b.wait(1, 2);
  b.post(0, 1);
  TimelineResult result = simulate(smallTarget(), {a, b, halt()});
  ASSERT_EQ(result.status, TimelineStatus::Deadlock);
  ASSERT_EQ(result.blocked.size(), 3u);
  EXPECT_EQ(result.blocked[0].instruction, 0u);
  EXPECT_EQ(result.blocked[0].engine, kMxuEngine);
  EXPECT_EQ(result.blocked[0].reason, "semaphore 0 is 0, needs 1");
  EXPECT_EQ(result.blocked[1].reason, "semaphore 1 is 0, needs 2");
  EXPECT_EQ(result.blocked[2].engine, kCtrlEngine);
  EXPECT_EQ(result.blocked[2].reason, "an engine it waits for is not idle");
  EXPECT_FALSE(predictCycles(smallTarget(), {a, b}));
}

TEST(Timeline, DeadlockBehindAFullQueue) {
  TimedInstruction wait = nop(kDma0Engine, 1), post = nop(kMxuEngine, 1);
  wait.wait(0, 1);
  post.post(0, 1);
  // The post stands after the waits: with two queue slots it never comes.
  std::vector<TimedInstruction> program(3, wait);
  program.push_back(post);
  TimelineResult result = simulate(smallTarget(), program);
  ASSERT_EQ(result.status, TimelineStatus::Deadlock);
  EXPECT_EQ(result.blocked.back().instruction, 2u);
  EXPECT_EQ(result.blocked.back().reason, "the queue of dma0 is full");
}

TEST(Timeline, SemaphoreOverflow) {
  TimedInstruction post = nop(kMxuEngine, 1);
  post.post(5, 6); // max_value is 10
  TimelineResult result =
      simulate(smallTarget(), {post, post, nop(kVpuEngine, 100)});
  EXPECT_EQ(result.status, TimelineStatus::SemaphoreOverflow);
  EXPECT_EQ(result.culprit, 1u);
  EXPECT_EQ(result.culpritSemaphore, 5u);
  EXPECT_EQ(result.cycles, 100u + 3);
}

TEST(Timeline, IllegalEngineSemaphoreOrControlPost) {
  TimedInstruction control, semaphore = nop(kMxuEngine, 1);
  control.post(0, 1);
  semaphore.wait(8, 1); // the target has 8
  for (const TimedInstruction &bad : {nop(5, 1), semaphore, control}) {
    TimelineResult result = simulate(smallTarget(), {nop(kMxuEngine, 1), bad});
    EXPECT_EQ(result.status, TimelineStatus::IllegalInstruction);
    EXPECT_EQ(result.culprit, 1u);
  }
}

//===----------------------------------------------------------------------===//
// Events and invariants
//===----------------------------------------------------------------------===//

namespace {

/// A random program that cannot deadlock: posts precede their waits, one
/// producer and one consumer engine per semaphore.
std::vector<TimedInstruction> randomProgram(unsigned seed, unsigned size) {
  std::mt19937 random(seed);
  auto draw = [&](unsigned low, unsigned high) {
    return std::uniform_int_distribution<unsigned>(low, high)(random);
  };
  // Semaphore s = 2 * producer + consumer pairs of engines 1..4.
  struct Pair {
    unsigned producer, consumer, open = 0;
  };
  std::vector<Pair> pairs = {{3, 1}, {4, 1}, {1, 2}, {2, 3}, {2, 4}, {1, 3}};
  std::vector<TimedInstruction> program;
  for (unsigned i = 0; i < size; ++i) {
    unsigned engine = draw(1, 4);
    TimedInstruction instruction = engine >= kDma0Engine && draw(0, 3)
                                       ? load(engine, draw(1, 30))
                                       : nop(engine, draw(0, 40));
    instruction.cost.tail = draw(0, 20);
    for (unsigned s = 0; s < pairs.size(); ++s) {
      Pair &pair = pairs[s];
      if (pair.consumer == engine && pair.open && draw(0, 1)) {
        instruction.wait(s, pair.open);
        pair.open = 0;
      } else if (pair.producer == engine && pair.open < 3 && draw(0, 1)) {
        instruction.post(s, 1);
        ++pair.open;
      }
      if (instruction.numWaits == 4 || instruction.numPosts == 4)
        break;
    }
    program.push_back(instruction);
  }
  program.push_back(halt());
  return program;
}

} // namespace

TEST(Timeline, EventsAreInOrderAndEqualTheRun) {
  TargetModel target = smallTarget();
  std::vector<TimedInstruction> program = randomProgram(1, 500);
  TimelineResult expected = simulate(target, program);
  ASSERT_TRUE(expected.finished());
  Timeline timeline(target, program);
  uint64_t last = 0;
  bool issuedInCycle = false;
  std::vector<unsigned> seen(program.size());
  while (std::optional<TimelineEvent> event = timeline.next()) {
    EXPECT_GE(event->cycle, last);
    if (event->cycle != last)
      issuedInCycle = false;
    last = event->cycle;
    const InstructionTimes &times = expected.times[event->instruction];
    if (event->kind == TimelineEvent::Issue) {
      issuedInCycle = true;
      EXPECT_EQ(event->cycle, times.issue);
      EXPECT_EQ(seen[event->instruction]++, 0u);
    } else {
      EXPECT_FALSE(issuedInCycle) << "retirements come before issues";
      EXPECT_EQ(event->cycle, times.retire);
      EXPECT_EQ(seen[event->instruction]++, 1u);
    }
  }
  for (unsigned count : seen)
    EXPECT_EQ(count, 2u);
  EXPECT_TRUE(timeline.result().finished());
  EXPECT_EQ(timeline.result().cycles, expected.cycles);
}

TEST(Timeline, InvariantsOfRandomPrograms) {
  TargetModel target = smallTarget();
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::vector<TimedInstruction> program = randomProgram(seed, 120);
    TimelineResult result =
        simulate(target, program, {seed, seed % 2 ? 30u : 0u});
    ASSERT_TRUE(result.finished()) << "seed " << seed;
    expectAccounted(result);
    std::vector<const InstructionTimes *> previous(target.numEngines());
    uint64_t portCycles = 0;
    for (size_t i = 0; i < program.size(); ++i) {
      const InstructionTimes &times = result.times[i];
      const Cost &cost = program[i].cost;
      if (program[i].engine != kCtrlEngine) {
        EXPECT_LT(times.dispatch, times.issue);
      }
      EXPECT_GE(times.end, times.issue + cost.occupancy());
      EXPECT_GE(times.retire, times.end + cost.tail);
      const InstructionTimes *&before = previous[program[i].engine];
      if (before) {
        EXPECT_GE(times.issue, before->end);
        EXPECT_GE(times.retire, before->retire);
      }
      before = &times;
      portCycles += cost.portCycles;
    }
    EXPECT_EQ(result.dramPortBusy, portCycles);
    EXPECT_GE(result.cycles, portCycles);
  }
}

TEST(Timeline, NoiseIsRepeatableAndDependsOnTheSeed) {
  TargetModel target = smallTarget();
  std::vector<TimedInstruction> program = randomProgram(2, 200);
  uint64_t exact = simulate(target, program).cycles;
  uint64_t noisy = simulate(target, program, {1, 50}).cycles;
  EXPECT_GT(noisy, exact);
  EXPECT_EQ(noisy, simulate(target, program, {1, 50}).cycles);
  EXPECT_NE(noisy, simulate(target, program, {2, 50}).cycles);
  EXPECT_EQ(exact, simulate(target, program, {2, 0}).cycles);
}

TEST(Timeline, HundredThousandInstructionsTakeAMoment) {
  TargetModel target = smallTarget();
  std::vector<TimedInstruction> program = randomProgram(3, 100000);
  auto start = std::chrono::steady_clock::now();
  TimelineResult result = simulate(target, program);
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(result.finished());
  RecordProperty("seconds", std::to_string(seconds.count()));
  // 0.05 s on an idle machine; the bound leaves room for a busy one and for
  // sanitizers.
  EXPECT_LT(seconds.count(), 5.0);
}
