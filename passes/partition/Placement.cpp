// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/partition/Placement.h"

#include "dialects/Asic/Asic.h"
#include "passes/partition/Explain.h"
#include "passes/partition/Legality.h"
#include "passes/partition/MinCut.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::asic;
using ::asic::TargetModel;

namespace {

/// What the host is taken to do in a cycle of the accelerator: scalar
/// operations, and bytes copied. An edge processor with a vector unit, whatever
/// the target: the choice has to be stable, not exact (Rationale.md).
constexpr double kHostOpsPerCycle = 4;
constexpr double kHostBytesPerCycle = 8;
/// Microseconds to hand over: finish a program, wake the other side.
constexpr double kHandOverMicroseconds = 5;
/// Costs are integers, in this fraction of a cycle.
constexpr double kFractions = 256;

/// Cycles of an op on either side.
struct OpCost {
  double accelerator = 0, host = 0;
};

OpCost costOf(Operation *op, const TargetModel &target) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    double steps = 1;
    for (int64_t extent : generic.getStaticLoopRanges())
      steps *= extent;
    size_t body = generic.getBody()->getOperations().size();
    steps *= std::max<size_t>(body - 1, 1);
    return {steps / target.vpu.lanes, steps / kHostOpsPerCycle};
  }
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return {};
  double bytes = 0;
  // What is updated is written in place, as a rule.
  if (auto update = dyn_cast<UpdateSliceOp>(op))
    bytes = tensorBytes(update.getSource().getType());
  else
    for (Type type : op->getResultTypes())
      bytes += tensorBytes(type);
  return {bytes / target.dram.bytesPerCycle.asDouble(),
          bytes / kHostBytesPerCycle};
}

bool isHeavy(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && isContraction(generic);
}

class Placer {
public:
  Placer(func::FuncOp main, const TargetModel &target, Sides &sides)
      : main(main), target(target), sides(sides) {}

  void run() {
    collect();
    if (free.empty() || !hasHost)
      return;
    std::vector<bool> onHost = cut();
    llvm::SetVector<Operation *> moved;
    for (Operation *op : free)
      if (onHost[nodes[op]])
        moved.insert(op);
    for (Operation *op : moved)
      sides[op] = Side::host;
    explain(moved);
  }

private:
  /// Ops without a choice stand for their side.
  void collect() {
    for (Operation &op : main.getBody().front()) {
      auto side = sides.find(&op);
      if (side == sides.end())
        continue;
      ops.push_back(&op);
      if (side->second == Side::host) {
        nodes[&op] = MinCut::kSink;
        hasHost = true;
      } else if (isHeavy(&op)) {
        nodes[&op] = MinCut::kSource;
      } else {
        nodes[&op] = graph.addNode();
        free.push_back(&op);
      }
    }
  }

  static uint64_t toCapacity(double cycles) {
    return std::min<double>(std::max(cycles, 0.0) * kFractions, 1e15);
  }

  double crossingCycles(Value value) const {
    // One side writes, the other reads.
    return 2 * tensorBytes(value.getType()) /
               target.dram.bytesPerCycle.asDouble() +
           kHandOverMicroseconds * target.clockMhz.asDouble();
  }

  std::vector<bool> cut() {
    for (Operation *op : free) {
      // In the sink's part an op pays for the host.
      OpCost cost = costOf(op, target);
      graph.addEdge(MinCut::kSource, nodes[op], toCapacity(cost.host));
      graph.addEdge(nodes[op], MinCut::kSink, toCapacity(cost.accelerator));
    }
    for (Operation *op : ops)
      for (Value result : op->getResults())
        addValue(nodes[op], result);
    return graph.sinkPart();
  }

