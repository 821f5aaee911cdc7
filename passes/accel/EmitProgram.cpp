// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/accel/EmitProgram.h"

#include "dialects/Asic/Asic.h"
#include "passes/Support/Locations.h"
#include "passes/Support/Target.h"
#include "runtime/Timing.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace mlir;
using namespace mlir::asic;
namespace machine = ::asic::isa;
using ::asic::Program;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// Bytes of a constant in row-major order, those of a resource borrowed; i1
/// takes a byte.
static FailureOr<::asic::ConstantBytes> getBytes(ElementsAttr value,
                                                 Operation *op) {
  ShapedType type = value.getShapedType();
  size_t count = type.getNumElements();
  unsigned bits = type.getElementTypeBitWidth();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return op->emitOpError("expected data for resource '")
             << resource.getRawHandle().getKey()
             << "', got none; attach the weights before the pipeline";
    ArrayRef<char> data = blob->getData();
    if (bits % 8 != 0 || data.size() != count * (bits / 8))
      return op->emitOpError("expected ")
             << count * bits / 8 << " bytes in resource '"
             << resource.getRawHandle().getKey() << "', got " << data.size();
    return ::asic::ConstantBytes::borrow(
        {reinterpret_cast<const uint8_t *>(data.data()), data.size()});
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense)
    return op->emitOpError("expected dense constant data, got ") << value;
  if (bits == 1) {
    std::vector<uint8_t> bytes;
    for (bool element : dense.getValues<bool>())
      bytes.push_back(element);
    return ::asic::ConstantBytes(std::move(bytes));
  }
  if (bits % 8 != 0)
    return op->emitOpError("expected elements of whole bytes, got ") << type;
  ArrayRef<char> data = dense.getRawData();
  std::vector<uint8_t> bytes(data.begin(), data.end());
  if (dense.isSplat()) {
    std::vector<uint8_t> element(data.begin(), data.end());
    bytes.clear();
    bytes.reserve(element.size() * count);
    for (size_t i = 0; i < count; ++i)
      bytes.insert(bytes.end(), element.begin(), element.end());
  }
  return ::asic::ConstantBytes(std::move(bytes));
}

/// The low halves of `codes`, two to a byte, the first one low.
static ::asic::ConstantBytes pack(ArrayRef<uint8_t> codes) {
  std::vector<uint8_t> bytes((codes.size() + 1) / 2);
  size_t pairs = codes.size() / 2;
  for (size_t i = 0; i < pairs; ++i)
    bytes[i] = uint8_t((codes[2 * i] & 0xf) | codes[2 * i + 1] << 4);
  if (codes.size() % 2)
    bytes.back() = codes.back() & 0xf;
  return ::asic::ConstantBytes(std::move(bytes));
}

//===----------------------------------------------------------------------===//
// From isa.program to the container
//===----------------------------------------------------------------------===//

namespace {

/// Static work of the instructions with one tag.
struct LayerWork {
  uint64_t instructions = 0, macs = 0, vpuOps = 0;
  uint64_t dramReadBytes = 0, dramWriteBytes = 0;
};

/// Builds one container.
class ProgramEmitter {
public:
  ProgramEmitter(asicisa::ProgramOp op, const ::asic::TargetModel &target)
      : op(op), target(target) {}

  FailureOr<Program> run();

private:
  LogicalResult addIo(asicisa::IoOp io);
  void addState();
  LogicalResult addConstant(asicisa::ConstantOp constant);
  LogicalResult addInstruction(Operation *source,
                               const machine::Instruction &instruction);
  void addDebug(uint32_t tag, Location location);
  void addMeta();

  asicisa::ProgramOp op;
  const ::asic::TargetModel &target;
  Program program;
  std::vector<::asic::TimedInstruction> timed;
  std::map<uint32_t, ::asic::DebugEntry> debug;
  std::map<uint32_t, LayerWork> work;
};

} // namespace

LogicalResult ProgramEmitter::addIo(asicisa::IoOp io) {
  ::asic::IoTensor tensor;
  tensor.name = io.getIoName().str();
  tensor.shape.assign(io.getShape().begin(), io.getShape().end());
  tensor.dtype = io.getDtype().str();
  tensor.deviceType = *asicisa::getElementType(io.getDeviceType());
  tensor.address = io.getAddress();
  tensor.strides.assign(io.getStrides().begin(), io.getStrides().end());
  if (DictionaryAttr parts = io.getQuantizationAttr()) {
    ::asic::AffineQuantization quantization;
    auto scale = parts.getAs<FloatAttr>("scale");
    if (!scale)
      return io.emitOpError("expected a scale in the quantization, got ")
             << parts;
    quantization.scale = scale.getValueAsDouble();
    auto read = [&](StringRef name, int64_t &field) {
      if (auto number = parts.getAs<IntegerAttr>(name))
        field = number.getInt();
    };
    read("zero_point", quantization.zeroPoint);
    read("lo", quantization.lo);
    read("hi", quantization.hi);
    tensor.quantization = quantization;
  }
  tensor.state = io.getState().value_or("").str();
  (io.getOutput() ? program.outputs : program.inputs).push_back(tensor);
  return success();
}

