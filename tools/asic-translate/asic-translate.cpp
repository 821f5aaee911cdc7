// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-translate: between the isa dialect, program containers and assembly
// text.
#include "passes/Pipeline.h"
#include "passes/accel/EmitProgram.h"
#include "runtime/isa/Assembly.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

static llvm::cl::opt<std::string>
    programName("program-name",
                llvm::cl::desc("isa.program to emit, of several"),
                llvm::cl::init(""));

static llvm::cl::opt<std::string> programTemplate(
    "program-template",
    llvm::cl::desc("program whose target, constants and io --assemble keeps"),
    llvm::cl::init(""));

static ArrayRef<uint8_t> bytesOf(StringRef text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

/// The whole input.
static StringRef mainText(llvm::SourceMgr &sources) {
  return sources.getMemoryBuffer(sources.getMainFileID())->getBuffer();
}

/// Reports `error` without a location.
static LogicalResult report(llvm::Error error, MLIRContext *context) {
  return emitError(UnknownLoc::get(context), llvm::toString(std::move(error)));
}

static LogicalResult mlirToProgram(Operation *op, raw_ostream &output) {
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    return op->emitError("expected a module");
  FailureOr<::asic::Program> program =
      mlir::asic::emitProgram(module, programName);
  if (failed(program))
    return failure();
  std::vector<uint8_t> bytes = program->serialize();
  output.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  return success();
}

static OwningOpRef<Operation *> programToMlir(llvm::SourceMgr &sources,
                                              MLIRContext *context) {
  StringRef text = mainText(sources);
  auto program = ::asic::Program::parse(bytesOf(text));
  if (!program) {
    (void)report(program.takeError(), context);
    return nullptr;
  }
  return mlir::asic::importProgram(*program, context);
}

static LogicalResult
disassemble(const std::shared_ptr<llvm::SourceMgr> &sources,
            raw_ostream &output, MLIRContext *context) {
  StringRef text = mainText(*sources);
  auto program = ::asic::Program::parse(bytesOf(text));
  if (!program)
    return report(program.takeError(), context);
  output << ::asic::isa::disassemble(*program);
  return success();
}

/// Text and lane programs replace those of the template; without one the result
/// has neither constants nor io.
static LogicalResult assemble(const std::shared_ptr<llvm::SourceMgr> &sources,
                              raw_ostream &output, MLIRContext *context) {
  StringRef text = mainText(*sources);
  auto assembly = ::asic::isa::assemble(text);
  if (!assembly)
    return report(assembly.takeError(), context);
  ::asic::Program program;
  if (!programTemplate.empty()) {
    auto base = ::asic::Program::load(programTemplate);
    if (!base)
      return report(base.takeError(), context);
    program = std::move(*base);
  }
  program.text = std::move(assembly->text);
  program.lanes = std::move(assembly->lanes);
  std::vector<uint8_t> bytes = program.serialize();
  output.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  return success();
}

int main(int argc, char **argv) {
  TranslateFromMLIRRegistration toProgram(
      "mlir-to-program", "encode an isa.program as a container", mlirToProgram,
      mlir::asic::registerCompilerDialects);
  TranslateToMLIRRegistration toMlir(
      "program-to-mlir", "read a container as an isa.program",
      TranslateRawSourceMgrToMLIRFunction(programToMlir));
  TranslateRegistration toText(
      "disassemble", "print a container as assembly text", disassemble);
  TranslateRegistration fromText(
      "assemble", "encode assembly text as a container", assemble);
  return failed(mlirTranslateMain(argc, argv, "asic-mlir translation tool\n"));
}
