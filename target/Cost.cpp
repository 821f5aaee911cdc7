// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/Cost.h"
#include "llvm/ADT/SmallVector.h"
#include <algorithm>
#include <numeric>

using namespace asic;

/// Bytes of the index of an indexed copy.
static constexpr uint64_t kIndexBytes = 4;

/// a * b, at most kCostLimit.
static uint64_t mul(uint64_t a, uint64_t b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return product > kCostLimit ? kCostLimit : static_cast<uint64_t>(product);
}

/// a + b, at most kCostLimit.
static uint64_t add(uint64_t a, uint64_t b) {
  return std::min(a + b, kCostLimit);
}

static uint64_t ceilDiv(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/// ceil(a / b), at most kCostLimit.
static uint64_t ceilDiv(uint64_t a, Decimal b) {
  return std::min(b.ceilDivide(a), kCostLimit);
}

template <size_t N>
static uint64_t product(const std::array<uint64_t, N> &counts) {
  uint64_t result = 1;
  for (uint64_t count : counts)
    result = mul(result, count);
  return result;
}

//===----------------------------------------------------------------------===//
// copy, fill
//===----------------------------------------------------------------------===//

namespace {

/// One loop around a row.
struct RowLoop {
  uint64_t count;
  int64_t stride;
};

/// A strided set of rows with the loops that continue a row folded into it.
struct Rows {
  uint64_t runBytes;
  llvm::SmallVector<RowLoop, 4> loops; ///< Innermost first, counts above 1.

  uint64_t count() const {
    uint64_t rows = 1;
    for (const RowLoop &loop : loops)
      rows = mul(rows, loop.count);
    return rows;
  }
};

} // namespace

/// One side of a move: bytes of a run and between runs.
struct Side {
  uint64_t runBytes;
  const std::array<int64_t, 4> &strides;
  /// Steps of the outermost loop are at places of their own, none behind
  /// another, though for what they cost at the first one's.
  bool isScattered = false;
};

/// Folds inner loops whose strides on both sides equal the row so far. The
/// result has the rows of `side`.
static Rows mergeRows(const Side &side, const Side &other,
                      const std::array<uint64_t, 4> &counts) {
  Rows rows{side.runBytes, {}};
  uint64_t otherRun = other.runBytes;
  for (unsigned i = 0; i < 4; ++i) {
    if (counts[i] == 1)
      continue;
    bool isScattered = i == 3 && (side.isScattered || other.isScattered);
    bool continues = rows.loops.empty() && !isScattered &&
                     side.strides[i] == static_cast<int64_t>(rows.runBytes) &&
                     other.strides[i] == static_cast<int64_t>(otherRun);
    if (continues) {
      rows.runBytes = mul(rows.runBytes, counts[i]);
      otherRun = mul(otherRun, counts[i]);
    } else {
      bool isHere = i == 3 && side.isScattered;
      rows.loops.push_back({counts[i], isHere ? 0 : side.strides[i]});
    }
  }
  return rows;
}

/// Aligned blocks of `burst` bytes (a power of two) that the rows touch, each
/// row for itself. Only the address modulo `burst` matters: the loops turn a
/// distribution of residues into the next.
static uint64_t touchedBursts(const Rows &rows, uint64_t address,
                              uint64_t burst) {
  if (rows.runBytes == 0 || rows.count() == 0)
    return 0;
  llvm::SmallVector<uint64_t, 64> residues(burst, 0);
  residues[address % burst] = 1;
  for (const RowLoop &loop : rows.loops) {
    uint64_t step = static_cast<uint64_t>(loop.stride) & (burst - 1);
    // After `period` iterations the residues repeat.
    uint64_t period = burst / std::gcd(burst, step ? step : burst);
    llvm::SmallVector<uint64_t, 64> next(burst, 0);
    for (uint64_t i = 0; i < std::min(period, loop.count); ++i) {
      uint64_t times = (loop.count - i + period - 1) / period;
      for (uint64_t residue = 0; residue < burst; ++residue)
        if (residues[residue]) {
          uint64_t &entry = next[(residue + i * step) % burst];
          entry = add(entry, mul(residues[residue], times));
        }
    }
    residues = std::move(next);
  }
  uint64_t bursts = 0;
  for (uint64_t residue = 0; residue < burst; ++residue)
    if (residues[residue])
      bursts = add(bursts, mul(residues[residue],
                               ceilDiv(residue + rows.runBytes, burst)));
  return bursts;
}

/// Adds one side of a transfer, `bytes` bytes there.
static void addSide(const TargetModel &target, Space space, bool isWrite,
                    uint64_t bytes, const Rows &sideRows, uint64_t address,
                    Cost &cost) {
  switch (space) {
  case Space::Dram: {
    uint64_t bursts = touchedBursts(sideRows, address, target.dram.burstBytes);
    cost.dramBurstBytes =
        add(cost.dramBurstBytes, mul(bursts, target.dram.burstBytes));
    (isWrite ? cost.dramWriteBytes : cost.dramReadBytes) += bytes;
    cost.tail += isWrite ? target.dram.writeLatency : target.dram.readLatency;
    break;
  }
  case Space::Sram:
    cost.sramBytes = add(cost.sramBytes, bytes);
    break;
  case Space::Acc:
    cost.accBytes = add(cost.accBytes, bytes);
    break;
  }
}

/// Times of a transfer of `bytes` bytes (the wider side's) whose sides have
/// been added.
static void finishTransfer(const TargetModel &target, uint64_t bytes,
                           uint64_t rows, Cost &cost) {
  cost.setup = target.dma.setup;
  cost.portCycles = ceilDiv(cost.dramBurstBytes, target.dram.bytesPerCycle);
  cost.workCycles =
      std::max({ceilDiv(bytes, target.dma.bytesPerCycle),
                mul(rows, target.dma.rowOverhead), cost.portCycles});
  // On-chip transfers take the SRAM's latency instead of the DRAM's.
  if (cost.dramReadBytes == 0 && cost.dramWriteBytes == 0)
    cost.tail = target.sram.latency;
}

Cost asic::copyCost(const TargetModel &target, const CopyShape &shape) {
  Cost cost;
  uint64_t bytes = mul(shape.runBytes, product(shape.counts));
  if (bytes == 0) {
    cost.setup = target.dma.setup;
    return cost;
  }
  bool hasMany = shape.indices > 1;
  Side src{shape.sourceRunBytes(), shape.srcStrides,
           hasMany && shape.movesSource};
  Side dst{shape.runBytes, shape.dstStrides, hasMany && shape.movesTarget};
  addSide(target, shape.srcSpace, /*isWrite=*/false,
          mul(src.runBytes, product(shape.counts)),
          mergeRows(src, src, shape.counts), shape.srcAddress, cost);
  addSide(target, shape.dstSpace, /*isWrite=*/true, bytes,
          mergeRows(dst, dst, shape.counts), shape.dstAddress, cost);
  Rows rows = mergeRows(dst, src, shape.counts);
  finishTransfer(target, bytes, rows.count(), cost);
  // The first index is waited for, the others come while rows are moved.
  if (shape.indices != 0) {
    cost.setup = add(cost.setup, target.sram.latency);
    cost.sramBytes = add(cost.sramBytes, mul(shape.indices, kIndexBytes));
  }
  return cost;
}

Cost asic::fillCost(const TargetModel &target, const FillShape &shape) {
  Cost cost;
  uint64_t runBytes = mul(shape.run, shape.elemBytes);
  uint64_t bytes = mul(runBytes, product(shape.counts));
  if (bytes == 0) {
    cost.setup = target.dma.setup;
    return cost;
  }
  Side dst{runBytes, shape.dstStrides};
  Rows rows = mergeRows(dst, dst, shape.counts);
  addSide(target, shape.dstSpace, /*isWrite=*/true, bytes, rows,
          shape.dstAddress, cost);
  finishTransfer(target, bytes, rows.count(), cost);
  return cost;
}

//===----------------------------------------------------------------------===//
// contract
//===----------------------------------------------------------------------===//

namespace {

/// What one contract asks of the array, with the ports' widths in bits.
struct ArrayWork {
  const TargetModel::Mxu &mxu;
  uint64_t m, k, n;      ///< Extents for one set of weights.
  uint64_t aBits, wBits; ///< Bits of one element.
  Decimal multiplier;
  bool accumulate;
  bool accReadsSeparately; ///< One port: reading adds to writing.

  uint64_t aCycles(uint64_t elements) const {
    return ceilDiv(mul(elements, aBits), mxu.aBytes * 8);
  }
  uint64_t wCycles(uint64_t elements) const {
    return ceilDiv(mul(elements, wBits), mxu.wBytes * 8);
  }
  uint64_t accCycles(uint64_t sums, bool reads) const {
    uint64_t bytes = mul(sums, reads && accReadsSeparately ? 8 : 4);
    return ceilDiv(bytes, mxu.accBytes);
  }
};

/// A tile extent and how often it occurs.
struct Extent {
  uint64_t size, times;
};

} // namespace

/// Splits `total` into tiles of `tile`: the full ones and the last.
static llvm::SmallVector<Extent, 2> split(uint64_t total, uint64_t tile) {
  llvm::SmallVector<Extent, 2> extents;
  if (total / tile)
    extents.push_back({tile, total / tile});
  if (total % tile)
    extents.push_back({total % tile, 1});
  return extents;
}

/// Rows of the array in this mode: twice as many narrow operands enter per
/// cycle, half as many wide ones.
static uint64_t effectiveRows(const ArrayWork &work) {
  unsigned __int128 rows =
      static_cast<unsigned __int128>(work.mxu.kRows) * work.multiplier.micro;
  return std::max<uint64_t>(1, static_cast<uint64_t>(rows / Decimal::kScale));
}

/// Cycles of a weight-stationary array: per weight tile, M rows stream through
/// while the next tile loads.
static uint64_t weightStationaryCycles(const ArrayWork &work) {
  uint64_t cycles = 0;
  bool firstK = true;
  for (Extent k : split(work.k, effectiveRows(work))) {
    // The sums are read back in every pass over K but, without accumulate, the
    // first.
    for (uint64_t pass = 0; pass < std::min<uint64_t>(k.times, 2); ++pass) {
      bool first = firstK && pass == 0;
      uint64_t passes = pass == 0 ? 1 : k.times - 1;
      firstK = false;
      for (Extent n : split(work.n, work.mxu.nCols)) {
        uint64_t load = work.wCycles(mul(k.size, n.size));
        uint64_t stream = std::max(
            {work.m, work.aCycles(mul(work.m, k.size)),
             work.accCycles(mul(work.m, n.size), !first || work.accumulate)});
        uint64_t tile = work.mxu.weightSlots > 1 ? std::max(load, stream)
                                                 : add(load, stream);
        cycles = add(cycles, mul(mul(passes, n.times), tile));
      }
    }
  }
  return cycles;
}

/// Cycles of an output-stationary array: per output tile, K steps while the
/// sums of the tile before drain.
static uint64_t outputStationaryCycles(const ArrayWork &work) {
  uint64_t cycles = 0;
  uint64_t steps = ceilDiv(work.k, work.multiplier);
  for (Extent m : split(work.m, work.mxu.kRows))
    for (Extent n : split(work.n, work.mxu.nCols)) {
      uint64_t tile =
          std::max({steps, work.aCycles(mul(m.size, work.k)),
                    work.wCycles(mul(n.size, work.k)),
                    work.accCycles(mul(m.size, n.size), work.accumulate)});
      cycles = add(cycles, mul(mul(m.times, n.times), tile));
    }
  return cycles;
}

/// Bytes that a contract moves; A and W count once per pass over the array.
static void addContractBytes(const ContractShape &shape, uint64_t m, uint64_t k,
                             Cost &cost) {
  uint64_t aElements = mul(m, k);
  if (shape.depthwise)
    aElements = mul(aElements, shape.n);
  uint64_t wElements =
      mul(mul(k, shape.n), shape.batchedWeights ? shape.m[2] : 1);
  cost.sramBytes = add(ceilDiv(mul(aElements, bitWidth(shape.a)), uint64_t(8)),
                       ceilDiv(mul(wElements, bitWidth(shape.w)), uint64_t(8)));
  cost.accBytes = mul(mul(m, shape.n), shape.accumulate ? 8 : 4);
}

Cost asic::contractCost(const TargetModel &target, const ContractShape &shape) {
  const TargetModel::Mxu &mxu = target.mxu;
  Cost cost;
  cost.setup = mxu.setup;
  cost.tail = mxu.fill;
  uint64_t m = product(shape.m), k = product(shape.k);
  cost.macs = mul(mul(m, k), shape.n);
  if (cost.macs == 0)
    return cost;
  addContractBytes(shape, m, k, cost);

  if (shape.depthwise && mxu.depthwiseMacsPerCycle) {
    cost.workCycles = ceilDiv(cost.macs, mxu.depthwiseMacsPerCycle);
    return cost;
  }
  const TargetModel::MxuMode *mode =
      target.findMode(shape.a, shape.w, shape.acc);
  uint64_t batches = shape.batchedWeights ? shape.m[2] : 1;
  ArrayWork work{mxu,
                 m / batches,
                 k,
                 shape.n,
                 bitWidth(shape.a),
                 bitWidth(shape.w),
                 mode ? mode->multiplier : Decimal::fromInteger(1),
                 shape.accumulate,
                 target.acc.ports == "1rw"};
  if (mxu.dataflow == Dataflow::WeightStationary) {
    cost.workCycles = mul(batches, weightStationaryCycles(work));
  } else {
    cost.workCycles = mul(batches, outputStationaryCycles(work));
    // The sums of the last tile leave after the occupancy.
    uint64_t lastM = (work.m - 1) % mxu.kRows + 1;
    uint64_t lastN = (work.n - 1) % mxu.nCols + 1;
    cost.tail = add(cost.tail, work.accCycles(mul(lastM, lastN), false));
  }
  return cost;
}

//===----------------------------------------------------------------------===//
// map, nop
//===----------------------------------------------------------------------===//

/// Elements of a stream that are charged: one per distinct index of the
/// dimensions along which it moves.
static uint64_t chargedElements(const MapShape &shape,
                                const MapStream &stream) {
  uint64_t elements = 1;
  for (unsigned i = 0; i < 5; ++i)
    if (stream.strides[i] != 0)
      elements = mul(elements, shape.counts[i]);
  return elements;
}

Cost asic::mapCost(const TargetModel &target, const MapShape &shape) {
  const TargetModel::Vpu &vpu = target.vpu;
  Cost cost;
  cost.setup = vpu.setup;
  cost.tail = vpu.latency;
  uint64_t points = product(shape.counts);
  uint64_t results = 1;
  for (unsigned i = 0; i < 5; ++i)
    if (!(shape.reduce >> i & 1))
      results = mul(results, shape.counts[i]);

  uint64_t compute = 0;
  for (unsigned i = 0; i < kNumRateClasses; ++i) {
    cost.vpuOps = add(cost.vpuOps, add(mul(points, shape.bodyOps[i]),
                                       mul(results, shape.finalOps[i])));
    if (static_cast<RateClass>(i) == RateClass::Free)
      continue;
    compute = add(compute, mul(shape.bodyOps[i], ceilDiv(points, vpu.rate[i])));
    compute =
        add(compute, mul(shape.finalOps[i], ceilDiv(results, vpu.rate[i])));
  }

  uint64_t bytes[2] = {0, 0}; // read, written
  for (unsigned i = 0; i < 8; ++i) {
    const MapStream &stream = shape.streams[i];
    bool isOutput = i == 7;
    if (stream.type == ElementType::None || (isOutput && results == 0) ||
        (!isOutput && points == 0))
      continue;
    uint64_t amount =
        ceilDiv(mul(chargedElements(shape, stream), bitWidth(stream.type)),
                uint64_t(8));
    bytes[isOutput] = add(bytes[isOutput], amount);
    uint64_t &memory =
        stream.space == Space::Acc ? cost.accBytes : cost.sramBytes;
    memory = add(memory, amount);
  }
  cost.workCycles = std::max({compute, ceilDiv(bytes[0], vpu.readBytes),
                              ceilDiv(bytes[1], vpu.writeBytes)});
  return cost;
}

Cost asic::nopCost(uint64_t cycles) {
  Cost cost;
  cost.workCycles = std::min(cycles, kCostLimit);
  return cost;
}

//===----------------------------------------------------------------------===//
// Bounds and sums
//===----------------------------------------------------------------------===//

uint64_t asic::lowerBoundCycles(const TargetModel &target,
                                llvm::ArrayRef<ModeMacs> work,
                                uint64_t dramBytes) {
  // Sum of macs / multiplier as one fraction numerator / common.
  using Wide = unsigned __int128;
  Wide cells = static_cast<Wide>(target.mxu.kRows) * target.mxu.nCols;
  Wide numerator = 0, common = 1;
  for (const ModeMacs &entry : work) {
    // macs / (p / q), added to numerator / common.
    uint64_t p = entry.mode->multiplier.micro, q = Decimal::kScale;
    uint64_t divisor = std::gcd(p, q);
    p /= divisor;
    q /= divisor;
    uint64_t shared = std::gcd(p, static_cast<uint64_t>(common % p));
    numerator = numerator * (p / shared) +
                static_cast<Wide>(entry.macs) * q * (common / shared);
    common *= p / shared;
  }
  Wide denominator = cells * common;
  auto compute =
      static_cast<uint64_t>((numerator + denominator - 1) / denominator);
  return std::max(compute, ceilDiv(dramBytes, target.dram.bytesPerCycle));
}

void WorkTotals::add(const Cost &cost) {
  ++instructions;
  vpuOps += cost.vpuOps;
  dramReadBytes += cost.dramReadBytes;
  dramWriteBytes += cost.dramWriteBytes;
  dramBurstBytes += cost.dramBurstBytes;
  sramBytes += cost.sramBytes;
  accBytes += cost.accBytes;
}

/// Energy of one multiply-accumulate: that of the wider operand type.
static std::optional<double> macEnergy(const TargetModel::Energy &energy,
                                       const TargetModel::MxuMode &mode) {
  ElementType first = mode.a, second = mode.w;
  if (bitWidth(second) > bitWidth(first))
    std::swap(first, second);
  for (ElementType type : {first, second}) {
    auto found = energy.mac.find(elementTypeName(type).str());
    if (found != energy.mac.end())
      return found->second.asDouble();
  }
  return std::nullopt;
}

std::optional<double> asic::energyMicrojoules(const TargetModel &target,
                                              const WorkTotals &totals,
                                              llvm::ArrayRef<ModeMacs> work,
                                              uint64_t cycles) {
  if (!target.energy)
    return std::nullopt;
  const TargetModel::Energy &energy = *target.energy;
  double picojoules = 0;
  for (const ModeMacs &entry : work) {
    std::optional<double> perMac = macEnergy(energy, *entry.mode);
    if (!perMac)
      return std::nullopt;
    picojoules += *perMac * static_cast<double>(entry.macs);
  }
  auto addWork = [&](Decimal each, uint64_t count) {
    picojoules += each.asDouble() * static_cast<double>(count);
  };
  addWork(energy.sramByte, totals.sramBytes);
  addWork(energy.accByte, totals.accBytes);
  addWork(energy.dramByte, totals.dramBurstBytes);
  addWork(energy.vpuOp, totals.vpuOps);
  addWork(energy.instr, totals.instructions);
  // 1 mW for 1 us is 1 nJ.
  double microseconds =
      static_cast<double>(cycles) / target.clockMhz.asDouble();
  picojoules += energy.staticMw.asDouble() * microseconds * 1e3;
  return picojoules * 1e-6;
}
