// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler and compiled host functions for Python.

#include "emulator/Machine.h"
#include "passes/Compilation.h"
#include "passes/HostProgram.h"
#include "runtime/Program.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace mlir::asic;

namespace {

/// Raw bytes of an array; the caller views every dtype as uint8.
using ConstBytes =
    nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using MutableBytes =
    nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Weights = std::map<std::string, ConstBytes>;
using Extents = std::map<std::string, std::vector<std::string>>;

std::vector<WeightView> viewsOf(const Weights &weights) {
  std::vector<WeightView> views;
  for (const auto &[name, bytes] : weights)
    views.push_back({name, bytes.data(), bytes.size()});
  return views;
}

/// Asks Python, from a thread that does not hold its lock, whether a signal
/// handler raised.
bool isInterrupted() {
  nb::gil_scoped_acquire lock;
  return PyErr_CheckSignals() != 0;
}

nb::tuple toPython(const HostTensor &tensor) {
  return nb::make_tuple(nb::tuple(nb::cast(tensor.shape)), tensor.type);
}

/// A compilation with the arrays that it reads.
class PyCompilation {
public:
  PyCompilation(CompilationRequest request, Weights weights)
      : weights(std::move(weights)), compilation(std::move(request)) {}

  bool run(const nb::callable &onPhase) {
    bool succeeded;
    {
      nb::gil_scoped_release unlock;
      succeeded = compilation.run(isInterrupted, [&](llvm::StringRef name) {
        nb::gil_scoped_acquire lock;
        try {
          onPhase(name.str());
        } catch (nb::python_error &error) {
          // The compiler between here and Python knows no exceptions.
          error.discard_as_unraisable("asic.compile");
        }
      });
    }
    raiseInterrupt();
    return succeeded;
  }

  std::string printStage(const std::string &phase) {
    std::string text;
    {
      nb::gil_scoped_release unlock;
      text = compilation.printStage(phase, isInterrupted);
    }
    raiseInterrupt();
    return text;
  }

  nb::tuple dumpStage(const std::string &phase) {
    StageDump dump;
    {
      nb::gil_scoped_release unlock;
      dump = compilation.dumpStage(phase, isInterrupted);
    }
    raiseInterrupt();
    nb::dict arrays;
    for (const NamedBytes &weight : dump.weights)
      arrays[weight.name.c_str()] =
          nb::make_tuple(toPython(weight.tensor),
                         nb::bytes(weight.bytes.data(), weight.bytes.size()));
    return nb::make_tuple(dump.text, arrays);
  }

  Weights weights;
  Compilation compilation;

private:
  void raiseInterrupt() {
    if (!compilation.wasInterrupted)
      return;
    if (!PyErr_Occurred())
      PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw nb::python_error();
  }
};

nb::dict toPython(const SourceLocation &location) {
  nb::dict result;
  result["layer"] = location.layer;
  result["torch_op"] = location.torchOp;
  result["file"] = location.file;
  result["line"] = location.line;
  result["column"] = location.column;
  return result;
}

nb::dict toPython(const DiagnosticRecord &diagnostic) {
  nb::dict result = toPython(diagnostic.location);
  result["severity"] = diagnostic.severity;
  result["message"] = diagnostic.message;
  nb::list notes;
  for (const DiagnosticRecord &note : diagnostic.notes)
    notes.append(toPython(note));
  result["notes"] = notes;
  return result;
}

nb::list toPython(const std::vector<ModelTensor> &tensors) {
  nb::list result;
  for (const ModelTensor &tensor : tensors)
    result.append(
        nb::make_tuple(tensor.name, toPython(tensor.tensor), tensor.state));
  return result;
}

nb::list stepsOf(const PyCompilation &self) {
  nb::list result;
  for (const Step &step : self.compilation.steps) {
    nb::dict entry;
    entry["function"] = step.function;
    entry["on_host"] = step.onHost;
    entry["inputs"] = step.inputs;
    entry["outputs"] = step.outputs;
    result.append(entry);
  }
  return result;
}

nb::dict placementOf(const PyCompilation &self) {
  const Placement &placement = self.compilation.placement;
  nb::list records;
  for (const PlacementRecord &record : placement.records) {
    nb::dict entry = toPython(record.location);
    entry["kind"] = record.kind;
    entry["op"] = record.op;
    entry["reason"] = record.reason;
    entry["remedy"] = record.remedy;
    entry["region"] = record.region;
    entry["lost_cycles"] = record.lostCycles;
    records.append(entry);
  }
  nb::list regions;
  for (const RegionCrossing &region : placement.regions) {
    nb::dict entry;
    entry["region"] = region.region;
    entry["bytes_in"] = region.bytesIn;
    entry["bytes_out"] = region.bytesOut;
    entry["cycles"] = region.cycles;
    regions.append(entry);
  }
  nb::dict result;
  result["records"] = records;
  result["regions"] = regions;
  result["accelerator_ops"] = placement.acceleratorOps;
  result["host_ops"] = placement.hostOps;
  result["crossings"] = placement.crossings;
  return result;
}

/// Where the constants lie: (address, bytes) by name, valid as long as the
/// compilation.
nb::dict hostConstantsOf(const PyCompilation &self) {
  nb::dict result;
  for (const WeightView &view : self.compilation.hostConstants)
    result[view.name.c_str()] =
        nb::make_tuple(reinterpret_cast<uintptr_t>(view.data), view.bytes);
  return result;
}

/// Host functions with the arrays that they read.
class PyHostProgram {
public:
  PyHostProgram(const std::string &text, Weights arrays)
      : weights(std::move(arrays)) {
    load(text, viewsOf(weights));
  }

