// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/AllocateSpace.h"

#include <algorithm>
#include <tuple>

using namespace mlir::asic;

AllocateSpace::AllocateSpace(int64_t bytes, int64_t alignment)
    : alignment(std::max<int64_t>(alignment, 1)) {
  bytes = bytes / this->alignment * this->alignment;
  if (bytes > 0)
    blocks.push_back({0, bytes, 0});
}

int64_t AllocateSpace::largestFree() const {
  int64_t largest = 0, run = 0, end = -1;
  for (const Block &block : blocks) {
    run = block.address == end ? run + block.bytes : block.bytes;
    end = block.address + block.bytes;
    largest = std::max(largest, run);
  }
  return largest;
}

void AllocateSpace::mergeFree(uint64_t now) {
  size_t kept = 0;
  for (size_t i = 1; i < blocks.size(); ++i) {
    Block &last = blocks[kept];
    const Block &next = blocks[i];
    if (last.address + last.bytes == next.address &&
        (last.freeSince == next.freeSince ||
         (last.freeSince <= now && next.freeSince <= now))) {
      last.bytes += next.bytes;
      last.freeSince = std::max(last.freeSince, next.freeSince);
    } else {
      blocks[++kept] = next;
    }
  }
  if (!blocks.empty())
    blocks.resize(kept + 1);
}

std::optional<AllocateSpace::Place>
AllocateSpace::allocate(int64_t bytes, uint64_t now, Placement placement) {
  bytes = align(std::max<int64_t>(bytes, 1));
  mergeFree(now);
  // Candidates start (or, at the top end, finish) at the border of a block.
  using Key = std::tuple<uint64_t, int64_t, int64_t>;
  std::optional<Key> best;
  int64_t bestAddress = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    int64_t end = blocks[i].address;
    uint64_t freeSince = now;
    for (size_t j = i; j < blocks.size() && blocks[j].address == end; ++j) {
      freeSince = std::max(freeSince, blocks[j].freeSince);
      end += blocks[j].bytes;
      int64_t run = end - blocks[i].address;
      if (run < bytes)
        continue;
      bool atTop = placement == Placement::top;
      int64_t address = atTop ? end - bytes : blocks[i].address;
      uint64_t time = placement == Placement::tight ? 0 : freeSince;
      Key key =
          atTop ? Key(time, -address, 0) : Key(time, run - bytes, address);
      if (!best || key < *best) {
        best = key;
        bestAddress = address;
      }
      break;
    }
  }
  if (!best)
    return std::nullopt;
  return take(bestAddress, bytes);
}

std::optional<AllocateSpace::Place> AllocateSpace::allocateAt(int64_t address,
                                                              int64_t bytes) {
  bytes = align(std::max<int64_t>(bytes, 1));
  int64_t covered = address;
  for (const Block &block : blocks)
    if (block.address <= covered && covered < block.address + block.bytes)
      covered = block.address + block.bytes;
  if (covered < address + bytes)
    return std::nullopt;
  return take(address, bytes);
}

AllocateSpace::Place AllocateSpace::take(int64_t address, int64_t bytes) {
  Place place{address, 0};
  int64_t end = address + bytes;
  std::vector<Block> left;
  left.reserve(blocks.size() + 1);
  for (const Block &block : blocks) {
    int64_t blockEnd = block.address + block.bytes;
    if (blockEnd <= address || block.address >= end) {
      left.push_back(block);
      continue;
    }
    place.freeSince = std::max(place.freeSince, block.freeSince);
    if (block.address < address)
      left.push_back({block.address, address - block.address, block.freeSince});
    if (blockEnd > end)
      left.push_back({end, blockEnd - end, block.freeSince});
  }
  blocks = std::move(left);
  used += bytes;
  peak = std::max(peak, used);
  highest = std::max(highest, end);
  return place;
}

void AllocateSpace::release(int64_t address, int64_t bytes, uint64_t time) {
  bytes = align(std::max<int64_t>(bytes, 1));
  auto it = std::lower_bound(
      blocks.begin(), blocks.end(), address,
      [](const Block &block, int64_t value) { return block.address < value; });
  blocks.insert(it, {address, bytes, time});
  used -= bytes;
}
