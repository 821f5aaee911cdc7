// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The machine for Python: programs, assembler, emulator. Structured values
// cross as JSON text or plain dicts; what is wrong with a program or an input
// is a ValueError, whose class in the package is Python's business.

#include "emulator/Machine.h"
#include "emulator/kernels/Kernels.h"
#include "runtime/DType.h"
#include "runtime/ProgramJson.h"
#include "runtime/isa/Assembly.h"

#include "llvm/Support/raw_ostream.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstring>

namespace nb = nanobind;
using namespace asic;
using namespace asic::emulator;

//===-- Values ---------------------------------------------------------===//

[[noreturn]] static void raise(llvm::Error error) {
  throw nb::value_error(llvm::toString(std::move(error)).c_str());
}

template <typename T>
static T unwrap(llvm::Expected<T> value) {
  if (!value)
    raise(value.takeError());
  return std::move(*value);
}

static void check(llvm::Error error) {
  if (error)
    raise(std::move(error));
}

static nb::object toPython(llvm::json::Value value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return nb::module_::import_("json").attr("loads")(text);
}

static llvm::ArrayRef<uint8_t> bytesOf(const nb::bytes &bytes) {
  return {reinterpret_cast<const uint8_t *>(bytes.c_str()), bytes.size()};
}

static nb::bytes toBytes(llvm::ArrayRef<uint8_t> bytes) {
  return nb::bytes(bytes.data(), bytes.size());
}

/// A NumPy array (ml_dtypes included) as a view; the array must stay alive.
static ArrayView viewOf(nb::handle array) {
  ArrayView view;
  view.dtype = nb::cast<std::string>(array.attr("dtype").attr("name"));
  view.shape = nb::cast<std::vector<int64_t>>(array.attr("shape"));
  view.strides = nb::cast<std::vector<int64_t>>(array.attr("strides"));
  nb::object data = array.attr("__array_interface__")["data"][0];
  view.data = reinterpret_cast<const void *>(nb::cast<uintptr_t>(data));
  return view;
}

static nb::object toNumpy(const Array &array) {
  nb::module_ numpy = nb::module_::import_("numpy");
  nb::object dtype;
  bool builtIn = array.dtype != "bfloat16" &&
                 !llvm::StringRef(array.dtype).starts_with("float8");
  if (builtIn)
    dtype = numpy.attr("dtype")(array.dtype);
  else
    dtype = nb::module_::import_("ml_dtypes").attr(array.dtype.c_str());
  nb::object result =
      numpy.attr("empty")(nb::tuple(nb::cast(array.shape)), dtype);
  nb::object data = result.attr("__array_interface__")["data"][0];
  if (!array.bytes.empty())
    std::memcpy(reinterpret_cast<void *>(nb::cast<uintptr_t>(data)),
                array.bytes.data(), array.bytes.size());
  return result;
}

//===-- Programs -------------------------------------------------------===//

static llvm::json::Value parsed(const std::string &text) {
  return llvm::cantFail(llvm::json::parse(text));
}

/// Everything about a program that is not bytes.
static nb::object describe(const Machine &machine) {
  const Program &program = machine.getProgram();
  return toPython(
      llvm::json::Object{{"target", machine.getTarget().name},
                         {"target_json", program.target},
                         {"target_hash", program.targetHash()},
                         {"instructions", int64_t(program.numInstructions())},
                         {"lane_programs", int64_t(program.lanes.size())},
                         {"constant_bytes", int64_t(program.constantBytes())},
                         {"text_bytes", int64_t(program.text.size())},
                         {"io", parsed(writeIoJson(program))},
                         {"debug", parsed(writeDebugJson(program))},
                         {"meta", parsed(writeMetaJson(program))}});
}

/// Canonical text of a target given as YAML.
static std::string canonicalTarget(const std::string &yaml) {
  std::vector<TargetDiagnostic> diagnostics;
  auto target = parseTarget(yaml, diagnostics);
  if (!target)
    throw nb::value_error(
        formatTargetDiagnostics("target", diagnostics).c_str());
  return target->canonicalJson();
}

static nb::bytes assembleProgram(const std::string &text,
                                 const std::string &target,
                                 const std::string &io, const std::string &meta,
                                 const std::string &debug,
                                 const nb::list &constants) {
  Program program;
  program.target = canonicalTarget(target);
  auto assembly = unwrap(isa::assemble(text));
  program.text = std::move(assembly.text);
  program.lanes = std::move(assembly.lanes);
  check(readIoJson(io, program));
  check(readMetaJson(meta, program));
  check(readDebugJson(debug, program));
  for (nb::handle item : constants) {
    auto bytes = bytesOf(nb::cast<nb::bytes>(item[1]));
    program.constants.push_back(
        {nb::cast<uint64_t>(item[0]),
         std::vector<uint8_t>(bytes.begin(), bytes.end())});
  }
  return toBytes(program.serialize());
}

//===-- Runs -----------------------------------------------------------===//

static Mode modeFrom(const std::string &name) {
  if (name == "functional")
    return Mode::Functional;
  if (name == "timed")
    return Mode::Timed;
  if (name == "async")
    return Mode::Asynchronous;
  throw nb::value_error("expected mode functional, timed or async");
}

