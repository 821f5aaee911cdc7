// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/Shadow.h"

#include "llvm/ADT/StringExtras.h"

#include <algorithm>

using namespace asic;
using namespace asic::emulator;

Shadow::Shadow(const Memory &memory, const SyncAnalysis &sync,
               unsigned numEngines)
    : sync(sync), numEngines(numEngines),
      accTypes(size_t(memory.size(Space::Acc) / 4 + 1), 0) {
  for (unsigned space = 0; space < 3; ++space)
    bytes[space].reset(static_cast<uint32_t *>(
        std::calloc(size_t(memory.size(Space(space))) + 1, sizeof(uint32_t))));
  newState(kNoInstruction, nullptr); // kNever
  newState(kNoInstruction, nullptr); // kHost
}

uint32_t Shadow::newState(uint32_t writer, const uint32_t *from) {
  uint32_t first = uint32_t(readers.size());
  readers.resize(readers.size() + numEngines, kNoInstruction);
  if (from)
    std::copy(from, from + numEngines, readers.begin() + first);
  states.push_back({writer, first});
  return uint32_t(states.size() - 1);
}

void Shadow::hostWrites(Space space, uint64_t begin, uint64_t end) {
  std::fill(bytes[unsigned(space)].get() + begin,
            bytes[unsigned(space)].get() + end, kHost);
}

void Shadow::protect(uint64_t begin, uint64_t end) {
  hostWrites(Space::Dram, begin, end);
  readOnly.push_back({begin, end});
  std::sort(readOnly.begin(), readOnly.end());
}

std::optional<Fault> Shadow::record(size_t pc, const Accesses &accesses) {
  // Reads happen at issue, before the instruction's own writes.
  for (const Access &access : accesses)
    if (!access.isWrite)
      if (auto fault = read(pc, access))
        return fault;
  for (const Access &access : accesses)
    if (access.isWrite)
      if (auto fault = write(pc, access))
        return fault;
  return std::nullopt;
}

Fault Shadow::raceFault(FaultKind kind, size_t pc, uint32_t other,
                        const Access &access, int64_t at) const {
  const char *what = kind == FaultKind::RaceReadAfterWrite ? "read"
                     : kind == FaultKind::RaceWriteAfterRead
                         ? "write over a read"
                         : "write over a write";
  Fault fault(kind, std::string("expected the ") + what + " by operand " +
                        access.operand + " to be ordered after pc " +
                        llvm::utostr(other) + " by posts and waits");
  fault.pc = pc;
  fault.otherPc = other;
  fault.range = AddressRange{access.bytes.getSpace(), at, at + 1};
  return fault;
}

/// The state of a byte in state `from` after a read by `pc`.
uint32_t Shadow::readState(size_t pc, uint32_t from) {
  // The previous readers are copied out: `readers` may move.
  std::vector<uint32_t> copy(readers.begin() + states[from].firstReader,
                             readers.begin() + states[from].firstReader +
                                 numEngines);
  copy[sync.engineOf(pc)] = uint32_t(pc);
  return newState(states[from].writer, copy.data());
}

std::optional<Fault> Shadow::read(size_t pc, const Access &access) {
  if (auto fault = checkTypes(pc, access))
    return fault;
  std::optional<Fault> fault;
  uint32_t *shadow = bytes[unsigned(access.bytes.getSpace())].get();
  moves.clear();
  uint32_t lastFrom = kNever, lastTo = kNever;
  access.bytes.forEachRun([&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      uint32_t from = shadow[at];
      if (from == lastFrom && from != kNever) {
        shadow[at] = lastTo;
        continue;
      }
      if (from == lastTo && from != kNever)
        continue; // read twice by overlapping runs
      if (from == kNever) {
        fault = Fault(FaultKind::UninitializedRead,
                      std::string("expected operand ") + access.operand +
                          " to be written before it is read");
        fault->pc = pc;
        fault->range = AddressRange{access.bytes.getSpace(), at, at + 1};
        return false;
      }
      auto [it, isNew] = moves.try_emplace(from, from);
      if (isNew) {
        uint32_t writer = states[from].writer;
        if (writer != kNoInstruction && !sync.happensBefore(writer, pc)) {
          fault =
              raceFault(FaultKind::RaceReadAfterWrite, pc, writer, access, at);
          return false;
        }
        uint32_t to = readState(pc, from);
        moves[from] = to;
        moves[to] = to;
        lastFrom = from;
        lastTo = to;
      } else {
        lastFrom = from;
        lastTo = it->second;
      }
      shadow[at] = lastTo;
    }
    return true;
  });
  return fault;
}

