// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `map`: strips of points through the lane interpreter.
//
// Without a reduction along d0, and for short ones, a strip holds parallel
// points and the reduction points are visited one after the other. Otherwise a
// strip runs along d0 of one parallel point. Both orders give the same bits:
// the order of every accumulation is fixed by docs/isa/map.md.

#include "emulator/engines/LaneInterpreter.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

namespace {

/// A dimension of an index space with its stride on every stream.
struct Dim {
  unsigned number; // of the instruction, 0 = innermost
  int64_t count;
  int64_t strides[mapStreams];
};

/// Offsets of every stream, relative to its address.
struct Offsets {
  int64_t of[mapStreams] = {};
};

/// Points of a strip that lie on one row of the innermost dimension.
struct Piece {
  unsigned begin, count;
  int64_t inner;
  /// Index in the space outside the innermost dimension.
  int64_t outer;
  Offsets offsets;
};

/// An index space, outermost dimension first.
class IndexSpace {
public:
  std::vector<Dim> dims;

  int64_t points() const {
    int64_t total = 1;
    for (const Dim &dim : dims)
      total *= dim.count;
    return total;
  }

  /// Merges neighbouring dimensions that all streams walk as one.
  void collapse() {
    dims.erase(std::remove_if(dims.begin(), dims.end(),
                              [](const Dim &d) { return d.count == 1; }),
               dims.end());
    for (size_t i = dims.size(); i-- > 1;) {
      Dim &outer = dims[i - 1], &inner = dims[i];
      bool joined = true;
      for (unsigned s = 0; s < mapStreams; ++s)
        joined &= outer.strides[s] == inner.strides[s] * inner.count;
      if (!joined)
        continue;
      inner.count *= outer.count;
      dims.erase(dims.begin() + int64_t(i) - 1);
    }
  }

  /// Offsets of point `index` (row-major).
  Offsets offsetsOf(int64_t index) const {
    Offsets offsets;
    for (size_t i = dims.size(); i-- > 0;) {
      int64_t at = index % dims[i].count;
      index /= dims[i].count;
      for (unsigned s = 0; s < mapStreams; ++s)
        offsets.of[s] += at * dims[i].strides[s];
    }
    return offsets;
  }

  /// Index of instruction dimension `number` at point `index`, if it is here.
  std::optional<int64_t> indexOf(unsigned number, int64_t index) const {
    for (size_t i = dims.size(); i-- > 0;) {
      if (dims[i].number == number)
        return index % dims[i].count;
      index /= dims[i].count;
    }
    return std::nullopt;
  }

  /// The rows of points [first, first + n).
  void pieces(int64_t first, unsigned n, std::vector<Piece> &out) const {
    out.clear();
    int64_t width = dims.empty() ? 1 : dims.back().count;
    for (unsigned at = 0; at < n;) {
      int64_t index = first + at, inner = index % width;
      unsigned count = unsigned(std::min<int64_t>(n - at, width - inner));
      out.push_back({at, count, inner, index / width, offsetsOf(index)});
      at += count;
    }
  }
};

class MapRun {
public:
  MapRun(const Instruction &map, Context &context)
      : map(map), context(context),
        program(context.lanes[size_t(map.get(Map_program))]),
        lanes(context.check) {}