  /// A value crosses once, however many readers are on the other side.
  void addValue(unsigned producer, Value value) {
    llvm::SetVector<unsigned> readers;
    for (Operation *user : value.getUsers()) {
      auto node = nodes.find(topLevel(user, main));
      if (node != nodes.end() && node->second != producer)
        readers.insert(node->second);
    }
    if (readers.empty())
      return;
    double cycles = crossingCycles(value);
    unsigned toHost = graph.addNode(), fromHost = graph.addNode();
    graph.addEdge(producer, toHost, toCapacity(cycles));
    graph.addEdge(fromHost, producer, toCapacity(cycles));
    for (unsigned reader : readers) {
      graph.addEdge(toHost, reader, MinCut::kUncuttable);
      graph.addEdge(reader, fromHost, MinCut::kUncuttable);
    }
  }

  void forEachNeighbour(Operation *op, function_ref<void(Operation *)> fn) {
    auto see = [&](Operation *other) {
      if (other && nodes.count(other))
        fn(other);
    };
    forEachUse(op, [&](Value value) { see(value.getDefiningOp()); });
    for (Operation *user : op->getUsers())
      see(topLevel(user, main));
  }

  /// Says for each island of moved ops what it goes along with and why.
  void explain(const llvm::SetVector<Operation *> &moved) {
    DenseSet<Operation *> seen;
    for (Operation *op : moved) {
      if (seen.contains(op))
        continue;
      llvm::SetVector<Operation *> island;
      island.insert(op);
      Operation *refused = nullptr;
      for (unsigned i = 0; i < island.size(); ++i)
        forEachNeighbour(island[i], [&](Operation *other) {
          if (moved.contains(other))
            island.insert(other);
          else if (!refused && other->hasAttr(kRefusalAttrName))
            refused = other;
        });
      seen.insert(island.begin(), island.end());
      explain(island, refused);
    }
  }

  void explain(const llvm::SetVector<Operation *> &island, Operation *refused) {
    OpCost total;
    uint64_t bytes = 0;
    double crossing = 0;
    auto count = [&](Value value) {
      bytes += tensorBytes(value.getType());
      crossing += crossingCycles(value);
    };
    llvm::SetVector<Value> fromHost;
    for (Operation *op : island) {
      OpCost cost = costOf(op, target);
      total.accelerator += cost.accelerator;
      total.host += cost.host;
      forEachUse(op, [&](Value value) {
        Operation *producer = regionProducer(value);
        if (producer && sides[producer] == Side::host &&
            !island.contains(producer))
          fromHost.insert(value);
      });
      for (Value result : op->getResults())
        if (llvm::any_of(result.getUsers(), [&](Operation *user) {
              Operation *top = topLevel(user, main);
              return nodes.count(top) && sides[top] == Side::host &&
                     !island.contains(top);
            }))
          count(result);
    }
    llvm::for_each(fromHost, count);
    std::string with = "what the accelerator refuses";
    std::string remedy = "free the operations around it from the host";
    if (refused) {
      with = "'" + operatorName(*refused) + "'";
      remedy = "follow the remedy of " + with;
    }
    std::string text =
        llvm::formatv("moved along with {0}: {1:F0} cycles on the host, "
                      "against {2:F0} on the accelerator and {3:F0} to hand "
                      "{4} bytes over and back; {5}",
                      with, total.host, total.accelerator, crossing, bytes,
                      remedy)
            .str();
    for (Operation *op : island)
      op->setAttr(kMovedAttrName, StringAttr::get(op->getContext(), text));
  }

  func::FuncOp main;
  const TargetModel &target;
  Sides &sides;
  MinCut graph;
  SmallVector<Operation *> ops, free;
  DenseMap<Operation *, unsigned> nodes;
  bool hasHost = false;
};

} // namespace

uint64_t mlir::asic::tensorBytes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() ||
      !tensor.getElementType().isIntOrFloat())
    return 0;
  return llvm::divideCeil(
      tensor.getNumElements() * tensor.getElementTypeBitWidth(), 8);
}

void mlir::asic::minimizeCrossings(func::FuncOp main, const TargetModel &target,
                                   Sides &sides) {
  Placer(main, target, sides).run();
}
