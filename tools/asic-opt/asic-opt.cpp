// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-opt: MLIR's optimizer driver with every upstream dialect and pass and
// ours.
#include "passes/Pipeline.h"

#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  mlir::asic::registerPassesAndPipelines();
  mlir::DialectRegistry registry;
  mlir::asic::registerCompilerDialects(registry);
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "asic-mlir optimizer driver\n", registry));
}
