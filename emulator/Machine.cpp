// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/Machine.h"
#include "emulator/Accesses.h"
#include "emulator/Shadow.h"
#include "emulator/Sync.h"
#include "emulator/TargetRules.h"
#include "emulator/engines/Engines.h"
#include "runtime/Timing.h"
#include "runtime/isa/Assembly.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cstring>
#include <deque>

using namespace asic;
using namespace asic::emulator;
using llvm::Error;
using llvm::Expected;
using llvm::Twine;

//===-- Loading --------------------------------------------------------===//

Machine::Machine(Program program, TargetModel target)
    : program(std::move(program)), target(std::move(target)) {}
Machine::~Machine() = default;

static Error mismatch(const Twine &message) {
  return makeError(Twine(infoOf(FaultKind::TargetMismatch).id) +
                   " TargetMismatch: " + message);
}

Expected<std::unique_ptr<Machine>> Machine::create(Program program) {
  std::vector<TargetDiagnostic> diagnostics;
  auto target = parseTarget(program.target, diagnostics);
  if (!target)
    return mismatch("expected a target description in the program: " +
                    formatTargetDiagnostics("target", diagnostics));
  if (target->canonicalJson() != program.target)
    return mismatch("expected the canonical description of target '" +
                    target->name + "'; compile the model again");
  if (target->isa.version != isa::isaVersion)
    return mismatch("expected instruction set version " +
                    Twine(isa::isaVersion) + ", got " +
                    Twine(target->isa.version));
  if (program.meta.dramBytes > target->dram.bytes)
    return mismatch("expected at most " + Twine(target->dram.bytes) +
                    " bytes of dram, got " + Twine(program.meta.dramBytes));
  if (Error error = verify(program))
    return std::move(error);
  std::unique_ptr<Machine> machine(
      new Machine(std::move(program), std::move(*target)));
  machine->loadFault = machine->load();
  if (machine->loadFault)
    machine->describe(*machine->loadFault);
  return machine;
}

std::optional<Fault> Machine::load() {
  size_t count = program.numInstructions();
  for (size_t pc = 0; pc < count; ++pc) {
    auto instruction = program.instruction(pc);
    std::optional<Fault> fault;
    if (!instruction)
      fault = Fault(FaultKind::IllegalEncoding,
                    llvm::toString(instruction.takeError()));
    else
      fault = checkTarget(*instruction, program.lanes, target);
    if (!fault &&
        (instruction->opcode == isa::Opcode::Halt) != (pc + 1 == count))
      fault = Fault(FaultKind::MissingHalt,
                    "expected halt as the last instruction and only there");
    if (fault) {
      fault->pc = pc;
      fault->engine = program.encoded(pc)[1];
      return fault;
    }
    stream.push_back(*instruction);
    timed.push_back(timedInstruction(target, *instruction, program.lanes));
  }
  if (count == 0)
    return Fault(FaultKind::MissingHalt,
                 "expected at least a halt, got no instructions");
  sync = std::make_unique<SyncAnalysis>(stream, target);
  return sync->always;
}

/// Adds what the program knows about the place of a fault.
void Machine::describe(Fault &fault) const {
  if (!fault.pc)
    return;
  auto instruction = program.instruction(*fault.pc);
  if (!instruction) {
    llvm::consumeError(instruction.takeError());
    return;
  }
  fault.engine = instruction->engine;
  fault.tag = instruction->tag;
  fault.instruction = isa::disassemble(*instruction);
  if (const DebugEntry *entry = program.findDebug(fault.tag)) {
    fault.layer = entry->layer;
    fault.source = entry->source;
  }
}

//===-- Running --------------------------------------------------------===//

namespace asic::emulator {

/// The state of one run.
class Run {
public:
  Run(const Machine &machine, const RunOptions &options,
      const StateBytes *state)
      : machine(machine), options(options), before(state),
        stream(machine.stream),
        memory(machine.program.meta.dramBytes, machine.target.sram.bytes,
               machine.target.acc.bytes) {}

