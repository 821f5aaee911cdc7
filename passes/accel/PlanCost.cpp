// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/PlanCost.h"

#include "dialects/Asic/Asic.h"
#include "passes/Support/PackedConstants.h"
#include "passes/Support/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::asic;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t product(ArrayRef<int64_t> values) {
  int64_t result = 1;
  for (int64_t value : values)
    result *= value;
  return result;
}

/// Bytes of an element as stored.
static int64_t bytesOf(Type type) {
  return std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8);
}

/// Lane operations of a body, about: a rescale with its zero point and bounds
/// is one, changes of type are free.
static int64_t countLaneOps(linalg::GenericOp op,
                            const ::asic::TargetModel &target) {
  int64_t count = 0;
  auto slow = [&](::asic::RateClass rate) {
    uint64_t perCycle = target.vpu.rate[unsigned(rate)];
    return perCycle ? ceilDiv(target.vpu.lanes, perCycle) : 1;
  };
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (isa<RescaleOp>(inner))
      count += slow(::asic::RateClass::Requant) - 3;
    else if (isa<math::ExpOp, math::LogOp>(inner))
      count += slow(::asic::RateClass::Exp);
    else if (isa<math::TanhOp>(inner))
      count += slow(::asic::RateClass::Tanh);
    else if (isa<math::ErfOp>(inner))
      count += slow(::asic::RateClass::Erf);
    else if (isa<math::SqrtOp, math::RsqrtOp>(inner))
      count += slow(::asic::RateClass::Rsqrt);
    else if (isa<arith::DivFOp>(inner))
      count += slow(::asic::RateClass::Recip);
    else if (!isa<arith::ConstantOp, arith::ExtSIOp, arith::ExtUIOp,
                  arith::TruncIOp, arith::ExtFOp, arith::TruncFOp>(inner))
      ++count;
  }
  return std::max<int64_t>(count, 1);
}

TilingCost::TilingCost(const Group &group, const ::asic::TargetModel &target,
                       const Residency &residency)
    : group(group), target(target), residency(residency) {
  SmallVector<GroupInput> inputs = getInputs(group);
  for (auto [i, input] : llvm::enumerate(inputs)) {
    auto type = cast<RankedTensorType>(input.source.getType());
    Load load;
    load.member = input.member;
    load.map = input.map;
    load.shape.assign(type.getShape().begin(), type.getShape().end());
    load.elementBytes = bytesOf(type.getElementType());
    load.packed = bool(getPackedType(input.source));
    load.inSram = residency.inSram.contains(input.source);
    load.storedPadding = input.storedPadding;
    load.repeated = llvm::any_of(
        ArrayRef(inputs).take_front(i), [&](const GroupInput &other) {
          return other.source == input.source && other.map == input.map &&
                 other.member == input.member;
        });
    loads.push_back(std::move(load));
  }
  for (const GroupMember &member : group.members)
    laneOps.push_back(countLaneOps(member.op, target));
}

SmallVector<int64_t> TilingCost::loopSizes(const GroupMember &member,
                                           const Tiling &tiling) const {
  linalg::GenericOp op = member.op;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  unsigned reduction = 0;
  for (unsigned i = 0; i < sizes.size(); ++i) {
    if (member.tileOf[i] >= 0)
      sizes[i] = tiling.tile[member.tileOf[i]];
    else if (member.contraction && member.contraction->roles[i] == LoopRole::k)
      if (unsigned at = reduction++; at < tiling.reduce.size())
        sizes[i] = std::min(sizes[i], tiling.reduce[at]);
  }
  return sizes;
}

/// Cycles of one DMA transfer of a box of `tile` out of a tensor of `shape`.
int64_t TilingCost::moveCycles(ArrayRef<int64_t> shape, ArrayRef<int64_t> tile,
                               int64_t elementBytes) const {
  int64_t run = elementBytes, rows = 1;
  bool contiguous = true;
  for (int64_t dim = int64_t(shape.size()) - 1; dim >= 0; --dim) {
    (contiguous ? run : rows) *= tile[dim];
    contiguous &= tile[dim] == shape[dim];
  }
  int64_t burst = target.dram.burstBytes;
  // A row that starts inside a burst touches one more.
  int64_t bytes = run % burst == 0 ? run : (ceilDiv(run, burst) + 1) * burst;
  if (rows == 1)
    bytes = ceilDiv(run, burst) * burst;
  int64_t port = target.dram.bytesPerCycle.ceilDivide(bytes * rows);
  int64_t engine =
      std::max<int64_t>(target.dma.bytesPerCycle.ceilDivide(run * rows),
                        rows * target.dma.rowOverhead);
  return target.dma.setup + std::max(port, engine);
}

