// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler as an ordered list of named phases (docs/compiler.md).
#ifndef ASIC_PASSES_PIPELINE_H
#define ASIC_PASSES_PIPELINE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

#include <string>

namespace mlir::asic {

/// What every phase may depend on beside the IR in front of it.
struct PipelineOptions {
  /// No accelerator: everything is compiled for this computer.
  bool hostOnly = false;
  /// An operation that the accelerator cannot run is an error instead of
  /// going to the host.
  bool fallbackIsError = false;
  /// Run the verifier that closes each phase.
  bool verify = true;
};

/// One phase: a name to stop at, the passes that do the work and the pass
/// that states what now holds.
struct Phase {
  llvm::StringLiteral name;
  void (*build)(OpPassManager &pm, const PipelineOptions &options);
  /// Null when there is nothing to state.
  void (*verify)(OpPassManager &pm);
  /// Runs for an accelerator only.
  bool accelerator;
};

/// Every phase on modules, in order. "import" comes before the first one and
/// has no passes.
ArrayRef<Phase> getPhases();

/// True when `name` is "import" or the name of a phase.
bool isPhase(StringRef name);

/// The names that `isPhase` accepts, in order, with commas.
std::string describePhases();

/// Appends `phase` and, if wanted, its verifier.
void addPhase(OpPassManager &pm, const Phase &phase,
              const PipelineOptions &options);

/// Appends the phases after `from` up to and including `until`; "import" as
/// `from` starts at the first one.
void addPhases(OpPassManager &pm, const PipelineOptions &options,
               StringRef from, StringRef until);

/// Registers all passes and the pipelines `--asic-pipeline`,
/// `--asic-cpu-pipeline` and `--asic-host-pipeline`.
void registerPassesAndPipelines();

/// Adds the dialects and extensions that compiled modules use.
void registerCompilerDialects(DialectRegistry &registry);

} // namespace mlir::asic

#endif // ASIC_PASSES_PIPELINE_H