std::optional<Fault> Shadow::write(size_t pc, const Access &access) {
  std::optional<Fault> fault;
  Space space = access.bytes.getSpace();
  uint32_t *shadow = bytes[unsigned(space)].get();
  uint32_t mine = newState(uint32_t(pc), nullptr);
  uint32_t lastFrom = mine;
  moves.clear();
  auto checkState = [&](uint32_t from, int64_t at) {
    const State &state = states[from];
    if (state.writer != kNoInstruction &&
        !sync.happensBefore(state.writer, pc)) {
      fault = raceFault(FaultKind::RaceWriteAfterWrite, pc, state.writer,
                        access, at);
      return false;
    }
    for (unsigned e = 0; e < numEngines; ++e) {
      uint32_t reader = readers[state.firstReader + e];
      if (reader != kNoInstruction && reader != pc &&
          !sync.happensBefore(reader, pc)) {
        fault =
            raceFault(FaultKind::RaceWriteAfterRead, pc, reader, access, at);
        return false;
      }
    }
    return true;
  };
  access.bytes.forEachRun([&](int64_t begin, int64_t end) {
    if (space == Space::Dram && !readOnly.empty()) {
      auto it =
          std::upper_bound(readOnly.begin(), readOnly.end(),
                           std::pair<uint64_t, uint64_t>(begin, UINT64_MAX));
      bool hit = it != readOnly.end() && it->first < uint64_t(end);
      hit |= it != readOnly.begin() && std::prev(it)->second > uint64_t(begin);
      if (hit) {
        fault = Fault(FaultKind::ReadOnlyWrite,
                      "expected no write to constants or input tensors");
        fault->pc = pc;
        fault->range = AddressRange{space, begin, end};
        return false;
      }
    }
    for (int64_t at = begin; at < end; ++at) {
      uint32_t from = shadow[at];
      if (from != lastFrom && from != kNever && from != kHost) {
        if (moves.try_emplace(from, mine).second && !checkState(from, at))
          return false;
        lastFrom = from;
      }
      shadow[at] = mine;
    }
    return true;
  });
  if (space == Space::Acc && !fault)
    access.bytes.forEachRun([&](int64_t begin, int64_t end) {
      std::fill(accTypes.begin() + begin / 4, accTypes.begin() + end / 4,
                uint8_t(access.type));
      return true;
    });
  return fault;
}

std::optional<Fault> Shadow::checkTypes(size_t pc, const Access &access) {
  if (access.bytes.getSpace() != Space::Acc)
    return std::nullopt;
  std::optional<Fault> fault;
  access.bytes.forEachRun([&](int64_t begin, int64_t end) {
    for (int64_t word = begin / 4; word < end / 4; ++word) {
      auto written = ElementType(accTypes[size_t(word)]);
      if (written == ElementType::None || written == access.type)
        continue;
      fault =
          Fault(FaultKind::AccTypeMix,
                "expected acc to hold " + elementTypeName(access.type).str() +
                    ", got " + elementTypeName(written).str());
      fault->pc = pc;
      fault->range = AddressRange{Space::Acc, word * 4, word * 4 + 4};
      return false;
    }
    return true;
  });
  return fault;
}

std::optional<Fault> Shadow::hostReads(const Footprint &footprint) const {
  const uint32_t *shadow = bytes[unsigned(footprint.getSpace())].get();
  std::optional<Fault> fault;
  footprint.forEachRun([&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at)
      if (shadow[at] == kNever) {
        fault = Fault(FaultKind::UninitializedRead,
                      "expected an output tensor to be written");
        fault->range = AddressRange{footprint.getSpace(), at, at + 1};
        return false;
      }
    return true;
  });
  return fault;
}