/// A state whose input and output are one memory, and only they, is a region.
void ProgramEmitter::addState() {
  auto only = [](ArrayRef<::asic::IoTensor> tensors, StringRef path) {
    const ::asic::IoTensor *found = nullptr;
    unsigned count = 0;
    for (const ::asic::IoTensor &tensor : tensors)
      if (tensor.state == path) {
        found = &tensor;
        ++count;
      }
    return count == 1 ? found : nullptr;
  };
  for (const ::asic::IoTensor &input : program.inputs) {
    if (input.state.empty() || !only(program.inputs, input.state))
      continue;
    const ::asic::IoTensor *output = only(program.outputs, input.state);
    if (output && isSameMemory(input, *output))
      program.state.push_back({input.state, input.address, input.byteExtent()});
  }
}

LogicalResult ProgramEmitter::addConstant(asicisa::ConstantOp constant) {
  FailureOr<::asic::ConstantBytes> bytes =
      getBytes(cast<ElementsAttr>(constant.getValue()), constant);
  if (failed(bytes))
    return failure();
  if (constant.getPacked())
    bytes = pack(*bytes);
  if (!program.constants.empty()) {
    const ::asic::ConstantBlock &last = program.constants.back();
    if (last.address + last.bytes.size() > constant.getAddress())
      return constant.emitOpError("expected constants in ascending order "
                                  "without overlap, got one at ")
             << constant.getAddress() << " behind one that ends at "
             << last.address + last.bytes.size();
  }
  program.constants.push_back({constant.getAddress(), std::move(*bytes)});
  return success();
}

/// `location` as MLIR prints it.
static std::string printLocation(Location location) {
  std::string text;
  llvm::raw_string_ostream os(text);
  location.print(os);
  return text;
}

void ProgramEmitter::addDebug(uint32_t tag, Location location) {
  auto [it, isNew] = debug.try_emplace(tag);
  if (!isNew)
    return;
  SourceLocation source = getSourceLocation(location);
  it->second = {tag, source.layer, printLocation(location), source.source()};
}

LogicalResult
ProgramEmitter::addInstruction(Operation *source,
                               const machine::Instruction &instruction) {
  if (llvm::Error error = program.append(instruction))
    return source->emitOpError(llvm::toString(std::move(error)));
  timed.push_back(::asic::timedInstruction(target, instruction, program.lanes));
  const ::asic::Cost &cost = timed.back().cost;
  LayerWork &layer = work[instruction.tag];
  ++layer.instructions;
  layer.macs += cost.macs;
  layer.vpuOps += cost.vpuOps;
  layer.dramReadBytes += cost.dramReadBytes;
  layer.dramWriteBytes += cost.dramWriteBytes;
  if (instruction.tag)
    addDebug(instruction.tag, source->getLoc());
  return success();
}

void ProgramEmitter::addMeta() {
  program.meta.dramBytes = op.getDramBytes();
  program.meta.predictedCycles = ::asic::predictCycles(target, timed);
  program.meta.compilerVersion = "asic-mlir " ASIC_VERSION;
  llvm::json::Array layers;
  for (const auto &[tag, layer] : work)
    layers.push_back(
        llvm::json::Object{{"tag", tag},
                           {"instructions", layer.instructions},
                           {"macs", layer.macs},
                           {"vpu_ops", layer.vpuOps},
                           {"dram_read_bytes", layer.dramReadBytes},
                           {"dram_write_bytes", layer.dramWriteBytes}});
  program.meta.extra["layers"] = std::move(layers);
  if (DictionaryAttr meta = op.getMetaAttr())
    for (NamedAttribute entry : meta)
      if (auto number = dyn_cast<IntegerAttr>(entry.getValue()))
        program.meta.extra[entry.getName().strref()] = number.getInt();
}

FailureOr<Program> ProgramEmitter::run() {
  program.target = target.canonicalJson();
  for (Operation &inner : op.getBody().front()) {
    LogicalResult result = success();
    if (auto io = dyn_cast<asicisa::IoOp>(inner))
      result = addIo(io);
    else if (auto constant = dyn_cast<asicisa::ConstantOp>(inner))
      result = addConstant(constant);
    else if (auto lane = dyn_cast<asicisa::LaneProgramOp>(inner))
      program.lanes.push_back(asicisa::getLaneProgram(lane));
    else if (auto instruction = asicisa::getInstruction(&inner))
      result = addInstruction(&inner, *instruction);
    if (failed(result))
      return failure();
  }
  for (auto &[tag, entry] : debug)
    program.debug.push_back(std::move(entry));
  addState();
  addMeta();
  return std::move(program);
}

FailureOr<Program> mlir::asic::emitProgram(asicisa::ProgramOp op) {
  FailureOr<::asic::TargetModel> target = readTarget(op);
  if (failed(target))
    return failure();
  return ProgramEmitter(op, *target).run();
}