  RunResult execute(const std::map<std::string, ArrayView> &inputs) {
    RunResult result;
    if (machine.loadFault)
      result.fault = machine.loadFault;
    else if (options.check && machine.sync->checked)
      result.fault = machine.sync->checked;
    else
      result.fault = setUp(inputs);
    if (!result.fault)
      result.fault = examineStream();
    if (!result.fault)
      result.fault = options.mode == Mode::Functional
                         ? runInOrder()
                         : runByEvents(result.stats);
    if (!result.fault)
      result.fault = checkOutputs();
    if (result.fault) {
      machine.describe(*result.fault);
      return result;
    }
    const uint8_t *dram = memory.data(Space::Dram);
    for (const IoTensor &tensor : machine.program.outputs)
      if (!isKept(tensor))
        result.outputs.push_back({tensor.name, readTensor(tensor, dram)});
    for (const StateRegion &region : machine.program.state)
      if (before)
        result.state.push_back(std::make_shared<const std::vector<uint8_t>>(
            dram + region.address, dram + region.address + region.bytes));
    result.exitCode = uint64_t(stream.back().get(isa::Halt_code));
    return result;
  }

private:
  /// True for a tensor that the state of this run holds.
  bool isKept(const IoTensor &tensor) const {
    return before && machine.program.findState(tensor.state);
  }

  void setUpState(uint8_t *dram) {
    for (auto [region, bytes] : llvm::zip_equal(machine.program.state, *before))
      std::memcpy(dram + region.address, bytes->data(), bytes->size());
  }

  std::optional<Fault> setUp(const std::map<std::string, ArrayView> &inputs) {
    const Program &program = machine.program;
    if (options.check)
      shadow.emplace(memory, *machine.sync, machine.target.numEngines());
    if (!memory.valid() || (shadow && !shadow->valid()))
      return Fault(FaultKind::Watchdog,
                   "expected " + llvm::utostr(program.meta.dramBytes) +
                       " bytes of dram; the host has no room");
    uint8_t *dram = memory.data(Space::Dram);
    for (const ConstantBlock &block : program.constants) {
      std::memcpy(dram + block.address, block.bytes.data(), block.bytes.size());
      if (shadow)
        shadow->protect(block.address, block.address + block.bytes.size());
    }
    if (before) {
      if (Error error = machine.checkState(*before))
        return Fault(FaultKind::HostMisuse, llvm::toString(std::move(error)));
      setUpState(dram);
    }
    for (const IoTensor &tensor : program.inputs) {
      uint64_t end = tensor.address + tensor.byteExtent();
      bool isState = program.findState(tensor.state);
      if (shadow && isState)
        shadow->hostWrites(Space::Dram, tensor.address, end);
      else if (shadow)
        shadow->protect(tensor.address, end);
      if (isKept(tensor))
        continue;
      auto it = inputs.find(tensor.name);
      if (it == inputs.end())
        return Fault(FaultKind::HostMisuse,
                     "expected an input called '" + tensor.name + "'");
      if (Error error = writeTensor(tensor, it->second, dram))
        return Fault(FaultKind::HostMisuse, llvm::toString(std::move(error)));
    }
    for (const auto &[name, array] : inputs)
      if (llvm::none_of(program.inputs, [&, &name = name](const IoTensor &t) {
            return t.name == name && !isKept(t);
          }))
        return Fault(FaultKind::HostMisuse,
                     "expected inputs of the program, got '" + name + "'");
    return std::nullopt;
  }

  bool interrupted() { return options.interrupted && options.interrupted(); }

  /// E22: limits of the caller.
  std::optional<Fault> account(size_t pc) {
    ++issued;
    if (options.maxInstructions && issued > options.maxInstructions)
      return Fault(FaultKind::Watchdog,
                   "expected at most " + llvm::utostr(options.maxInstructions) +
                       " instructions");
    const Cost &cost = machine.timed[pc].cost;
    work += cost.macs + cost.vpuOps + cost.sramBytes + cost.dramReadBytes +
            cost.dramWriteBytes;
    if (options.maxWork && work > options.maxWork)
      return Fault(FaultKind::Watchdog, "expected at most " +
                                            llvm::utostr(options.maxWork) +
                                            " units of work");
    if (issued % 256 == 0 && interrupted())
      return interruptedFault();
    return std::nullopt;
  }

  /// Address rules, then the shadow memory.
  std::optional<Fault> examine(size_t pc) {
    const uint64_t sizes[3] = {memory.size(Space::Dram),
                               memory.size(Space::Sram),
                               memory.size(Space::Acc)};
    Accesses accesses = accessesOf(stream[pc]);
    if (auto fault = checkAccesses(stream[pc], accesses, sizes))
      return fault;
    return shadow ? shadow->record(pc, accesses) : std::nullopt;
  }

