// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Compilation.h"

#include "dialects/Asic/Asic.h"
#include "passes/Support/Target.h"
#include "passes/accel/EmitProgram.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/SourceMgr.h"

#include <chrono>

namespace mlir::asic {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Weights beyond this size are left out of reproducers.
constexpr size_t kReproducerBytes = size_t(64) << 20;

std::string severityName(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return "error";
  case DiagnosticSeverity::Warning:
    return "warning";
  case DiagnosticSeverity::Remark:
    return "remark";
  case DiagnosticSeverity::Note:
    return "note";
  }
  return "error";
}

DiagnosticRecord record(Diagnostic &diagnostic) {
  DiagnosticRecord result;
  result.severity = severityName(diagnostic.getSeverity());
  result.message = diagnostic.str();
  result.location = getSourceLocation(diagnostic.getLocation());
  for (Diagnostic &note : diagnostic.getNotes()) {
    // The IR of the op is in the reproducer; in a message it is noise.
    if (!StringRef(note.str()).starts_with("see current operation"))
      result.notes.push_back(record(note));
  }
  return result;
}

/// The user's name of argument or result `index`, or a plain one.
std::string nameOr(StringAttr name, StringRef prefix, unsigned index) {
  return name ? name.str() : (prefix + std::to_string(index)).str();
}

/// The text of an attribute, "" without one.
std::string textOf(StringAttr text) { return text ? text.str() : ""; }

/// The side that a region function runs on, "" for any other function.
StringRef regionOf(func::FuncOp func) {
  auto region = func->getAttrOfType<StringAttr>(kRegionAttrName);
  return region ? region.getValue() : StringRef();
}

/// The value that a border cast converts, or `value` itself.
Value lookThroughCast(Value value) {
  if (auto cast = value.getDefiningOp<UnrealizedConversionCastOp>())
    return cast.getOperand(0);
  return value;
}

} // namespace

Compilation::Compilation(CompilationRequest request)
    : request(std::move(request)) {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  // Between any two passes the user may have pressed Ctrl-C: what is left
  // is skipped.
  context->registerActionHandler(
      [this](function_ref<void()> run, const tracing::Action &action) {
        if (isa<PassExecutionAction>(action) && !wasInterrupted && interrupted)
          wasInterrupted = interrupted();
        if (!wasInterrupted)
          run();
      });
}

void Compilation::report(StringRef message) {
  DiagnosticRecord diagnostic;
  diagnostic.severity = "error";
  diagnostic.message = message.str();
  diagnostics.push_back(std::move(diagnostic));
}

/// The name of a region that a phase after quantize has made; empty: none.
static StringRef findRegion(ModuleOp module) {
  for (auto func : module.getOps<func::FuncOp>())
    if (func->hasAttr(kRegionAttrName))
      return func.getName();
  return {};
}

OwningOpRef<ModuleOp> Compilation::parse() {
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBuffer(request.text, request.fileName,
                                       /*RequiresNullTerminator=*/false),
      SMLoc());
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(sources, ParserConfig(context.get()));
  if (!module)
    return nullptr;
  // Names in the text are bound to the caller's bytes.
  bindWeights(context.get(), request.weights);
  markExtents(*module);
  // A host module may still take the arithmetic of a target.
  if (request.options.hostOnly && request.target.empty())
    return module;
  std::vector<::asic::TargetDiagnostic> problems;
  std::optional<::asic::TargetModel> target =
      ::asic::parseTarget(request.target, problems);
  if (!target) {
    report(::asic::formatTargetDiagnostics("target", problems));
    return nullptr;
  }
  context->loadDialect<AsicDialect>();
  module.get()->setAttr(kTargetAttrName,
                        makeTargetAttr(context.get(), *target));
  return module;
}

/// Writes on the border of @main how much of its tensors a call uses.
void Compilation::markExtents(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>(kEntryName);
  if (!main)
    return;
  Builder builder(context.get());
  auto extentsOf = [&](const auto &extents, StringAttr name) -> ArrayAttr {
    auto found = name ? extents.find(name.getValue()) : extents.end();
    if (found == extents.end())
      return nullptr;
    SmallVector<StringRef> names(found->second.begin(), found->second.end());
    return builder.getStrArrayAttr(names);
  };
  for (unsigned i = 0; i < main.getNumArguments(); ++i)
    if (ArrayAttr extents =
            extentsOf(request.inputExtents,
                      main.getArgAttrOfType<StringAttr>(i, kNameAttrName)))
      main.setArgAttr(i, kExtentsAttrName, extents);
  for (unsigned i = 0; i < main.getNumResults(); ++i)
    if (ArrayAttr extents =
            extentsOf(request.outputExtents,
                      main.getResultAttrOfType<StringAttr>(i, kNameAttrName)))
      main.setResultAttr(i, kExtentsAttrName, extents);
}

