// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/GroupCost.h"
#include "dialects/Asic/Asic.h"
#include "passes/Support/Target.h"
#include "passes/accel/Groups.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::asic;

static int64_t bytesOf(Type type) {
  return (type.getIntOrFloatBitWidth() + 7) / 8;
}

static int64_t product(ArrayRef<int64_t> values) {
  int64_t result = 1;
  for (int64_t value : values)
    result *= value;
  return result;
}

/// Lane operations of a body; what requantisation folds into one is counted once.
static unsigned countLaneOps(linalg::GenericOp op) {
  unsigned ops = 0;
  bool requant = false;
  for (Operation &inside : *op.getBody()) {
    if (isa<arith::ConstantOp, linalg::YieldOp, arith::ExtSIOp, arith::TruncIOp,
            arith::ExtFOp, arith::TruncFOp>(inside))
      continue;
    if (isa<RescaleOp>(inside)) {
      requant = true;
      ++ops;
      continue;
    }
    if (requant &&
        isa<arith::AddIOp, arith::MaxSIOp, arith::MinSIOp>(inside))
      continue;
    requant = false;
    ops += isa<arith::DivFOp, math::TanhOp, math::ErfOp, math::RsqrtOp,
               math::SqrtOp>(inside)
               ? 4
               : 1;
  }
  return std::max(ops, 1u);
}

FailureOr<GroupCost> GroupCost::build(linalg::GenericOp last,
                                      const ::asic::TargetModel &target) {
  GroupCost cost(last, target);
  cost.shape.assign(
      cast<RankedTensorType>(last.getResult(0).getType()).getShape());
  cost.laneOps = countLaneOps(last);
  auto add = [&](linalg::GenericOp op, OpOperand *operand) {
    Value value = operand->get();
    if (auto pad = value.getDefiningOp<tensor::PadOp>())
      value = pad.getSource();
    GroupInput input;
    input.type = cast<RankedTensorType>(value.getType());
    input.map = op.getMatchingIndexingMap(operand);
    input.isConstant = value.getDefiningOp<arith::ConstantOp>() != nullptr;
    input.ofContraction = op == cost.contraction;
    cost.inputs.push_back(input);
  };
  auto group = last->getAttr(kGroupAttrName);
  for (OpOperand *operand : last.getDpsInputOperands()) {
    auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
    if (producer && producer->getAttr(kGroupAttrName) == group &&
        matchContraction(producer)) {
      cost.contraction = producer;
      cost.info = matchContraction(producer);
      cost.accMap = last.getMatchingIndexingMap(operand);
      for (OpOperand *inner : producer.getDpsInputOperands())
        add(producer, inner);
      continue;
    }
    add(last, operand);
  }
  return cost;
}

GroupCost::Tile GroupCost::tileOf(ArrayRef<int64_t> tile,
                                  ArrayRef<int64_t> reduce) {
  Tile result;
  result.lastLoops = last.getStaticLoopRanges();
  AffineMap out = last.getIndexingMapsArray().back();
  for (auto [expr, size] : llvm::zip(out.getResults(), tile))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      result.lastLoops[dim.getPosition()] = size;
  if (!contraction)
    return result;
  auto op = contraction;
  result.contractionLoops = op.getStaticLoopRanges();
  SmallVector<int64_t> accShape = tileShape(accMap, result.lastLoops);
  AffineMap acc = op.getIndexingMapsArray()[2];
  for (auto [expr, size] : llvm::zip(acc.getResults(), accShape))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      result.contractionLoops[dim.getPosition()] = size;
  for (auto [loop, size] : llvm::zip(info->k, reduce))
    result.contractionLoops[loop] = size;
  return result;
}

