// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From YAML to a TargetModel: types, bounds and unknown keys here, what fields
// must satisfy together in TargetChecks.cpp.

#include "target/TargetChecks.h"
#include "target/TargetSchema.h"
#include "target/YamlTree.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using namespace asic;
using schema::Choice;
using schema::Rule;

namespace {

/// Unit words and their factors; a value such as "2MiB" or a key such as
/// "clock_ghz" is answered with the number in the unit of the schema.
struct UnitWord {
  const char *word;
  const char *base; ///< Unit that the factor converts to.
  double factor;
};
constexpr UnitWord kUnitWords[] = {
    {"b", "bytes", 1},
    {"byte", "bytes", 1},
    {"k", "bytes", 1024},
    {"kb", "bytes", 1000},
    {"kib", "bytes", 1024},
    {"m", "bytes", 1048576},
    {"mb", "bytes", 1e6},
    {"mib", "bytes", 1048576},
    {"g", "bytes", 1073741824},
    {"gb", "bytes", 1e9},
    {"gib", "bytes", 1073741824},
    {"hz", "MHz", 1e-6},
    {"khz", "MHz", 1e-3},
    {"mhz", "MHz", 1},
    {"ghz", "MHz", 1e3},
};

const UnitWord *findUnit(llvm::StringRef word) {
  for (const UnitWord &unit : kUnitWords)
    if (word.equals_insensitive(unit.word))
      return &unit;
  return nullptr;
}

/// `number` of `unit` in the base unit, as decimal text.
std::string convert(Decimal number, const UnitWord &unit) {
  double micro = static_cast<double>(number.micro) * unit.factor;
  return Decimal{static_cast<int64_t>(micro)}.str();
}

/// "; write 2097152" for texts like "2 MiB" where `rule.unit` is bytes.
std::string unitRemedy(llvm::StringRef text, const Rule &rule) {
  llvm::StringRef number =
      text.take_while([](char c) { return llvm::isDigit(c) || c == '.'; });
  const UnitWord *unit = findUnit(text.drop_front(number.size()).trim());
  std::optional<Decimal> value = Decimal::parse(number);
  if (!unit || !value || llvm::StringRef(rule.unit) != unit->base)
    return "";
  return "; the unit is part of the key, write " + convert(*value, *unit);
}

/// The candidate nearest to `name`, when it is near enough to be meant.
std::string nearest(llvm::StringRef name,
                    const std::vector<std::string> &candidates) {
  std::string best;
  // One edit for short names: every short name is two edits from many.
  unsigned bestDistance =
      std::max<unsigned>(name.size() > 3 ? 2 : 1, name.size() / 3) + 1;
  for (const std::string &candidate : candidates) {
    unsigned distance = name.edit_distance(candidate, true, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

std::string joinQuoted(const std::vector<std::string> &names) {
  return llvm::join(names, ", ");
}

/// Visitor of the schema that fills a model from a YAML tree.
class Reader {
public:
  Reader(const YamlValue &root, TargetModel &model,
         std::vector<TargetDiagnostic> &diagnostics)
      : model(model), diagnostics(diagnostics) {
    frames.push_back({&root, "", {}});
  }

  /// True when the file gives the field; otherwise its default applies.
  bool isGiven(llvm::StringRef path) const {
    return positionMap.count(path.str());
  }
  /// Positions of fields and sections by path, for later checks.
  const PositionMap &positions() const { return positionMap; }

  void section(llvm::StringRef key, bool required,
               llvm::function_ref<void()> body) {
    const YamlValue *value = take(key, required, "a mapping");
    if (!value)
      return;
    if (value->kind != YamlValue::Kind::Mapping)
      return report(*value, pathOf(key),
                    "expected a mapping, got " + value->describe());
    positionMap[pathOf(key)] = {value->line, value->column};
    frames.push_back({value, pathOf(key), {}});
    body();
    finishSection();
    frames.pop_back();
  }

  template <typename T, typename Body>
  void optionalSection(llvm::StringRef key, std::optional<T> &target,
                       Body body) {
    if (frames.back().mapping->find(key))
      target.emplace();
    T unused;
    section(key, /*required=*/false, [&] { body(target ? *target : unused); });
  }

  void integer(llvm::StringRef key, uint64_t &target, const Rule &rule) {
    std::string expected =
        rule.unit[0] ? "an integer number of " + std::string(rule.unit)
                     : "an integer";
    if (const YamlValue *value = take(key, rule.required, expected))
      readInteger(*value, pathOf(key), target, rule, expected);
  }

  void optionalInteger(llvm::StringRef key,
                       std::map<std::string, uint64_t> &target,
                       const Rule &rule) {
    uint64_t value = 0;
    size_t before = diagnostics.size();
    bool present = frames.back().mapping->find(key);
    integer(key, value, rule);
    if (present && diagnostics.size() == before)
      target[key.str()] = value;
  }

  /// A positive decimal number.
  void decimal(llvm::StringRef key, Decimal &target, const Rule &rule) {
    if (const YamlValue *value = take(key, rule.required, number(rule)))
      readDecimal(*value, pathOf(key), target, rule, /*zeroAllowed=*/false);
  }

  /// A decimal number that may be zero; absent means zero.
  void nonNegative(llvm::StringRef key, Decimal &target, const Rule &rule) {
    if (const YamlValue *value = take(key, rule.required, number(rule)))
      readDecimal(*value, pathOf(key), target, rule, /*zeroAllowed=*/true);
  }

  void boolean(llvm::StringRef key, bool &target) {
    const YamlValue *value = take(key, false, "true or false");
    if (!value)
      return;
    if (value->kind != YamlValue::Kind::Scalar || value->quoted ||
        (value->text != "true" && value->text != "false"))
      return report(*value, pathOf(key),
                    "expected true or false, got " + value->describe());
    target = value->text == "true";
  }

  void string(llvm::StringRef key, std::string &target, bool required) {
    const YamlValue *value = take(key, required, "a name");
    if (!value)
      return;
    auto legal = [](char c) {
      return llvm::isAlnum(c) || c == '-' || c == '_' || c == '.';
    };
    if (value->kind != YamlValue::Kind::Scalar || value->text.empty() ||
        value->text.size() > 64 || !llvm::all_of(value->text, legal))
      return report(*value, pathOf(key),
                    "expected a name of letters, digits, '-', '_' and '.', at "
                    "most 64 characters, got " +
                        value->describe());
    target = value->text;
  }

  /// Text that must be one of a few words.
  void text(llvm::StringRef key, std::string &target,
            std::vector<std::string> allowed) {
    const YamlValue *value = take(key, false, "one of " + joinQuoted(allowed));
    if (value && checkWord(*value, pathOf(key), allowed))
      target = value->text;
  }

  template <typename T>
  void choice(llvm::StringRef key, T &target, bool required,
              std::initializer_list<Choice<T>> choices) {
    std::vector<std::string> allowed;
    for (const Choice<T> &choice : choices)
      allowed.push_back(choice.name);
    const YamlValue *value =
        take(key, required, "one of " + joinQuoted(allowed));
    if (!value || !checkWord(*value, pathOf(key), allowed))
      return;
    for (const Choice<T> &choice : choices)
      if (value->text == choice.name)
        target = choice.value;
  }

  void strings(llvm::StringRef key, std::vector<std::string> &target) {
    list(key, /*required=*/false, [&](const YamlValue &item, std::string path) {
      if (item.kind != YamlValue::Kind::Scalar)
        return report(item, path, "expected a name, got " + item.describe());
      target.push_back(item.text);
    });
  }

  void integers(llvm::StringRef key, std::vector<uint64_t> &target) {
    list(key, /*required=*/false, [&](const YamlValue &item, std::string path) {
      uint64_t value = 0;
      if (readInteger(item, path, value, schema::atLeast(1), "an integer"))
        target.push_back(value);
    });
  }

  void range(llvm::StringRef key, uint64_t &low, uint64_t &high,
             const Rule &rule) {
    std::vector<uint64_t> ends;
    const YamlValue *value = list(
        key, /*required=*/false, [&](const YamlValue &item, std::string path) {
          ends.push_back(0);
          readInteger(item, path, ends.back(), rule, "an integer");
        });
    if (!value || value->kind != YamlValue::Kind::Sequence)
      return;
    if (ends.size() != 2 || ends[0] > ends[1])
      return report(*value, pathOf(key),
                    "expected [smallest, largest], got " +
                        llvm::Twine(ends.size()) + " values" +
                        (ends.size() == 2 ? " in falling order" : ""));
    low = ends[0];
    high = ends[1];
  }

  void decimals(llvm::StringRef key, std::map<std::string, Decimal> &target) {
    map(key, [&](const std::string &name, const YamlValue &value) {
      Decimal number;
      if (readDecimal(value, pathOf(key) + "." + name, number,
                      Rule{0, 1000000, false, false, ""},
                      /*zeroAllowed=*/false))
        target[name] = number;
    });
  }

  void energyPerType(llvm::StringRef key,
                     std::map<std::string, Decimal> &target) {
    map(key, [&](const std::string &name, const YamlValue &value) {
      std::string path = pathOf(key) + "." + name;
      Decimal number;
      if (!checkElementType(value, path, name) ||
          !readDecimal(value, path, number,
                       Rule{0, 1000000, false, false, "pJ"},
                       /*zeroAllowed=*/true))
        return;
      for (ElementType type : expandElementType(name))
        target[elementTypeName(type).str()] = number;
    });
  }

  void elementTypes(llvm::StringRef key, std::vector<ElementType> &target) {
    std::vector<ElementType> types;
    const YamlValue *value = list(
        key, /*required=*/false, [&](const YamlValue &item, std::string path) {
          if (item.kind != YamlValue::Kind::Scalar)
            return report(item, path,
                          "expected an element type, got " + item.describe());
          if (checkElementType(item, path, item.text))
            llvm::append_range(types, expandElementType(item.text));
        });
    if (!value)
      return;
    llvm::sort(types);
    types.erase(std::unique(types.begin(), types.end()), types.end());
    target = types;
  }

  void roundingModes(llvm::StringRef key, std::vector<RoundingMode> &target) {
    std::vector<RoundingMode> modes;
    const YamlValue *value = list(
        key, /*required=*/false, [&](const YamlValue &item, std::string path) {
          if (!checkWord(item, path, {"sr", "dr", "rne", "f32"}))
            return;
          for (unsigned i = 0; i < 4; ++i)
            if (item.text == roundingModeName(static_cast<RoundingMode>(i)))
              modes.push_back(static_cast<RoundingMode>(i));
        });
    if (!value)
      return;
    llvm::sort(modes);
    modes.erase(std::unique(modes.begin(), modes.end()), modes.end());
    target = modes;
  }

  void modes(llvm::StringRef key, std::vector<TargetModel::MxuMode> &target) {
    const YamlValue *value = list(key, /*required=*/true,
                                  [&](const YamlValue &item, std::string path) {
                                    readMode(item, path, target);
                                  });
    if (value && value->kind == YamlValue::Kind::Sequence &&
        value->items.empty())
      report(*value, pathOf(key),
             "expected at least one [a, w, acc, multiplier], got none; e.g. "
             "[i8, i8, i32, 1.0]");
  }

  /// Reports keys that the schema does not have, at the top level.
  void finish() {
    for (const char *key : {"provenance", "description"})
      frames.back().known.push_back(key);
    finishSection();
  }

private:
  struct Frame {
    const YamlValue *mapping;
    std::string path;
    std::vector<std::string> known; ///< Keys that the schema asked for.
  };

  std::string pathOf(llvm::StringRef key) const {
    const std::string &prefix = frames.back().path;
    return prefix.empty() ? key.str() : prefix + "." + key.str();
  }

  static std::string number(const Rule &rule) {
    std::string text = "a number";
    return rule.unit[0] ? text + " of " + rule.unit : text;
  }

  void report(const YamlValue &at, const std::string &path,
              const llvm::Twine &message) {
    diagnostics.push_back({path, at.line, at.column, message.str()});
  }

  /// The value of `key` with a `{value: …, src: …}` wrapper taken off; null
  /// when absent, which is an error when `required`.
  const YamlValue *take(llvm::StringRef key, bool required,
                        const std::string &expected) {
    Frame &frame = frames.back();
    frame.known.push_back(key.str());
    const YamlValue *value = frame.mapping->find(key);
    if (!value) {
      if (required)
        report(*frame.mapping, pathOf(key),
               "expected " + expected + ", got nothing; add the missing key '" +
                   key + "'");
      return nullptr;
    }
    std::string path = pathOf(key);
    positionMap[path] = {value->line, value->column};
    const YamlValue *inner = value->find("value");
    if (inner && value->entries.size() <= 2) {
      if (const YamlValue *source = value->find("src"))
        model.sources[path] = source->text;
      return inner;
    }
    return value;
  }

  bool readInteger(const YamlValue &value, const std::string &path,
                   uint64_t &target, const Rule &rule,
                   const std::string &expected) {
    auto fail = [&](const llvm::Twine &message) {
      report(value, path, message);
      return false;
    };
    llvm::StringRef text = value.text;
    if (value.kind != YamlValue::Kind::Scalar || value.quoted)
      return fail(
          "expected " + expected + ", got " + value.describe() +
          (value.quoted ? " in quotes; write the number without them" : ""));
    std::optional<Decimal> decimal = Decimal::parse(text);
    if (decimal && decimal->micro < 0)
      return fail("expected " + lowest(rule) + ", got " + text);
    uint64_t number = 0;
    if (text.getAsInteger(0, number))
      return fail(
          "expected " + expected + ", got '" + text + "'" +
          (decimal ? "; leave the fraction away" : unitRemedy(text, rule)));
    if (number < rule.min)
      return fail("expected " + lowest(rule) + ", got " + text);
    if (number > rule.max)
      return fail("expected at most " + llvm::Twine(rule.max) + unitOf(rule) +
                  ", got " + text);
    if (rule.powerOfTwo && (number & (number - 1)))
      return fail("expected a power of two, got " + text);
    target = number;
    return true;
  }

  bool readDecimal(const YamlValue &value, const std::string &path,
                   Decimal &target, const Rule &rule, bool zeroAllowed) {
    auto fail = [&](const llvm::Twine &message) {
      report(value, path, message);
      return false;
    };
    if (value.kind != YamlValue::Kind::Scalar || value.quoted)
      return fail(
          "expected " + number(rule) + ", got " + value.describe() +
          (value.quoted ? " in quotes; write the number without them" : ""));
    std::optional<Decimal> decimal = Decimal::parse(value.text);
    if (!decimal)
      return fail("expected " + number(rule) + ", got '" + value.text + "'" +
                  unitRemedy(value.text, rule));
    if (decimal->micro < 0 || (decimal->micro == 0 && !zeroAllowed))
      return fail("expected a " +
                  llvm::Twine(zeroAllowed ? "non-negative" : "positive") +
                  " number" + (rule.unit[0] ? " of " : "") + rule.unit +
                  ", got " + value.text);
    if (*decimal < Decimal::fromInteger(rule.min))
      return fail("expected at least " + llvm::Twine(rule.min) + unitOf(rule) +
                  ", got " + value.text);
    if (Decimal::fromInteger(rule.max) < *decimal)
      return fail("expected at most " + llvm::Twine(rule.max) + unitOf(rule) +
                  ", got " + value.text +
                  (rule.unit[0] ? std::string("; the unit is ") + rule.unit
                                : std::string()));
    target = *decimal;
    return true;
  }

  static std::string unitOf(const Rule &rule) {
    return rule.unit[0] ? " " + std::string(rule.unit) : "";
  }

  static std::string lowest(const Rule &rule) {
    if (rule.min == 0)
      return "a non-negative integer" +
             (rule.unit[0] ? " number of " + std::string(rule.unit) : "");
    if (rule.min == 1)
      return "a positive integer" +
             (rule.unit[0] ? " number of " + std::string(rule.unit) : "");
    return "at least " + std::to_string(rule.min) + unitOf(rule);
  }

  bool checkWord(const YamlValue &value, const std::string &path,
                 const std::vector<std::string> &allowed) {
    if (value.kind == YamlValue::Kind::Scalar &&
        llvm::is_contained(allowed, value.text))
      return true;
    std::string expected = allowed.size() == 1
                               ? "'" + allowed[0] + "'"
                               : "one of " + joinQuoted(allowed);
    std::string near = nearest(value.text, allowed);
    report(value, path,
           "expected " + expected + ", got " + value.describe() +
               (near.empty() || allowed.size() == 1
                    ? ""
                    : "; did you mean '" + near + "'?"));
    return false;
  }

  /// Types that a name in a file stands for: "cf8" is both CFloat8 layouts.
  static std::vector<ElementType> expandElementType(llvm::StringRef name) {
    if (name == "cf8")
      return {ElementType::CF8_143, ElementType::CF8_152};
    if (std::optional<ElementType> type = parseElementType(name))
      return {*type};
    return {};
  }

  bool checkElementType(const YamlValue &at, const std::string &path,
                        llvm::StringRef name) {
    if (!expandElementType(name).empty())
      return true;
    std::vector<std::string> names = {"cf8"};
    for (ElementType type : allElementTypes())
      names.push_back(elementTypeName(type).str());
    std::string near = nearest(name, names);
    report(at, path,
           "expected an element type (" + joinQuoted(names) + "), got '" +
               name + "'" +
               (near.empty() ? "" : "; did you mean '" + near + "'?"));
    return false;
  }

  void readMode(const YamlValue &item, const std::string &path,
                std::vector<TargetModel::MxuMode> &target) {
    if (item.kind != YamlValue::Kind::Sequence || item.items.size() < 3 ||
        item.items.size() > 4)
      return report(item, path,
                    "expected [a, w, acc, multiplier], got " +
                        (item.kind == YamlValue::Kind::Sequence
                             ? "a list of " + std::to_string(item.items.size())
                             : item.describe()) +
                        "; e.g. [i8, i8, i32, 1.0]");
    std::vector<ElementType> types[3];
    bool legal = true;
    for (unsigned i = 0; i < 3; ++i) {
      const YamlValue &name = item.items[i];
      legal &= checkElementType(name, path + "[" + std::to_string(i) + "]",
                                name.text);
      types[i] = expandElementType(name.text);
    }
    Decimal multiplier = Decimal::fromInteger(1);
    if (item.items.size() == 4)
      legal &= readDecimal(item.items[3], path + "[3]", multiplier,
                           Rule{0, 64, false, false, ""},
                           /*zeroAllowed=*/false);
    if (!legal)
      return;
    for (ElementType a : types[0])
      for (ElementType w : types[1])
        for (ElementType acc : types[2])
          addMode({a, w, acc, multiplier}, item, path, target);
  }

  void addMode(const TargetModel::MxuMode &mode, const YamlValue &item,
               const std::string &path,
               std::vector<TargetModel::MxuMode> &target) {
    auto name = [](ElementType type) { return elementTypeName(type).str(); };
    bool integers = isIntegerType(mode.a) && isIntegerType(mode.w);
    bool floats = isFloatType(mode.a) && isFloatType(mode.w);
    // Weights alone may be integers: each is exact as a float.
    bool mixed = isFloatType(mode.a) && mode.w == ElementType::I8;
    ElementType acc = integers ? ElementType::I32 : ElementType::F32;
    if (!integers && !floats && !mixed)
      return report(item, path,
                    "expected two integer or two float operand types, or a "
                    "float and i8 weights, got " +
                        name(mode.a) + " and " + name(mode.w));
    if (mode.acc != acc)
      return report(item, path,
                    "expected accumulator type " + name(acc) + " for " +
                        name(mode.a) + " and " + name(mode.w) + ", got " +
                        name(mode.acc));
    for (const TargetModel::MxuMode &other : target)
      if (other.a == mode.a && other.w == mode.w)
        return report(item, path,
                      "expected every pair of operand types once, got " +
                          name(mode.a) + " and " + name(mode.w) +
                          " again; remove one of them");
    target.push_back(mode);
  }

  /// Calls `body` for each item of the list `key`; null when absent.
  const YamlValue *
  list(llvm::StringRef key, bool required,
       llvm::function_ref<void(const YamlValue &, std::string)> body) {
    const YamlValue *value = take(key, required, "a list");
    if (!value)
      return nullptr;
    if (value->kind != YamlValue::Kind::Sequence) {
      report(*value, pathOf(key), "expected a list, got " + value->describe());
      return nullptr;
    }
    for (auto [index, item] : llvm::enumerate(value->items))
      body(item, pathOf(key) + "[" + std::to_string(index) + "]");
    return value;
  }

  /// Calls `body` for each entry of the mapping `key`, if there.
  void
  map(llvm::StringRef key,
      llvm::function_ref<void(const std::string &, const YamlValue &)> body) {
    const YamlValue *value = take(key, /*required=*/false, "a mapping");
    if (!value)
      return;
    if (value->kind != YamlValue::Kind::Mapping)
      return report(*value, pathOf(key),
                    "expected a mapping, got " + value->describe());
    for (const auto &[name, item] : value->entries) {
      if (name == "src")
        model.sources[pathOf(key)] = item.text;
      else
        body(name, item);
    }
  }

  /// Source tags and unknown keys of the innermost section.
  void finishSection() {
    const Frame &frame = frames.back();
    for (const auto &[key, value] : frame.mapping->entries) {
      if (key == "src")
        noteSources(value);
      else if (!llvm::is_contained(frame.known, key))
        reportUnknown(key, value);
    }
  }

  /// `src: tag` for the section, or `src: {key: tag}` for its fields.
  void noteSources(const YamlValue &value) {
    if (value.kind == YamlValue::Kind::Scalar)
      model.sources[frames.back().path] = value.text;
    for (const auto &[key, tag] : value.entries)
      model.sources[pathOf(key)] = tag.text;
  }

  void reportUnknown(const std::string &key, const YamlValue &value) {
    const std::vector<std::string> &known = frames.back().known;
    std::string remedy;
    // A known stem with another unit: say the number in the right unit.
    auto [stem, unitText] = llvm::StringRef(key).rsplit('_');
    const UnitWord *unit = findUnit(unitText.empty() ? stem : unitText);
    for (const std::string &candidate : known) {
      auto [knownStem, knownUnit] = llvm::StringRef(candidate).rsplit('_');
      const UnitWord *meant =
          findUnit(knownUnit.empty() ? knownStem : knownUnit);
      bool bytes = candidate == "bytes" && unit &&
                   llvm::StringRef(unit->base) == "bytes";
      if (!bytes && (!unit || !meant || knownStem != stem))
        continue;
      remedy = "; use '" + candidate + "'";
      if (std::optional<Decimal> amount = Decimal::parse(value.text))
        remedy += ": " + convert(*amount, *unit);
      break;
    }
    if (remedy.empty()) {
      std::string near = nearest(key, known);
      remedy = near.empty() ? "; known keys are " + joinQuoted(known)
                            : "; did you mean '" + near + "'?";
    }
    report(value, pathOf(key), "unknown key '" + key + "'" + remedy);
  }

  TargetModel &model;
  std::vector<TargetDiagnostic> &diagnostics;
  std::vector<Frame> frames;
  PositionMap positionMap;
};

} // namespace

std::optional<TargetModel>
asic::parseTarget(llvm::StringRef text,
                  std::vector<TargetDiagnostic> &diagnostics) {
  YamlError error;
  std::optional<YamlValue> root = parseYaml(text, error);
  if (!root) {
    diagnostics.push_back({"", error.line, error.column, error.message});
    return std::nullopt;
  }
  if (root->kind != YamlValue::Kind::Mapping) {
    diagnostics.push_back({"", root->line, root->column,
                           "expected a mapping, got " + root->describe() +
                               "; a target file starts with 'name: …'"});
    return std::nullopt;
  }
  size_t before = diagnostics.size();
  TargetModel model;
  model.vpu.formats = {ElementType::I8, ElementType::I16, ElementType::I32};
  model.requant.modes = {RoundingMode::SingleRound, RoundingMode::DoubleRound,
                         RoundingMode::NearestEven, RoundingMode::Float32};
  Reader reader(*root, model, diagnostics);
  schema::visitTarget(reader, model);
  reader.finish();
  if (diagnostics.size() != before)
    return std::nullopt;
  if (!reader.isGiven("requant.default") && !model.requant.modes.empty() &&
      !llvm::is_contained(model.requant.modes, RoundingMode::SingleRound))
    model.requant.defaultMode = model.requant.modes.front();
  applyDerivedDefaults(model);
  checkTarget(model, reader.positions(), diagnostics);
  if (diagnostics.size() != before)
    return std::nullopt;
  return model;
}
