// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an instruction costs (docs/isa/README.md, "Timing"). Pure functions of
// the target and the shape of the instruction: the planner predicts with them
// and the emulator counts with them. Cycle counts are exact integers.

#ifndef ASIC_TARGET_COST_H
#define ASIC_TARGET_COST_H

#include "target/TargetModel.h"
#include "llvm/ADT/ArrayRef.h"
#include <array>
#include <cstdint>
#include <optional>

namespace asic {

/// Time and work of one instruction. Counts saturate at kCostLimit.
struct Cost {
  /// Cycles from issue until the DRAM port is requested, or until the work
  /// starts where there is none to request.
  uint64_t setup = 0;
  /// Cycles that the DRAM port is held, from its grant.
  uint64_t portCycles = 0;
  /// Cycles of work from the grant on (from the end of `setup` without port);
  /// never below portCycles.
  uint64_t workCycles = 0;
  /// Cycles from the end of the occupancy to retirement.
  uint64_t tail = 0;

  uint64_t macs = 0;           ///< Multiply-accumulates of the contraction.
  uint64_t vpuOps = 0;         ///< Lane operations times points.
  uint64_t dramReadBytes = 0;  ///< Bytes wanted from DRAM.
  uint64_t dramWriteBytes = 0; ///< Bytes wanted in DRAM.
  uint64_t dramBurstBytes = 0; ///< Bytes that the port moves, whole bursts.
  uint64_t sramBytes = 0;      ///< SRAM bytes read and written.
  uint64_t accBytes = 0;       ///< ACC bytes read and written.

  /// Cycles that the engine is busy when the port is free at once; a lower
  /// bound otherwise. At least 1.
  uint64_t occupancy() const {
    uint64_t cycles = setup + workCycles;
    return cycles ? cycles : 1;
  }
  /// Issue to retirement when the port is free at once.
  uint64_t latency() const { return occupancy() + tail; }
};

/// Largest count in a Cost: far beyond any program, far from overflow.
constexpr uint64_t kCostLimit = uint64_t(1) << 48;

/// A `copy`: rows of `runBytes` of the destination, repeated over counts[3..0].
struct CopyShape {
  Space srcSpace = Space::Dram, dstSpace = Space::Sram;
  uint64_t srcAddress = 0, dstAddress = 0; ///< Bytes.
  uint64_t runBytes = 0;
  std::array<uint64_t, 4> counts = {1, 1, 1, 1}; ///< Innermost first.
  std::array<int64_t, 4> srcStrides{};           ///< Bytes.
  std::array<int64_t, 4> dstStrides{};           ///< Bytes.
  /// Indices that are fetched: 0, 1 for all, or counts[3], one per step of it.
  /// The addresses are those of index 0.
  uint64_t indices = 0;
  bool movesSource = false; ///< The indices choose places of the source.
  bool movesTarget = false; ///< The indices choose places of the destination.
  /// The source holds two elements a byte: its rows have half the bytes,
  /// rounded up.
  bool packed = false;

  uint64_t sourceRunBytes() const {
    return packed ? runBytes / 2 + runBytes % 2 : runBytes;
  }
};

/// A `fill`: runs of `run` elements of `elemBytes`.
struct FillShape {
  Space dstSpace = Space::Sram;
  uint64_t dstAddress = 0;
  uint64_t elemBytes = 1;
  uint64_t run = 0;
  std::array<uint64_t, 4> counts = {1, 1, 1, 1}; ///< Innermost first.
  std::array<int64_t, 4> dstStrides{};           ///< Bytes.
};

/// A `contract`.
struct ContractShape {
  ElementType a = ElementType::I8;
  ElementType w = ElementType::I8;
  ElementType acc = ElementType::I32;
  std::array<uint64_t, 3> m = {1, 1, 1}; ///< m0 (innermost), m1, m2.
  std::array<uint64_t, 3> k = {1, 1, 1}; ///< k0 (innermost), k1, k2.
  uint64_t n = 1;
  bool accumulate = false;
  bool batchedWeights = false; ///< w_m2 is not 0.
  bool depthwise = false;      ///< a_n is not 0.
};

/// One stream of a `map`; absent when `type` is None.
struct MapStream {
  ElementType type = ElementType::None;
  Space space = Space::Sram;
  std::array<int64_t, 5> strides{}; ///< d0 (innermost) first.
};

/// A `map`. Operations are counted by rate class.
struct MapShape {
  std::array<uint64_t, 5> counts = {1, 1, 1, 1, 1}; ///< d0 (innermost) first.
  unsigned reduce = 0;                              ///< Bit i: di reduces.
  std::array<MapStream, 8> streams;                 ///< 7 is the output.
  std::array<uint32_t, kNumRateClasses> bodyOps{};
  std::array<uint32_t, kNumRateClasses> finalOps{};
};

Cost copyCost(const TargetModel &target, const CopyShape &shape);
Cost fillCost(const TargetModel &target, const FillShape &shape);

/// The operand types should be a mode of the target; otherwise the array is
/// priced at one multiply-accumulate per cell and cycle.
Cost contractCost(const TargetModel &target, const ContractShape &shape);
Cost mapCost(const TargetModel &target, const MapShape &shape);

/// A `nop` that keeps its engine busy for `cycles`.
Cost nopCost(uint64_t cycles);

/// Multiply-accumulates in one mode of a target.
struct ModeMacs {
  const TargetModel::MxuMode *mode = nullptr;
  uint64_t macs = 0;
};

/// Cycles that no program for this work can go below: the larger of
/// sum(macs / peak rate of their mode) and dramBytes / DRAM rate, rounded up.
/// `dramBytes` counts weights that are not resident, inputs and outputs, once.
uint64_t lowerBoundCycles(const TargetModel &target,
                          llvm::ArrayRef<ModeMacs> work, uint64_t dramBytes);

/// Sum over the instructions of a program.
struct WorkTotals {
  uint64_t instructions = 0;
  uint64_t vpuOps = 0;
  uint64_t dramReadBytes = 0, dramWriteBytes = 0, dramBurstBytes = 0;
  uint64_t sramBytes = 0, accBytes = 0;

  void add(const Cost &cost);
};

/// Energy of a run in microjoules; nothing when the target gives no energies
/// or none for the operand types of `work`.
std::optional<double> energyMicrojoules(const TargetModel &target,
                                        const WorkTotals &totals,
                                        llvm::ArrayRef<ModeMacs> work,
                                        uint64_t cycles);

} // namespace asic

#endif // ASIC_TARGET_COST_H
