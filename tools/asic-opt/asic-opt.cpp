// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-opt: MLIR's optimizer driver with every upstream dialect and pass and ours.
#include "dialects/Asic/Asic.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<mlir::asic::AsicDialect>();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "asic-mlir optimizer driver\n", registry));
}
