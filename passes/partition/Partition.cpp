// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/partition/Partition.h"

#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/partition/Boundary.h"
#include "passes/partition/Explain.h"
#include "passes/partition/Legality.h"
#include "passes/partition/Placement.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

#include <functional>
#include <set>

namespace mlir::asic {
#define GEN_PASS_DEF_PARTITIONPASS
#include "passes/Passes.h.inc"

namespace {

/// Ops that run on one side, in order.
struct Region {
  Side side;
  SmallVector<Operation *> ops;
};

/// Why a conversion at the network's border is an op on the host.
constexpr StringLiteral kBorderMoved =
    "moved along with its neighbours: the runtime converts at the "
    "accelerator's "
    "border, and this one is the host's; follow the remedy of its neighbours";

class Partitioner {
public:
  Partitioner(func::FuncOp main, bool hostOnly)
      : main(main), hostOnly(hostOnly) {}

  /// Decides the side of every op; marks refused ones.
  LogicalResult assignSides(bool fallbackIsError);
  void gather();
  void outline();

private:
  SmallVector<Region> gather(Side side);
  void convertHostBorders();
  void outline(Region &region, StringRef name);
  std::string nameOf(Value value);
  std::string nameOfOutput(Value value, Operation *cast);
  StringAttr stateOf(Value value);
  StringAttr stateOfOutput(Value value, Operation *cast);
  ArrayAttr extentsOf(Value value);
  ArrayAttr extentsOfOutput(Value value);
  std::string makeName();
  void collectUserNames();
  void setBorder(func::FuncOp func, ArrayRef<Value> inputs,
                 ArrayRef<std::pair<Value, Operation *>> outputs);