  std::optional<Fault> body(const isa::Instruction &instruction) {
    auto poll = [this] { return interrupted(); };
    Context context{memory, machine.program.lanes,
                    unsigned(machine.target.vpu.lanes), options.check, poll};
    return runBody(instruction, context);
  }

  static std::optional<Fault> at(size_t pc, std::optional<Fault> fault) {
    if (fault)
      fault->pc = pc;
    return fault;
  }

  /// Addresses and races are properties of the stream: they are looked for in
  /// its order before anything runs, so that every mode reports the same one.
  std::optional<Fault> examineStream() {
    for (size_t pc = 0; pc < stream.size(); ++pc) {
      std::optional<Fault> fault = account(pc);
      if (!fault)
        fault = examine(pc);
      if (fault)
        return at(pc, fault);
    }
    return std::nullopt;
  }

  std::optional<Fault> runInOrder() {
    for (size_t pc = 0; pc < stream.size(); ++pc) {
      if (pc % 256 == 255 && interrupted())
        return interruptedFault();
      if (auto fault = body(stream[pc]))
        return at(pc, fault);
    }
    return std::nullopt;
  }

  std::optional<Fault> runByEvents(std::optional<Stats> &stats) {
    TimelineOptions variation;
    if (options.mode == Mode::Asynchronous) {
      variation.seed = options.seed;
      variation.maxExtraCycles = options.maxExtraCycles;
    }
    Timeline timeline(machine.target, machine.timed, variation);
    while (auto event = timeline.next()) {
      size_t pc = event->instruction;
      if (event->kind == TimelineEvent::Retire) {
        showWrites(pc);
        continue;
      }
      if (auto fault = issue(pc)) {
        fault->cycle = event->cycle;
        return at(pc, fault);
      }
    }
    if (auto fault = timelineFault(timeline.result()))
      return fault;
    stats = machine.collect(timeline.result());
    return checkAccounts(*stats);
  }

  std::optional<Fault> timelineFault(const TimelineResult &result) const {
    if (result.finished())
      return std::nullopt;
    if (result.status == TimelineStatus::SemaphoreOverflow) {
      Fault fault(
          FaultKind::SemaphoreOverflow,
          "expected at most " + llvm::utostr(machine.target.sync.maxValue) +
              " units in semaphore " + llvm::utostr(result.culpritSemaphore));
      fault.pc = result.culprit;
      return fault;
    }
    Fault fault(FaultKind::Deadlock, "no engine can go on");
    for (const BlockedInstruction &blocked : result.blocked) {
      if (!fault.pc)
        fault.pc = blocked.instruction;
      fault.message += "; pc " + llvm::utostr(blocked.instruction) + " on " +
                       isa::engineName(blocked.engine) + ": " + blocked.reason;
    }
    return fault;
  }

  /// E23: every engine's times add up to the cycles of the run.
  std::optional<Fault> checkAccounts(const Stats &stats) const {
    for (size_t e = 0; options.check && e < stats.engines.size(); ++e) {
      const EngineTimes &times = stats.engines[e];
      if (times.busy + times.stall() + times.idle != stats.cycles)
        return Fault(FaultKind::Accounting, "expected busy + stall + idle of " +
                                                isa::engineName(unsigned(e)) +
                                                " to be the cycles of the run");
    }
    return std::nullopt;
  }

  std::optional<Fault> checkOutputs() const {
    if (!shadow)
      return std::nullopt;
    for (const IoTensor &tensor : machine.program.outputs) {
      int64_t bytes = int64_t(bitWidth(tensor.deviceType) / 8);
      Footprint footprint(Space::Dram, int64_t(tensor.address), bytes);
      for (size_t d = 0; d < tensor.shape.size(); ++d)
        footprint.addDim(tensor.shape[d], tensor.strides[d] * bytes);
      footprint.finish();
      if (auto fault = shadow->hostReads(footprint)) {
        fault->message += ": '" + tensor.name + "'";
        return fault;
      }
    }
    return std::nullopt;
  }

  //===-- Writes held back until retirement ----------------------------===//

  /// One run of an output and its bytes after the instruction.
  struct HeldRun {
    uint8_t *at;
    std::vector<uint8_t> bytes;
  };
  struct HeldWrites {
    size_t pc;
    std::vector<HeldRun> runs;
  };

