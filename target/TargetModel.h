// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A neural accelerator, as data. Target files (docs/adding-a-target.md) become
// a TargetModel; planner, scheduler and emulator know the machine only through
// it.

#ifndef ASIC_TARGET_TARGETMODEL_H
#define ASIC_TARGET_TARGETMODEL_H

#include "target/Decimal.h"
#include "target/Types.h"
#include "llvm/ADT/StringRef.h"
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace asic {

/// Engine numbers of the instruction set; DMA engine i is `kDma0Engine + i`.
constexpr unsigned kCtrlEngine = 0, kMxuEngine = 1, kVpuEngine = 2,
                   kDma0Engine = 3;

/// How the contraction array keeps its operands.
enum class Dataflow : uint8_t {
  WeightStationary, ///< "ws": a k_rows x n_cols weight tile sits in the array.
  OutputStationary, ///< "os": a k_rows x n_cols output tile sits in the array.
};

/// Classes of lane operations that a target prices, the `rate` column of
/// runtime/isa/LaneOps.def. Free operations take no time.
enum class RateClass : uint8_t {
  Free,
  Alu,
  Fma,
  Cvt,
  Requant,
  Exp,
  Recip,
  Rsqrt,
  Tanh,
  Erf,
  Div,
  Reduce,
};
constexpr unsigned kNumRateClasses = 12;

/// Name in target files, e.g. "alu".
llvm::StringRef rateClassName(RateClass rateClass);

/// A complete, validated description of one accelerator. Counts are in the unit
/// that the key names; cycles are cycles of `clockMhz`.
struct TargetModel {
  /// One operand-type combination of the contraction array.
  struct MxuMode {
    ElementType a = ElementType::None;
    ElementType w = ElementType::None;
    ElementType acc = ElementType::None;
    /// Multiply-accumulates per cycle, as a multiple of k_rows * n_cols.
    Decimal multiplier = Decimal::fromInteger(1);
  };

  struct Isa {
    uint64_t version = 1;
    uint64_t instrBytes = 256; ///< Accepted in files, not used.
    uint64_t imemBytes = 0;    ///< Program memory; 0 = streamed from DRAM.
    uint64_t dispatchPerCycle = 1;
    uint64_t scalarRegs = 0; ///< Reserved for dynamic shapes.
    uint64_t loopDepth = 0;  ///< Reserved for hardware loops.
  };

  struct Sync {
    std::string kind = "semaphore";
    uint64_t count = 64;
    uint64_t maxValue = 255;
    bool spsc = true;
    /// A post at retirement in cycle t can be taken by a wait from cycle
    /// t + postLatency + waitLatency on.
    uint64_t waitLatency = 1;
    uint64_t postLatency = 1;
  };

  struct Sram {
    uint64_t bytes = 0;
    uint64_t banks = 1;
    uint64_t rowBytes =
        0; ///< Default: engines.dma.bytes_per_cycle, rounded up.
    std::string interleave = "row";
    std::string ports = "1rw";
    uint64_t latency = 4;
    uint64_t align = 16;
  };

  struct Acc {
    uint64_t bytes = 0;
    uint64_t banks = 2;
    uint64_t rowBytes = 0; ///< Default: one row of n_cols 32-bit sums.
    std::string ports = "1r1w";
    uint64_t latency = 2;
    uint64_t elemBits = 32;
    uint64_t align = 4;
  };

  struct Lut {
    uint64_t bytes = 0;
    uint64_t tables = 0;
  };

  struct Dram {
    uint64_t bytes = uint64_t(1) << 32;
    Decimal bytesPerCycle;
    uint64_t readLatency = 100;
    uint64_t writeLatency = 50;
    uint64_t burstBytes = 64;
    uint64_t align = 16;
  };

  struct Dma {
    uint64_t count = 0;
    uint64_t queue = 16;
    uint64_t dims = 4; ///< Outer dimensions of one transfer.
    uint64_t setup = 16;
    uint64_t rowOverhead = 1;
    uint64_t outstanding = 4; ///< Transfers of one engine in flight.
    Decimal bytesPerCycle;
    /// Types that copies widen from two elements a byte: i4, u4.
    std::vector<ElementType> unpack;
    std::vector<std::string> features;
  };

  struct Mxu {
    uint64_t count = 1;
    uint64_t queue = 16;
    Dataflow dataflow = Dataflow::WeightStationary;
    uint64_t kRows = 0;
    uint64_t nCols = 0;
    uint64_t weightSlots = 2;
    uint64_t fill = 0; ///< Pipeline depth; default k_rows + n_cols.
    uint64_t setup = 4;
    uint64_t aBytes = 0;   ///< A bytes per cycle; default k_rows.
    uint64_t wBytes = 0;   ///< Weight bytes per cycle; default n_cols.
    uint64_t accBytes = 0; ///< ACC bytes per cycle; default 4 * n_cols.
    /// Multiply-accumulates per cycle of the depthwise path; 0 = none.
    uint64_t depthwiseMacsPerCycle = 0;
    std::string accFpOrder = "seq_fma";
    std::string intOverflow = "wrap";
    std::vector<MxuMode> modes;
    std::vector<uint64_t> blockScaleSizes;    ///< Reserved for MX formats.
    std::vector<std::string> blockScaleTypes; ///< Reserved for MX formats.
    std::map<std::string, Decimal> sparsity;  ///< Reserved.
  };

  struct Vpu {
    uint64_t count = 1;
    uint64_t queue = 16;
    uint64_t lanes = 0;
    uint64_t setup = 6;
    uint64_t readBytes = 0;  ///< Default 8 * lanes.
    uint64_t writeBytes = 0; ///< Default 4 * lanes.
    uint64_t latency = 8;
    /// Element types that streams may have; float arithmetic needs f32.
    std::vector<ElementType> formats;
    /// Elements per cycle by RateClass, at most `lanes`.
    std::array<uint64_t, kNumRateClasses> rate{};
    /// Rates of names that no lane operation of this version uses.
    std::map<std::string, uint64_t> reservedRates;
  };

  struct Requant {
    std::vector<RoundingMode> modes;
    RoundingMode defaultMode = RoundingMode::SingleRound;
    uint64_t multBits = 31;
    uint64_t shiftMin = 2;
    uint64_t shiftMax = 62;
    bool perChannel = true;
  };

  struct Limits {
    uint64_t maxExtent = 0; ///< Largest count of a dimension.
    uint64_t maxKPerMm = 0; ///< Reserved; 0 = as maxExtent.
    uint64_t padMax = 255;
  };

  /// Energies in picojoules.
  struct Energy {
    std::map<std::string, Decimal> mac; ///< By element type name.
    Decimal sramByte, accByte, dramByte, vpuOp, instr;
    Decimal staticMw;
  };

  uint64_t schema = 1;
  std::string name;
  Decimal clockMhz;
  uint64_t cores = 1;
  Isa isa;
  Sync sync;
  Sram sram;
  Acc acc;
  Lut lut;
  Dram dram;
  Dma dma;
  Mxu mxu;
  Vpu vpu;
  Requant requant;
  Limits limits;
  std::optional<Energy> energy;

  /// Source tag per field path ("memories.sram.bytes" -> "R [KEA]"), as far as
  /// the file gives them in `src` keys. Not part of the canonical form.
  std::map<std::string, std::string> sources;

  /// Engines including the dispatcher; valid engine numbers are below it.
  unsigned numEngines() const {
    return kDma0Engine + static_cast<unsigned>(dma.count);
  }

  /// Name of an engine: "ctrl", "mxu", "vpu", "dma0", …
  static std::string engineName(unsigned engine);

  /// Bytes of `space`.
  uint64_t spaceBytes(Space space) const;

  /// The mode for these operand types, or null.
  const MxuMode *findMode(ElementType a, ElementType w, ElementType acc) const;

  /// True when the vector unit can load and store `type`.
  bool hasVpuFormat(ElementType type) const;

  /// True when copies can widen `type` from two elements a byte.
  bool canUnpack(ElementType type) const;

  /// True when lane programs may compute in float32.
  bool hasFloatVpu() const { return hasVpuFormat(ElementType::F32); }

  /// True when the machine has `type` anywhere: a mode or a VPU format.
  bool hasElementType(ElementType type) const;

  /// JSON with every value written out, keys sorted, no sources; the same text
  /// for every file that describes the same machine. parseTarget reads it.
  std::string canonicalJson() const;

  /// SHA-256 of canonicalJson().
  std::array<uint8_t, 32> hash() const;

  /// hash() in lower-case hexadecimal.
  std::string hashHex() const;
};

/// One thing wrong with a target file.
struct TargetDiagnostic {
  std::string path; ///< Field, e.g. "engines.mxu.k_rows"; empty for syntax.
  unsigned line = 0, column = 0; ///< From 1; 0 when there is no position.
  std::string message;           ///< Expected, got, remedy.
};

/// "file:line:column: path: message" per diagnostic, one a line.
std::string formatTargetDiagnostics(llvm::StringRef fileName,
                                    llvm::ArrayRef<TargetDiagnostic> all);

/// Reads a target from YAML (or JSON) text. On failure returns nothing and
/// appends to `diagnostics`, every independent problem once.
std::optional<TargetModel>
parseTarget(llvm::StringRef text, std::vector<TargetDiagnostic> &diagnostics);

/// Names of the presets built in from targets/*.yaml, sorted.
std::vector<std::string> presetNames();

/// YAML text of a built-in preset, or nothing.
std::optional<llvm::StringRef> presetText(llvm::StringRef name);

/// A target by preset name or by path of a YAML file (anything with a path
/// separator or the suffix .yaml, .yml or .json). On failure returns nothing
/// and sets `error` to complete text for the user.
std::optional<TargetModel> resolveTarget(llvm::StringRef nameOrPath,
                                         std::string &error);

} // namespace asic

#endif // ASIC_TARGET_TARGETMODEL_H