/// Cycles of one DMA transfer of a packed tile. Tiles that are no run of the
/// constant become constants of their own, so it is one row.
int64_t TilingCost::unpackCycles(int64_t elements) const {
  ::asic::CopyShape shape;
  shape.packed = true;
  shape.runBytes = elements;
  return ::asic::copyCost(target, shape).occupancy();
}

TilingCost::LoadUse TilingCost::useOf(const Load &load, const Tiling &tiling,
                                      ArrayRef<int64_t> counts) const {
  const GroupMember &member = group.members[load.member];
  Box loops;
  loops.sizes.assign(loopSizes(member, tiling));
  loops.offsets.assign(loops.sizes.size(), 0);
  SmallVector<int64_t> box(imageOf(load.map, loops).sizes);
  int64_t storedElements = product(box);
  for (auto [size, extent] : llvm::zip_equal(box, load.shape))
    size = std::min(size, extent);

  // Which loops over tiles change the box.
  SmallVector<bool> depends(counts.size(), false);
  int64_t kTiles = 1;
  linalg::GenericOp op = member.op;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (unsigned i = 0; i < member.tileOf.size(); ++i) {
    if (!load.map.isFunctionOfDim(i))
      continue;
    if (member.tileOf[i] >= 0)
      depends[member.tileOf[i]] = true;
    else
      kTiles *= ceilDiv(ranges[i], loops.sizes[i]);
  }
  LoadUse use;
  use.distinct = kTiles;
  // The box stays as long as only loops inside the innermost one that changes
  // it go on.
  int64_t iterations = 1;
  use.count = 1;
  for (int64_t dim : tiling.order) {
    iterations *= counts[dim];
    if (!depends[dim])
      continue;
    use.distinct *= counts[dim];
    if (counts[dim] > 1)
      use.count = iterations;
  }
  if (kTiles > 1)
    use.count = iterations * kTiles;
  int64_t elements = load.storedPadding ? storedElements : product(box);
  use.tileBytes = elements * load.elementBytes;
  use.totalBytes = load.packed ? packedBytes(product(box))
                               : product(box) * load.elementBytes;
  if (!load.inSram)
    use.cyclesEach = load.packed
                         ? unpackCycles(product(box))
                         : moveCycles(load.shape, box, load.elementBytes);
  return use;
}

int64_t TilingCost::contractCycles(const GroupMember &member,
                                   ArrayRef<int64_t> loops,
                                   bool accumulate) const {
  linalg::GenericOp op = member.op;
  auto typeOf = [&](Value value) {
    return getElementType(getElementTypeOrSelf(value))
        .value_or(::asic::ElementType::None);
  };
  ::asic::ContractShape shape;
  shape.a = typeOf(op.getDpsInputs()[member.contraction->a]);
  shape.w = typeOf(op.getDpsInputs()[member.contraction->w]);
  shape.acc = typeOf(op.getDpsInits()[0]);
  shape.accumulate = accumulate;
  for (auto [role, size] : llvm::zip_equal(member.contraction->roles, loops)) {
    if (role == LoopRole::m)
      shape.m[0] *= size;
    else if (role == LoopRole::k)
      shape.k[0] *= size;
    else if (role == LoopRole::n)
      shape.n *= size;
    else if (member.contraction->depthwise)
      shape.n *= size;
    else
      shape.m[2] *= size;
  }
  shape.depthwise = member.contraction->depthwise;
  shape.batchedWeights = !shape.depthwise && shape.m[2] > 1;
  return ::asic::contractCost(target, shape).occupancy();
}

int64_t TilingCost::mapCycles(const GroupMember &member, unsigned number,
                              ArrayRef<int64_t> loops) const {
  int64_t points = product(loops);
  linalg::GenericOp op = member.op;
  int64_t readBytes = 0;
  for (Value input : op.getDpsInputs())
    readBytes += points * bytesOf(getElementTypeOrSelf(input));
  int64_t lanes = laneOps[number] * ceilDiv(points, target.vpu.lanes);
  return target.vpu.setup +
         std::max<int64_t>(lanes, readBytes / int64_t(target.vpu.readBytes));
}

