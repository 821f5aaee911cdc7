// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Addresses in one memory space while a schedule grows. Every free block knows
// when its last user retires, so that new buffers can go where nobody has to
// wait.
#ifndef ASIC_PASSES_ACCEL_ALLOCATESPACE_H
#define ASIC_PASSES_ACCEL_ALLOCATESPACE_H

#include <cstdint>
#include <optional>
#include <vector>

namespace mlir::asic {

/// Which of the possible places a buffer takes.
enum class Placement {
  /// The one that is free first; among those free now, the tightest.
  earliest,
  /// The same, but at the top end: for buffers that live long.
  top,
  /// The tightest block, whenever it becomes free.
  tight,
};

/// The free blocks of a memory space.
class AllocateSpace {
public:
  AllocateSpace(int64_t bytes, int64_t alignment);

  /// Where a buffer was put, and when every former user of the place has
  /// retired.
  struct Place {
    int64_t address;
    uint64_t freeSince;
  };

  /// Takes `bytes` at time `now`; none when no run of free blocks is large
  /// enough.
  std::optional<Place> allocate(int64_t bytes, uint64_t now,
                                Placement placement);
  /// Takes exactly [address, address + bytes); none when part of it is taken.
  std::optional<Place> allocateAt(int64_t address, int64_t bytes);
  /// Gives a block back whose last user retires at `time`.
  void release(int64_t address, int64_t bytes, uint64_t time);

  /// Bytes that are taken, and the most there have been at one time.
  int64_t usedBytes() const { return used; }
  int64_t peakBytes() const { return peak; }
  /// End of the highest place that was ever given out.
  int64_t peakEnd() const { return highest; }
  /// The largest run of free bytes.
  int64_t largestFree() const;

  /// `bytes` rounded up to the alignment.
  int64_t align(int64_t bytes) const {
    return (bytes + alignment - 1) / alignment * alignment;
  }

private:
  struct Block {
    int64_t address, bytes;
    uint64_t freeSince;
  };
  /// Removes [address, address + bytes) from the free blocks.
  Place take(int64_t address, int64_t bytes);
  /// Joins neighbours that are both free at `now`.
  void mergeFree(uint64_t now);

  int64_t alignment;
  int64_t used = 0, peak = 0, highest = 0;
  /// Ascending by address, not overlapping.
  std::vector<Block> blocks;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_ALLOCATESPACE_H