  /// The host functions of a compilation, which has to stay alive.
  explicit PyHostProgram(const Compilation &compilation) {
    load(compilation.hostText, compilation.hostConstants);
  }

  void load(const std::string &text, const std::vector<WeightView> &views) {
    std::string error;
    {
      nb::gil_scoped_release unlock;
      auto created = HostProgram::create(text, views);
      if (created)
        program = std::move(*created);
      else
        error = llvm::toString(created.takeError());
    }
    if (!program)
      throw nb::value_error(error.c_str());
  }

  nb::tuple signature(const std::string &function) const {
    const HostSignature *signature = find(function);
    nb::list inputs, outputs;
    for (const HostTensor &tensor : signature->inputs)
      inputs.append(toPython(tensor));
    for (const HostTensor &tensor : signature->outputs)
      outputs.append(toPython(tensor));
    return nb::make_tuple(nb::tuple(inputs), nb::tuple(outputs));
  }

  std::vector<std::string> extents(const std::string &function) const {
    return find(function)->extents;
  }

  void call(const std::string &function, const std::vector<ConstBytes> &inputs,
            const std::vector<MutableBytes> &outputs,
            const std::vector<int64_t> &extents) const {
    const HostSignature *signature = find(function);
    checkSizes(signature->inputs, inputs);
    checkSizes(signature->outputs, outputs);
    std::vector<const void *> in;
    for (const ConstBytes &bytes : inputs)
      in.push_back(bytes.data());
    std::vector<void *> out;
    for (const MutableBytes &bytes : outputs)
      out.push_back(bytes.data());
    std::string error;
    {
      nb::gil_scoped_release unlock;
      error =
          llvm::toString(program->getModule().call(function, in, out, extents));
    }
    if (!error.empty())
      throw std::runtime_error(error);
  }

private:
  const HostSignature *find(const std::string &function) const {
    const HostSignature *signature = program->getModule().signature(function);
    if (!signature)
      throw nb::key_error(function.c_str());
    return signature;
  }

  template <typename Array>
  static void checkSizes(const std::vector<HostTensor> &tensors,
                         const std::vector<Array> &arrays) {
    bool fits = tensors.size() == arrays.size();
    for (size_t i = 0; fits && i < tensors.size(); ++i)
      fits = tensors[i].bytes() == arrays[i].size();
    if (!fits)
      throw nb::value_error("expected arrays of the function's signature");
  }

  Weights weights;
  std::unique_ptr<HostProgram> program;
};

} // namespace