bool Compilation::runPhases(ModuleOp module, StringRef until, bool isReplay) {
  StringRef before = "import";
  for (const Phase &phase : getPhases()) {
    if (until == before)
      break;
    if (request.options.hostOnly && phase.accelerator)
      break;
    if (onPhase)
      onPhase(phase.name);
    Clock::time_point start = Clock::now();
    PassManager manager(context.get());
    addPhase(manager, phase, request.options);
    bool succeeded = llvm::succeeded(manager.run(module));
    if (wasInterrupted)
      return false;
    if (!isReplay)
      phaseSeconds.emplace_back(phase.name.str(), secondsSince(start));
    if (!succeeded) {
      if (!isReplay)
        fail(phase.name, before);
      return false;
    }
    before = phase.name;
    if (phase.name == "partition" && !isReplay)
      readPartition(module);
  }
  return true;
}

/// Remembers where the compilation stopped and what replays it: the module
/// in front of the phase, made again.
void Compilation::fail(StringRef phase, StringRef before) {
  failedPhase = phase.str();
  // A context of its own: names of resources are unique in a context.
  Compilation replay(request);
  ScopedDiagnosticHandler handler(replay.context.get(),
                                  [](Diagnostic &) { return success(); });
  OwningOpRef<ModuleOp> module = replay.parse();
  if (!module || !replay.runPhases(*module, before, /*isReplay=*/true))
    return;
  std::string pipeline =
      ("builtin.module(asic-pipeline{from=" + before + " until=" + phase).str();
  if (request.options.fallbackIsError)
    pipeline += " fallback=error";
  pipeline += "})";
  size_t bytes = 0;
  for (const WeightView &weight : request.weights)
    bytes += weight.bytes;
  OpPrintingFlags flags;
  flags.enableDebugInfo();
  if (bytes > kReproducerBytes)
    flags.elideLargeResourceString(/*largeResourceLimit=*/64);
  AsmState state(*module, flags);
  state.attachResourcePrinter("mlir_reproducer",
                              [&](Operation *, AsmResourceBuilder &builder) {
                                builder.buildString("pipeline", pipeline);
                                builder.buildBool("disable_threading", true);
                                builder.buildBool("verify_each", true);
                              });
  llvm::raw_string_ostream stream(reproducer);
  stream << "// replay: asic-opt --run-reproducer FILE\n";
  (*module)->print(stream, state);
}

bool Compilation::run(InterruptFn interrupt, PhaseFn phase) {
  interrupted = std::move(interrupt);
  onPhase = std::move(phase);
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    diagnostics.push_back(record(diagnostic));
    return success();
  });
  OwningOpRef<ModuleOp> module = parse();
  if (!module) {
    failedPhase = "import";
    return false;
  }
  if (StringRef region = findRegion(*module); !region.empty()) {
    failedPhase = "import";
    report((request.fileName +
            ": expected the text of import, normalize or quantize, got that of "
            "a later phase, with the region '@" +
            region + "'; compile one of those, or go on with asic-opt")
               .str());
    return false;
  }
  if (!readBorder(*module)) {
    failedPhase = "import";
    return false;
  }
  if (!runPhases(*module, request.until, /*isReplay=*/false))
    return false;
  // Stopped early: there is nothing to run.
  if (!request.until.empty() || request.options.hostOnly)
    return true;
  if (onPhase)
    onPhase("program");
  Clock::time_point start = Clock::now();
  if (!emitPrograms(*module))
    return false;
  phaseSeconds.emplace_back("program", secondsSince(start));
  return true;
}

bool Compilation::readBorder(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>(kEntryName);
  if (!main)
    return true;
  for (unsigned i = 0; i < main.getNumArguments(); ++i)
    if (auto type = dyn_cast<RankedTensorType>(main.getArgumentTypes()[i]))
      inputs.push_back(
          {nameOr(main.getArgAttrOfType<StringAttr>(i, kNameAttrName), "arg",
                  i),
           describeTensor(type),
           textOf(main.getArgAttrOfType<StringAttr>(i, kStateAttrName))});
  for (unsigned i = 0; i < main.getNumResults(); ++i)
    if (auto type = dyn_cast<RankedTensorType>(main.getResultTypes()[i]))
      outputs.push_back(
          {nameOr(main.getResultAttrOfType<StringAttr>(i, kNameAttrName),
                  "output", i),
           describeTensor(type),
           textOf(main.getResultAttrOfType<StringAttr>(i, kStateAttrName))});
  for (const auto *border : {&inputs, &outputs}) {
    llvm::StringSet<> names;
    for (const auto &tensor : *border)
      if (!names.insert(tensor.name).second) {
        report("expected names of their own for inputs and for outputs, got '" +
               tensor.name + "' twice");
        return false;
      }
  }
  return true;
}

void Compilation::readPartition(ModuleOp module) {
  readSteps(module);
  extractHost(module);
  if (request.options.hostOnly) {
    for (auto func : module.getOps<func::FuncOp>())
      work.hostMacs += countMacs(func);
    return;
  }
  FailureOr<::asic::TargetModel> target = readTarget(module);
  if (failed(target))
    return;
  work = measureWork(module, *target);
  placement = explainPlacement(module, *target);
}

