// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/LaneOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringSwitch.h"

namespace mlir::asic {

StringRef laneMnemonic(StringRef op) {
  return llvm::StringSwitch<StringRef>(op)
      .Cases({"arith.constant", "linalg.yield", "arith.extsi", "arith.extui",
              "arith.trunci", "arith.extf", "arith.index_cast"},
             "")
      .Case("arith.truncf", "round")
      .Case("arith.select", "select")
      .Case("arith.addi", "addi")
      .Case("arith.subi", "subi")
      .Case("arith.muli", "muli")
      .Case("arith.minsi", "minsi")
      .Case("arith.maxsi", "maxsi")
      .Case("arith.minui", "minui")
      .Case("arith.maxui", "maxui")
      .Case("arith.andi", "andi")
      .Case("arith.ori", "ori")
      .Case("arith.xori", "xori")
      .Case("arith.shli", "shli")
      .Case("arith.shrsi", "shrsi")
      .Case("arith.shrui", "shrui")
      .Case("arith.divsi", "divsi")
      .Case("arith.remsi", "remsi")
      .Case("arith.cmpi", "cmpi")
      .Case("asic.rescale", "rescale")
      .Case("arith.addf", "addf")
      .Case("arith.subf", "subf")
      .Case("arith.mulf", "mulf")
      .Case("math.fma", "fma")
      .Case("arith.divf", "divf")
      .Cases({"arith.minimumf", "arith.minnumf"}, "minimumf")
      .Cases({"arith.maximumf", "arith.maxnumf"}, "maximumf")
      .Case("arith.negf", "negf")
      .Case("math.absf", "absf")
      .Case("arith.cmpf", "cmpf")
      .Case("math.roundeven", "roundeven")
      .Case("math.floor", "floor")
      .Case("math.ceil", "ceil")
      .Cases({"arith.sitofp", "arith.uitofp"}, "sitofp")
      .Cases({"arith.fptosi", "arith.fptoui"}, "fptosi")
      .Case("math.exp", "exp")
      .Case("math.log", "log")
      .Case("math.tanh", "tanh")
      .Case("math.erf", "erf")
      .Case("math.sqrt", "sqrt")
      .Case("math.rsqrt", "rsqrt")
      .Case("math.sin", "sin")
      .Case("math.cos", "cos")
      .Case("math.powf", "powf")
      .Default("?");
}

unsigned countLaneOps(linalg::GenericOp op) {
  unsigned count = 0;
  op.getBody()->walk([&](Operation *inner) {
    bool isFree = laneMnemonic(inner->getName().getStringRef()).empty();
    bool isNarrow = llvm::any_of(inner->getResultTypes(), [](Type type) {
      return type.isIntOrFloat() && type.getIntOrFloatBitWidth() < 32;
    });
    if (isa<arith::MaxNumFOp, arith::MinNumFOp>(inner))
      count += 5;
    else if (isa<math::AbsIOp>(inner))
      count += 2;
    else
      count += !isFree + isNarrow;
    // Constants of a body are operations, too.
    for (Value operand : inner->getOperands())
      count += matchPattern(operand, m_Constant());
  });
  return count;
}

} // namespace mlir::asic