bool GroupCost::dependsOn(const GroupInput &input, unsigned resultDim) {
  AffineMap out = last.getIndexingMapsArray().back();
  auto dim = dyn_cast<AffineDimExpr>(out.getResult(resultDim));
  if (!dim)
    return false;
  if (!input.ofContraction)
    return input.map.isFunctionOfDim(dim.getPosition());
  AffineMap acc = contraction.getIndexingMapsArray()[2];
  for (auto [position, expr] : llvm::enumerate(accMap.getResults()))
    if (expr.isFunctionOfDim(dim.getPosition()))
      if (auto loop = dyn_cast<AffineDimExpr>(acc.getResult(position)))
        return input.map.isFunctionOfDim(loop.getPosition());
  return false;
}

::asic::Cost GroupCost::loadCost(const GroupInput &input,
                                 ArrayRef<int64_t> tile) {
  ::asic::CopyShape copy;
  int64_t run = bytesOf(input.type.getElementType()), rows = 1;
  bool contiguous = true;
  for (int64_t d = input.type.getRank() - 1; d >= 0; --d) {
    if (contiguous)
      run *= tile[d];
    else
      rows *= tile[d];
    if (tile[d] != input.type.getDimSize(d) && !input.isConstant)
      contiguous = false;
  }
  copy.runBytes = run;
  copy.counts[0] = rows;
  copy.srcStrides[0] = int64_t(llvm::alignTo(run, target.dram.burstBytes)) +
                       int64_t(target.dram.burstBytes);
  copy.dstStrides[0] = run;
  return ::asic::copyCost(target, copy);
}

uint64_t GroupCost::vectorCycles(ArrayRef<int64_t> loops) {
  return target.vpu.setup +
         llvm::divideCeil(uint64_t(product(loops)) * laneOps,
                          uint64_t(target.vpu.lanes));
}

