// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/Footprint.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace asic;
using namespace asic::emulator;

void Footprint::addDim(int64_t count, int64_t stride) {
  if (count == 0)
    points = 0;
  if (count <= 1)
    return;
  if (stride == 0) {
    repeated = true;
    return;
  }
  if (stride < 0) {
    base += __int128(count - 1) * stride;
    stride = -stride;
  }
  Dim dim;
  dim.count = count;
  dim.stride = stride;
  dims.push_back(std::move(dim));
}

void Footprint::addOffsets(std::vector<int64_t> offsets) {
  if (offsets.empty()) {
    points = 0;
    return;
  }
  std::sort(offsets.begin(), offsets.end());
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  int64_t first = offsets.front();
  base += first;
  if (offsets.size() == 1)
    return;
  Dim dim;
  dim.count = int64_t(offsets.size());
  dim.stride = offsets[1] - first;
  bool even = true;
  for (size_t i = 0; i < offsets.size(); ++i) {
    offsets[i] -= first;
    even &= offsets[i] == int64_t(i) * dim.stride;
  }
  if (!even)
    dim.offsets = std::move(offsets);
  dims.push_back(std::move(dim));
}

bool Footprint::provablyDisjoint() const {
  // Each dimension steps over everything that the smaller ones reach.
  __int128 reach = run;
  for (const Dim &dim : llvm::reverse(dims)) {
    if (!dim.offsets.empty()) {
      for (size_t i = 1; i < dim.offsets.size(); ++i)
        if (dim.offsets[i] - dim.offsets[i - 1] < reach)
          return false;
    } else if (dim.stride < reach) {
      return false;
    }
    reach += dim.span();
  }
  return true;
}

void Footprint::finish() {
  if (empty()) {
    dims.clear();
    return;
  }
  std::sort(dims.begin(), dims.end(),
            [](const Dim &a, const Dim &b) { return a.stride > b.stride; });
  last = base;
  for (const Dim &dim : dims)
    last += dim.span();
  // A dimension that continues the run without a gap becomes part of it.
  while (!dims.empty() && dims.back().offsets.empty() &&
         dims.back().stride <= run) {
    repeated |= dims.back().stride < run;
    __int128 span = dims.back().span();
    run += span;
    last -= span;
    dims.pop_back();
  }
}

bool Footprint::visitDims(
    size_t dim, int64_t address,
    llvm::function_ref<bool(int64_t, int64_t)> visit) const {
  if (dim == dims.size())
    return visit(address, address + int64_t(run));
  const Dim &d = dims[dim];
  for (int64_t i = 0; i < d.count; ++i)
    if (!visitDims(dim + 1, address + d.at(i), visit))
      return false;
  return true;
}

bool Footprint::forEachRun(
    llvm::function_ref<bool(int64_t, int64_t)> visit) const {
  return empty() || visitDims(0, int64_t(base), visit);
}

std::vector<std::pair<int64_t, int64_t>> Footprint::sortedRuns() const {
  std::vector<std::pair<int64_t, int64_t>> runs;
  forEachRun([&](int64_t from, int64_t to) {
    runs.push_back({from, to});
    return true;
  });
  std::sort(runs.begin(), runs.end());
  return runs;
}

bool Footprint::overlapsItself() const {
  if (empty() || repeated || provablyDisjoint())
    return !empty() && repeated;
  // Not decided by the strides: look at every run.
  auto runs = sortedRuns();
  for (size_t i = 1; i < runs.size(); ++i)
    if (runs[i].first < runs[i - 1].second)
      return true;
  return false;
}

bool Footprint::intersects(const Footprint &other) const {
  if (empty() || other.empty() || space != other.space ||
      begin() >= other.end() || other.begin() >= end())
    return false;
  if (dims.empty() && other.dims.empty())
    return true;
  auto left = sortedRuns(), right = other.sortedRuns();
  size_t i = 0, j = 0;
  while (i < left.size() && j < right.size()) {
    if (left[i].first < right[j].second && right[j].first < left[i].second)
      return true;
    // Runs of one set may overlap each other but are sorted by their start
    // and of one length, so the one that ends first can be dropped.
    left[i].second <= right[j].second ? ++i : ++j;
  }
  return false;
}
