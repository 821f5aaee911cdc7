// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One run of the compiler, from the text of a model to programs that can run.
#ifndef ASIC_PASSES_COMPILATION_H
#define ASIC_PASSES_COMPILATION_H

#include "passes/Pipeline.h"
#include "passes/Support/Locations.h"
#include "passes/Support/Weights.h"
#include "passes/Work.h"
#include "passes/cpu/HostModule.h"
#include "passes/partition/Explain.h"
#include "runtime/Program.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mlir::asic {

/// What to compile.
struct CompilationRequest {
  /// MLIR text, linalg on tensors.
  std::string text;
  /// The name of the text in messages.
  std::string fileName = "model.mlir";
  /// Their bytes are not copied and have to stay as long as the compilation.
  std::vector<WeightView> weights;
  /// Target description, any text that `parseTarget` reads; empty compiles for
  /// this computer alone.
  std::string target;
  PipelineOptions options;
  /// The last phase to run; empty runs all.
  std::string until;
  /// By the name of an input or output: for each dimension the name of how much
  /// of it a call uses, "" for all of it (`asic.extents`).
  llvm::StringMap<std::vector<std::string>> inputExtents, outputExtents;
};

/// A message of the compiler.
struct DiagnosticRecord {
  std::string severity;
  std::string message;
  SourceLocation location;
  std::vector<DiagnosticRecord> notes;
};

/// One call of a region function. Values are numbered: the inputs of the model
/// come first, then the outputs of the steps in order.
struct Step {
  std::string function;
  bool onHost = false;
  std::vector<unsigned> inputs, outputs;
};

/// A tensor at the border of the model.
struct ModelTensor {
  std::string name;
  HostTensor tensor;
  /// Path of the buffer that it is a value of; empty for the user's own.
  std::string state;
};

/// A weight that a text names.
struct NamedBytes {
  std::string name;
  HostTensor tensor;
  std::vector<char> bytes;
};

/// The text of a module and its weights.
struct StageDump {
  std::string text;
  std::vector<NamedBytes> weights;
};

/// A compilation and its result.
class Compilation {
public:
  /// Called between passes; true stops the compilation.
  using InterruptFn = std::function<bool()>;

  /// Called with the name of each phase when it begins.
  using PhaseFn = std::function<void(StringRef)>;

  explicit Compilation(CompilationRequest request);

  /// Runs the phases; false when one failed (`failedPhase`, `diagnostics`) or
  /// when it was interrupted.
  bool run(InterruptFn interrupted = {}, PhaseFn onPhase = {});

  /// Text of the module after `phase`, without the bytes of weights; runs the
  /// phases again. Empty when that fails.
  std::string printStage(StringRef phase, InterruptFn interrupted = {});

  /// The same with every constant written out, and the bytes of weights beside
  /// it: what compiles again.
  StageDump dumpStage(StringRef phase, InterruptFn interrupted = {});

  std::string failedPhase;
  bool wasInterrupted = false;
  std::vector<DiagnosticRecord> diagnostics;
  /// Text that asic-opt --run-reproducer replays, when a phase failed.
  std::string reproducer;

  std::vector<ModelTensor> inputs, outputs;
  std::vector<Step> steps;
  /// Number of the value of each output.
  std::vector<unsigned> results;
  /// Where ops are and why; empty of a host compilation.
  Placement placement;
  NetworkWork work;
  /// Program of each accelerator function; its constants are the
  /// compilation's or the caller's.
  std::map<std::string, ::asic::Program> programs;
  /// The host functions as the text of one module (`HostProgram`), empty when
  /// there are none, and the constants that it names. Their bytes are the
  /// compilation's or the caller's.
  std::string hostText;
  std::vector<WeightView> hostConstants;
  std::vector<std::pair<std::string, double>> phaseSeconds;

private:
  OwningOpRef<ModuleOp> parse();
  void markExtents(ModuleOp module);
  /// Runs `print` on the module after `phase`, made again; false when that
  /// fails.
  bool replayTo(StringRef phase, InterruptFn interrupt,
                function_ref<void(ModuleOp)> print);
  bool runPhases(ModuleOp module, StringRef until, bool isReplay);
  bool readBorder(ModuleOp module);
  void readPartition(ModuleOp module);
  void readSteps(ModuleOp module);
  void extractHost(ModuleOp module);
  bool emitPrograms(ModuleOp module);
  void fail(StringRef phase, StringRef before);
  void report(StringRef message);

  CompilationRequest request;
  std::unique_ptr<MLIRContext> context;
  InterruptFn interrupted;
  PhaseFn onPhase;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_COMPILATION_H
