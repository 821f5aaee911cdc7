// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-lower-to-isa: a scheduled function becomes an isa.program.
#include "dialects/Isa/Isa.h"
#include "passes/Passes.h"
#include "passes/Support/Target.h"
#include "passes/accel/LowerToIsaSelect.h"
#include "passes/accel/ScheduleModel.h"
#include "runtime/Timing.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::asic {
#define GEN_PASS_DEF_LOWERTOISAPASS
#define GEN_PASS_DEF_VERIFYISAPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;
namespace machine = ::asic::isa;

namespace {

/// Lowers one function.
class ProgramBuilder {
public:
  ProgramBuilder(func::FuncOp function, const ::asic::TargetModel &target)
      : function(function), builder(function.getContext()) {
    options.depthwise = target.mxu.depthwiseMacsPerCycle > 0;
  }

  LogicalResult run();

private:
  LogicalResult selectStream();
  LogicalResult addIo();
  LogicalResult addIo(Value memref, DictionaryAttr attrs, bool isOutput,
                      unsigned number);
  void addConstants();
  DictionaryAttr makeMeta();

  func::FuncOp function;
  OpBuilder builder;
  SelectOptions options;
  LaneProgramTable lanes;
  std::vector<std::pair<Location, machine::Instruction>> stream;
};

struct LowerToIsaPass
    : public mlir::asic::impl::LowerToIsaPassBase<LowerToIsaPass> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (hasTileOps(function))
        functions.push_back(function);
    if (functions.empty())
      return;
    FailureOr<::asic::TargetModel> target = readTarget(getOperation());
    if (failed(target))
      return signalPassFailure();
    for (func::FuncOp function : functions)
      if (failed(ProgramBuilder(function, *target).run()))
        return signalPassFailure();
  }
};