  std::optional<Fault> issue(size_t pc) {
    if (options.mode != Mode::Asynchronous)
      return body(stream[pc]);
    // An engine sees its own earlier writes.
    auto &queue = held[stream[pc].engine];
    while (!queue.empty())
      showFirst(queue);
    // Of an indexed copy only what its indices select is held back.
    HeldWrites writes{pc, {}};
    forEachPlain(stream[pc], memory, [&](const isa::Instruction &plain) {
      addOutputs(plain, writes.runs);
      return true;
    });
    if (auto fault = body(stream[pc]))
      return fault;
    // What the body wrote is taken back until the instruction retires. From the
    // end: of runs that meet, the last has what the instruction leaves there.
    for (HeldRun &run : llvm::reverse(writes.runs))
      std::swap_ranges(run.bytes.begin(), run.bytes.end(), run.at);
    queue.push_back(std::move(writes));
    return std::nullopt;
  }

  /// Appends what an instruction without indices writes, as it is now.
  void addOutputs(const isa::Instruction &instruction,
                  std::vector<HeldRun> &runs) {
    for (const Access &access : accessesOf(instruction)) {
      if (!access.isWrite)
        continue;
      uint8_t *base = memory.data(access.bytes.getSpace());
      access.bytes.forEachRun([&](int64_t begin, int64_t end) {
        runs.push_back({base + begin, {base + begin, base + end}});
        return true;
      });
    }
  }

  static void showFirst(std::deque<HeldWrites> &queue) {
    for (HeldRun &run : queue.front().runs)
      std::copy(run.bytes.begin(), run.bytes.end(), run.at);
    queue.pop_front();
  }

  void showWrites(size_t pc) {
    auto &queue = held[stream[pc].engine];
    if (!queue.empty() && queue.front().pc == pc)
      showFirst(queue);
  }

  const Machine &machine;
  const RunOptions &options;
  /// The regions before the run; null where all state is passed as arrays.
  const StateBytes *before;
  const std::vector<isa::Instruction> &stream;
  Memory memory;
  std::optional<Shadow> shadow;
  uint64_t issued = 0, work = 0;
  /// By engine, in order of issue.
  std::map<unsigned, std::deque<HeldWrites>> held;
};

} // namespace asic::emulator

RunResult Machine::run(const std::map<std::string, ArrayView> &inputs,
                       const RunOptions &options,
                       const StateBytes *state) const {
  return Run(*this, options, state).execute(inputs);
}

//===-- State ----------------------------------------------------------===//

StateBytes Machine::emptyState() const {
  StateBytes state;
  for (const StateRegion &region : program.state)
    state.push_back(std::make_shared<const std::vector<uint8_t>>(region.bytes));
  return state;
}

Error Machine::checkState(const StateBytes &state) const {
  bool fits = state.size() == program.state.size();
  for (size_t i = 0; fits && i < state.size(); ++i)
    fits = state[i]->size() == program.state[i].bytes;
  return fits ? Error::success()
              : makeError("expected a state that this program has made");
}

Expected<size_t> Machine::findRegion(const StateBytes &state,
                                     llvm::StringRef path) const {
  if (Error error = checkState(state))
    return std::move(error);
  if (const StateRegion *region = program.findState(path))
    return size_t(region - program.state.data());
  return makeError("expected the path of a state region, got '" + path + "'");
}

/// The tensor of a region as if DRAM began where the region does.
static IoTensor tensorOf(const Program &program, llvm::StringRef path) {
  IoTensor tensor = *llvm::find_if(
      program.inputs, [&](const IoTensor &t) { return t.state == path; });
  tensor.address = 0;
  return tensor;
}

Expected<Array> Machine::readState(const StateBytes &state,
                                   llvm::StringRef path) const {
  auto region = findRegion(state, path);
  if (!region)
    return region.takeError();
  return readTensor(tensorOf(program, path), state[*region]->data());
}

Expected<StateBytes> Machine::writeState(StateBytes state, llvm::StringRef path,
                                         const ArrayView &value) const {
  auto region = findRegion(state, path);
  if (!region)
    return region.takeError();
  auto bytes = std::make_shared<std::vector<uint8_t>>(*state[*region]);
  if (Error error = writeTensor(tensorOf(program, path), value, bytes->data()))
    return std::move(error);
  state[*region] = std::move(bytes);
  return state;
}
