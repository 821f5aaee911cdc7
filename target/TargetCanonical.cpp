// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The canonical text of a target and its hash.

#include "target/TargetSchema.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

using namespace asic;
using schema::Choice;
using schema::Rule;

/// A JSON string; texts of a model hold no characters that need escapes
/// beyond these two.
static std::string quote(llvm::StringRef text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + "\"";
}

namespace {

/// Visitor of the schema that writes JSON with sorted keys.
class CanonicalWriter {
public:
  std::string text() { return object(objects.back()); }

  void section(llvm::StringRef key, bool, llvm::function_ref<void()> body) {
    objects.emplace_back();
    body();
    std::string text = object(objects.back());
    objects.pop_back();
    put(key, text);
  }

  template <typename T, typename Body>
  void optionalSection(llvm::StringRef key, std::optional<T> &value,
                       Body body) {
    if (value)
      section(key, false, [&] { body(*value); });
  }

  void integer(llvm::StringRef key, uint64_t value, const Rule &) {
    put(key, std::to_string(value));
  }

  void optionalInteger(llvm::StringRef key,
                       const std::map<std::string, uint64_t> &values,
                       const Rule &) {
    auto found = values.find(key.str());
    if (found != values.end())
      put(key, std::to_string(found->second));
  }

  void decimal(llvm::StringRef key, Decimal value, const Rule &) {
    put(key, value.str());
  }

  void nonNegative(llvm::StringRef key, Decimal value, const Rule &) {
    put(key, value.str());
  }

  void boolean(llvm::StringRef key, bool value) {
    put(key, value ? "true" : "false");
  }

  void string(llvm::StringRef key, const std::string &value, bool) {
    put(key, quote(value));
  }

  void text(llvm::StringRef key, const std::string &value,
            const std::vector<std::string> &) {
    put(key, quote(value));
  }

  template <typename T>
  void choice(llvm::StringRef key, T value, bool,
              std::initializer_list<Choice<T>> choices) {
    for (const Choice<T> &choice : choices)
      if (choice.value == value)
        put(key, quote(choice.name));
  }

  void strings(llvm::StringRef key, const std::vector<std::string> &values) {
    putList(key, values, [](const std::string &value) { return quote(value); });
  }

  void integers(llvm::StringRef key, const std::vector<uint64_t> &values) {
    putList(key, values, [](uint64_t value) { return std::to_string(value); });
  }

  void range(llvm::StringRef key, uint64_t low, uint64_t high, const Rule &) {
    integers(key, {low, high});
  }

  void decimals(llvm::StringRef key,
                const std::map<std::string, Decimal> &values) {
    std::map<std::string, std::string> entries;
    for (const auto &[name, value] : values)
      entries[name] = value.str();
    put(key, object(entries));
  }

  void energyPerType(llvm::StringRef key,
                     const std::map<std::string, Decimal> &values) {
    decimals(key, values);
  }

  void elementTypes(llvm::StringRef key,
                    const std::vector<ElementType> &values) {
    putList(key, values,
            [](ElementType type) { return quote(elementTypeName(type)); });
  }

  void roundingModes(llvm::StringRef key,
                     const std::vector<RoundingMode> &values) {
    putList(key, values,
            [](RoundingMode mode) { return quote(roundingModeName(mode)); });
  }

  void modes(llvm::StringRef key,
             const std::vector<TargetModel::MxuMode> &values) {
    putList(key, values, [](const TargetModel::MxuMode &mode) {
      return "[" + quote(elementTypeName(mode.a)) + ", " +
             quote(elementTypeName(mode.w)) + ", " +
             quote(elementTypeName(mode.acc)) + ", " + mode.multiplier.str() +
             "]";
    });
  }

private:
  using Object = std::map<std::string, std::string>;

  static std::string object(const Object &entries) {
    std::string text = "{";
    for (const auto &[key, value] : entries)
      text += (text.size() > 1 ? ", " : "") + quote(key) + ": " + value;
    return text + "}";
  }

  template <typename List, typename Render>
  void putList(llvm::StringRef key, const List &values, Render render) {
    std::string text = "[";
    for (const auto &value : values)
      text += (text.size() > 1 ? ", " : "") + render(value);
    put(key, text + "]");
  }

  void put(llvm::StringRef key, std::string value) {
    objects.back()[key.str()] = std::move(value);
  }

  /// Open objects, outermost first.
  std::vector<Object> objects = {Object()};
};

} // namespace

std::string TargetModel::canonicalJson() const {
  CanonicalWriter writer;
  // The walk is shared with the reader and takes a mutable model; the writer
  // changes nothing.
  schema::visitTarget(writer, const_cast<TargetModel &>(*this));
  return writer.text();
}

std::array<uint8_t, 32> TargetModel::hash() const {
  std::string text = canonicalJson();
  return llvm::SHA256::hash(
      {reinterpret_cast<const uint8_t *>(text.data()), text.size()});
}

std::string TargetModel::hashHex() const {
  return llvm::toHex(hash(), /*LowerCase=*/true);
}
