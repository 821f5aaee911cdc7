// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Work.h"

#include "passes/Support/PackedConstants.h"
#include "passes/Support/Target.h"
#include "passes/partition/Legality.h"
#include "passes/partition/Partition.h"
#include "passes/partition/Placement.h"
#include "target/Cost.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using ::asic::ElementType;
using ::asic::TargetModel;

namespace mlir::asic {

namespace {

/// The mode of the target that `op` uses, null when it has none.
const TargetModel::MxuMode *modeOf(linalg::GenericOp op,
                                   const TargetModel &target) {
  auto typeOf = [](Value value) {
    return getElementType(getElementTypeOrSelf(value))
        .value_or(ElementType::None);
  };
  for (const TargetModel::MxuMode &mode : target.mxu.modes)
    if (mode.a == typeOf(op.getDpsInputs()[0]) &&
        mode.w == typeOf(op.getDpsInputs()[1]) &&
        mode.acc == typeOf(op.getDpsInits()[0]))
      return &mode;
  return nullptr;
}

/// Points of the iteration space.
uint64_t pointsOf(linalg::GenericOp op) {
  uint64_t points = 1;
  for (int64_t extent : op.getStaticLoopRanges())
    points *= extent;
  return points;
}

} // namespace

uint64_t countMacs(func::FuncOp func) {
  uint64_t macs = 0;
  func.walk([&](linalg::GenericOp op) {
    if (isContraction(op))
      macs += pointsOf(op);
  });
  return macs;
}

NetworkWork measureWork(ModuleOp module, const TargetModel &target) {
  NetworkWork work;
  std::map<const TargetModel::MxuMode *, uint64_t> macs;
  DenseSet<std::pair<Attribute, Type>> constants;
  for (auto func : module.getOps<func::FuncOp>()) {
    auto region = func->getAttrOfType<StringAttr>(kRegionAttrName);
    if (region && region == kHostRegion)
      work.hostMacs += countMacs(func);
    if (!region || region != kAcceleratorRegion)
      continue;
    work.macs += countMacs(func);
    for (Type type : func.getArgumentTypes())
      work.ioBytes += tensorBytes(type);
    for (Type type : func.getResultTypes())
      work.ioBytes += tensorBytes(type);
    func.walk([&](Operation *op) {
      if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
        auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
        Type packed = getPackedType(constant);
        if (!splat && constants.insert({constant.getValue(), packed}).second)
          work.weightsBytes +=
              packed
                  ? packedBytes(
                        cast<ShapedType>(constant.getType()).getNumElements())
                  : tensorBytes(constant.getType());
      } else if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
        if (isContraction(generic))
          macs[modeOf(generic, target)] += pointsOf(generic);
      }
    });
  }
  SmallVector<::asic::ModeMacs> modes;
  for (auto [mode, count] : macs)
    if (mode)
      modes.push_back({mode, count});
  work.lowerBoundCycles =
      ::asic::lowerBoundCycles(target, modes, work.weightsBytes + work.ioBytes);
  return work;
}

} // namespace mlir::asic
