// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/TargetModel.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace asic;

llvm::StringRef asic::rateClassName(RateClass rateClass) {
  constexpr const char *kNames[kNumRateClasses] = {
      "free",  "alu",   "fma",  "cvt", "requant", "exp",
      "recip", "rsqrt", "tanh", "erf", "div",     "reduce"};
  return kNames[static_cast<unsigned>(rateClass)];
}

std::string TargetModel::engineName(unsigned engine) {
  switch (engine) {
  case kCtrlEngine:
    return "ctrl";
  case kMxuEngine:
    return "mxu";
  case kVpuEngine:
    return "vpu";
  default:
    return "dma" + std::to_string(engine - kDma0Engine);
  }
}

uint64_t TargetModel::spaceBytes(Space space) const {
  switch (space) {
  case Space::Dram:
    return dram.bytes;
  case Space::Sram:
    return sram.bytes;
  case Space::Acc:
    return acc.bytes;
  }
  return 0;
}

const TargetModel::MxuMode *TargetModel::findMode(ElementType a, ElementType w,
                                                  ElementType accType) const {
  for (const MxuMode &mode : mxu.modes)
    if (mode.a == a && mode.w == w && mode.acc == accType)
      return &mode;
  return nullptr;
}

bool TargetModel::hasVpuFormat(ElementType type) const {
  return llvm::is_contained(vpu.formats, type);
}

bool TargetModel::canUnpack(ElementType type) const {
  return llvm::is_contained(dma.unpack, type);
}

bool TargetModel::hasElementType(ElementType type) const {
  return hasVpuFormat(type) || llvm::any_of(mxu.modes, [&](const MxuMode &m) {
           return m.a == type || m.w == type || m.acc == type;
         });
}

std::string
asic::formatTargetDiagnostics(llvm::StringRef fileName,
                              llvm::ArrayRef<TargetDiagnostic> all) {
  std::string text;
  for (const TargetDiagnostic &diagnostic : all) {
    if (!text.empty())
      text += "\n";
    text += fileName.str();
    if (diagnostic.line)
      text += ":" + std::to_string(diagnostic.line) + ":" +
              std::to_string(diagnostic.column);
    text += ": ";
    if (!diagnostic.path.empty())
      text += diagnostic.path + ": ";
    text += diagnostic.message;
  }
  return text;
}

namespace {

struct Preset {
  const char *name;
  const char *text;
};

} // namespace

/// Made from targets/*.yaml by the build, sorted by name.
static constexpr Preset kPresets[] = {
#include "target/Presets.inc"
};

std::vector<std::string> asic::presetNames() {
  std::vector<std::string> names;
  for (const Preset &preset : kPresets)
    names.push_back(preset.name);
  return names;
}

std::optional<llvm::StringRef> asic::presetText(llvm::StringRef name) {
  for (const Preset &preset : kPresets)
    if (name == preset.name)
      return llvm::StringRef(preset.text);
  return std::nullopt;
}

/// True for texts that mean a file rather than a preset.
static bool looksLikePath(llvm::StringRef text) {
  llvm::StringRef extension = llvm::sys::path::extension(text);
  return text.contains('/') || extension == ".yaml" || extension == ".yml" ||
         extension == ".json";
}

std::optional<TargetModel> asic::resolveTarget(llvm::StringRef nameOrPath,
                                               std::string &error) {
  std::unique_ptr<llvm::MemoryBuffer> file;
  llvm::StringRef text;
  if (looksLikePath(nameOrPath)) {
    auto buffer = llvm::MemoryBuffer::getFile(nameOrPath, /*IsText=*/true);
    if (!buffer) {
      error = "cannot read target file '" + nameOrPath.str() +
              "': " + buffer.getError().message();
      return std::nullopt;
    }
    file = std::move(*buffer);
    text = file->getBuffer();
  } else if (std::optional<llvm::StringRef> preset = presetText(nameOrPath)) {
    text = *preset;
  } else {
    error = "unknown target '" + nameOrPath.str() + "'; expected one of " +
            llvm::join(presetNames(), ", ") + ", or the path of a .yaml file";
    return std::nullopt;
  }
  std::vector<TargetDiagnostic> diagnostics;
  std::optional<TargetModel> model = parseTarget(text, diagnostics);
  if (!model)
    error = formatTargetDiagnostics(nameOrPath, diagnostics);
  return model;
}