bool TilingCost::evaluate(Tiling &tiling) const {
  RankedTensorType type = group.getResultType();
  SmallVector<int64_t> counts;
  int64_t tiles = 1;
  for (auto [size, tile] : llvm::zip_equal(type.getShape(), tiling.tile)) {
    counts.push_back(ceilDiv(size, tile));
    tiles *= counts.back();
  }

  // Compute, and what it keeps on the chip.
  int64_t mxu = 0, vpu = 0, sram = 0, acc = 0;
  int64_t buffers = tiles > 1 ? 2 : 1, kTiles = 1;
  for (auto [number, member] : llvm::enumerate(group.members)) {
    linalg::GenericOp op = member.op;
    SmallVector<int64_t> loops = loopSizes(member, tiling);
    Box box;
    box.sizes.assign(loops);
    box.offsets.assign(loops.size(), 0);
    Type element = getElementTypeOrSelf(op.getResult(0));
    int64_t bytes =
        imageOf(op.getMatchingIndexingMap(op.getDpsInitOperand(0)), box)
            .numElements() *
        bytesOf(element);
    if (member.contraction) {
      int64_t parts = 1;
      SmallVector<int64_t> ranges = op.getStaticLoopRanges();
      for (unsigned i = 0; i < loops.size(); ++i)
        if (member.contraction->roles[i] == LoopRole::k)
          parts *= ceilDiv(ranges[i], loops[i]);
      mxu += parts * contractCycles(member, loops, parts > 1);
      acc += buffers * bytes;
      kTiles = std::max(kTiles, parts);
      if (number + 1 != group.members.size())
        continue;
      // The vector unit takes the sums out of the accumulators.
      vpu += target.vpu.setup + ceilDiv(bytes, 4 * int64_t(target.vpu.lanes));
    } else {
      vpu += mapCycles(member, number, loops);
    }
    bool isLast = number + 1 == group.members.size();
    if (!isLast || !residency.resultInSram)
      sram += (isLast ? buffers : 1) * bytes;
  }

  // Loads: what pays most per byte of SRAM stays for the whole group.
  int64_t budget = getSramBudget(target) - residency.reservedBytes;
  int64_t loadCycles = 0, firstLoad = 0, bytes = 0;
  struct Choice {
    unsigned load;
    int64_t saved, extra;
  };
  SmallVector<LoadUse> uses;
  SmallVector<Choice> choices;
  for (auto [i, load] : llvm::enumerate(loads)) {
    LoadUse use = useOf(load, tiling, counts);
    uses.push_back(use);
    if (load.repeated || (load.inSram && !load.storedPadding))
      continue;
    int64_t depth = use.count > 1 ? 2 : 1;
    sram += depth * use.tileBytes;
    int64_t extra = (use.distinct - depth) * use.tileBytes;
    if (use.count > use.distinct)
      choices.push_back(
          {unsigned(i), (use.count - use.distinct) * use.totalBytes, extra});
  }
  llvm::stable_sort(choices, [](const Choice &a, const Choice &b) {
    return a.saved * std::max<int64_t>(b.extra, 1) >
           b.saved * std::max<int64_t>(a.extra, 1);
  });
  tiling.hold.clear();
  for (const Choice &choice : choices)
    if (sram + choice.extra <= budget) {
      sram += choice.extra;
      uses[choice.load].count = uses[choice.load].distinct;
      tiling.hold.push_back(choice.load);
    }
  llvm::sort(tiling.hold);
  for (auto [load, use] : llvm::zip_equal(loads, uses)) {
    if (load.repeated || load.inSram)
      continue;
    loadCycles += use.count * use.cyclesEach;
    firstLoad += use.cyclesEach;
    bytes += use.count * use.totalBytes;
  }

  int64_t store = 0;
  if (!residency.resultInSram) {
    int64_t elementBytes = bytesOf(type.getElementType());
    store = moveCycles(type.getShape(), tiling.tile, elementBytes);
    bytes += product(type.getShape()) * elementBytes;
  }
  // Engines work side by side; the first load and the last drain do not.
  int64_t dma = loadCycles + tiles * store;
  tiling.cycles = std::max({tiles * mxu, tiles * vpu, dma}) + firstLoad + vpu +
                  store + int64_t(target.dram.readLatency);
  if (tiles == 1)
    tiling.cycles = loadCycles + mxu + vpu + store;
  tiling.bytes = bytes;
  tiling.sramBytes = sram;
  tiling.accBytes = acc;
  return sram <= budget && acc <= int64_t(target.acc.bytes);
}