void Compilation::readSteps(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>(kEntryName);
  DenseMap<Value, unsigned> numbers;
  auto number = [&](Value value) {
    value = lookThroughCast(value);
    return numbers.try_emplace(value, numbers.size()).first->second;
  };
  for (Value argument : main.getArguments())
    number(argument);
  for (Operation &op : main.getBody().front()) {
    if (auto call = dyn_cast<func::CallOp>(op)) {
      Step step;
      step.function = call.getCallee().str();
      auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
      step.onHost = regionOf(callee) == kHostRegion;
      for (Value operand : call.getOperands())
        step.inputs.push_back(number(operand));
      for (Value result : call.getResults())
        step.outputs.push_back(number(result));
      steps.push_back(std::move(step));
    } else if (isa<func::ReturnOp>(op)) {
      for (Value operand : op.getOperands())
        results.push_back(number(operand));
    }
  }
}

bool Compilation::emitPrograms(ModuleOp module) {
  for (auto op : module.getOps<asicisa::ProgramOp>()) {
    FailureOr<::asic::Program> program = emitProgram(op);
    if (failed(program)) {
      failedPhase = "program";
      return false;
    }
    // The program of function @f is called @f_program.
    StringRef function = op.getSymName();
    function.consume_back("_program");
    programs.insert_or_assign(function.str(), std::move(*program));
  }
  for (const Step &step : steps)
    if (!step.onHost && !programs.count(step.function)) {
      failedPhase = "program";
      report("expected a program for '" + step.function + "', got none");
      return false;
    }
  return true;
}

void Compilation::extractHost(ModuleOp module) {
  // The host functions alone, under their own names.
  OwningOpRef<ModuleOp> hostModule = ModuleOp::create(module.getLoc());
  for (auto func : module.getOps<func::FuncOp>())
    if (regionOf(func) == kHostRegion) {
      func::FuncOp copy = func.clone();
      copy.setPublic();
      hostModule->push_back(copy);
    }
  if (hostModule->getBody()->empty())
    return;
  OpPrintingFlags flags;
  flags.elideLargeResourceString(/*largeResourceLimit=*/0);
  // Runs that end early name the line in the user's source.
  flags.enableDebugInfo();
  llvm::raw_string_ostream stream(hostText);
  hostModule->print(stream, flags);
  llvm::StringSet<> seen;
  hostModule->walk([&](arith::ConstantOp op) {
    auto attr = dyn_cast<DenseResourceElementsAttr>(op.getValue());
    if (!attr || !seen.insert(attr.getRawHandle().getKey()).second)
      return;
    if (AsmResourceBlob *blob = attr.getRawHandle().getBlob())
      hostConstants.push_back({attr.getRawHandle().getKey().str(),
                               blob->getData().data(), blob->getData().size()});
  });
}

bool Compilation::replayTo(StringRef phase, InterruptFn interrupt,
                           function_ref<void(ModuleOp)> print) {
  Compilation replay(request);
  replay.interrupted = std::move(interrupt);
  ScopedDiagnosticHandler handler(replay.context.get(),
                                  [](Diagnostic &) { return success(); });
  OwningOpRef<ModuleOp> module = replay.parse();
  bool succeeded =
      module && replay.runPhases(*module, phase, /*isReplay=*/true);
  wasInterrupted = replay.wasInterrupted;
  if (succeeded)
    print(*module);
  return succeeded;
}

std::string Compilation::printStage(StringRef phase, InterruptFn interrupt) {
  if (phase == "import")
    return request.text;
  std::string text;
  replayTo(phase, std::move(interrupt), [&](ModuleOp module) {
    OpPrintingFlags flags;
    flags.elideLargeElementsAttrs(/*largeElementLimit=*/16);
    flags.elideLargeResourceString(/*largeResourceLimit=*/0);
    llvm::raw_string_ostream stream(text);
    module->print(stream, flags);
  });
  return text;
}

StageDump Compilation::dumpStage(StringRef phase, InterruptFn interrupt) {
  StageDump dump;
  replayTo(phase, std::move(interrupt), [&](ModuleOp module) {
    OpPrintingFlags flags;
    flags.enableDebugInfo();
    flags.elideLargeResourceString(/*largeResourceLimit=*/0);
    llvm::raw_string_ostream stream(dump.text);
    module->print(stream, flags);
    llvm::StringSet<> seen;
    auto add = [&](DenseResourceElementsAttr attr) {
      AsmResourceBlob *blob = attr.getRawHandle().getBlob();
      StringRef name = attr.getRawHandle().getKey();
      if (!blob || !seen.insert(name).second)
        return;
      ArrayRef<char> data = blob->getData();
      dump.weights.push_back(
          {name.str(), describeTensor(cast<RankedTensorType>(attr.getType())),
           std::vector<char>(data.begin(), data.end())});
    };
    module->walk([&](Operation *op) { op->getAttrDictionary().walk(add); });
  });
  return dump;
}

} // namespace mlir::asic
