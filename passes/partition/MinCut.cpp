// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dinic's algorithm: blocking flows along shortest paths.
#include "passes/partition/MinCut.h"

#include <algorithm>

using namespace mlir::asic;

void MinCut::addEdge(unsigned from, unsigned to, uint64_t capacity) {
  edges.push_back({to, heads[from], capacity});
  heads[from] = edges.size() - 1;
  edges.push_back({from, heads[to], 0});
  heads[to] = edges.size() - 1;
}

/// Distances from the source along edges with capacity left.
bool MinCut::findLevels() {
  levels.assign(heads.size(), kNone);
  levels[kSource] = 0;
  std::vector<unsigned> queue = {kSource};
  for (size_t i = 0; i < queue.size(); ++i)
    for (unsigned e = heads[queue[i]]; e != kNone; e = edges[e].next)
      if (edges[e].left && levels[edges[e].to] == kNone) {
        levels[edges[e].to] = levels[queue[i]] + 1;
        queue.push_back(edges[e].to);
      }
  return levels[kSink] != kNone;
}

/// Pushes flow along one path of the level graph; 0 when there is none left.
uint64_t MinCut::push() {
  std::vector<unsigned> path;
  unsigned node = kSource;
  while (node != kSink) {
    unsigned &e = current[node];
    while (e != kNone &&
           !(edges[e].left && levels[edges[e].to] == levels[node] + 1))
      e = edges[e].next;
    if (e != kNone) {
      path.push_back(e);
      node = edges[e].to;
    } else if (path.empty()) {
      return 0;
    } else {
      // A dead end: back, and on with the next edge there.
      levels[node] = kNone;
      node = edges[path.back() ^ 1].to;
      path.pop_back();
    }
  }
  uint64_t flow = kUncuttable;
  for (unsigned e : path)
    flow = std::min(flow, edges[e].left);
  for (unsigned e : path) {
    edges[e].left -= flow;
    edges[e ^ 1].left += flow;
  }
  return flow;
}

std::vector<bool> MinCut::sinkPart() {
  while (findLevels()) {
    current = heads;
    while (push()) {
    }
  }
  // Whatever still reaches the sink belongs to it: walk edges backwards.
  std::vector<bool> part(heads.size(), false);
  part[kSink] = true;
  std::vector<unsigned> queue = {kSink};
  for (size_t i = 0; i < queue.size(); ++i)
    for (unsigned e = heads[queue[i]]; e != kNone; e = edges[e].next)
      if (edges[e ^ 1].left && !part[edges[e].to]) {
        part[edges[e].to] = true;
        queue.push_back(edges[e].to);
      }
  return part;
}