  func::FuncOp main;
  bool hostOnly;
  Sides sides;
  SmallVector<Region> regions;
  unsigned numTemporaries = 0;
  StringSet<> userNames;
};

/// Refuses `op` also for what its region would have a copy of.
static Refusal checkWithShared(const Legality &legality, Operation *op) {
  Refusal refusal = legality.check(op);
  forEachUse(op, [&](Value value) {
    Operation *producer = value.getDefiningOp();
    if (!refusal && producer && isShared(producer))
      refusal = checkWithShared(legality, producer);
  });
  return refusal;
}

LogicalResult Partitioner::assignSides(bool fallbackIsError) {
  if (hostOnly) {
    for (Operation &op : main.getBody().front())
      if (!isOutside(&op))
        sides[&op] = Side::host;
    return success();
  }
  FailureOr<::asic::TargetModel> target = readTarget(main);
  if (failed(target))
    return failure();
  Legality legality(*target);
  bool refused = false;
  for (Operation &op : main.getBody().front()) {
    if (isOutside(&op))
      continue;
    Refusal refusal = checkWithShared(legality, &op);
    bool isConstant = op.hasTrait<OpTrait::ConstantLike>();
    sides[&op] = refusal || isConstant ? Side::host : Side::accelerator;
    if (!refusal)
      continue;
    refused = true;
    op.setAttr(kRefusalAttrName, StringAttr::get(op.getContext(), *refusal));
    if (fallbackIsError)
      op.emitError() << "the accelerator cannot run this operation, '"
                     << operatorName(op) << "': " << *refusal;
  }
  if (refused && fallbackIsError)
    return failure();
  minimizeCrossings(main, *target, sides);
  convertHostBorders();
  return success();
}

/// The runtime converts at the accelerator's borders only: the host's readers
/// and results get the conversion as ops.
void Partitioner::convertHostBorders() {
  auto isHostOp = [&](Operation *op) {
    auto it = sides.find(topLevel(op, main));
    return it != sides.end() && it->second == Side::host;
  };
  for (Operation &op : llvm::make_early_inc_range(main.getBody().front())) {
    if (!isBorderCast(&op))
      continue;
    Operation *producer = op.getOperand(0).getDefiningOp();
    bool isResult = producer && isHostOp(producer);
    if (!isResult && llvm::none_of(op.getUsers(), isHostOp))
      continue;
    Operation *before = op.getPrevNode();
    Value value = materializeBoundary(cast<UnrealizedConversionCastOp>(op));
    for (Operation *made = before ? before->getNextNode()
                                  : &op.getBlock()->front();
         made != &op; made = made->getNextNode())
      if (!isOutside(made)) {
        sides[made] = Side::host;
        made->setAttr(kMovedAttrName,
                      StringAttr::get(made->getContext(), kBorderMoved));
      }
    op.getResult(0).replaceUsesWithIf(value, [&](OpOperand &use) {
      return isResult || isHostOp(use.getOwner());
    });
    if (op.use_empty())
      op.erase();
  }
}

/// Greedy topological order that begins on `side`: takes whatever is ready
/// there, then on the other, until nothing is left. No order that begins there
/// changes sides less often.
SmallVector<Region> Partitioner::gather(Side side) {
  DenseMap<Operation *, unsigned> missing;
  DenseMap<Operation *, SmallVector<Operation *>> readers;
  // What is ready, by side, in the order of @main.
  std::set<std::pair<unsigned, Operation *>> ready[2];
  auto isHost = [&](Operation *op) { return sides[op] == Side::host; };
  DenseMap<Operation *, unsigned> order;
  for (Operation &op : main.getBody().front()) {
    if (!sides.count(&op))
      continue;
    order[&op] = order.size();
    llvm::SmallSetVector<Operation *, 4> producers;
    forEachUse(&op, [&](Value value) {
      if (Operation *producer = regionProducer(value))
        producers.insert(producer);
    });
    missing[&op] = producers.size();
    for (Operation *producer : producers)
      readers[producer].push_back(&op);
    if (producers.empty())
      ready[isHost(&op)].insert({order[&op], &op});
  }
  SmallVector<Region> result;
  for (; !ready[0].empty() || !ready[1].empty();
       side = side == Side::host ? Side::accelerator : Side::host) {
    auto &queue = ready[side == Side::host];
    Region region{side, {}};
    while (!queue.empty()) {
      Operation *op = queue.begin()->second;
      queue.erase(queue.begin());
      region.ops.push_back(op);
      for (Operation *reader : readers[op])
        if (--missing[reader] == 0)
          ready[isHost(reader)].insert({order[reader], reader});
    }
    if (!region.ops.empty())
      result.push_back(std::move(region));
  }
  return result;
}

void Partitioner::gather() {
  regions = gather(Side::accelerator);
  SmallVector<Region> other = gather(Side::host);
  if (other.size() < regions.size())
    regions = std::move(other);
}

void Partitioner::outline() {
  unsigned counts[2] = {0, 0};
  for (Region &region : regions) {
    bool isHost = region.side == Side::host;
    std::string name = isHost ? "host_" : "accelerator_";
    name += std::to_string(counts[isHost]++);
    outline(region, name);
  }
  // Casts of results come behind the calls; constants that nothing outside
  // regions uses any more go.
  Operation *last = main.getBody().front().getTerminator();
  for (Value result : last->getOperands())
    if (Operation *cast = result.getDefiningOp(); cast && isBorderCast(cast))
      cast->moveBefore(last);
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(main.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

void Partitioner::outline(Region &region, StringRef name) {
  DenseSet<Operation *> inside(region.ops.begin(), region.ops.end());
  llvm::SetVector<Value> inputs;
  llvm::SetVector<Operation *> shared;
  std::function<void(Operation *)> addShared = [&](Operation *op) {
    for (Value operand : op->getOperands())
      addShared(operand.getDefiningOp());
    shared.insert(op);
  };
  for (Operation *op : region.ops)
    forEachUse(op, [&](Value value) {
      Operation *producer = value.getDefiningOp();
      if (producer && isShared(producer))
        addShared(producer);
      else if (!producer || !inside.contains(producer))
        inputs.insert(value);
    });
  // A value is an output once for its readers as it is and once per cast.
  llvm::SetVector<std::pair<Value, Operation *>> outputs;
  auto castOf = [&](Operation *user) {
    bool isConverted = region.side == Side::accelerator && isBorderCast(user);
    return isConverted ? user : nullptr;
  };
  for (Operation *op : region.ops)
    for (Value result : op->getResults())
      for (Operation *user : result.getUsers())
        if (!inside.contains(topLevel(user, main)))
          outputs.insert({result, castOf(user)});
  SmallVector<Value> outputValues =
      llvm::to_vector(llvm::make_first_range(outputs));

  MLIRContext *context = main.getContext();
  OpBuilder builder(main);
  SmallVector<Location> locations;
  for (Operation *op : region.ops)
    locations.push_back(op->getLoc());
  auto type = FunctionType::get(
      context, llvm::to_vector(ValueRange(inputs.getArrayRef()).getTypes()),
      llvm::to_vector(ValueRange(outputValues).getTypes()));
  auto func = func::FuncOp::create(builder, main.getLoc(), name, type);
  func.setPrivate();
  bool isHost = region.side == Side::host;
  func->setAttr(
      kRegionAttrName,
      builder.getStringAttr(isHost ? kHostRegion : kAcceleratorRegion));
  setBorder(func, inputs.getArrayRef(), outputs.getArrayRef());

  Block *body = func.addEntryBlock();
  IRMapping mapping;
  mapping.map(inputs.getArrayRef(), body->getArguments());
  builder.setInsertionPointToStart(body);
  for (Operation *op : shared)
    builder.clone(*op, mapping);
  for (Operation *op : region.ops)
    builder.clone(*op, mapping);
  SmallVector<Value> results;
  for (Value output : outputValues)
    results.push_back(mapping.lookup(output));
  func::ReturnOp::create(builder, main.getLoc(), results);

  builder.setInsertionPoint(main.getBody().front().getTerminator());
  auto call =
      func::CallOp::create(builder, main.getLoc(), func, inputs.getArrayRef());
  for (auto [output, result] : llvm::zip_equal(outputs, call.getResults())) {
    auto [value, cast] = output;
    Operation *converted = cast;
    value.replaceUsesWithIf(result, [&](OpOperand &use) {
      Operation *user = use.getOwner();
      return !inside.contains(topLevel(user, main)) &&
             castOf(user) == converted;
    });
  }
  for (Operation *op : llvm::reverse(region.ops)) {
    op->dropAllUses();
    op->erase();
  }
}

/// The user's name of a value that is an argument of @main, or one made up.
std::string Partitioner::nameOf(Value value) {
  if (auto cast = value.getDefiningOp<UnrealizedConversionCastOp>())
    value = cast.getOperand(0);
  if (auto argument = dyn_cast<BlockArgument>(value))
    if (auto name = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                      kNameAttrName))
      return name.str();
  return makeName();
}

/// The same of a result that `cast` converts, or nothing when it is null.
std::string Partitioner::nameOfOutput(Value value, Operation *cast) {
  Value returned = cast ? cast->getResult(0) : value;
  for (OpOperand &use : returned.getUses())
    if (isa<func::ReturnOp>(use.getOwner()))
      if (auto name = main.getResultAttrOfType<StringAttr>(
              use.getOperandNumber(), kNameAttrName))
        return name.str();
  return makeName();
}

/// The buffer that a value is at the start of a call, or null.
StringAttr Partitioner::stateOf(Value value) {
  if (auto cast = value.getDefiningOp<UnrealizedConversionCastOp>())
    value = cast.getOperand(0);
  if (auto argument = dyn_cast<BlockArgument>(value))
    return main.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                             kStateAttrName);
  return nullptr;
}

/// The buffer that a result that `cast` converts is at the end, or null.
StringAttr Partitioner::stateOfOutput(Value value, Operation *cast) {
  Value returned = cast ? cast->getResult(0) : value;
  for (OpOperand &use : returned.getUses())
    if (isa<func::ReturnOp>(use.getOwner()))
      if (auto state = main.getResultAttrOfType<StringAttr>(
              use.getOperandNumber(), kStateAttrName))
        return state;
  return nullptr;
}

/// How much of an argument of @main a call uses, or null.
ArrayAttr Partitioner::extentsOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? main.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                     kExtentsAttrName)
                  : nullptr;
}

