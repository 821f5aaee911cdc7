// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Costs against numbers worked out by hand from docs/isa/README.md, and against
// slow enumerations written here.

#include "target/Cost.h"
#include "TestTargets.h"
#include <random>
#include <set>

using namespace asic;
using asic::test::smallTarget;

namespace {

CopyShape contiguous(uint64_t bytes) {
  CopyShape shape;
  shape.runBytes = bytes;
  return shape;
}

ContractShape gemm(uint64_t m, uint64_t k, uint64_t n) {
  ContractShape shape;
  shape.m[0] = m;
  shape.k[0] = k;
  shape.n = n;
  return shape;
}

/// An elementwise map over one dimension with one int8 input and output.
MapShape elementwise(uint64_t count) {
  MapShape shape;
  shape.counts[0] = count;
  shape.streams[0] = {ElementType::I8, Space::Sram, {1}};
  shape.streams[7] = {ElementType::I8, Space::Sram, {1}};
  return shape;
}

} // namespace

//===----------------------------------------------------------------------===//
// copy, fill
//===----------------------------------------------------------------------===//

TEST(CopyCost, ContiguousLoad) {
  // 100 bytes from a burst boundary: 7 bursts of 16 = 112 bytes at 2.5 per
  // cycle = 44.8 cycles.
  Cost cost = copyCost(smallTarget(), contiguous(100));
  EXPECT_EQ(cost.setup, 10u);
  EXPECT_EQ(cost.dramBurstBytes, 112u);
  EXPECT_EQ(cost.portCycles, 45u);
  EXPECT_EQ(cost.workCycles, 45u);
  EXPECT_EQ(cost.tail, 40u);
  EXPECT_EQ(cost.occupancy(), 55u);
  EXPECT_EQ(cost.latency(), 95u);
  EXPECT_EQ(cost.dramReadBytes, 100u);
  EXPECT_EQ(cost.dramWriteBytes, 0u);
  EXPECT_EQ(cost.sramBytes, 100u);
}

TEST(CopyCost, UnalignedAddressTouchesOneMoreBurst) {
  CopyShape shape = contiguous(32);
  EXPECT_EQ(copyCost(smallTarget(), shape).dramBurstBytes, 32u);
  shape.srcAddress = 15;
  EXPECT_EQ(copyCost(smallTarget(), shape).dramBurstBytes, 48u);
}

TEST(CopyCost, StoreHasTheWriteLatency) {
  CopyShape shape = contiguous(16);
  std::swap(shape.srcSpace, shape.dstSpace);
  Cost cost = copyCost(smallTarget(), shape);
  EXPECT_EQ(cost.tail, 30u);
  EXPECT_EQ(cost.dramWriteBytes, 16u);
}

TEST(CopyCost, OnChipCopyNeedsNoPort) {
  CopyShape shape = contiguous(81);
  shape.srcSpace = shape.dstSpace = Space::Sram;
  Cost cost = copyCost(smallTarget(), shape);
  EXPECT_EQ(cost.portCycles, 0u);
  EXPECT_EQ(cost.workCycles, 11u); // ceil(81 / 8)
  EXPECT_EQ(cost.tail, 5u);
  EXPECT_EQ(cost.sramBytes, 162u);
}

TEST(CopyCost, AnIndexIsFetchedBeforeTheTransfer) {
  CopyShape shape = contiguous(100);
  Cost plain = copyCost(smallTarget(), shape);
  shape.indices = 1;
  shape.movesSource = true;
  Cost indexed = copyCost(smallTarget(), shape);
  EXPECT_EQ(indexed.setup, plain.setup + 5); // sram.latency
  EXPECT_EQ(indexed.sramBytes, plain.sramBytes + 4);
  EXPECT_EQ(indexed.portCycles, plain.portCycles);
  EXPECT_EQ(indexed.workCycles, plain.workCycles);
  EXPECT_EQ(indexed.tail, plain.tail);
  EXPECT_EQ(indexed.dramReadBytes, plain.dramReadBytes);
  // Nothing to move: no index either.
  shape.counts[2] = 0;
  EXPECT_EQ(copyCost(smallTarget(), shape).occupancy(), 10u);
}