std::optional<GroupChoice> GroupCost::price(ArrayRef<int64_t> tile,
                                            ArrayRef<int64_t> reduce,
                                            ArrayRef<int64_t> order) {
  SmallVector<int64_t> trips;
  int64_t tiles = 1;
  for (auto [size, step] : llvm::zip(shape, tile)) {
    trips.push_back(llvm::divideCeil(std::max<int64_t>(size, 1), step));
    tiles *= trips.back();
  }
  Tile loops = tileOf(tile, reduce);
  int64_t chunks = 1;
  if (contraction)
    for (auto [loop, size] : llvm::zip(info->k, reduce))
      chunks *= llvm::divideCeil(contraction.getStaticLoopRanges()[loop], size);

  // Inputs: how often, how large, in which buffers.
  uint64_t sram = 0, port = 0, loads = 0, firstLoad = 0;
  int64_t bytes = 0;
  for (const GroupInput &input : inputs) {
    SmallVector<int64_t> piece = tileShape(
        input.map, input.ofContraction ? loops.contractionLoops : loops.lastLoops);
    for (auto [size, limit] : llvm::zip(piece, input.type.getShape()))
      size = std::min(size, limit);
    int64_t times = 1, product = 1;
    for (int64_t d : order) {
      product *= trips[d];
      if (dependsOn(input, d))
        times = product;
    }
    if (input.ofContraction && chunks > 1)
      times = tiles * chunks;
    ::asic::Cost load = loadCost(input, piece);
    int64_t pieceBytes =
        ::product(piece) * bytesOf(input.type.getElementType());
    sram += uint64_t(llvm::alignTo(pieceBytes, target.sram.align)) *
            (times > 1 ? 2 : 1);
    port += load.portCycles * times;
    loads += load.occupancy() * times;
    firstLoad += load.occupancy();
    bytes += pieceBytes * times;
  }
  // The output.
  Type element = cast<RankedTensorType>(last.getResult(0).getType())
                     .getElementType();
  GroupInput output;
  output.type = RankedTensorType::get(shape, element);
  ::asic::Cost store = loadCost(output, tile);
  int64_t outBytes = product(tile) * bytesOf(element);
  sram += uint64_t(llvm::alignTo(outBytes, target.sram.align)) *
          (tiles > 1 ? 2 : 1);
  port += store.portCycles * tiles;
  bytes += outBytes * tiles;

  // Compute.
  uint64_t matrix = 0, acc = 0, oneMatrix = 0;
  if (contraction) {
    ::asic::ContractShape shape;
    auto elementType = [&](unsigned operand) {
      return getElementType(
                 cast<RankedTensorType>(contraction.getInputs()[operand].getType())
                     .getElementType())
          .value_or(::asic::ElementType::I8);
    };
    shape.a = elementType(info->a);
    shape.w = elementType(info->w);
    shape.acc =
        getElementType(cast<RankedTensorType>(contraction.getType(0))
                           .getElementType())
            .value_or(::asic::ElementType::I32);
    auto count = [&](ArrayRef<unsigned> dims) {
      uint64_t value = 1;
      for (unsigned dim : dims)
        value *= loops.contractionLoops[dim];
      return value;
    };
    shape.m[0] = count(info->m);
    shape.k[0] = count(info->k);
    shape.n = count(info->n);
    if (info->isDepthwise()) {
      shape.depthwise = true;
      shape.n = loops.contractionLoops[info->batch.back()];
      for (unsigned dim : ArrayRef(info->batch).drop_back())
        shape.m[1] *= loops.contractionLoops[dim];
    } else {
      shape.m[2] = count(info->batch);
      shape.batchedWeights = shape.m[2] > 1;
    }
    oneMatrix = ::asic::contractCost(target, shape).occupancy() * chunks;
    matrix = oneMatrix * tiles;
    acc = uint64_t(product(tileShape(contraction.getIndexingMapsArray()[2],
                                     loops.contractionLoops))) *
          4 * (tiles > 1 ? 2 : 1);
  }
  uint64_t oneVector = vectorCycles(loops.lastLoops);
  uint64_t vector = oneVector * tiles;

  smallestSram = smallestSram < 0 ? sram : std::min<int64_t>(smallestSram, sram);
  smallestAcc = smallestAcc < 0 ? acc : std::min<int64_t>(smallestAcc, acc);
  if (sram > target.sram.bytes - target.sram.bytes / 16 ||
      acc > target.acc.bytes)
    return std::nullopt;

  uint64_t stores = store.occupancy() * tiles;
  uint64_t steady = std::max({matrix, vector, port, loads, stores});
  if (target.dma.count < 2)
    steady = std::max(steady, loads + stores);
  GroupChoice choice;
  choice.tile.assign(tile.begin(), tile.end());
  choice.reduce.assign(reduce.begin(), reduce.end());
  choice.order.assign(order.begin(), order.end());
  // What the neighbours in the stream cannot hide is charged in part.
  choice.cycles = steady + (firstLoad + oneVector + store.occupancy()) / 2;
  choice.bytes = bytes;
  return choice;
}

/// Tile sizes worth trying for a result dimension: even parts, whole array columns for
/// the channels of a contraction, one for batches of a matmul.
SmallVector<int64_t> GroupCost::sizesOf(unsigned dim) {
  int64_t size = std::max<int64_t>(shape[dim], 1);
  SmallVector<int64_t> sizes;
  auto push = [&](int64_t value) {
    value = std::clamp<int64_t>(value, 1, size);
    if (!llvm::is_contained(sizes, value))
      sizes.push_back(value);
  };
  push(size);
  bool isChannel = contraction && dim + 1 == shape.size();
  if (isChannel) {
    for (int64_t value = target.mxu.nCols; value < size; value *= 2)
      push(value);
    for (int64_t parts = 2; parts <= 4; ++parts)
      push(llvm::alignTo(llvm::divideCeil(size, parts), target.mxu.nCols));
    return sizes;
  }
  for (int64_t parts = 2; parts <= size && sizes.size() < 24;
       parts += parts < 16 ? 1 : parts / 4)
    push(llvm::divideCeil(size, parts));
  push(1);
  return sizes;
}