  MaybeFault run() {
    setUp();
    if (parallel.points() == 0)
      return std::nullopt;
    // Long reductions along d0 fill strips by themselves.
    bool along = innerReduction && reduction.points() > 0 &&
                 (innerCount >= 64 || parallel.points() < innerCount);
    for (int64_t first = 0; first < parallel.points(); first += stripPoints) {
      if (context.interrupted())
        return interruptedFault();
      unsigned n =
          unsigned(std::min<int64_t>(stripPoints, parallel.points() - first));
      parallel.pieces(first, n, strip);
      if (auto fault = along ? reduceAlong(first, n) : reduceAcross(first, n))
        return fault;
      if (auto fault = finish(first, n))
        return fault;
    }
    return std::nullopt;
  }

private:
  void setUp() {
    bool usesIndex = false;
    for (const auto *ops : {&program.body, &program.final})
      for (const LaneOp &op : *ops) {
        usesIndex |= op.opcode == LaneOpcode::Index;
        if (op.info().isReduction)
          reductions.push_back(reductionOf(op, lanes.table()));
      }
    int64_t mask = map.get(Map_reduce);
    for (unsigned d = 5; d-- > 0;) {
      Dim dim{d, map.get(Map_n0 + d), {}};
      for (unsigned s = 0; s < mapStreams; ++s)
        dim.strides[s] = map.get(Map_s0_d0 + s * mapStreamFields + d);
      (mask >> d & 1 ? reduction : parallel).dims.push_back(dim);
    }
    if (!usesIndex)
      parallel.collapse();
    innerCount = map.get(Map_n0);
    innerReduction = mask & 1;
    partials =
        innerReduction ? std::min<int64_t>(context.vpuLanes, innerCount) : 1;
    for (unsigned s = 0; s < mapStreams; ++s) {
      unsigned base = Map_s0_type + s * mapStreamFields;
      types[s] = unsigned(map.get(base));
      if (types[s])
        streams[s] =
            context.memory.data(Space(map.get(base + 1))) + map.get(base + 2);
    }
  }

  /// Loads the input streams of the strip, `extra` further on.
  void loadStrip(const Offsets &extra) {
    for (unsigned s = 0; s < mapStreams - 1; ++s) {
      if (!types[s])
        continue;
      int64_t stride =
          parallel.dims.empty() ? 0 : parallel.dims.back().strides[s];
      for (const Piece &piece : strip)
        lanes.table().load[types[s]](lanes.reg(s) + piece.begin,
                                     streams[s] + piece.offsets.of[s] +
                                         extra.of[s],
                                     stride, piece.count);
    }
  }

  /// Index of dimension `dim` over a strip of parallel points.
  void stripIndex(unsigned dim, uint32_t *dst, int64_t first, unsigned n,
                  int64_t reductionPoint) const {
    auto fixed = reduction.indexOf(dim, reductionPoint);
    for (unsigned i = 0; i < n; ++i)
      dst[i] = uint32_t(fixed ? *fixed : *parallel.indexOf(dim, first + i));
  }

  /// partial(r, j): accumulator j of reduction r over the strip.
  uint32_t *partial(size_t r, int64_t j) {
    return &accumulators[(r * size_t(partials) + size_t(j)) * stripPoints];
  }

  /// A strip of parallel points; reduction points one after the other.
  MaybeFault reduceAcross(int64_t first, unsigned n) {
    if (!reductions.empty())
      accumulators.resize(reductions.size() *
                          size_t(std::max<int64_t>(partials, 1)) * stripPoints);
    if (!innerReduction)
      for (size_t r = 0; r < reductions.size(); ++r)
        std::fill_n(partial(r, 0), n, uint32_t(reductions[r].op->imm));
    int64_t count = reduction.points();
    for (int64_t point = 0; point < count; ++point) {
      if (point % 64 == 63 && context.interrupted())
        return interruptedFault();
      loadStrip(reduction.offsetsOf(point));
      auto index = [&](unsigned dim, uint32_t *dst) {
        stripIndex(dim, dst, first, n, point);
      };
      if (auto fault = lanes.run(program.body, n, index))
        return fault;
      int64_t j = innerReduction ? point % innerCount % partials : 0;
      bool isFirst = innerReduction && point < partials;
      for (size_t r = 0; r < reductions.size(); ++r)
        accumulate(reductions[r], isFirst, partial(r, j), /*offset=*/0, n);
    }
    for (size_t r = 0; r < reductions.size(); ++r)
      combineAcross(r, n, count > 0);
    if (count == 0)
      clearRegisters(n);
    return std::nullopt;
  }