TEST(CopyCost, RowsWithAnIndexEachCostWhatTheyCostAlone) {
  // Two heads of rows of 40 bytes go from the SRAM, where they lie one behind
  // the other, to DRAM.
  CopyShape shape = contiguous(40);
  shape.srcSpace = Space::Sram, shape.dstSpace = Space::Dram;
  shape.dstAddress = 8;
  shape.counts = {2, 1, 1, 1};
  shape.srcStrides = {40, 0, 0, 80};
  shape.dstStrides = {400, 0, 0, 0};
  shape.indices = 1;
  shape.movesTarget = true;
  Cost one = copyCost(smallTarget(), shape);
  shape.indices = shape.counts[3] = 5;
  Cost five = copyCost(smallTarget(), shape);
  EXPECT_EQ(five.setup, one.setup);
  EXPECT_EQ(five.tail, one.tail);
  EXPECT_EQ(five.dramWriteBytes, 5 * one.dramWriteBytes);
  EXPECT_EQ(five.dramBurstBytes, 5 * one.dramBurstBytes);
  EXPECT_EQ(five.sramBytes, 5 * one.sramBytes);
  // 6 bursts of 16 a row, 2.5 bytes per cycle.
  EXPECT_EQ(one.workCycles, 39u);
  EXPECT_EQ(five.workCycles, 192u);
}

TEST(CopyCost, RowsWithAnIndexEachDoNotContinue) {
  // Contiguous on both sides at index 0, but a place of its own for each.
  CopyShape shape = contiguous(16);
  shape.counts = {1, 1, 1, 8};
  shape.srcStrides = shape.dstStrides = {0, 0, 0, 16};
  uint64_t together = copyCost(smallTarget(), shape).workCycles;
  shape.indices = 1;
  shape.movesSource = true;
  EXPECT_EQ(copyCost(smallTarget(), shape).workCycles, together);
  shape.indices = 8;
  shape.srcAddress = 8;
  Cost cost = copyCost(smallTarget(), shape);
  EXPECT_EQ(cost.dramBurstBytes, 8 * 32u); // 2 bursts of 16 each
  EXPECT_EQ(cost.workCycles, 103u);        // 2.5 bytes per cycle
}

TEST(CopyCost, APackedSourceHasHalfTheBytes) {
  CopyShape shape = contiguous(161);
  shape.packed = true;
  Cost cost = copyCost(smallTarget(), shape);
  // 81 bytes from a burst boundary: 6 bursts of 16 at 2.5 per cycle; what is
  // written to SRAM takes 8 a cycle.
  EXPECT_EQ(cost.dramReadBytes, 81u);
  EXPECT_EQ(cost.dramBurstBytes, 96u);
  EXPECT_EQ(cost.portCycles, 39u);
  EXPECT_EQ(cost.sramBytes, 161u);
  EXPECT_EQ(cost.workCycles, 39u);
  // Where the port is not the limit, the width of the engine is.
  shape.srcSpace = Space::Sram;
  EXPECT_EQ(copyCost(smallTarget(), shape).workCycles, 21u); // ceil(161 / 8)
  EXPECT_EQ(copyCost(smallTarget(), shape).sramBytes, 81u + 161u);
  // Nothing wraps at the largest run.
  shape.runBytes = UINT64_MAX;
  EXPECT_EQ(shape.sourceRunBytes(), uint64_t(1) << 63);
}

TEST(CopyCost, PackedRowsContinueAtTheirOwnStrides) {
  CopyShape shape = contiguous(4);
  shape.packed = true;
  shape.srcSpace = Space::Sram;
  shape.counts = {16, 1, 1, 1};
  shape.srcStrides = {2, 0, 0, 0};
  shape.dstStrides = {4, 0, 0, 0};
  EXPECT_EQ(copyCost(smallTarget(), shape).workCycles, 8u);
  shape.srcStrides[0] = 4;
  EXPECT_EQ(copyCost(smallTarget(), shape).workCycles, 48u);
}