/// Asks Python for pending signals, at most every 50 ms.
class SignalPoll {
public:
  bool operator()() {
    auto now = std::chrono::steady_clock::now();
    if (now < next)
      return raised;
    next = now + std::chrono::milliseconds(50);
    nb::gil_scoped_acquire gil;
    raised = raised || PyErr_CheckSignals() != 0;
    return raised;
  }
  bool raised = false;

private:
  std::chrono::steady_clock::time_point next = {};
};

namespace {
/// The state regions of a program at one time.
struct DeviceState {
  StateBytes bytes;
};
} // namespace

static nb::dict toPython(const Machine &machine, const RunResult &result,
                         bool wantTrace) {
  nb::dict out;
  nb::dict outputs;
  for (const auto &[name, array] : result.outputs)
    outputs[name.c_str()] = toNumpy(array);
  out["outputs"] = outputs;
  out["fault"] = result.fault ? toPython(toJson(*result.fault)) : nb::none();
  out["stats"] =
      result.stats ? toPython(toJson(machine, *result.stats)) : nb::none();
  out["exit_code"] = result.exitCode;
  out["state"] = DeviceState{result.state};
  if (wantTrace && result.stats)
    out["trace"] = chromeTrace(machine, *result.stats);
  return out;
}

static nb::dict runMachine(const Machine &machine, const nb::dict &inputs,
                           const std::string &mode, bool check, uint64_t seed,
                           uint64_t maxExtraCycles, uint64_t maxInstructions,
                           uint64_t maxWork, bool trace,
                           const DeviceState *state) {
  std::map<std::string, ArrayView> views;
  for (auto [name, array] : inputs)
    views[nb::cast<std::string>(name)] = viewOf(array);
  auto poll = std::make_shared<SignalPoll>();
  RunOptions options;
  options.mode = modeFrom(mode);
  options.check = check;
  options.seed = seed;
  options.maxExtraCycles = maxExtraCycles;
  options.maxInstructions = maxInstructions;
  options.maxWork = maxWork;
  options.interrupted = [poll] { return (*poll)(); };
  RunResult result;
  {
    nb::gil_scoped_release release;
    result = machine.run(views, options, state ? &state->bytes : nullptr);
  }
  if (poll->raised)
    throw nb::python_error();
  return toPython(machine, result, trace);
}

//===-- For tests ------------------------------------------------------===//

/// One lane operation on arrays of 32-bit patterns.
static nb::object laneKernel(const std::string &mnemonic, nb::handle a,
                             nb::handle b, nb::handle c, uint64_t imm,
                             size_t variant) {
  const isa::LaneOpInfo *info = isa::lookupLaneMnemonic(mnemonic);
  if (!info || variant >= numKernelVariants())
    throw nb::value_error("expected a lane operation and a kernel variant");
  LaneKernel kernel = kernelVariant(variant).lane[unsigned(info->opcode)];
  ArrayView views[] = {viewOf(a), viewOf(b), viewOf(c)};
  for (const ArrayView &view : views)
    if (view.dtype != "uint32" || view.shape.size() != 1 ||
        view.shape != views[0].shape || view.strides[0] != 4 || !kernel)
      throw nb::value_error("expected contiguous uint32 vectors of one size");
  auto at = [&](unsigned i, size_t j) {
    return static_cast<const uint32_t *>(views[i].data) + j;
  };
  size_t count = size_t(views[0].shape[0]);
  Array out{"uint32", views[0].shape, std::vector<uint8_t>(count * 4)};
  auto *dst = reinterpret_cast<uint32_t *>(out.bytes.data());
  for (size_t i = 0; i < count; i += stripPoints)
    kernel(dst + i, at(0, i), at(1, i), at(2, i), imm,
           unsigned(std::min<size_t>(stripPoints, count - i)));
  return toNumpy(out);
}

/// The instruction set as data.
static nb::object isaTables() {
  llvm::json::Array instructions, laneOps, faults;
  for (const isa::OpcodeInfo &info : isa::allOpcodes()) {
    llvm::json::Array fields;
    for (const isa::FieldInfo &field : info.fields)
      fields.push_back(llvm::json::Object{{"name", field.name},
                                          {"bit", field.bit},
                                          {"bits", field.bits},
                                          {"signed", field.isSigned},
                                          {"summary", field.summary}});
    instructions.push_back(llvm::json::Object{{"mnemonic", info.mnemonic},
                                              {"opcode", unsigned(info.opcode)},
                                              {"summary", info.summary},
                                              {"fields", std::move(fields)}});
  }
  for (const isa::LaneOpInfo &info : isa::allLaneOps())
    laneOps.push_back(llvm::json::Object{{"mnemonic", info.mnemonic},
                                         {"opcode", unsigned(info.opcode)},
                                         {"sources", info.sources},
                                         {"rate", info.rate},
                                         {"summary", info.summary}});
  for (const FaultInfo &info : allFaults())
    faults.push_back(llvm::json::Object{{"name", info.name},
                                        {"id", info.id},
                                        {"always", info.always},
                                        {"stage", info.stage},
                                        {"summary", info.summary}});
  return toPython(llvm::json::Object{{"instructions", std::move(instructions)},
                                     {"lane_ops", std::move(laneOps)},
                                     {"faults", std::move(faults)}});
}

