// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-reduce: MLIR's test case reducer with every upstream dialect and pass
// and ours.
#include "passes/Pipeline.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  mlir::asic::registerPassesAndPipelines();
  mlir::DialectRegistry registry;
  mlir::asic::registerCompilerDialects(registry);
  mlir::MLIRContext context(registry);
  return failed(mlir::mlirReduceMain(argc, argv, context));
}