TEST(CopyCost, RowsThatContinueOnBothSidesAreOneRow) {
  CopyShape shape = contiguous(4);
  shape.srcSpace = Space::Sram;
  shape.counts = {1, 8, 2, 1};
  shape.srcStrides = {0, 4, 32, 0};
  shape.dstStrides = {0, 4, 32, 0};
  // One row of 64 bytes: 8 cycles of data, 3 of row overhead.
  EXPECT_EQ(copyCost(smallTarget(), shape).workCycles, 8u);
  // A gap on one side makes 16 rows, 3 cycles each.
  shape.dstStrides[1] = 5;
  EXPECT_EQ(copyCost(smallTarget(), shape).workCycles, 48u);
  // A gap of the outer loop only: 2 rows.
  shape.dstStrides = {0, 4, 40, 0};
  EXPECT_EQ(copyCost(smallTarget(), shape).workCycles, 8u);
}

TEST(CopyCost, EmptyCopyTakesTheSetup) {
  CopyShape shape = contiguous(16);
  shape.counts[2] = 0;
  Cost cost = copyCost(smallTarget(), shape);
  EXPECT_EQ(cost.occupancy(), 10u);
  EXPECT_EQ(cost.portCycles, 0u);
}

TEST(CopyCost, BurstsEqualAnEnumerationOfTheRows) {
  std::mt19937 random(7);
  auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  TargetModel target = smallTarget();
  for (int trial = 0; trial < 300; ++trial) {
    CopyShape shape;
    shape.runBytes = draw(1, 70);
    shape.srcAddress = 100000 + draw(0, 40);
    for (unsigned i = 0; i < 4; ++i) {
      shape.counts[i] = draw(1, 5);
      shape.srcStrides[i] = draw(-100, 100);
    }
    uint64_t bursts = 0;
    for (uint64_t i3 = 0; i3 < shape.counts[3]; ++i3)
      for (uint64_t i2 = 0; i2 < shape.counts[2]; ++i2)
        for (uint64_t i1 = 0; i1 < shape.counts[1]; ++i1) {
          // Rows that continue each other along the innermost loop are one.
          std::vector<std::pair<int64_t, int64_t>> rows;
          for (uint64_t i0 = 0; i0 < shape.counts[0]; ++i0) {
            int64_t begin = static_cast<int64_t>(shape.srcAddress);
            const uint64_t index[4] = {i0, i1, i2, i3};
            for (unsigned i = 0; i < 4; ++i)
              begin += static_cast<int64_t>(index[i]) * shape.srcStrides[i];
            int64_t end = begin + static_cast<int64_t>(shape.runBytes);
            if (!rows.empty() && rows.back().second == begin)
              rows.back().second = end;
            else
              rows.push_back({begin, end});
          }
          for (auto [begin, end] : rows)
            bursts += (end - 1) / 16 - begin / 16 + 1;
        }
    // An outer loop that continues the rows is folded too; skip those.
    bool outerContinues =
        shape.srcStrides[0] == (int64_t)shape.runBytes || shape.counts[0] == 1;
    if (outerContinues)
      continue;
    ASSERT_EQ(copyCost(target, shape).dramBurstBytes, bursts * 16)
        << "trial " << trial;
  }
}

TEST(FillCost, CountsElements) {
  FillShape shape;
  shape.elemBytes = 4;
  shape.run = 5;
  shape.counts = {3, 1, 1, 1};
  shape.dstStrides = {24, 0, 0, 0};
  Cost cost = fillCost(smallTarget(), shape);
  EXPECT_EQ(cost.sramBytes, 60u);
  EXPECT_EQ(cost.workCycles, 9u); // 3 rows of 3 cycles > ceil(60 / 8)
  EXPECT_EQ(cost.tail, 5u);
  shape.dstSpace = Space::Dram;
  cost = fillCost(smallTarget(), shape);
  // Rows [0,20), [24,44), [48,68) touch 2, 2 and 2 bursts.
  EXPECT_EQ(cost.dramBurstBytes, 96u);
  EXPECT_EQ(cost.portCycles, 39u); // ceil(96 / 2.5)
  EXPECT_EQ(cost.tail, 30u);
}

//===----------------------------------------------------------------------===//
// contract
//===----------------------------------------------------------------------===//

