// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions compiled for this computer, in process.

#ifndef ASIC_PASSES_CPU_HOSTMODULE_H
#define ASIC_PASSES_CPU_HOSTMODULE_H

#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <vector>

namespace mlir::asic {

/// A statically shaped, contiguous, row-major tensor of a host function.
struct HostTensor {
  std::vector<int64_t> shape;
  /// Element type, as MLIR prints it: "f32", "i8", …
  std::string type;
  /// Bytes of one element; booleans take a whole byte.
  unsigned elementBytes = 0;

  size_t bytes() const {
    size_t result = elementBytes;
    for (int64_t extent : shape)
      result *= extent;
    return result;
  }
};

/// Describes a ranked tensor type of static shape.
HostTensor describeTensor(RankedTensorType type);

/// What a host function takes and gives.
struct HostSignature {
  std::vector<HostTensor> inputs;
  std::vector<HostTensor> outputs;
  /// Names of what the calls of a function of dynamic shape say: how much of a
  /// dimension they use.
  std::vector<std::string> extents;
};

/// The functions of a module on tensors, compiled to machine code.
class HostModule {
public:
  /// Compiles every public function with a body of `module`, which is changed.
  /// Diagnostics go to the context's handler. The bytes of the constants stay
  /// where they are: the context must outlive the result.
  static llvm::Expected<std::unique_ptr<HostModule>> compile(ModuleOp module);

  /// Null when there is no function of that name.
  const HostSignature *signature(llvm::StringRef function) const;

  /// Runs `function` on contiguous arrays that match its signature. Of the
  /// dimensions with a name it uses `extents`; without any, all.
  llvm::Error call(llvm::StringRef function,
                   llvm::ArrayRef<const void *> inputs,
                   llvm::ArrayRef<void *> outputs,
                   llvm::ArrayRef<int64_t> extents = {}) const;

private:
  struct Constant {
    HostTensor tensor;
    const void *data;
  };
  struct Function {
    HostSignature signature;
    std::vector<Constant> constants;
  };

  llvm::StringMap<Function> functions;
  std::unique_ptr<ExecutionEngine> engine;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_CPU_HOSTMODULE_H
