// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a program on the emulator. Exit status: 0 success, 2 bad usage or file,
// 3 a fault of the program.

#include "emulator/Machine.h"
#include "runtime/Npy.h"
#include "runtime/isa/Assembly.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace asic;
using namespace asic::emulator;
namespace cl = llvm::cl;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static cl::OptionCategory category("asic-run options");
static cl::opt<std::string> programPath(cl::Positional, cl::desc("PROGRAM"),
                                        cl::cat(category));
static cl::list<std::string> inputArgs("input", cl::value_desc("NAME=FILE"),
                                       cl::desc("input array, .npy or .npz"),
                                       cl::cat(category));
static cl::opt<std::string> outputPath("output", cl::value_desc("OUT.npz"),
                                       cl::desc("where the outputs go"),
                                       cl::cat(category));
static cl::opt<bool> timing("timing", cl::desc("simulate time, print cycles"),
                            cl::cat(category));
static cl::opt<bool> checked("check",
                             cl::desc("look for races, uninitialised reads, "
                                      "overflow and the like"),
                             cl::cat(category));
static cl::opt<std::string> tracePath("trace", cl::value_desc("T.json"),
                                      cl::desc("Perfetto trace (timing)"),
                                      cl::cat(category));
static cl::opt<std::string> reportPath("report", cl::value_desc("R.json"),
                                       cl::desc("statistics (timing)"),
                                       cl::cat(category));
static cl::opt<std::string>
    asyncSeed("async", cl::value_desc("SEED"),
              cl::desc("random engine delays drawn from SEED"),
              cl::cat(category));
static cl::opt<uint64_t> maxInstructions("max-instructions", cl::init(0),
                                         cl::desc("watchdog"),
                                         cl::cat(category));
static cl::opt<bool> describeOnly("describe",
                                  cl::desc("print what the program is and "
                                           "which arrays it takes"),
                                  cl::cat(category));
static cl::opt<bool> disassembleOnly("disassemble",
                                     cl::desc("print the instructions"),
                                     cl::cat(category));

static int usageError(Error error) {
  llvm::WithColor::error(llvm::errs(), "asic-run")
      << llvm::toString(std::move(error)) << "\n";
  return 2;
}

static Error message(const llvm::Twine &text) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), text);
}

/// NAME=FILE.npy, or NAME=FILE.npz with an entry NAME.
static Error readInput(StringRef argument, const Program &program,
                       std::map<std::string, Array> &inputs) {
  auto [name, path] = argument.split('=');
  if (path.empty())
    return message("expected --input NAME=FILE, got '" + argument + "'");
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return message("cannot read '" + path +
                   "': " + buffer.getError().message());
  StringRef wanted;
  for (const IoTensor &tensor : program.inputs)
    if (tensor.name == name)
      wanted = tensor.dtype;
  auto bytes = llvm::arrayRefFromStringRef((*buffer)->getBuffer());
  auto array = path.ends_with(".npz") ? parseNpz(bytes, name, wanted)
                                      : parseNpy(bytes, wanted);
  if (!array)
    return message("'" + path + "': " + llvm::toString(array.takeError()));
  if (!inputs.try_emplace(name.str(), std::move(*array)).second)
    return message("expected input '" + name + "' once");
  return Error::success();
}

static Error writeText(StringRef path, StringRef text) {
  return path.empty()
             ? Error::success()
             : writeFileAtomically(path, llvm::arrayRefFromStringRef(text));
}

static std::string jsonText(llvm::json::Object object) {
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(object)));
  return text;
}

static void printTensors(StringRef kind, llvm::ArrayRef<IoTensor> tensors) {
  for (const IoTensor &tensor : tensors) {
    llvm::outs() << kind << " " << tensor.name << ": " << tensor.dtype << "[";
    llvm::interleave(tensor.shape, llvm::outs(), ", ");
    llvm::outs() << "], " << elementTypeName(tensor.deviceType)
                 << " on the device\n";
  }
}

static int describeProgram(const Machine &machine) {
  const Program &program = machine.getProgram();
  llvm::outs() << "target " << machine.getTarget().name << " ("
               << program.targetHash().substr(0, 12) << "), "
               << program.numInstructions() << " instructions, "
               << program.lanes.size() << " lane programs, "
               << program.constantBytes() << " bytes of constants\n";
  printTensors("input ", program.inputs);
  printTensors("output", program.outputs);
  for (const StateRegion &region : program.state)
    llvm::outs() << "state  " << region.path << ": " << region.bytes
                 << " bytes at " << region.address << ", updated in place\n";
  return 0;
}

static RunOptions runOptions() {
  RunOptions options;
  options.check = checked;
  options.maxInstructions = maxInstructions;
  if (timing || !tracePath.empty() || !reportPath.empty())
    options.mode = Mode::Timed;
  if (!asyncSeed.empty()) {
    options.mode = Mode::Asynchronous;
    StringRef(asyncSeed).getAsInteger(10, options.seed);
  }
  return options;
}

static Error writeResults(const Machine &machine, const RunResult &result) {
  if (!outputPath.empty())
    if (Error error = writeFileAtomically(outputPath, writeNpz(result.outputs)))
      return error;
  if (!result.stats)
    return Error::success();
  if (Error error = writeText(
          tracePath,
          tracePath.empty() ? "" : chromeTrace(machine, *result.stats)))
    return error;
  double clock = machine.getTarget().clockMhz.asDouble();
  llvm::outs() << result.stats->cycles << " cycles, "
               << llvm::formatv("{0:f6}", result.stats->cycles / clock / 1000)
               << " ms at " << llvm::format("%g", clock) << " MHz\n";
  return writeText(reportPath, jsonText(toJson(machine, *result.stats)));
}

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  if (!cl::ParseCommandLineOptions(
          argc, argv,
          "runs a program on the emulator, once: state that the program keeps "
          "from run to run is an input and an output like the others\n",
          &llvm::errs()))
    return 2;
  if (programPath.empty())
    return usageError(message("expected PROGRAM; see --help"));
  auto program = Program::load(programPath);
  if (!program)
    return usageError(program.takeError());
  auto machine = Machine::create(std::move(*program));
  if (!machine)
    return usageError(machine.takeError());
  if (describeOnly)
    return describeProgram(**machine);
  if (disassembleOnly) {
    llvm::outs() << isa::disassemble((*machine)->getProgram());
    return 0;
  }
  std::map<std::string, Array> arrays;
  for (const std::string &argument : inputArgs)
    if (Error error = readInput(argument, (*machine)->getProgram(), arrays))
      return usageError(std::move(error));
  std::map<std::string, ArrayView> inputs;
  for (const auto &[name, array] : arrays)
    inputs[name] = array.view();
  RunResult result = (*machine)->run(inputs, runOptions());
  if (result.fault) {
    llvm::WithColor::error(llvm::errs(), "asic-run")
        << result.fault->toString() << "\n";
    return result.fault->kind == FaultKind::HostMisuse ? 2 : 3;
  }
  if (Error error = writeResults(**machine, result))
    return usageError(std::move(error));
  return 0;
}