struct VerifyIsaPass
    : public mlir::asic::impl::VerifyIsaPassBase<VerifyIsaPass> {
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

LogicalResult ProgramBuilder::selectStream() {
  for (Operation &op : function.getBody().front()) {
    if (!isa<ContractOp, MapOp, CopyOp, FillOp>(op))
      continue;
    if (!op.hasAttr("engine"))
      return op.emitOpError("expected an engine; run asic-schedule first");
    bool placed = true;
    FailureOr<machine::Instruction> instruction =
        selectInstruction(&op, options, lanes, [&](Value buffer) {
          std::optional<int64_t> address = getBufferAddress(buffer);
          placed &= address.has_value();
          return address.value_or(0);
        });
    if (failed(instruction))
      return failure();
    if (!placed)
      return op.emitOpError("expected every buffer to have an address; run "
                            "asic-schedule and asic-allocate-dram first");
    stream.push_back({op.getLoc(), *instruction});
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Inputs, outputs, constants
//===----------------------------------------------------------------------===//

/// NumPy's name of a type that users see.
static FailureOr<StringRef> getNumpyName(Type type, Operation *user) {
  if (type.isF32())
    return StringRef("float32");
  if (type.isF16())
    return StringRef("float16");
  if (type.isBF16())
    return StringRef("bfloat16");
  if (isa<Float8E4M3FNType>(type))
    return StringRef("float8_e4m3fn");
  if (isa<Float8E5M2Type>(type))
    return StringRef("float8_e5m2");
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return StringRef("bool");
    case 8:
      return StringRef(isUnsigned ? "uint8" : "int8");
    case 16:
      return StringRef(isUnsigned ? "uint16" : "int16");
    case 32:
      return StringRef(isUnsigned ? "uint32" : "int32");
    case 64:
      return StringRef("int64");
    }
  }
  return user->emitOpError("expected a type that NumPy has at the border of "
                           "the program, got ")
         << type;
}

/// The parts of an `asic.boundary` that describe quantisation, or null.
static DictionaryAttr getQuantization(DictionaryAttr boundary) {
  if (!boundary || !boundary.get("scale"))
    return nullptr;
  SmallVector<NamedAttribute> parts;
  for (StringRef name : {"hi", "lo", "scale", "zero_point"})
    if (Attribute part = boundary.get(name))
      parts.emplace_back(StringAttr::get(boundary.getContext(), name), part);
  return DictionaryAttr::get(boundary.getContext(), parts);
}

LogicalResult ProgramBuilder::addIo(Value memref, DictionaryAttr attrs,
                                    bool isOutput, unsigned number) {
  FailureOr<BufferView> view = getBufferView(memref, function);
  if (failed(view))
    return failure();
  std::optional<int64_t> address = getBufferAddress(view->base);
  if (!address)
    return function.emitOpError("expected inputs and outputs to have "
                                "addresses; run asic-allocate-dram first");
  auto boundary =
      attrs ? attrs.getAs<DictionaryAttr>("asic.boundary") : DictionaryAttr();
  auto name = attrs ? attrs.getAs<StringAttr>("asic.name") : StringAttr();
  if (!name)
    name =
        builder.getStringAttr((isOutput ? "output" : "input") + Twine(number));
  auto type = cast<MemRefType>(memref.getType());
  Type userType = type.getElementType();
  SmallVector<int64_t> shape(view->sizes), strides;
  for (int64_t stride : view->strides)
    strides.push_back(stride / view->elementBytes);
  if (boundary) {
    if (auto given = boundary.getAs<TypeAttr>("type"))
      userType = given.getValue();
    auto logical = boundary.getAs<DenseI64ArrayAttr>("shape");
    auto permutation = boundary.getAs<DenseI64ArrayAttr>("permutation");
    if (permutation) {
      // Device dimension i is logical dimension permutation[i].
      SmallVector<int64_t> deviceShape(shape), deviceStrides(strides);
      for (auto [device, its] : llvm::enumerate(permutation.asArrayRef())) {
        shape[its] = deviceShape[device];
        strides[its] = deviceStrides[device];
      }
    } else if (logical && logical.asArrayRef() != ArrayRef(shape)) {
      // Another shape of the same elements in the same order.
      shape.assign(logical.asArrayRef().begin(), logical.asArrayRef().end());
      strides.assign(shape.size(), 1);
      for (size_t i = shape.size(); i-- > 1;)
        strides[i - 1] = strides[i] * shape[i];
    }
  }
  FailureOr<StringRef> dtype = getNumpyName(userType, function);
  if (failed(dtype))
    return failure();
  Type deviceType = type.getElementType();
  if (deviceType.isInteger(1))
    deviceType = builder.getIntegerType(8, /*isSigned=*/false);
  asicisa::IoOp::create(
      builder, function.getLoc(), isOutput, name, shape, *dtype, deviceType,
      *address + view->offset, strides, getQuantization(boundary),
      attrs ? attrs.getAs<StringAttr>("asic.state") : StringAttr());
  return success();
}

LogicalResult ProgramBuilder::addIo() {
  Block &block = function.getBody().front();
  for (BlockArgument argument : block.getArguments())
    if (isa<MemRefType>(argument.getType()) &&
        failed(addIo(argument, function.getArgAttrDict(argument.getArgNumber()),
                     /*isOutput=*/false, argument.getArgNumber())))
      return failure();
  for (OpOperand &operand : block.getTerminator()->getOpOperands())
    if (isa<MemRefType>(operand.get().getType()) &&
        failed(addIo(operand.get(),
                     function.getResultAttrDict(operand.getOperandNumber()),
                     /*isOutput=*/true, operand.getOperandNumber())))
      return failure();
  return success();
}

void ProgramBuilder::addConstants() {
  // Equal values share an address.
  std::map<int64_t, ConstantOp> byAddress;
  function.walk([&](ConstantOp constant) {
    if (constant.getAddress() && !constant->use_empty())
      byAddress.try_emplace(*constant.getAddress(), constant);
  });
  for (auto [address, constant] : byAddress) {
    MemRefType type = cast<MemRefType>(constant.getType());
    asicisa::ConstantOp::create(builder, constant.getLoc(), constant.getValue(),
                                isPacked(type), address);
  }
}

/// What of each on-chip memory is used.
DictionaryAttr ProgramBuilder::makeMeta() {
  int64_t ends[2] = {0, 0};
  function.walk([&](memref::AllocOp alloc) {
    Space space = getSpace(alloc.getType());
    std::optional<int64_t> address = getBufferAddress(alloc);
    if (space == Space::dram || !address)
      return;
    int64_t &end = ends[space == Space::acc];
    end = std::max(end, *address + getBufferBytes(alloc.getType()));
  });
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("acc_bytes", builder.getI64IntegerAttr(ends[1])),
       builder.getNamedAttr("sram_bytes", builder.getI64IntegerAttr(ends[0]))});
}