std::optional<GroupChoice> GroupCost::search() {
  unsigned rank = shape.size();
  SmallVector<SmallVector<int64_t>> sizes;
  int64_t combinations = 1;
  for (unsigned d = 0; d < rank; ++d) {
    sizes.push_back(sizesOf(d));
    combinations *= sizes.back().size();
  }
  // Too many: keep the fine steps of the dimensions that matter most.
  for (unsigned round = 0; combinations > 6000 && round < 4 * rank; ++round) {
    auto *largest = llvm::max_element(
        sizes, [](auto &a, auto &b) { return a.size() < b.size(); });
    combinations /= largest->size();
    SmallVector<int64_t> thinned;
    for (unsigned i = 0; i < largest->size(); ++i)
      if (i == 0 || i + 1 == largest->size() || i % 2 == 0)
        thinned.push_back((*largest)[i]);
    *largest = thinned;
    combinations *= largest->size();
  }
  // Batches of a matrix product are separate contractions.
  if (contraction && !info->isDepthwise()) {
    AffineMap out = last.getIndexingMapsArray().back();
    AffineMap acc = contraction.getIndexingMapsArray()[2];
    for (unsigned d = 0; d < rank; ++d)
      if (auto loop = dyn_cast<AffineDimExpr>(out.getResult(d)))
        for (auto [position, expr] : llvm::enumerate(accMap.getResults()))
          if (expr == loop &&
              llvm::is_contained(info->batch,
                                 cast<AffineDimExpr>(acc.getResult(position))
                                     .getPosition()))
            sizes[d] = {1};
  }

  // Reduction chunks: the outermost reduction loop is cut first, so that the order of
  // the sum stays.
  SmallVector<SmallVector<int64_t>> reductions(1);
  if (contraction) {
    SmallVector<int64_t> chunk, ranges = contraction.getStaticLoopRanges();
    for (unsigned loop : info->k)
      chunk.push_back(ranges[loop]);
    reductions[0] = chunk;
    for (int64_t &size : chunk)
      while (size > 1 && reductions.size() < 12) {
        bool inner = &size == &chunk.back();
        size = inner ? llvm::divideCeil(size, 2) : 1;
        if (inner && size < int64_t(target.mxu.kRows))
          break;
        reductions.push_back(chunk);
      }
  }

  SmallVector<SmallVector<int64_t>> orders(1);
  for (unsigned d = 0; d < rank; ++d)
    orders[0].push_back(d);
  if (contraction && rank > 1) {
    SmallVector<int64_t> channelsFirst(orders[0]);
    std::rotate(channelsFirst.begin(), channelsFirst.end() - 1,
                channelsFirst.end());
    orders.push_back(channelsFirst);
  }

  std::optional<GroupChoice> best;
  SmallVector<unsigned> at(rank, 0);
  SmallVector<int64_t> tile(rank);
  for (const SmallVector<int64_t> &reduce : reductions) {
    bool found = best.has_value();
    llvm::fill(at, 0);
    while (true) {
      for (unsigned d = 0; d < rank; ++d)
        tile[d] = sizes[d][at[d]];
      for (const SmallVector<int64_t> &order : orders) {
        std::optional<GroupChoice> choice = price(tile, reduce, order);
        if (choice && (!best || choice->cycles < best->cycles))
          best = choice;
      }
      int digit = int(rank) - 1;
      for (; digit >= 0; --digit) {
        if (++at[digit] < sizes[digit].size())
          break;
        at[digit] = 0;
      }
      if (digit < 0)
        break;
    }
    (void)found;
  }
  return best;
}

LogicalResult GroupCost::reportNoTile() {
  return last.emitOpError("cannot be tiled for the target: the smallest tile "
                          "needs ")
         << smallestSram << " bytes of sram and " << smallestAcc
         << " bytes of acc, expected at most "
         << target.sram.bytes - target.sram.bytes / 16 << " and "
         << target.acc.bytes
         << "; use a target with more memory or split the operation";
}