/// How much of a value is read after a call, or null: all of it.
ArrayAttr Partitioner::extentsOfOutput(Value value) {
  ArrayAttr extents;
  for (OpOperand &use : value.getUses()) {
    auto result = isa<func::ReturnOp>(use.getOwner())
                      ? main.getResultAttrOfType<ArrayAttr>(
                            use.getOperandNumber(), kExtentsAttrName)
                      : nullptr;
    if (!result || (extents && extents != result))
      return nullptr;
    extents = result;
  }
  return extents;
}

std::string Partitioner::makeName() {
  if (userNames.empty())
    collectUserNames();
  std::string name;
  do
    name = "t" + std::to_string(numTemporaries++);
  while (userNames.contains(name));
  return name;
}

void Partitioner::collectUserNames() {
  for (unsigned i = 0; i < main.getNumArguments(); ++i)
    if (auto name = main.getArgAttrOfType<StringAttr>(i, kNameAttrName))
      userNames.insert(name);
  for (unsigned i = 0; i < main.getNumResults(); ++i)
    if (auto name = main.getResultAttrOfType<StringAttr>(i, kNameAttrName))
      userNames.insert(name);
}

/// Names, states and, on the accelerator, conversions of a region function's
/// arguments and results.
void Partitioner::setBorder(func::FuncOp func, ArrayRef<Value> inputs,
                            ArrayRef<std::pair<Value, Operation *>> outputs) {
  Builder builder(func.getContext());
  for (auto [i, value] : llvm::enumerate(inputs)) {
    func.setArgAttr(i, kNameAttrName, builder.getStringAttr(nameOf(value)));
    if (StringAttr state = stateOf(value))
      func.setArgAttr(i, kStateAttrName, state);
    if (ArrayAttr extents = extentsOf(value))
      func.setArgAttr(i, kExtentsAttrName, extents);
    Operation *cast = value.getDefiningOp();
    if (cast && isBorderCast(cast))
      func.setArgAttr(i, kBoundaryAttrName, cast->getAttr(kBoundaryAttrName));
  }
  for (auto [i, output] : llvm::enumerate(outputs)) {
    auto [value, cast] = output;
    func.setResultAttr(i, kNameAttrName,
                       builder.getStringAttr(nameOfOutput(value, cast)));
    if (StringAttr state = stateOfOutput(value, cast))
      func.setResultAttr(i, kStateAttrName, state);
    if (ArrayAttr extents = cast ? nullptr : extentsOfOutput(value))
      func.setResultAttr(i, kExtentsAttrName, extents);
    if (cast)
      func.setResultAttr(i, kBoundaryAttrName,
                         cast->getAttr(kBoundaryAttrName));
  }
}

struct PartitionPass : impl::PartitionPassBase<PartitionPass> {
  using PartitionPassBase::PartitionPassBase;

  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>(kEntryName);
    if (!main || !main.getBody().hasOneBlock()) {
      getOperation().emitError("expected a function '@main' of one block, got "
                               "none; name the entry function main");
      return signalPassFailure();
    }
    Partitioner partitioner(main, hostOnly);
    if (failed(partitioner.assignSides(fallbackIsError)))
      return signalPassFailure();
    partitioner.gather();
    partitioner.outline();
    if (failed(checkHostCalls()))
      signalPassFailure();
  }

  /// An operator without a body runs nowhere.
  LogicalResult checkHostCalls() {
    LogicalResult result = success();
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (!func->hasAttr(kRegionAttrName))
        continue;
      func.walk([&](func::CallOp call) {
        auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
        if (callee && !callee.isExternal())
          return;
        call.emitError() << "expected an operator that the accelerator or the "
                            "host can run, got '"
                         << call.getCallee()
                         << "'; rewrite the model without it";
        result = failure();
      });
    }
    return result;
  }
};

} // namespace
} // namespace mlir::asic
