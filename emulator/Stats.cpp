// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Accounts of a timed run, and their JSON forms.

#include "emulator/Accesses.h"
#include "emulator/Machine.h"
#include "emulator/Sync.h"
#include "runtime/Timing.h"

#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace asic;
using namespace asic::emulator;
namespace json = llvm::json;

Stats Machine::time(TimelineOptions options) const {
  return collect(Timeline(target, timed, options).run());
}

Stats Machine::collect(const TimelineResult &result) const {
  Stats stats;
  stats.cycles = result.cycles;
  stats.engines = result.engines;
  stats.times = result.times;
  WorkTotals totals;
  std::map<const TargetModel::MxuMode *, uint64_t> macs;
  for (size_t pc = 0; pc < stream.size(); ++pc) {
    const Cost &cost = timed[pc].cost;
    const InstructionTimes &times = result.times[pc];
    totals.add(cost);
    if (cost.macs)
      macs[modeOf(target, stream[pc])] += cost.macs;
    TagStats &tag = stats.tags[stream[pc].tag];
    tag.busy.resize(target.numEngines(), 0);
    if (times.end != InstructionTimes::kNever)
      tag.busy[stream[pc].engine] += times.end - times.issue;
    ++tag.instructions;
    tag.macs += cost.macs;
    tag.dramReadBytes += cost.dramReadBytes;
    tag.dramWriteBytes += cost.dramWriteBytes;
    stats.macs += cost.macs;
    for (const Access &access : accessesOf(stream[pc]))
      if (access.bytes.getSpace() == Space::Sram)
        stats.sramPeakBytes =
            std::max(stats.sramPeakBytes,
                     uint64_t(std::clamp<__int128>(access.bytes.end(), 0,
                                                   target.sram.bytes)));
  }
  stats.instructions = totals.instructions;
  stats.vpuOps = totals.vpuOps;
  stats.dramReadBytes = totals.dramReadBytes;
  stats.dramWriteBytes = totals.dramWriteBytes;
  std::vector<ModeMacs> work;
  for (auto [mode, count] : macs)
    work.push_back({mode, count});
  stats.energyMicrojoules =
      energyMicrojoules(target, totals, work, stats.cycles);
  return stats;
}

/// Layer name of a tag, or "tag N".
static std::string layerName(const Machine &machine, uint32_t tag) {
  const DebugEntry *entry = machine.getProgram().findDebug(tag);
  return entry ? entry->layer : "tag " + std::to_string(tag);
}

json::Object asic::emulator::toJson(const Machine &machine,
                                    const Stats &stats) {
  json::Object engines, out;
  for (size_t e = 0; e < stats.engines.size(); ++e) {
    const EngineTimes &times = stats.engines[e];
    engines[isa::engineName(unsigned(e))] =
        json::Object{{"busy", times.busy},
                     {"stall", times.stall()},
                     {"wait_stall", times.waitStall},
                     {"port_stall", times.portStall},
                     {"idle", times.idle},
                     {"instructions", times.instructions}};
  }
  json::Array layers;
  for (const auto &[tag, row] : stats.tags) {
    json::Object busy;
    for (size_t e = 0; e < row.busy.size(); ++e)
      busy[isa::engineName(unsigned(e))] = row.busy[e];
    const DebugEntry *entry = machine.getProgram().findDebug(tag);
    layers.push_back(json::Object{{"tag", tag},
                                  {"layer", layerName(machine, tag)},
                                  {"location", entry ? entry->location : ""},
                                  {"source", entry ? entry->source : ""},
                                  {"instructions", row.instructions},
                                  {"busy", std::move(busy)},
                                  {"macs", row.macs},
                                  {"dram_read_bytes", row.dramReadBytes},
                                  {"dram_write_bytes", row.dramWriteBytes}});
  }
  out["target"] = machine.getTarget().name;
  out["clock_mhz"] = machine.getTarget().clockMhz.asDouble();
  out["cycles"] = stats.cycles;
  out["engines"] = std::move(engines);
  out["layers"] = std::move(layers);
  out["instructions"] = stats.instructions;
  out["macs"] = stats.macs;
  out["vpu_ops"] = stats.vpuOps;
  out["dram_read_bytes"] = stats.dramReadBytes;
  out["dram_write_bytes"] = stats.dramWriteBytes;
  out["sram_peak_bytes"] = stats.sramPeakBytes;
  out["energy_uj"] = stats.energyMicrojoules
                         ? json::Value(*stats.energyMicrojoules)
                         : json::Value(nullptr);
  return out;
}

json::Object asic::emulator::toJson(const Fault &fault) {
  auto orNull = [](const auto &value) {
    return value ? json::Value(int64_t(*value)) : json::Value(nullptr);
  };
  json::Object out{{"id", infoOf(fault.kind).id},
                   {"fault", infoOf(fault.kind).name},
                   {"message", fault.message},
                   {"text", fault.toString()},
                   {"pc", orNull(fault.pc)},
                   {"engine", isa::engineName(fault.engine)},
                   {"tag", fault.tag},
                   {"cycle", orNull(fault.cycle)},
                   {"other_pc", orNull(fault.otherPc)},
                   {"layer", fault.layer},
                   {"source", fault.source},
                   {"instruction", fault.instruction}};
  if (fault.range)
    out["range"] = json::Object{{"space", spaceName(fault.range->space)},
                                {"begin", fault.range->begin},
                                {"end", fault.range->end}};
  return out;
}

std::string asic::emulator::chromeTrace(const Machine &machine,
                                        const Stats &stats) {
  double microsecondsPerCycle = 1.0 / machine.getTarget().clockMhz.asDouble();
  json::Array events;
  for (unsigned e = 0; e < stats.engines.size(); ++e)
    events.push_back(
        json::Object{{"ph", "M"},
                     {"name", "thread_name"},
                     {"pid", 0},
                     {"tid", e},
                     {"args", json::Object{{"name", isa::engineName(e)}}}});
  for (size_t pc = 0; pc < stats.times.size(); ++pc) {
    const InstructionTimes &times = stats.times[pc];
    auto instruction = machine.getProgram().instruction(pc);
    if (!instruction) {
      llvm::consumeError(instruction.takeError());
      continue;
    }
    if (times.end == InstructionTimes::kNever)
      continue;
    events.push_back(json::Object{
        {"ph", "X"},
        {"name", layerName(machine, instruction->tag)},
        {"cat", instruction->info().mnemonic},
        {"pid", 0},
        {"tid", instruction->engine},
        {"ts", double(times.issue) * microsecondsPerCycle},
        {"dur", double(times.end - times.issue) * microsecondsPerCycle},
        {"args", json::Object{{"pc", int64_t(pc)},
                              {"dispatch", times.dispatch},
                              {"issue", times.issue},
                              {"end", times.end},
                              {"retire", times.retire}}}});
  }
  std::string text;
  llvm::raw_string_ostream(text) << json::Value(json::Object{
      {"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}});
  return text;
}
