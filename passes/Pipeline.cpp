// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Pipeline.h"

#include "dialects/Asic/Asic.h"
#include "dialects/Isa/Isa.h"
#include "passes/Passes.h"
#include "passes/accel/Backend.h"
#include "passes/accel/Tiles.h"
#include "passes/cpu/Cpu.h"
#include "passes/normalize/Normalize.h"
#include "passes/partition/Partition.h"
#include "passes/quantize/QuantizePipeline.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"

namespace mlir::asic {

//===----------------------------------------------------------------------===//
// The phases, in order
//===----------------------------------------------------------------------===//

namespace {

/// One function per device region: what this target cannot do goes to the
/// host, with a reason.
void buildPartition(OpPassManager &pm, const PipelineOptions &options) {
  // Before regions exist: what the runtime does while it copies the network's
  // inputs and outputs is nobody's work.
  if (!options.hostOnly)
    pm.addPass(createFoldBoundaryPass());
  PartitionPassOptions partition;
  partition.hostOnly = options.hostOnly;
  partition.fallbackIsError = options.fallbackIsError;
  pm.addPass(createPartitionPass(partition));
  // Behind the border, where it is known who reads a constant, and before the
  // network's work is measured.
  if (!options.hostOnly)
    pm.addNestedPass<func::FuncOp>(createPackConstantsPass());
}

const Phase phases[] = {
    {"normalize",
     [](OpPassManager &pm, const PipelineOptions &) {
       buildNormalizePipeline(pm);
     },
     [](OpPassManager &pm) { pm.addPass(createVerifyNormalizePass()); },
     /*accelerator=*/false},
    {"quantize",
     [](OpPassManager &pm, const PipelineOptions &) {
       buildQuantizePipeline(pm);
     },
     [](OpPassManager &pm) { pm.addPass(createVerifyQuantizePass()); },
     /*accelerator=*/false},
    {"partition", buildPartition,
     [](OpPassManager &pm) { pm.addPass(createVerifyPartitionPass()); },
     /*accelerator=*/false},
    {"plan",
     [](OpPassManager &pm, const PipelineOptions &) {
       // From here on the module is the accelerator's alone.
       pm.addPass(createIsolateAcceleratorPass());
       buildPlanPipeline(pm);
     },
     buildVerifyPlanPipeline, /*accelerator=*/true},
    {"tile",
     [](OpPassManager &pm, const PipelineOptions &) { buildTilePipeline(pm); },
     buildVerifyTilePipeline, /*accelerator=*/true},
    {"bufferize",
     [](OpPassManager &pm, const PipelineOptions &) {
       buildBufferizePipeline(pm);
     },
     buildVerifyBufferizePipeline, /*accelerator=*/true},
    {"asic",
     [](OpPassManager &pm, const PipelineOptions &) {
       buildLowerToAsicPipeline(pm);
     },
     buildVerifyAsicPipeline, /*accelerator=*/true},
    {"schedule",
     [](OpPassManager &pm, const PipelineOptions &) {
       buildSchedulePipeline(pm);
     },
     buildVerifySchedulePipeline, /*accelerator=*/true},
    {"isa",
     [](OpPassManager &pm, const PipelineOptions &) { buildIsaPipeline(pm); },
     buildVerifyIsaPipeline, /*accelerator=*/true},
};

} // namespace

ArrayRef<Phase> getPhases() { return phases; }

bool isPhase(StringRef name) {
  return name == "import" ||
         llvm::any_of(phases, [&](const Phase &p) { return p.name == name; });
}

std::string describePhases() {
  std::string text = "import";
  for (const Phase &phase : phases)
    text += (", " + phase.name).str();
  return text;
}

void addPhase(OpPassManager &pm, const Phase &phase,
              const PipelineOptions &options) {
  if (options.hostOnly && phase.accelerator)
    return;
  phase.build(pm, options);
  if (options.verify && phase.verify)
    phase.verify(pm);
}

void addPhases(OpPassManager &pm, const PipelineOptions &options,
               StringRef from, StringRef until) {
  bool active = from == "import";
  if (until == "import")
    return;
  for (const Phase &phase : phases) {
    if (active)
      addPhase(pm, phase, options);
    if (phase.name == from)
      active = true;
    if (phase.name == until)
      return;
  }
}

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

namespace {

/// Options of --asic-pipeline.
struct AsicPipelineOptions : PassPipelineOptions<AsicPipelineOptions> {
  Option<std::string> target{
      *this, "target",
      llvm::cl::desc("name of a preset or path of a target file; may be left "
                     "out when the module has an asic.target"),
      llvm::cl::init("")};
  Option<std::string> from{
      *this, "from",
      llvm::cl::desc("the phase whose result the input is (default: import)"),
      llvm::cl::init("import")};
  Option<std::string> until{*this, "until",
                            llvm::cl::desc("the last phase to run"),
                            llvm::cl::init("")};
  Option<std::string> fallback{
      *this, "fallback",
      llvm::cl::desc("what happens to an operation that the accelerator cannot "
                     "run: host or error"),
      llvm::cl::init("host")};
  Option<bool> verify{*this, "verify",
                      llvm::cl::desc("run the verifier of each phase"),
                      llvm::cl::init(true)};
};

/// Builds --asic-pipeline from its option text.
LogicalResult
buildAsicPipeline(OpPassManager &pm, StringRef text,
                  function_ref<LogicalResult(const Twine &)> error) {
  AsicPipelineOptions options;
  if (failed(options.parseFromString(text)))
    return failure();
  if (options.until.empty())
    options.until = phases[std::size(phases) - 1].name.str();
  for (const std::string &phase :
       {options.from.getValue(), options.until.getValue()})
    if (!isPhase(phase))
      return error("expected a phase (" + describePhases() + "), got '" +
                   phase + "'");
  if (options.fallback != "host" && options.fallback != "error")
    return error("expected fallback=host or fallback=error, got '" +
                 options.fallback + "'");
  if (!options.target.empty())
    pm.addPass(createAttachTargetPass(AttachTargetPassOptions{options.target}));
  PipelineOptions pipeline;
  pipeline.fallbackIsError = options.fallback == "error";
  pipeline.verify = options.verify;
  addPhases(pm, pipeline, options.from, options.until);
  return success();
}

/// From import to the LLVM dialect of this computer. The whole network is one
/// function, so there is nothing to partition.
void buildCpuPipeline(OpPassManager &pm) {
  PipelineOptions pipeline;
  pipeline.hostOnly = true;
  for (const Phase &phase : phases) {
    if (phase.name == "partition")
      break;
    addPhase(pm, phase, pipeline);
  }
  buildHostPipeline(pm);
}

} // namespace

void registerPassesAndPipelines() {
  registerAsicPasses();
  registerPassPipeline(
      "asic-pipeline",
      "compile linalg on tensors for an accelerator, phase by phase",
      buildAsicPipeline,
      [](function_ref<void(const mlir::detail::PassOptions &)> f) {
        f(AsicPipelineOptions());
      });
  PassPipelineRegistration<>(
      "asic-host-pipeline",
      "compile the functions of host regions, on tensors, to the LLVM dialect",
      buildHostPipeline);
  PassPipelineRegistration<>(
      "asic-cpu-pipeline",
      "compile linalg on tensors for this computer, to the LLVM dialect",
      buildCpuPipeline);
}

void registerCompilerDialects(DialectRegistry &registry) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registry.insert<AsicDialect, asicisa::IsaDialect>();
}

} // namespace mlir::asic
