// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-lsp-server: MLIR's language server with every upstream dialect and ours.
#include "passes/Pipeline.h"

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::asic::registerCompilerDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry));
}
