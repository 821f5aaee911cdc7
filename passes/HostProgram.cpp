// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/HostProgram.h"

#include "passes/Pipeline.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

namespace mlir::asic {

HostProgram::~HostProgram() = default;

llvm::Expected<std::unique_ptr<HostProgram>>
HostProgram::create(StringRef text, ArrayRef<WeightView> weights) {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  auto program = std::make_unique<HostProgram>();
  program->context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  MLIRContext *context = program->context.get();

  // What went wrong inside is part of the error.
  std::string details;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      details += ": " + diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, context);
  if (!module)
    return llvm::createStringError("expected the text of a host module" +
                                   details);
  bindWeights(context, weights);
  llvm::Expected<std::unique_ptr<HostModule>> compiled =
      HostModule::compile(*module);
  if (!compiled)
    return llvm::createStringError(llvm::toString(compiled.takeError()) +
                                   details);
  program->module = std::move(*compiled);
  return std::move(program);
}

} // namespace mlir::asic
