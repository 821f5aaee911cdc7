// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "target/TargetChecks.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace asic;

void asic::applyDerivedDefaults(TargetModel &model) {
  auto orElse = [](uint64_t &field, uint64_t value) {
    if (field == 0)
      field = value;
  };
  TargetModel::Mxu &mxu = model.mxu;
  orElse(mxu.fill, mxu.kRows + mxu.nCols);
  orElse(mxu.aBytes, mxu.kRows);
  orElse(mxu.wBytes, mxu.nCols);
  orElse(mxu.accBytes, 4 * mxu.nCols);
  orElse(model.acc.rowBytes, 4 * mxu.nCols);
  orElse(model.sram.rowBytes, model.dma.bytesPerCycle.ceil());
  TargetModel::Vpu &vpu = model.vpu;
  orElse(vpu.readBytes, 8 * vpu.lanes);
  orElse(vpu.writeBytes, 4 * vpu.lanes);
  // Simple operations run on every lane, special functions on a quarter.
  for (unsigned i = 1; i < kNumRateClasses; ++i) {
    switch (static_cast<RateClass>(i)) {
    case RateClass::Exp:
    case RateClass::Recip:
    case RateClass::Rsqrt:
    case RateClass::Tanh:
    case RateClass::Erf:
    case RateClass::Div:
      orElse(vpu.rate[i], std::max<uint64_t>(1, vpu.lanes / 4));
      break;
    default:
      orElse(vpu.rate[i], vpu.lanes);
    }
    vpu.rate[i] = std::min(vpu.rate[i], vpu.lanes);
  }
  constexpr uint64_t kLargestField = (1 << 24) - 1;
  orElse(model.limits.maxExtent, kLargestField);
  orElse(model.limits.maxKPerMm, kLargestField);
}

namespace {

/// Collects violated constraints.
class Checker {
public:
  Checker(const TargetModel &model, const PositionMap &positions,
          std::vector<TargetDiagnostic> &diagnostics)
      : model(model), positions(positions), diagnostics(diagnostics) {}

  void run() {
    checkAccumulator();
    checkSram();
    checkAlignment();
    checkUnpack();
    checkRequant();
  }

private:
  void report(const std::string &path, const std::string &message) {
    auto position = positions.find(path);
    TargetDiagnostic diagnostic{path, 0, 0, message};
    if (position != positions.end())
      std::tie(diagnostic.line, diagnostic.column) = position->second;
    diagnostics.push_back(diagnostic);
  }

  std::string arrayText() const {
    return std::to_string(model.mxu.kRows) + " x " +
           std::to_string(model.mxu.nCols);
  }

  /// ACC takes at least one row of sums; for an output-stationary array, the
  /// whole array of them.
  void checkAccumulator() {
    bool stationary = model.mxu.dataflow == Dataflow::OutputStationary;
    uint64_t rows = stationary ? model.mxu.kRows : 1;
    uint64_t needed = rows * model.mxu.nCols * 4;
    if (model.acc.bytes >= needed)
      return;
    report("memories.acc.bytes",
           "expected at least " + std::to_string(needed) + " bytes (" +
               (stationary ? "the " + arrayText() + " sums of the array"
                           : "one row of n_cols = " +
                                 std::to_string(model.mxu.nCols) + " sums") +
               ", 4 bytes each), got " + std::to_string(model.acc.bytes) +
               "; enlarge the memory or narrow engines.mxu.n_cols");
  }

  /// SRAM takes at least the operands of one step of the array.
  void checkSram() {
    uint64_t needed = UINT64_MAX;
    for (const TargetModel::MxuMode &mode : model.mxu.modes) {
      bool stationary = model.mxu.dataflow == Dataflow::WeightStationary;
      uint64_t weights =
          stationary ? model.mxu.kRows * model.mxu.nCols : model.mxu.nCols;
      needed = std::min(needed, storageBytes(mode.w, weights) +
                                    storageBytes(mode.a, model.mxu.kRows));
    }
    if (model.sram.bytes >= needed)
      return;
    report("memories.sram.bytes",
           "expected at least " + std::to_string(needed) +
               " bytes (one weight tile and one row of A of the " +
               arrayText() + " array), got " +
               std::to_string(model.sram.bytes) +
               "; enlarge the memory or shrink engines.mxu.k_rows and n_cols");
  }

  void checkAlignment() {
    checkFits("memories.sram.align", model.sram.bytes, model.sram.align);
    checkFits("memories.acc.align", model.acc.bytes, model.acc.align);
    checkFits("memories.dram.align", model.dram.bytes, model.dram.align);
    if (model.acc.align % 4)
      report("memories.acc.align", "expected a multiple of 4 (one sum), got " +
                                       std::to_string(model.acc.align));
  }

  void checkFits(const std::string &path, uint64_t bytes, uint64_t align) {
    if (align > bytes)
      report(path, "expected at most the " + std::to_string(bytes) +
                       " bytes of the memory, got " + std::to_string(align));
  }

  void checkUnpack() {
    for (ElementType type : model.dma.unpack)
      if (type != ElementType::I4 && type != ElementType::U4)
        report("engines.dma.unpack",
               "expected i4 or u4, got " + elementTypeName(type).str());
  }

  void checkRequant() {
    if (model.requant.modes.empty())
      report("requant.modes", "expected at least one of sr, dr, rne, f32, got "
                              "none");
    else if (!llvm::is_contained(model.requant.modes,
                                 model.requant.defaultMode))
      report("requant.default",
             "expected one of requant.modes, got '" +
                 roundingModeName(model.requant.defaultMode).str() +
                 "'; add it to requant.modes or name another default");
  }

  const TargetModel &model;
  const PositionMap &positions;
  std::vector<TargetDiagnostic> &diagnostics;
};

} // namespace

void asic::checkTarget(const TargetModel &model, const PositionMap &positions,
                       std::vector<TargetDiagnostic> &diagnostics) {
  Checker(model, positions, diagnostics).run();
}
