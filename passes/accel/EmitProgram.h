// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between isa.program and the container of runtime/Program.h.
#ifndef ASIC_PASSES_ACCEL_EMITPROGRAM_H
#define ASIC_PASSES_ACCEL_EMITPROGRAM_H

#include "dialects/Isa/Isa.h"
#include "runtime/Program.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::asic {

/// Encodes one program: text, lane programs, constants, io, debug map and
/// meta data with the predicted cycles and static counts per layer. The same op
/// gives the same bytes. Constants that are resources are borrowed from the
/// context. Emits a diagnostic on failure.
FailureOr<::asic::Program> emitProgram(asicisa::ProgramOp program);

/// Encodes the only program of a module; `name` chooses one of several.
FailureOr<::asic::Program> emitProgram(ModuleOp module, StringRef name = "");

/// The inverse of `emitProgram`: a module with one `isa.program`. Emits a
/// diagnostic at an unknown location on failure.
OwningOpRef<ModuleOp> importProgram(const ::asic::Program &program,
                                    MLIRContext *context);

} // namespace mlir::asic

#endif // ASIC_PASSES_ACCEL_EMITPROGRAM_H
