// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulator: loads a program, runs it on inputs, reports results, costs and
// faults. One set of instruction bodies serves three orders of execution:
//
//   Functional    the stream from front to back: the specification
//   Timed         at the issue events of the timing simulation
//   Asynchronous  the same with random extra delays, writes held back until
//                 their instruction retires
//
// For a well-synchronised program all give the same bytes.

#ifndef ASIC_EMULATOR_MACHINE_H
#define ASIC_EMULATOR_MACHINE_H

#include "emulator/Fault.h"
#include "runtime/Program.h"
#include "runtime/Tensor.h"
#include "target/Timeline.h"

#include "llvm/Support/Error.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace asic::emulator {

class SyncAnalysis;

enum class Mode : uint8_t { Functional, Timed, Asynchronous };

struct RunOptions {
  Mode mode = Mode::Functional;
  /// Look for the `checked` faults too.
  bool check = false;
  /// Of the asynchronous mode.
  uint64_t seed = 0;
  uint64_t maxExtraCycles = 1000;
  /// E22 when a run issues more instructions or does more points (multiply-
  /// accumulates, lane points, bytes) than this; 0 = no limit.
  uint64_t maxInstructions = 0;
  uint64_t maxWork = 0;
  /// Asked now and then; true stops the run with E22.
  std::function<bool()> interrupted;
};

/// Work attributed to one tag.
struct TagStats {
  uint64_t instructions = 0;
  /// Cycles during which an instruction of this tag kept its engine busy, by
  /// engine number.
  std::vector<uint64_t> busy;
  uint64_t macs = 0, dramReadBytes = 0, dramWriteBytes = 0;
};

/// What a timed run counted.
struct Stats {
  uint64_t cycles = 0;
  std::vector<EngineTimes> engines;
  std::map<uint32_t, TagStats> tags;
  uint64_t instructions = 0, macs = 0, vpuOps = 0;
  uint64_t dramReadBytes = 0, dramWriteBytes = 0;
  /// One past the highest SRAM byte that the program touches.
  uint64_t sramPeakBytes = 0;
  std::optional<double> energyMicrojoules;
  /// Per instruction; for traces.
  std::vector<InstructionTimes> times;
};

/// The bytes of a program's state regions, in its order. Whoever changes one
/// makes new bytes, so that a failed run changes nothing.
using StateBytes = std::vector<std::shared_ptr<const std::vector<uint8_t>>>;

struct RunResult {
  /// By output name, in order of the program, without those in regions of a run
  /// with state; empty after a fault.
  std::vector<std::pair<std::string, Array>> outputs;
  /// Of a run with state: the regions after it.
  StateBytes state;
  std::optional<Fault> fault;
  /// Of timed and asynchronous runs.
  std::optional<Stats> stats;
  uint64_t exitCode = 0;
};

class Machine {
public:
  /// Decodes the program for its own target. A program that does not suit this
  /// emulator at all is an error; what is wrong in its instructions is a fault
  /// of every run.
  static llvm::Expected<std::unique_ptr<Machine>> create(Program program);
  ~Machine();

  const Program &getProgram() const { return program; }
  const TargetModel &getTarget() const { return target; }

  /// With `state`, inputs in regions come from there and are not passed.
  RunResult run(const std::map<std::string, ArrayView> &inputs,
                const RunOptions &options,
                const StateBytes *state = nullptr) const;

  /// Regions full of zeros.
  StateBytes emptyState() const;
  /// The value of a region as the user's array, and bytes with another value.
  /// A path without a region is an error.
  llvm::Expected<Array> readState(const StateBytes &state,
                                  llvm::StringRef path) const;
  llvm::Expected<StateBytes> writeState(StateBytes state, llvm::StringRef path,
                                        const ArrayView &value) const;

  /// The event simulation alone.
  Stats time(TimelineOptions options = {}) const;

private:
  friend class Run;
  Machine(Program program, TargetModel target);
  /// Decoding, target rules, synchronisation.
  std::optional<Fault> load();
  void describe(Fault &fault) const;
  /// A state that another program has made is an error.
  llvm::Error checkState(const StateBytes &state) const;
  /// The bytes of the region with this path.
  llvm::Expected<size_t> findRegion(const StateBytes &state,
                                    llvm::StringRef path) const;
  Stats collect(const TimelineResult &result) const;

  Program program;
  TargetModel target;
  std::vector<isa::Instruction> stream;
  std::vector<TimedInstruction> timed;
  std::unique_ptr<SyncAnalysis> sync;
  std::optional<Fault> loadFault;
};

/// The Chrome trace (Perfetto) of a timed run as JSON text.
std::string chromeTrace(const Machine &machine, const Stats &stats);

/// `Stats` as the JSON object of reports.
llvm::json::Object toJson(const Machine &machine, const Stats &stats);
llvm::json::Object toJson(const Fault &fault);

} // namespace asic::emulator

#endif // ASIC_EMULATOR_MACHINE_H