LogicalResult ProgramBuilder::run() {
  if (failed(selectStream()))
    return failure();
  auto dramBytes = function->getAttrOfType<IntegerAttr>(kDramBytesAttrName);
  if (!dramBytes)
    return function.emitOpError("expected '")
           << kDramBytesAttrName << "'; run asic-allocate-dram first";
  builder.setInsertionPointAfter(function);
  std::string name = (function.getName() + "_program").str();
  auto program = asicisa::ProgramOp::create(builder, function.getLoc(), name,
                                            dramBytes.getInt(), makeMeta());
  builder.createBlock(&program.getBody());
  if (failed(addIo()))
    return failure();
  addConstants();
  for (auto [index, lane] : llvm::enumerate(lanes.programs()))
    asicisa::createLaneProgram(builder, function.getLoc(), index, lane);
  for (auto &[loc, instruction] : stream)
    asicisa::createInstruction(builder, loc, instruction);
  asicisa::createInstruction(
      builder, function.getLoc(),
      machine::Instruction(machine::Opcode::Halt, machine::ctrl));
  // Callers keep a declaration that names the program.
  function.getBody().getBlocks().clear();
  function.setPrivate();
  function->setAttr("asic.program",
                    FlatSymbolRefAttr::get(function.getContext(), name));
  return success();
}

//===----------------------------------------------------------------------===//
// asic-verify-isa
//===----------------------------------------------------------------------===//

/// Replays a program's events and reports why it would not finish.
static LogicalResult verifyTimeline(asicisa::ProgramOp program,
                                    const ::asic::TargetModel &target) {
  std::vector<machine::LaneProgram> lanes;
  std::vector<::asic::TimedInstruction> stream;
  std::vector<Operation *> ops;
  for (Operation &op : program.getBody().front()) {
    if (auto lane = dyn_cast<asicisa::LaneProgramOp>(op))
      lanes.push_back(asicisa::getLaneProgram(lane));
    else if (auto instruction = asicisa::getInstruction(&op)) {
      stream.push_back(::asic::timedInstruction(target, *instruction, lanes));
      ops.push_back(&op);
    }
  }
  if (ops.empty() || !isa<asicisa::HaltOp>(ops.back()))
    return program.emitOpError("expected isa.halt as the last instruction");
  ::asic::Timeline timeline(target, stream);
  const ::asic::TimelineResult &result = timeline.run();
  using Status = ::asic::TimelineStatus;
  switch (result.status) {
  case Status::Finished:
    break;
  case Status::Deadlock: {
    InFlightDiagnostic diagnostic =
        program.emitOpError("expected a program that finishes, got a deadlock");
    for (const ::asic::BlockedInstruction &blocked : result.blocked)
      diagnostic.attachNote(ops[blocked.instruction]->getLoc())
          << machine::engineName(blocked.engine) << ": " << blocked.reason;
    return diagnostic;
  }
  case Status::SemaphoreOverflow:
    return ops[result.culprit]->emitOpError("expected semaphore ")
           << result.culpritSemaphore << " to stay at or below "
           << target.sync.maxValue;
  default:
    return ops[result.culprit]->emitOpError(
        "expected an engine and semaphores that the target has");
  }
  for (auto [semaphore, left] : llvm::enumerate(result.semaphores))
    if (left)
      return program.emitOpError("expected every post to be waited for, got ")
             << left << " left on semaphore " << semaphore;
  return success();
}

void VerifyIsaPass::runOnOperation() {
  WalkResult result = getOperation().walk([](Operation *op) {
    if (!isa<ContractOp, MapOp, CopyOp, FillOp>(op))
      return WalkResult::advance();
    op->emitOpError("expected no tile operations after asic-lower-to-isa");
    return WalkResult::interrupt();
  });
  if (result.wasInterrupted())
    return signalPassFailure();
  auto programs = getOperation().getOps<asicisa::ProgramOp>();
  if (programs.empty())
    return;
  FailureOr<::asic::TargetModel> target = readTarget(getOperation());
  if (failed(target))
    return signalPassFailure();
  for (asicisa::ProgramOp program : programs)
    if (failed(verifyTimeline(program, *target)))
      return signalPassFailure();
}