namespace asic {

void bindCompiler(nb::module_ &m) {
  nb::class_<PyCompilation>(m, "Compilation",
                            "One run of the compiler over the text of a model")
      .def(
          "__init__",
          [](PyCompilation *self, std::string text, Weights weights,
             std::string target, std::string fileName, bool hostOnly,
             bool fallbackIsError, bool verify, std::string until,
             const Extents &inputExtents, const Extents &outputExtents) {
            CompilationRequest request;
            request.text = std::move(text);
            request.fileName = std::move(fileName);
            request.weights = viewsOf(weights);
            request.target = std::move(target);
            request.options = {hostOnly, fallbackIsError, verify};
            request.until = std::move(until);
            for (const auto &[name, extents] : inputExtents)
              request.inputExtents[name] = extents;
            for (const auto &[name, extents] : outputExtents)
              request.outputExtents[name] = extents;
            new (self) PyCompilation(std::move(request), std::move(weights));
          },
          nb::kw_only(), nb::arg("text"), nb::arg("weights"), nb::arg("target"),
          nb::arg("file_name"), nb::arg("host_only"),
          nb::arg("fallback_is_error"), nb::arg("verify"), nb::arg("until"),
          nb::arg("input_extents") = Extents(),
          nb::arg("output_extents") = Extents())
      .def("run", &PyCompilation::run, nb::arg("on_phase"),
           "Runs the phases, calling `on_phase` with the name of each; False "
           "when one failed. Other Python threads run "
           "meanwhile; KeyboardInterrupt stops it between two passes.")
      .def("stage", &PyCompilation::printStage, nb::arg("phase"),
           "Text after a phase, without the bytes of weights")
      .def("dump", &PyCompilation::dumpStage, nb::arg("phase"),
           "(text after a phase, {name: ((shape, type), bytes)})")
      .def_prop_ro("failed_phase",
                   [](PyCompilation &c) { return c.compilation.failedPhase; })
      .def_prop_ro("reproducer",
                   [](PyCompilation &c) { return c.compilation.reproducer; })
      .def_prop_ro("diagnostics",
                   [](PyCompilation &c) {
                     nb::list result;
                     for (const DiagnosticRecord &d : c.compilation.diagnostics)
                       result.append(toPython(d));
                     return result;
                   })
      .def_prop_ro(
          "inputs",
          [](PyCompilation &c) { return toPython(c.compilation.inputs); })
      .def_prop_ro(
          "outputs",
          [](PyCompilation &c) { return toPython(c.compilation.outputs); })
      .def_prop_ro("steps", &stepsOf)
      .def_prop_ro("results",
                   [](PyCompilation &c) { return c.compilation.results; })
      .def_prop_ro("placement", &placementOf)
      .def_prop_ro("work",
                   [](PyCompilation &c) {
                     const NetworkWork &work = c.compilation.work;
                     nb::dict result;
                     result["macs"] = work.macs;
                     result["host_macs"] = work.hostMacs;
                     result["weights_bytes"] = work.weightsBytes;
                     result["io_bytes"] = work.ioBytes;
                     result["lower_bound_cycles"] = work.lowerBoundCycles;
                     return result;
                   })
      .def_prop_ro("phase_seconds",
                   [](PyCompilation &c) { return c.compilation.phaseSeconds; })
      .def_prop_ro("program_names",
                   [](PyCompilation &c) {
                     nb::list result;
                     for (const auto &[name, program] : c.compilation.programs)
                       result.append(name);
                     return result;
                   })
      .def(
          "host_program",
          [](PyCompilation &c) { return new PyHostProgram(c.compilation); },
          nb::rv_policy::take_ownership, nb::keep_alive<0, 1>(),
          "The host functions, compiled; they read the compilation's "
          "constants.")
      .def(
          "machine",
          [](PyCompilation &c, const std::string &name) {
            auto found = c.compilation.programs.find(name);
            if (found == c.compilation.programs.end())
              throw nb::key_error(name.c_str());
            auto machine = ::asic::emulator::Machine::create(
                ::asic::Program(found->second));
            if (!machine)
              throw nb::value_error(
                  llvm::toString(machine.takeError()).c_str());
            return machine->release();
          },
          nb::rv_policy::take_ownership, nb::keep_alive<0, 1>(),
          nb::arg("name"),
          "The program of a region in the emulator. It reads the compilation's "
          "constants, without a copy.")
      .def_prop_ro("host_text",
                   [](PyCompilation &c) { return c.compilation.hostText; })
      .def_prop_ro("host_constants", &hostConstantsOf);

  nb::class_<PyHostProgram>(m, "HostProgram",
                            "Functions compiled for this computer")
      .def(nb::init<const std::string &, Weights>(), nb::arg("text"),
           nb::arg("weights"))
      .def("signature", &PyHostProgram::signature, nb::arg("function"),
           "((shape, type), …) of the inputs and of the outputs")
      .def("extents", &PyHostProgram::extents, nb::arg("function"),
           "Names of the sizes that a call of dynamic shape says, in order")
      .def("call", &PyHostProgram::call, nb::arg("function"), nb::arg("inputs"),
           nb::arg("outputs"), nb::arg("extents") = std::vector<int64_t>());

  m.def(
      "phases",
      [] {
        std::vector<std::string> names = {"import"};
        for (const Phase &phase : getPhases())
          names.push_back(phase.name.str());
        return names;
      },
      "Names of the phases, in order");
}

} // namespace asic