TEST(ContractCost, OneFullTile) {
  // 8 x 4 weights load in 8 cycles; 100 rows stream in 100.
  Cost cost = contractCost(smallTarget(), gemm(100, 8, 4));
  EXPECT_EQ(cost.setup, 6u);
  EXPECT_EQ(cost.workCycles, 100u);
  EXPECT_EQ(cost.tail, 20u);
  EXPECT_EQ(cost.macs, 3200u);
  EXPECT_EQ(cost.sramBytes, 832u);
  EXPECT_EQ(cost.accBytes, 1600u);
}

TEST(ContractCost, FewRowsWaitForTheWeights) {
  EXPECT_EQ(contractCost(smallTarget(), gemm(1, 8, 4)).workCycles, 8u);
  // One weight slot: nothing loads behind the rows.
  TargetModel single =
      smallTarget({{"    fill: 20\n", "    fill: 20\n    weight_slots: 1\n"}});
  EXPECT_EQ(contractCost(single, gemm(1, 8, 4)).workCycles, 9u);
  EXPECT_EQ(contractCost(single, gemm(100, 8, 4)).workCycles, 108u);
}

TEST(ContractCost, PartialTilesRoundUp) {
  // K = 17 -> 8, 8, 1; N = 6 -> 4, 2. 10 rows per tile, except that 8 x 4
  // weights need 8 cycles and nothing exceeds 10.
  EXPECT_EQ(contractCost(smallTarget(), gemm(10, 17, 6)).workCycles, 60u);
  // 5 rows: full tiles wait 8 cycles for weights, 8 x 2 tiles 4 -> 5 rows,
  // 1 x 4 and 1 x 2 tiles 5 rows.
  EXPECT_EQ(contractCost(smallTarget(), gemm(5, 17, 6)).workCycles,
            2u * (8 + 5) + 5 + 5);
}

TEST(ContractCost, ConvolutionIsItsProductOfExtents) {
  ContractShape conv;
  conv.m = {5, 4, 5};
  conv.k = {4, 2, 1};
  conv.n = 4;
  EXPECT_EQ(contractCost(smallTarget(), conv).workCycles, 100u);
  // Batched weights change with m2: five tiles of 20 rows, the same here, but
  // with 4 rows each the weights bind.
  conv.batchedWeights = true;
  EXPECT_EQ(contractCost(smallTarget(), conv).workCycles, 100u);
  conv.m = {2, 2, 5};
  EXPECT_EQ(contractCost(smallTarget(), conv).workCycles, 40u);
}

TEST(ContractCost, NarrowAndWideOperandsChangeTheRowsOfTheArray) {
  ContractShape shape = gemm(100, 16, 4);
  EXPECT_EQ(contractCost(smallTarget(), shape).workCycles, 200u);
  shape.a = shape.w = ElementType::I4; // 16 rows, 8 bytes of A per cycle
  EXPECT_EQ(contractCost(smallTarget(), shape).workCycles, 100u);
  shape.a = shape.w = ElementType::BF16; // 4 rows, 8 bytes of A per cycle
  shape.acc = ElementType::F32;
  EXPECT_EQ(contractCost(smallTarget(), shape).workCycles, 400u);
}

TEST(ContractCost, PortsBound) {
  // Half the width of the A port doubles the time of full tiles.
  EXPECT_EQ(
      contractCost(smallTarget({{"a_bytes: 8", "a_bytes: 4"}}), gemm(100, 8, 4))
          .workCycles,
      200u);
  // ACC: 16 bytes per row of sums.
  TargetModel narrow = smallTarget({{"acc_bytes: 16", "acc_bytes: 8"}});
  EXPECT_EQ(contractCost(narrow, gemm(100, 8, 4)).workCycles, 200u);
  EXPECT_EQ(contractCost(narrow, gemm(100, 8, 2)).workCycles, 100u);
  // One port: passes after the first read the sums back.
  TargetModel onePort =
      smallTarget({{"acc: {bytes: 4096}", "acc: {bytes: 4096, ports: 1rw}"}});
  EXPECT_EQ(contractCost(onePort, gemm(100, 24, 4)).workCycles, 500u);
  ContractShape accumulating = gemm(100, 24, 4);
  accumulating.accumulate = true;
  EXPECT_EQ(contractCost(onePort, accumulating).workCycles, 600u);
}