namespace asic {

void bindEmulator(nb::module_ &m) {
  nb::class_<DeviceState>(m, "DeviceState",
                          "What a program's state regions hold; never changes. "
                          "For the program that "
                          "made it.");
  nb::class_<Machine>(m, "Machine", "A program loaded into the emulator.")
      .def_static(
          "load",
          [](const nb::bytes &bytes) {
            return unwrap(
                       Machine::create(unwrap(Program::parse(bytesOf(bytes)))))
                .release();
          },
          nb::rv_policy::take_ownership, nb::arg("program"),
          "Loads container bytes. Raises ValueError when they are no program "
          "for this emulator.")
      .def("describe", &describe,
           "Dict with target, io records, debug entries and meta data.")
      .def(
          "serialize",
          [](const Machine &machine, const std::string &key,
             const std::string &json) {
            if (key.empty())
              return toBytes(machine.getProgram().serialize());
            Program program = machine.getProgram();
            program.meta.extra[key] = unwrap(llvm::json::parse(json));
            return toBytes(program.serialize());
          },
          nb::arg("key") = "", nb::arg("json") = "",
          "The container bytes, with one more entry of extra metadata if there "
          "is a key.")
      .def(
          "save",
          [](const Machine &machine, const std::string &path) {
            check(machine.getProgram().save(path));
          },
          nb::arg("path"), "Writes the container atomically.")
      .def(
          "constants",
          [](const Machine &machine) {
            nb::list blocks;
            for (const ConstantBlock &block : machine.getProgram().constants)
              blocks.append(
                  nb::make_tuple(block.address, toBytes(block.bytes)));
            return blocks;
          },
          "The constants as a list of (address, bytes).")
      .def(
          "disassemble",
          [](const Machine &machine) {
            return isa::disassemble(machine.getProgram());
          },
          "The program as assembly text.")
      .def(
          "time",
          [](const Machine &machine) {
            return toPython(toJson(machine, machine.time()));
          },
          "Statistics of the event simulation, without running data.")
      .def("run", &runMachine, nb::arg("inputs"),
           nb::arg("mode") = "functional", nb::arg("check") = false,
           nb::arg("seed") = 0, nb::arg("max_extra_cycles") = 1000,
           nb::arg("max_instructions") = 0, nb::arg("max_work") = 0,
           nb::arg("trace") = false, nb::arg("state") = nb::none(),
           "Runs on a dict of arrays, those in state regions left out where "
           "there "
           "is a state. Returns a dict with `outputs`, `fault` (dict or None), "
           "`stats` (dict or None), `exit_code`, `trace`, `state` (after it).")
      .def(
          "empty_state",
          [](const Machine &machine) {
            return DeviceState{machine.emptyState()};
          },
          "State regions full of zeros.")
      .def(
          "read_state",
          [](const Machine &machine, const DeviceState &state,
             const std::string &path) {
            return toNumpy(unwrap(machine.readState(state.bytes, path)));
          },
          nb::arg("state"), nb::arg("path"), "The value of a region.")
      .def(
          "write_state",
          [](const Machine &machine, const DeviceState &state,
             const std::string &path, nb::handle array) {
            return DeviceState{
                unwrap(machine.writeState(state.bytes, path, viewOf(array)))};
          },
          nb::arg("state"), nb::arg("path"), nb::arg("array"),
          "The state with another value in a region.");
  m.def("assemble_program", &assembleProgram, nb::arg("text"),
        nb::arg("target"), nb::arg("io"), nb::arg("meta"), nb::arg("debug"),
        nb::arg("constants"),
        "Container bytes from assembly text, target YAML, the JSON texts of "
        "the sections and a list of (address, bytes).");
  m.def(
      "assemble_instruction",
      [](const std::string &line) {
        auto bytes =
            unwrap(isa::encode(unwrap(isa::assembleInstruction(line))));
        return toBytes(bytes);
      },
      nb::arg("line"), "The 256 bytes of one line of assembly.");
  m.def(
      "disassemble_instruction",
      [](const nb::bytes &bytes) {
        return isa::disassemble(unwrap(isa::decode(bytesOf(bytes))));
      },
      nb::arg("bytes"), "One line of assembly for 256 bytes.");
  m.def("isa_tables", &isaTables,
        "Instructions, lane operations and faults as data.");
  m.def("kernel_variants", [] {
    std::vector<std::string> names;
    for (size_t i = 0; i < numKernelVariants(); ++i)
      names.push_back(kernelVariant(i).name);
    return names;
  });
  m.def("lane_kernel", &laneKernel, nb::arg("mnemonic"), nb::arg("a"),
        nb::arg("b"), nb::arg("c"), nb::arg("imm") = 0, nb::arg("variant") = 0,
        "One lane operation on uint32 vectors, for tests of its numerics.");
}

} // namespace asic
