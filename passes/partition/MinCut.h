// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cheapest way to cut a graph in two.
#ifndef ASIC_PASSES_PARTITION_MINCUT_H
#define ASIC_PASSES_PARTITION_MINCUT_H

#include <cstdint>
#include <vector>

namespace mlir::asic {

/// A directed graph with capacities, a source and a sink. The cut is the set of
/// edges from the source's part to the sink's with the smallest sum; of several
/// the one with the smallest part around the sink, so that equal graphs give
/// equal cuts whatever order they are walked in.
class MinCut {
public:
  /// A capacity that no cut goes through.
  static constexpr uint64_t kUncuttable = uint64_t(1) << 60;
  static constexpr unsigned kSource = 0, kSink = 1;

  MinCut() : heads(2, kNone) {}

  unsigned addNode() {
    heads.push_back(kNone);
    return heads.size() - 1;
  }
  void addEdge(unsigned from, unsigned to, uint64_t capacity);

  /// Solves; returns for every node whether it is in the sink's part.
  std::vector<bool> sinkPart();

private:
  static constexpr unsigned kNone = ~0u;
  /// An edge and, at its index ^ 1, its reverse.
  struct Edge {
    unsigned to, next;
    uint64_t left;
  };

  bool findLevels();
  uint64_t push();

  std::vector<Edge> edges;
  std::vector<unsigned> heads, levels, current;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_PARTITION_MINCUT_H
