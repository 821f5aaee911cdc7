// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/partition/Partition.h"

#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/partition/Boundary.h"
#include "passes/partition/Legality.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

#include <functional>

namespace mlir::asic {
#define GEN_PASS_DEF_PARTITIONPASS
#include "passes/Passes.h.inc"

namespace {

/// Where an op of @main runs.
enum class Side { accelerator, host };

/// Ops that run on one side, in order.
struct Region {
  Side side;
  SmallVector<Operation *> ops;
};

/// True for an op whose value is a result of @main.
bool isReturned(Operation *op) {
  return llvm::any_of(op->getUsers(), llvm::IsaPred<func::ReturnOp>);
}

/// Ops that every region has a copy of instead of passing their value around:
/// constants, and what only spreads them over a tensor. A constant that is a
/// result is work for the host.
bool isShared(Operation *op) {
  if (isReturned(op))
    return false;
  if (isa<arith::ConstantOp, tensor::EmptyOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  bool spreads =
      isa<linalg::FillOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op) ||
      (generic && llvm::hasSingleElement(*generic.getBody()));
  return spreads && llvm::all_of(op->getOperands(), [](Value operand) {
           Operation *producer = operand.getDefiningOp();
           return producer && isShared(producer);
         });
}

/// Ops outside any region: shared ones, border casts and the return.
bool isOutside(Operation *op) {
  return isShared(op) || isBorderCast(op) ||
         op->hasTrait<OpTrait::IsTerminator>();
}

class Partitioner {
public:
  Partitioner(func::FuncOp main, bool hostOnly)
      : main(main), hostOnly(hostOnly) {}

  /// Decides the side of every op; marks refused ones.
  LogicalResult assignSides(bool fallbackIsError);
  void gather();
  void outline();

private:
  void moveCheapIslands();
  void convertHostBorders();
  void forEachNeighbour(Operation *op, function_ref<void(Operation *)> fn);
  void outline(Region &region, StringRef name);
  std::string nameOf(Value value);
  std::string nameOfOutput(Value value, Operation *cast);
  StringAttr stateOf(Value value);
  StringAttr stateOfOutput(Value value, Operation *cast);
  std::string makeName();
  void collectUserNames();
  void setBorder(func::FuncOp func, ArrayRef<Value> inputs,
                 ArrayRef<std::pair<Value, Operation *>> outputs);

  func::FuncOp main;
  bool hostOnly;
  DenseMap<Operation *, Side> sides;
  SmallVector<Region> regions;
  unsigned numTemporaries = 0;
  StringSet<> userNames;
};

/// The op of @main that makes `value` in a region; null for arguments, shared
/// ops and casts of arguments.
Operation *regionProducer(Value value) {
  Operation *op = value.getDefiningOp();
  return op && !isOutside(op) ? op : nullptr;
}

/// Calls `fn` on every value from outside that `op` or its regions use.
void forEachUse(Operation *op, function_ref<void(Value)> fn) {
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()) ||
          operand.getParentBlock() == op->getBlock())
        fn(operand);
  });
}

/// The op of the entry block around `op`.
Operation *topLevel(Operation *op, func::FuncOp main) {
  return main.getBody().findAncestorOpInRegion(*op);
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
    Refusal refusal = legality.check(&op);
    bool isConstant = op.hasTrait<OpTrait::ConstantLike>();
    sides[&op] = refusal || isConstant ? Side::host : Side::accelerator;
    if (!refusal)
      continue;
    refused = true;
    op.setAttr(kRefusalAttrName, StringAttr::get(op.getContext(), *refusal));
    if (fallbackIsError)
      op.emitError() << "the accelerator cannot run this operation: "
                     << *refusal;
  }
  if (refused && fallbackIsError)
    return failure();
  moveCheapIslands();
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
      if (!isOutside(made))
        sides[made] = Side::host;
    op.getResult(0).replaceUsesWithIf(value, [&](OpOperand &use) {
      return isResult || isHostOp(use.getOwner());
    });
    if (op.use_empty())
      op.erase();
  }
}

void Partitioner::forEachNeighbour(Operation *op,
                                   function_ref<void(Operation *)> fn) {
  auto see = [&](Operation *other) {
    if (other && sides.count(other))
      fn(other);
  };
  forEachUse(op, [&](Value value) { see(value.getDefiningOp()); });
  for (Operation *user : op->getUsers())
    see(topLevel(user, main));
}

void Partitioner::moveCheapIslands() {
  // An island is a connected set of accelerator ops. Without a contraction
  // it is cheaper on the host than the way there and back.
  DenseSet<Operation *> seen;
  for (Operation &op : main.getBody().front()) {
    if (!sides.count(&op) || sides[&op] == Side::host || seen.contains(&op))
      continue;
    llvm::SetVector<Operation *> island;
    island.insert(&op);
    bool touchesHost = false, isHeavy = false;
    for (unsigned i = 0; i < island.size(); ++i) {
      auto generic = dyn_cast<linalg::GenericOp>(island[i]);
      isHeavy |= generic && isContraction(generic);
      forEachNeighbour(island[i], [&](Operation *other) {
        if (sides[other] == Side::host)
          touchesHost = true;
        else
          island.insert(other);
      });
    }
    seen.insert(island.begin(), island.end());
    if (touchesHost && !isHeavy)
      for (Operation *member : island)
        sides[member] = Side::host;
  }
}

void Partitioner::gather() {
  // Greedy topological order: take whatever is ready on one side, then on
  // the other, until nothing is left.
  SmallVector<Operation *> waiting;
  for (Operation &op : main.getBody().front())
    if (sides.count(&op))
      waiting.push_back(&op);
  DenseSet<Operation *> done;
  auto isReady = [&](Operation *op) {
    bool ready = true;
    forEachUse(op, [&](Value value) {
      Operation *producer = regionProducer(value);
      ready &= !producer || done.contains(producer);
    });
    return ready;
  };
  auto take = [&](Side side) {
    Region region{side, {}};
    SmallVector<Operation *> rest;
    for (Operation *op : waiting) {
      if (sides[op] == side && isReady(op)) {
        region.ops.push_back(op);
        done.insert(op);
      } else {
        rest.push_back(op);
      }
    }
    waiting = std::move(rest);
    if (!region.ops.empty())
      regions.push_back(std::move(region));
  };
  while (!waiting.empty()) {
    take(Side::accelerator);
    take(Side::host);
  }
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