TEST(ContractCost, OutputStationary) {
  TargetModel target = smallTarget({{"dataflow: ws", "dataflow: os"}});
  // 8 x 4 outputs per tile; 30 steps each; the last tile drains
  // 2 x 2 x 4 = 16 bytes in one cycle after its last step.
  Cost cost = contractCost(target, gemm(10, 30, 6));
  EXPECT_EQ(cost.workCycles, 4u * 30);
  EXPECT_EQ(cost.tail, 20u + 1);
  // Short K: 8 x 4 sums leave in 8 cycles, 8 x 2 in 4, 2 x 4 in 2, 2 x 2 in 1.
  EXPECT_EQ(contractCost(target, gemm(10, 1, 6)).workCycles, 8u + 4 + 2 + 1);
  // bf16 at half rate.
  ContractShape wide = gemm(8, 30, 4);
  wide.a = wide.w = ElementType::BF16;
  wide.acc = ElementType::F32;
  EXPECT_EQ(contractCost(target, wide).workCycles, 60u);
}

TEST(ContractCost, Depthwise) {
  ContractShape shape = gemm(7, 9, 3);
  shape.depthwise = true;
  Cost cost = contractCost(smallTarget(), shape);
  EXPECT_EQ(cost.workCycles, 38u); // ceil(189 / 5)
  EXPECT_EQ(cost.macs, 189u);
}

TEST(ContractCost, NothingToDoTakesTheSetup) {
  EXPECT_EQ(contractCost(smallTarget(), gemm(0, 8, 4)).occupancy(), 6u);
  EXPECT_EQ(contractCost(smallTarget(), gemm(4, 0, 4)).macs, 0u);
}

TEST(ContractCost, NeverBeatsThePeakRate) {
  std::mt19937 random(11);
  auto draw = [&] {
    return std::uniform_int_distribution<uint64_t>(1, 50)(random);
  };
  for (const char *dataflow : {"dataflow: ws", "dataflow: os"}) {
    TargetModel target = smallTarget({{"dataflow: ws", dataflow}});
    for (int trial = 0; trial < 200; ++trial) {
      Cost cost = contractCost(target, gemm(draw(), draw(), draw()));
      EXPECT_GE(cost.workCycles * 32, cost.macs);
    }
  }
}

//===----------------------------------------------------------------------===//
// map, nop
//===----------------------------------------------------------------------===//

TEST(MapCost, OperationsBound) {
  MapShape shape = elementwise(10);
  shape.bodyOps[static_cast<unsigned>(RateClass::Alu)] = 2;
  shape.bodyOps[static_cast<unsigned>(RateClass::Exp)] = 1;
  shape.bodyOps[static_cast<unsigned>(RateClass::Free)] = 9;
  Cost cost = mapCost(smallTarget(), shape);
  EXPECT_EQ(cost.setup, 7u);
  EXPECT_EQ(cost.workCycles, 2u * 3 + 10); // 2 ceil(10 / 4) + 10 / 1
  EXPECT_EQ(cost.tail, 9u);
  EXPECT_EQ(cost.vpuOps, 120u);
}

TEST(MapCost, StreamsBound) {
  MapShape shape = elementwise(100);
  EXPECT_EQ(mapCost(smallTarget(), shape).workCycles, 13u); // 100 B / 8
  shape.streams[0].type = ElementType::I32;
  shape.streams[0].space = Space::Acc;
  Cost cost = mapCost(smallTarget(), shape);
  EXPECT_EQ(cost.workCycles, 25u); // 400 B / 16
  EXPECT_EQ(cost.accBytes, 400u);
  EXPECT_EQ(cost.sramBytes, 100u);
}

TEST(MapCost, BroadcastStreamsAreChargedOnce) {
  MapShape shape = elementwise(10);
  shape.counts = {10, 20, 1, 1, 1};
  shape.streams[7].strides = {1, 10};
  shape.streams[0].strides = {1, 10};
  shape.streams[1] = {ElementType::F32, Space::Sram, {4, 0}};
  Cost cost = mapCost(smallTarget(), shape);
  EXPECT_EQ(cost.sramBytes, 200u + 200 + 40);
  EXPECT_EQ(cost.workCycles, 25u); // 200 B written at 8
}

