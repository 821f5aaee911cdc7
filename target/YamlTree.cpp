// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/YamlTree.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Casting.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/YAMLParser.h"

using namespace asic;

/// Deepest nesting that is read; target files need four levels.
static constexpr unsigned kMaxDepth = 16;

std::string YamlValue::describe() const {
  switch (kind) {
  case Kind::Null:
    return "nothing";
  case Kind::Scalar:
    return "'" + text + "'";
  case Kind::Sequence:
    return "a list";
  case Kind::Mapping:
    return "a mapping";
  }
  return "";
}

namespace {

/// Copies LLVM's streaming nodes into a YamlValue. The first error wins; after
/// it no node is advanced any more.
class TreeBuilder {
public:
  TreeBuilder(llvm::StringRef text, YamlError &error)
      : text(text), error(error) {
    sources.setDiagHandler(
        [](const llvm::SMDiagnostic &diagnostic, void *self) {
          static_cast<TreeBuilder *>(self)->noteSyntaxError(diagnostic);
        },
        this);
  }

  std::optional<YamlValue> build() {
    llvm::yaml::Stream stream(text, sources, /*ShowColors=*/false);
    llvm::yaml::document_iterator document = stream.begin();
    if (document == stream.end())
      return fail(1, 1, "expected a mapping, got an empty file"), std::nullopt;
    llvm::yaml::Node *root = document->getRoot();
    YamlValue value;
    if (!root || !copy(root, value, /*depth=*/0) || stream.failed()) {
      fail(1, 1, "malformed YAML");
      return std::nullopt;
    }
    if (++document != stream.end() && !stream.failed()) {
      llvm::yaml::Node *next = document->getRoot();
      if (next && !llvm::isa<llvm::yaml::NullNode>(next))
        fail(1, 1,
             "expected one YAML document, got several; "
             "keep one target per file");
    }
    if (failed || stream.failed())
      return fail(1, 1, "malformed YAML"), std::nullopt;
    return value;
  }

private:
  void noteSyntaxError(const llvm::SMDiagnostic &diagnostic) {
    if (diagnostic.getKind() != llvm::SourceMgr::DK_Error)
      return;
    fail(diagnostic.getLineNo() > 0 ? diagnostic.getLineNo() : 1,
         diagnostic.getColumnNo() + 1,
         "malformed YAML: " + diagnostic.getMessage());
  }

  bool fail(unsigned line, unsigned column, const llvm::Twine &message) {
    if (!failed)
      error = {line, column, message.str()};
    failed = true;
    return false;
  }

  void locate(llvm::yaml::Node *node, YamlValue &value) {
    const char *pointer = node->getSourceRange().Start.getPointer();
    if (!pointer || pointer < text.begin() || pointer > text.end())
      return;
    llvm::StringRef before = text.take_front(pointer - text.begin());
    value.line = static_cast<unsigned>(before.count('\n')) + 1;
    value.column =
        static_cast<unsigned>(before.size() - (before.rfind('\n') + 1)) + 1;
  }

  bool copy(llvm::yaml::Node *node, YamlValue &value, unsigned depth) {
    locate(node, value);
    if (depth > kMaxDepth)
      return fail(value.line, value.column,
                  "expected at most 16 levels of nesting, got more");
    if (!node->getAnchor().empty() || !node->getRawTag().empty() ||
        llvm::isa<llvm::yaml::AliasNode>(node))
      return fail(value.line, value.column,
                  "expected plain values, got an anchor, alias or tag; "
                  "write the value out");
    if (auto *scalar = llvm::dyn_cast<llvm::yaml::ScalarNode>(node))
      return copyScalar(scalar, value);
    if (auto *block = llvm::dyn_cast<llvm::yaml::BlockScalarNode>(node)) {
      value.kind = YamlValue::Kind::Scalar;
      value.text = block->getValue().str();
      value.quoted = true;
      return !failed;
    }
    if (auto *sequence = llvm::dyn_cast<llvm::yaml::SequenceNode>(node))
      return copySequence(sequence, value, depth);
    if (auto *mapping = llvm::dyn_cast<llvm::yaml::MappingNode>(node))
      return copyMapping(mapping, value, depth);
    return !failed;
  }

  bool copyScalar(llvm::yaml::ScalarNode *node, YamlValue &value) {
    llvm::SmallString<32> storage;
    value.kind = YamlValue::Kind::Scalar;
    llvm::StringRef raw = node->getRawValue();
    value.quoted = raw.starts_with("\"") || raw.starts_with("'");
    value.text = node->getValue(storage).str();
    if (!value.quoted && (value.text == "null" || value.text == "~"))
      value.kind = YamlValue::Kind::Null;
    return !failed;
  }

  bool copySequence(llvm::yaml::SequenceNode *node, YamlValue &value,
                    unsigned depth) {
    value.kind = YamlValue::Kind::Sequence;
    for (llvm::yaml::Node &item : *node) {
      value.items.emplace_back();
      if (!copy(&item, value.items.back(), depth + 1))
        return false;
    }
    return !failed;
  }

  bool copyMapping(llvm::yaml::MappingNode *node, YamlValue &value,
                   unsigned depth) {
    value.kind = YamlValue::Kind::Mapping;
    for (llvm::yaml::KeyValueNode &entry : *node) {
      llvm::yaml::Node *keyNode = entry.getKey();
      YamlValue key;
      if (!keyNode || !copy(keyNode, key, depth + 1))
        return fail(value.line, value.column, "malformed YAML");
      if (key.kind != YamlValue::Kind::Scalar)
        return fail(key.line, key.column,
                    "expected a name as key, got " + key.describe());
      if (value.find(key.text))
        return fail(key.line, key.column,
                    "expected every key once, got '" + key.text +
                        "' again; remove one of them");
      YamlValue entryValue;
      llvm::yaml::Node *valueNode = entry.getValue();
      if (!valueNode || !copy(valueNode, entryValue, depth + 1))
        return fail(key.line, key.column, "malformed YAML");
      // Messages point at the key: that is where the reader looks.
      entryValue.line = key.line;
      entryValue.column = key.column;
      value.entries.emplace_back(std::move(key.text), std::move(entryValue));
    }
    return !failed;
  }

  llvm::StringRef text;
  YamlError &error;
  llvm::SourceMgr sources;
  bool failed = false;
};

} // namespace

std::optional<YamlValue> asic::parseYaml(llvm::StringRef text,
                                         YamlError &error) {
  return TreeBuilder(text, error).build();
}
