// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A YAML document as a plain tree with positions. LLVM's parser streams its
// nodes; validation wants to look things up.

#ifndef ASIC_TARGET_YAMLTREE_H
#define ASIC_TARGET_YAMLTREE_H

#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asic {

/// One value of a YAML document.
struct YamlValue {
  enum class Kind { Null, Scalar, Sequence, Mapping };

  Kind kind = Kind::Null;
  unsigned line = 0, column = 0; ///< From 1.
  std::string text;              ///< Scalar: its value.
  bool quoted = false;           ///< Scalar: written in quotes.
  std::vector<YamlValue> items;  ///< Sequence.
  /// Mapping, in order of the file; keys are unique.
  std::vector<std::pair<std::string, YamlValue>> entries;

  /// Value of `key` of a mapping, or null.
  const YamlValue *find(llvm::StringRef key) const {
    for (const auto &[name, value] : entries)
      if (name == key)
        return &value;
    return nullptr;
  }

  /// How a message names this value, e.g. "the list", "'ws'", "nothing".
  std::string describe() const;
};

/// A syntax error.
struct YamlError {
  unsigned line = 0, column = 0;
  std::string message;
};

/// Reads the single document in `text`; JSON is YAML. Anchors, tags, several
/// documents and duplicate keys are errors.
std::optional<YamlValue> parseYaml(llvm::StringRef text, YamlError &error);

} // namespace asic

#endif // ASIC_TARGET_YAMLTREE_H
