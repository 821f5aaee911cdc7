// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program container: what the compiler writes and the machine runs. Layout
// in docs/isa/container.md.

#ifndef ASIC_RUNTIME_PROGRAM_H
#define ASIC_RUNTIME_PROGRAM_H

#include "runtime/LaneProgram.h"
#include "runtime/isa/Instruction.h"
#include "target/Types.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace asic {

/// Version of the container format that this library writes and the newest
/// that it reads.
inline constexpr uint32_t containerVersion = 1;

/// Per-tensor affine quantisation at the border of a program: the user sees
/// floats, the machine integers. `q = clamp(rne(x * float(1/scale)) + zero)`,
/// `x = float(q - zero) * float(scale)`, all in binary32.
struct AffineQuantization {
  double scale = 1.0;
  int64_t zeroPoint = 0;
  int64_t lo = -128;
  int64_t hi = 127;

  bool operator==(const AffineQuantization &other) const {
    return scale == other.scale && zeroPoint == other.zeroPoint &&
           lo == other.lo && hi == other.hi;
  }
};

/// An input or output tensor of a program.
struct IoTensor {
  /// The user's name.
  std::string name;
  /// Logical shape, as the user sees it.
  std::vector<int64_t> shape;
  /// NumPy name of the user's element type, e.g. "float32".
  std::string dtype;
  /// Element type in device memory.
  ElementType deviceType = ElementType::F32;
  /// DRAM byte address of element (0, …, 0).
  uint64_t address = 0;
  /// Stride of each logical dimension in device memory, in elements of
  /// `deviceType`, so that a logical NCHW tensor may lie there as NHWC.
  std::vector<int64_t> strides;
  std::optional<AffineQuantization> quantization;
  /// Path of the buffer whose value an input brings and an output leaves for
  /// the next run; empty for what the user passes and gets.
  std::string state;

  /// Elements of the tensor.
  int64_t numElements() const;
  /// Bytes from `address` to the end of the last element.
  uint64_t byteExtent() const;
};

/// DRAM bytes that hold a buffer of the model from run to run: an input and an
/// output of its path both lie there, and the program updates it in place.
struct StateRegion {
  std::string path;
  uint64_t address = 0;
  uint64_t bytes = 0;
};

/// The bytes of a constant: the program's own, or borrowed from memory that
/// outlives it, so that billions of weights are not copied.
class ConstantBytes {
public:
  ConstantBytes() = default;
  ConstantBytes(std::vector<uint8_t> bytes)
      : owner(std::make_shared<const std::vector<uint8_t>>(std::move(bytes))),
        view(*owner) {}
  ConstantBytes(std::initializer_list<uint8_t> bytes)
      : ConstantBytes(std::vector<uint8_t>(bytes)) {}

  static ConstantBytes borrow(llvm::ArrayRef<uint8_t> bytes) {
    ConstantBytes result;
    result.view = bytes;
    return result;
  }

  operator llvm::ArrayRef<uint8_t>() const { return view; }
  const uint8_t *data() const { return view.data(); }
  size_t size() const { return view.size(); }
  auto begin() const { return view.begin(); }
  auto end() const { return view.end(); }

private:
  std::shared_ptr<const std::vector<uint8_t>> owner;
  llvm::ArrayRef<uint8_t> view;
};

/// Bytes that lie in DRAM before the program starts; the program must not
/// write them.
struct ConstantBlock {
  uint64_t address = 0;
  ConstantBytes bytes;
};

/// Where the instructions with one tag come from.
struct DebugEntry {
  uint32_t tag = 0;
  /// Dotted module path or operator name.
  std::string layer;
  /// MLIR location, as printed.
  std::string location;
  /// "file.py:12" in the user's sources; empty when unknown.
  std::string source;
};

/// Facts about a program that the machine does not need, but people do.
struct ProgramMeta {
  /// DRAM bytes that the program uses, from address 0.
  uint64_t dramBytes = 0;
  /// Cycles that the compiler predicted.
  std::optional<uint64_t> predictedCycles;
  std::string compilerVersion;
  /// Anything else (report data of the compiler), kept as it is.
  llvm::json::Object extra;
};

/// A program in memory. `parse` accepts exactly what `serialize` writes.
class Program {
public:
  /// Canonical JSON of the target (`TargetModel::canonicalJson`).
  std::string target;
  /// Encoded instructions, a multiple of 256 bytes.
  std::vector<uint8_t> text;
  std::vector<isa::LaneProgram> lanes;
  /// In ascending order of address, not overlapping.
  std::vector<ConstantBlock> constants;
  std::vector<IoTensor> inputs;
  std::vector<IoTensor> outputs;
  /// State that never leaves DRAM; what else has a state is carried by the
  /// host.
  std::vector<StateRegion> state;
  /// In ascending order of tag.
  std::vector<DebugEntry> debug;
  ProgramMeta meta;

  /// SHA-256 of `target` in hexadecimal.
  std::string targetHash() const;
  size_t numInstructions() const { return text.size() / isa::instructionBytes; }
  /// The bytes of instruction `pc`.
  llvm::ArrayRef<uint8_t> encoded(size_t pc) const;
  llvm::Expected<isa::Instruction> instruction(size_t pc) const;
  /// Verifies, encodes and appends.
  llvm::Error append(const isa::Instruction &instruction);
  /// The debug entry of a tag, null when there is none.
  const DebugEntry *findDebug(uint32_t tag) const;

  /// Bytes of all constants.
  uint64_t constantBytes() const;
  /// The region with this path, null when there is none.
  const StateRegion *findState(llvm::StringRef path) const;

  /// Deterministic bytes of the container.
  std::vector<uint8_t> serialize() const;
  static llvm::Expected<Program> parse(llvm::ArrayRef<uint8_t> bytes);

  /// Writes atomically: a temporary file beside `path`, flushed to disk, then
  /// renamed; on any failure `path` is as it was.
  llvm::Error save(llvm::StringRef path) const;
  static llvm::Expected<Program> load(llvm::StringRef path);
};

/// The rules of an io record: known types, matching ranks, no overflow.
llvm::Error verify(const IoTensor &tensor);

/// True when both lie in the same bytes in the same form.
bool isSameMemory(const IoTensor &a, const IoTensor &b);

/// What `parse` makes sure of, for programs built in memory: lane programs and
/// io records are legal, constants ascend, state regions belong to one input
/// and one output and to nobody else, and all lie in the declared DRAM.
llvm::Error verify(const Program &program);

/// SHA-256 of `bytes` in lower-case hexadecimal.
std::string sha256Hex(llvm::ArrayRef<uint8_t> bytes);

/// Replaces the file `path` by `bytes` or leaves it untouched.
llvm::Error writeFileAtomically(llvm::StringRef path,
                                llvm::ArrayRef<uint8_t> bytes);

} // namespace asic

#endif // ASIC_RUNTIME_PROGRAM_H
