// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASIC_DIALECT_TD
#define ASIC_DIALECT_TD

include "mlir/IR/OpBase.td"

def Asic_Dialect : Dialect {
  let name = "asic";
  let cppNamespace = "::mlir::asic";
  let summary = "neural accelerators described by data";
  let description = [{
    The dialect begins where hardware begins. Up to `plan` a network is upstream
    linalg, tensor, arith and math; this dialect adds what upstream has no exact
    form for (requantisation, quantisation markers with exact parameters), the
    description of the target, and the tile operations on memrefs that the three
    affine engines of the machine execute.
  }];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"
  ];
}

#endif // ASIC_DIALECT_TD
