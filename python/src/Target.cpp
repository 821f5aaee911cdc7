// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Target files for Python: parsing and presets.

#include "target/TargetModel.h"
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace asic;

/// `{"name", "canonical", "hash", "sources"}`, or `{"diagnostics", "text"}`
/// when the text is not a legal target. The class of the exception is Python's
/// business.
static nb::dict parseForPython(const std::string &text,
                               const std::string &fileName) {
  std::vector<TargetDiagnostic> diagnostics;
  std::optional<TargetModel> model = parseTarget(text, diagnostics);
  nb::dict result;
  if (model) {
    auto hash = model->hash();
    nb::dict sources;
    for (const auto &[path, tag] : model->sources)
      sources[path.c_str()] = tag;
    result["name"] = model->name;
    result["canonical"] = model->canonicalJson();
    result["hash"] = nb::bytes(hash.data(), hash.size());
    result["sources"] = sources;
    return result;
  }
  nb::list list;
  for (const TargetDiagnostic &diagnostic : diagnostics) {
    nb::dict entry;
    entry["path"] = diagnostic.path;
    entry["line"] = diagnostic.line;
    entry["column"] = diagnostic.column;
    entry["message"] = diagnostic.message;
    list.append(entry);
  }
  result["diagnostics"] = list;
  result["text"] = formatTargetDiagnostics(fileName, diagnostics);
  return result;
}

namespace asic {

void bindTarget(nb::module_ &m) {
  m.def("parse_target", &parseForPython, nb::arg("text"), nb::arg("file_name"),
        "Reads a target from YAML or JSON text. Returns a dict with `name`, "
        "`canonical` (JSON text), `hash` (32 bytes) and `sources` (field path "
        "to tag), or with `diagnostics` (list of dicts `path`, `line`, "
        "`column`, `message`) and `text`.");
  m.def("preset_names", &presetNames, "Names of the built-in targets.");
  m.def(
      "preset_text",
      [](const std::string &name) -> nb::object {
        if (std::optional<llvm::StringRef> text = presetText(name))
          return nb::str(text->data(), text->size());
        return nb::none();
      },
      nb::arg("name"), "YAML text of a built-in target, or None.");
}

} // namespace asic