  void accumulate(const Reduction &reduction, bool isFirst, uint32_t *acc,
                  unsigned offset, unsigned n) {
    (isFirst ? reduction.first
             : reduction.step)(acc, acc, lanes.reg(reduction.op->a) + offset,
                               lanes.reg(reduction.op->b) + offset, 0, n);
  }

  /// Tree over the partials of every point; the result goes to the register.
  void combineAcross(size_t r, unsigned n, bool any) {
    const Reduction &reduction = reductions[r];
    uint32_t *dst = lanes.reg(reduction.op->dst);
    std::fill_n(dst, n, uint32_t(reduction.op->imm));
    if (!any)
      return;
    if (!innerReduction) {
      std::memcpy(dst, partial(r, 0), n * sizeof(uint32_t));
      return;
    }
    for (int64_t width = partials; width > 1;) {
      int64_t half = (width + 1) / 2;
      for (int64_t j = 0; j < width - half; ++j)
        reduction.combine(partial(r, j), partial(r, j), partial(r, j + half),
                          partial(r, j + half), 0, n);
      width = half;
    }
    reduction.combine(dst, dst, partial(r, 0), partial(r, 0), 0, n);
  }

  /// Without a reduction point body registers read as zero.
  void clearRegisters(unsigned n) {
    for (unsigned r = 0; r < laneRegisters; ++r) {
      bool isResult = false;
      for (const Reduction &reduction : reductions)
        isResult |= reduction.op->dst == r;
      if (!isResult)
        std::fill_n(lanes.reg(r), n, 0u);
    }
  }

  /// One parallel point after the other; strips run along d0. The registers of
  /// each point's last reduction point are kept for the final part.
  MaybeFault reduceAlong(int64_t first, unsigned n) {
    kept.resize(size_t(laneRegisters) * stripPoints);
    for (unsigned i = 0; i < n; ++i) {
      Offsets base = parallel.offsetsOf(first + i);
      if (auto fault = reducePoint(first + i, base))
        return fault;
      for (unsigned r = 0; r < laneRegisters; ++r)
        kept[size_t(r) * stripPoints + i] = lastValue[r];
    }
    for (unsigned r = 0; r < laneRegisters; ++r)
      std::memcpy(lanes.reg(r), &kept[size_t(r) * stripPoints],
                  n * sizeof(uint32_t));
    return std::nullopt;
  }

  MaybeFault reducePoint(int64_t parallelPoint, const Offsets &base) {
    accumulators.resize(reductions.size() * size_t(partials));
    int64_t chunk = partials <= int64_t(stripPoints)
                        ? int64_t(stripPoints) / partials * partials
                        : int64_t(stripPoints);
    int64_t rows = reduction.points() / innerCount;
    unsigned lastCount = 1;
    for (int64_t row = 0; row < rows; ++row) {
      if (context.interrupted())
        return interruptedFault();
      Offsets rowBase = reduction.offsetsOf(row * innerCount);
      for (int64_t i0 = 0; i0 < innerCount; i0 += chunk) {
        unsigned n = unsigned(std::min(chunk, innerCount - i0));
        loadAlong(base, rowBase, i0, n);
        auto index = [&](unsigned dim, uint32_t *dst) {
          alongIndex(dim, dst, parallelPoint, row * innerCount + i0, n);
        };
        if (auto fault = lanes.run(program.body, n, index))
          return fault;
        for (size_t r = 0; r < reductions.size(); ++r)
          accumulateAlong(r, row == 0, i0, n);
        lastCount = n;
      }
    }
    for (unsigned r = 0; r < laneRegisters; ++r)
      lastValue[r] = lanes.reg(r)[lastCount - 1];
    for (size_t r = 0; r < reductions.size(); ++r)
      lastValue[reductions[r].op->dst] = combineAlong(r);
    return std::nullopt;
  }