TEST(MapCost, ReductionsRunTheFinalPartOncePerResult) {
  MapShape shape;
  shape.counts = {9, 6, 1, 1, 1};
  shape.reduce = 1;
  shape.streams[0] = {ElementType::I8, Space::Sram, {1, 9}};
  shape.streams[7] = {ElementType::I32, Space::Sram, {0, 4}};
  shape.bodyOps[static_cast<unsigned>(RateClass::Reduce)] = 1;
  shape.finalOps[static_cast<unsigned>(RateClass::Recip)] = 1;
  Cost cost = mapCost(smallTarget(), shape);
  EXPECT_EQ(cost.workCycles, 14u + 3); // ceil(54 / 4) + ceil(6 / 2)
  EXPECT_EQ(cost.sramBytes, 54u + 24);
  shape.counts[0] = 0; // no points: only the final part and the stores
  EXPECT_EQ(mapCost(smallTarget(), shape).workCycles, 3u);
}

TEST(NopCost, IsItsCycles) {
  EXPECT_EQ(nopCost(17).occupancy(), 17u);
  EXPECT_EQ(nopCost(0).occupancy(), 1u);
  EXPECT_EQ(nopCost(17).tail, 0u);
}

TEST(Cost, HugeExtentsSaturate) {
  ContractShape shape;
  shape.m = {1 << 24, 1 << 24, 1 << 24};
  shape.k = shape.m;
  shape.n = 1 << 24;
  EXPECT_EQ(contractCost(smallTarget(), shape).macs, kCostLimit);
  CopyShape copy = contiguous(uint64_t(1) << 32);
  copy.counts = {1 << 24, 1 << 24, 1 << 24, 1 << 24};
  EXPECT_LE(copyCost(smallTarget(), copy).occupancy(), 2 * kCostLimit);
}

//===----------------------------------------------------------------------===//
// Bounds and sums
//===----------------------------------------------------------------------===//

TEST(LowerBound, IsTheLargerOfMacsAndBytes) {
  TargetModel target = smallTarget();
  const auto *i8 =
      target.findMode(ElementType::I8, ElementType::I8, ElementType::I32);
  const auto *bf16 =
      target.findMode(ElementType::BF16, ElementType::BF16, ElementType::F32);
  ASSERT_TRUE(i8 && bf16);
  EXPECT_EQ(lowerBoundCycles(target, {{i8, 3201}}, 0), 101u); // / 32
  EXPECT_EQ(lowerBoundCycles(target, {{bf16, 3200}}, 0), 200u);
  // Halves of two formats add before rounding: 0.5 + 0.5.
  EXPECT_EQ(lowerBoundCycles(target, {{i8, 16}, {bf16, 8}}, 0), 1u);
  EXPECT_EQ(lowerBoundCycles(target, {{i8, 3200}}, 1001), 401u); // 1001 / 2.5
  EXPECT_EQ(lowerBoundCycles(target, {}, 0), 0u);
}

TEST(Energy, SumsWhatTheTargetPrices) {
  TargetModel target = smallTarget();
  const auto *i8 =
      target.findMode(ElementType::I8, ElementType::I8, ElementType::I32);
  WorkTotals totals;
  totals.add(copyCost(target, contiguous(100)));
  // 1000 * 0.5 pJ + 112 * 10 pJ + 2 mW * 1000 cycles at 500 MHz (2 us)
  std::optional<double> energy =
      energyMicrojoules(target, totals, {{i8, 1000}}, 1000);
  ASSERT_TRUE(energy);
  EXPECT_NEAR(*energy, (500 + 1120) * 1e-6 + 2e-3 * 2, 1e-12);
  // No price for bf16, or none at all: unknown rather than zero.
  const auto *bf16 =
      target.findMode(ElementType::BF16, ElementType::BF16, ElementType::F32);
  EXPECT_FALSE(energyMicrojoules(target, totals, {{bf16, 1}}, 1));
  target.energy.reset();
  EXPECT_FALSE(energyMicrojoules(target, totals, {}, 1));
}
