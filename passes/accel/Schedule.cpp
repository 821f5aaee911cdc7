// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-schedule: engines, stream order and on-chip addresses.
#include "passes/Passes.h"
#include "passes/Support/Locations.h"
#include "passes/accel/ScheduleOrder.h"
#include "passes/accel/Synchronize.h"
#include "target/Timeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::asic {
#define GEN_PASS_DEF_SCHEDULEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;

/// Above this number of operations fewer variants are tried.
static constexpr size_t manyOps = 6000;

/// Cycles of a schedule by the same event simulation that counts in the
/// emulator; none when it does not finish.
static std::optional<uint64_t> predict(const ScheduleModel &model,
                                       const OrderResult &order) {
  FailureOr<std::vector<SyncLists>> syncs =
      synchronize(model, order.stream, order.engines);
  if (failed(syncs))
    return std::nullopt;
  std::vector<::asic::TimedInstruction> stream;
  stream.reserve(order.stream.size());
  for (auto [number, lists] : llvm::zip_equal(order.stream, *syncs)) {
    ::asic::TimedInstruction timed;
    timed.engine = order.engines[number];
    timed.cost = model.ops[number].cost;
    for (size_t i = 0; i < lists.waits.size(); i += 2)
      timed.wait(lists.waits[i], lists.waits[i + 1]);
    for (size_t i = 0; i < lists.posts.size(); i += 2)
      timed.post(lists.posts[i], lists.posts[i + 1]);
    stream.push_back(timed);
  }
  return ::asic::predictCycles(*model.target, stream);
}

/// The attempts, the most promising first.
static SmallVector<OrderOptions> getVariants(const ScheduleModel &model) {
  // Posts that nobody has waited for yet must fit a semaphore.
  uint64_t limit = std::min<uint64_t>(model.target->sync.maxValue,
                                      ::asic::isa::maxSyncCount);
  OrderOptions base;
  base.lookahead =
      std::clamp<int64_t>(int64_t(limit) - base.loadWindow, 1, base.lookahead);
  SmallVector<OrderOptions> variants = {base};
  OrderOptions storesFirst = base;
  storesFirst.loadsFirst = false;
  variants.push_back(storesFirst);
  if (model.ops.size() <= manyOps) {
    OrderOptions near = base;
    near.lookahead = std::min(base.lookahead, 32u);
    variants.push_back(near);
    OrderOptions inOrder = base;
    inOrder.loadWindow = 1;
    variants.push_back(inOrder);
  }
  return variants;
}

namespace {

/// The best schedule so far and the addresses that belong to it.
struct Best {
  OrderResult order;
  std::vector<int64_t> addresses;
  uint64_t cycles = 0;
};

/// Schedules one function.
class Scheduler {
public:
  Scheduler(func::FuncOp function, ScheduleModel &model)
      : function(function), model(model) {}

  LogicalResult run();

private:
  bool attempt(const OrderOptions &options);
  LogicalResult explain();
  void apply();
  void assignTags();

  func::FuncOp function;
  ScheduleModel &model;
  std::optional<Best> best;
  OrderFailure why;
};

struct SchedulePass : public mlir::asic::impl::SchedulePassBase<SchedulePass> {
  void runOnOperation() override {
    auto schedule = [&](ScheduleModel &model) {
      return Scheduler(getOperation(), model).run();
    };
    if (failed(withScheduleModel(getOperation(), ModelDetail::full, schedule)))
      signalPassFailure();
  }
};

} // namespace

bool Scheduler::attempt(const OrderOptions &options) {
  std::optional<OrderResult> order = orderOps(model, options, why);
  if (!order)
    return false;
  std::optional<uint64_t> cycles = predict(model, *order);
  if (!cycles)
    return false;
  if (best && best->cycles <= *cycles)
    return true;
  best = Best{std::move(*order), {}, *cycles};
  for (const ScheduleBuffer &buffer : model.buffers)
    best->addresses.push_back(buffer.address);
  return true;
}

/// Reports the buffer without a place and what holds the memory.
LogicalResult Scheduler::explain() {
  const ScheduleBuffer &buffer = model.buffers[why.buffer];
  const ::asic::TargetModel &target = *model.target;
  int64_t held = 0;
  for (unsigned holder : why.holders)
    held += model.buffers[holder].bytes;
  uint64_t capacity =
      buffer.space == Space::acc ? target.acc.bytes : target.sram.bytes;
  InFlightDiagnostic diagnostic =
      model.ops[why.op].op->emitOpError("expected room for ")
      << buffer.bytes << " bytes in " << stringifySpace(buffer.space)
      << ", got " << why.largestFree << " free in one piece of " << capacity
      << " with " << held << " held by " << why.holders.size()
      << " buffers; use smaller tiles";
  llvm::sort(why.holders, [&](unsigned a, unsigned b) {
    return std::pair(-model.buffers[a].bytes, a) <
           std::pair(-model.buffers[b].bytes, b);
  });
  for (unsigned holder : ArrayRef(why.holders).take_front(8))
    diagnostic.attachNote(model.buffers[holder].value.getLoc())
        << model.buffers[holder].bytes << " bytes of "
        << model.buffers[holder].value.getType() << " are held from operation "
        << model.buffers[holder].firstUse << " to "
        << model.buffers[holder].lastUse << " here";
  return diagnostic;
}

/// One tag per layer and source line: what a fault or a report points to.
void Scheduler::assignTags() {
  std::map<std::pair<std::string, std::string>, int64_t> tags;
  Builder builder(function.getContext());
  for (const ScheduleOp &op : model.ops) {
    SourceLocation location = getSourceLocation(op.op->getLoc());
    int64_t tag =
        tags.try_emplace({location.layer, location.source()}, tags.size() + 1)
            .first->second;
    op.op->setAttr("tag", builder.getI64IntegerAttr(tag));
  }
}

void Scheduler::apply() {
  Builder builder(function.getContext());
  for (auto [buffer, address] : llvm::zip_equal(model.buffers, best->addresses))
    if (buffer.space != Space::dram && buffer.firstUse >= 0)
      buffer.value.getDefiningOp()->setAttr(kAddressAttrName,
                                            builder.getI64IntegerAttr(address));
  // Buffers and views stay in their order in front of the stream.
  Block &block = function.getBody().front();
  for (unsigned number : best->order.stream) {
    Operation *op = model.ops[number].op;
    op->moveBefore(block.getTerminator());
    op->setAttr("engine",
                builder.getI64IntegerAttr(best->order.engines[number]));
  }
  assignTags();
}

LogicalResult Scheduler::run() {
  for (const OrderOptions &options : getVariants(model))
    if (!attempt(options))
      break;
  if (!best) {
    OrderFailure first = why;
    OrderOptions fixed = getVariants(model).front();
    fixed.fixedAddresses = true;
    if (!attempt(fixed)) {
      why = first;
      return explain();
    }
  }
  apply();
  return success();
}