  void loadAlong(const Offsets &base, const Offsets &row, int64_t i0,
                 unsigned n) {
    const Dim &inner = reduction.dims.back();
    for (unsigned s = 0; s < mapStreams - 1; ++s)
      if (types[s])
        lanes.table().load[types[s]](lanes.reg(s),
                                     streams[s] + base.of[s] + row.of[s] +
                                         i0 * inner.strides[s],
                                     inner.strides[s], n);
  }

  void alongIndex(unsigned dim, uint32_t *dst, int64_t parallelPoint,
                  int64_t reductionPoint, unsigned n) const {
    auto fixed = parallel.indexOf(dim, parallelPoint);
    for (unsigned i = 0; i < n; ++i)
      dst[i] = uint32_t(fixed ? *fixed
                              : *reduction.indexOf(dim, reductionPoint + i));
  }

  /// Value i of the strip goes to partial (i0 + i) mod partials.
  void accumulateAlong(size_t r, bool firstRow, int64_t i0, unsigned n) {
    uint32_t *acc = &accumulators[r * size_t(partials)];
    for (unsigned at = 0; at < n;) {
      int64_t lane = (i0 + at) % partials;
      unsigned count = unsigned(std::min<int64_t>(n - at, partials - lane));
      bool isFirst = firstRow && i0 + at < partials;
      accumulate(reductions[r], isFirst, acc + lane, at, count);
      at += count;
    }
  }

  uint32_t combineAlong(size_t r) {
    const Reduction &reduction = reductions[r];
    uint32_t *acc = &accumulators[r * size_t(partials)];
    for (int64_t width = partials; width > 1;) {
      int64_t half = (width + 1) / 2;
      reduction.combine(acc, acc, acc + half, acc + half, 0,
                        unsigned(width - half));
      width = half;
    }
    uint32_t result = uint32_t(reduction.op->imm);
    reduction.combine(&result, &result, acc, acc, 0, 1);
    return result;
  }

  /// The final part and the store of a strip of parallel points.
  MaybeFault finish(int64_t first, unsigned n) {
    int64_t lastPoint = std::max<int64_t>(reduction.points() - 1, 0);
    auto index = [&](unsigned dim, uint32_t *dst) {
      if (reduction.points() == 0 && reduction.indexOf(dim, 0))
        return void(std::fill_n(dst, n, 0u));
      stripIndex(dim, dst, first, n, lastPoint);
    };
    if (auto fault = lanes.run(program.final, n, index))
      return fault;
    constexpr unsigned out = mapStreams - 1;
    const uint32_t *values = lanes.reg(program.out);
    if (context.check && (types[out] == unsigned(ElementType::CF8_143) ||
                          types[out] == unsigned(ElementType::CF8_152)))
      for (unsigned i = 0; i < n; ++i)
        if ((values[i] & 0x7fffffffu) > 0x7f800000u)
          return Fault(FaultKind::InvalidConversion,
                       "expected a number for a type without NaN, got NaN");
    int64_t stride =
        parallel.dims.empty() ? 0 : parallel.dims.back().strides[out];
    for (const Piece &piece : strip)
      lanes.table().store[types[out]](streams[out] + piece.offsets.of[out],
                                      stride, values + piece.begin,
                                      piece.count);
    return std::nullopt;
  }

  const Instruction &map;
  Context &context;
  const LaneProgram &program;
  LaneInterpreter lanes;
  IndexSpace parallel, reduction;
  std::vector<Reduction> reductions;
  bool innerReduction = false;
  int64_t innerCount = 1, partials = 1;
  unsigned types[mapStreams] = {};
  uint8_t *streams[mapStreams] = {};
  std::vector<Piece> strip;
  std::vector<uint32_t> accumulators, kept;
  uint32_t lastValue[laneRegisters] = {};
};

} // namespace

MaybeFault asic::emulator::runMap(const Instruction &map, Context &context) {
  return MapRun(map, context).run();
}