FailureOr<Program> mlir::asic::emitProgram(ModuleOp module, StringRef name) {
  SmallVector<asicisa::ProgramOp> programs;
  for (auto program : module.getOps<asicisa::ProgramOp>())
    if (name.empty() || program.getSymName() == name)
      programs.push_back(program);
  if (programs.size() != 1)
    return module.emitError("expected one isa.program")
           << (name.empty() ? "" : " called '") << name
           << (name.empty() ? "" : "'") << ", got " << programs.size();
  return emitProgram(programs.front());
}

//===----------------------------------------------------------------------===//
// From the container to isa.program
//===----------------------------------------------------------------------===//

/// `layer` at `file:line`, as far as they are known.
static Location makeLocation(const ::asic::DebugEntry *entry,
                             MLIRContext *context) {
  Location unknown = UnknownLoc::get(context);
  if (!entry)
    return unknown;
  Location location = unknown;
  auto [file, line] = StringRef(entry->source).rsplit(':');
  unsigned number;
  if (!line.empty() && !line.getAsInteger(10, number))
    location = FileLineColLoc::get(context, file, number, 0);
  if (entry->layer.empty())
    return location;
  return NameLoc::get(StringAttr::get(context, entry->layer), location);
}

static void importIo(const ::asic::IoTensor &tensor, bool isOutput,
                     OpBuilder &builder) {
  DictionaryAttr quantization;
  if (tensor.quantization)
    quantization = builder.getDictionaryAttr(
        {builder.getNamedAttr(
             "hi", builder.getI64IntegerAttr(tensor.quantization->hi)),
         builder.getNamedAttr(
             "lo", builder.getI64IntegerAttr(tensor.quantization->lo)),
         builder.getNamedAttr(
             "scale", builder.getF64FloatAttr(tensor.quantization->scale)),
         builder.getNamedAttr(
             "zero_point",
             builder.getI64IntegerAttr(tensor.quantization->zeroPoint))});
  asicisa::IoOp::create(
      builder, builder.getUnknownLoc(), isOutput, tensor.name, tensor.shape,
      tensor.dtype,
      asicisa::getBuiltinType(builder.getContext(), tensor.deviceType),
      tensor.address, tensor.strides, quantization,
      tensor.state.empty() ? StringAttr()
                           : builder.getStringAttr(tensor.state));
}

/// The numbers among the compiler's extra data; the rest is computed again.
static DictionaryAttr importMeta(const ::asic::ProgramMeta &meta,
                                 Builder &builder) {
  SmallVector<NamedAttribute> entries;
  for (const auto &entry : meta.extra)
    if (auto number = entry.second.getAsInteger())
      entries.push_back(builder.getNamedAttr(
          entry.first.str(), builder.getI64IntegerAttr(*number)));
  return builder.getDictionaryAttr(entries);
}

OwningOpRef<ModuleOp> mlir::asic::importProgram(const Program &program,
                                                MLIRContext *context) {
  context->loadDialect<AsicDialect, asicisa::IsaDialect>();
  Location unknown = UnknownLoc::get(context);
  std::vector<::asic::TargetDiagnostic> diagnostics;
  std::optional<::asic::TargetModel> target =
      ::asic::parseTarget(program.target, diagnostics);
  if (!target) {
    emitError(unknown, "expected a valid target in the program: ")
        << ::asic::formatTargetDiagnostics("program", diagnostics);
    return nullptr;
  }
  OwningOpRef<ModuleOp> module = ModuleOp::create(unknown);
  (*module)->setAttr(kTargetAttrName, makeTargetAttr(context, *target));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  auto op = asicisa::ProgramOp::create(builder, unknown, "main",
                                       program.meta.dramBytes,
                                       importMeta(program.meta, builder));
  builder.createBlock(&op.getBody());
  for (const ::asic::IoTensor &tensor : program.inputs)
    importIo(tensor, /*isOutput=*/false, builder);
  for (const ::asic::IoTensor &tensor : program.outputs)
    importIo(tensor, /*isOutput=*/true, builder);
  for (const ::asic::ConstantBlock &constant : program.constants) {
    auto type = RankedTensorType::get({int64_t(constant.bytes.size())},
                                      builder.getI8Type());
    ArrayRef<char> data(reinterpret_cast<const char *>(constant.bytes.data()),
                        constant.bytes.size());
    auto value = DenseResourceElementsAttr::get(
        type, ("constant_" + Twine(constant.address)).str(),
        HeapAsmResourceBlob::allocateAndCopyWithAlign(data, /*align=*/64));
    asicisa::ConstantOp::create(builder, unknown, value, /*packed=*/false,
                                constant.address);
  }
  for (auto [index, lane] : llvm::enumerate(program.lanes))
    asicisa::createLaneProgram(builder, unknown, index, lane);
  for (size_t pc = 0; pc < program.numInstructions(); ++pc) {
    llvm::Expected<machine::Instruction> instruction = program.instruction(pc);
    if (!instruction) {
      emitError(unknown, "expected instruction ")
          << pc << " to decode: " << llvm::toString(instruction.takeError());
      return nullptr;
    }
    asicisa::createInstruction(
        builder, makeLocation(program.findDebug(instruction->tag), context),
        *instruction);
  }
  return module;
}
