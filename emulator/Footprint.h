// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact sets of bytes that an instruction touches.
//
// A footprint is { base + sum of one offset per dimension + [0, run) }, kept in
// a canonical form: offsets are positive, dimensions that continue a run are
// merged into it, so that enumerating costs little more than the number of
// disjoint runs. Arithmetic is done in 128 bits, so that no field value wraps.

#ifndef ASIC_EMULATOR_FOOTPRINT_H
#define ASIC_EMULATOR_FOOTPRINT_H

#include "target/Types.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace asic::emulator {

class Footprint {
public:
  /// The bytes [base, base + run).
  Footprint(Space space, int64_t base, int64_t run)
      : space(space), base(base), run(run), points(run > 0) {}

  /// Repeats the set `count` times, `stride` bytes apart. 0 empties it.
  void addDim(int64_t count, int64_t stride);
  /// Repeats the set at each of `offsets`, which may be in any order.
  void addOffsets(std::vector<int64_t> offsets);
  /// Brings the set into canonical form; call once after the last dimension.
  void finish();

  Space getSpace() const { return space; }
  bool empty() const { return points == 0; }
  /// Lowest byte and one past the highest; only when not empty.
  __int128 begin() const { return base; }
  __int128 end() const { return last + run; }

  /// Calls `visit(begin, end)` for every run, until it returns false. The
  /// set must lie inside a memory (its bytes fit 64 bits). Runs may repeat
  /// bytes when dimensions overlap.
  bool forEachRun(llvm::function_ref<bool(int64_t, int64_t)> visit) const;

  /// True when a byte is reached by two index points: dimensions of stride 0,
  /// or overlapping ones.
  bool overlapsItself() const;
  /// True when the two sets share a byte.
  bool intersects(const Footprint &other) const;

private:
  struct Dim {
    int64_t count = 0;
    int64_t stride = 0;
    /// Ascending from 0 when the offsets are not evenly spaced.
    std::vector<int64_t> offsets;
    int64_t at(int64_t i) const {
      return offsets.empty() ? i * stride : offsets[size_t(i)];
    }
    __int128 span() const {
      return offsets.empty() ? __int128(count - 1) * stride : offsets.back();
    }
  };
  bool visitDims(size_t dim, int64_t address,
                 llvm::function_ref<bool(int64_t, int64_t)> visit) const;
  bool provablyDisjoint() const;
  std::vector<std::pair<int64_t, int64_t>> sortedRuns() const;

  Space space;
  __int128 base;
  /// Address of the last run.
  __int128 last = 0;
  __int128 run;
  /// Zero when the set is empty.
  __int128 points;
  /// Some byte is certainly reached twice.
  bool repeated = false;
  /// Largest stride first once finished.
  llvm::SmallVector<Dim, 8> dims;
};

} // namespace asic::emulator

#endif // ASIC_EMULATOR_FOOTPRINT_H
