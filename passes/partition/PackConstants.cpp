// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// asic-pack-constants: which constants dram holds two elements to a byte.
#include "passes/Passes.h"
#include "passes/Support/Constants.h"
#include "passes/Support/PackedConstants.h"
#include "passes/Support/Target.h"
#include "passes/partition/Partition.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::asic {
#define GEN_PASS_DEF_PACKCONSTANTSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::asic

using namespace mlir;
using namespace mlir::asic;
using ::asic::ElementType;

namespace {

struct PackConstantsPass
    : public mlir::asic::impl::PackConstantsPassBase<PackConstantsPass> {
  void runOnOperation() override;
};

} // namespace

/// True when `bytes`, taken as signed, all lie in [low, high]. Most constants
/// with other values end after the first block.
static bool allWithin(ArrayRef<char> bytes, int8_t low, int8_t high) {
  constexpr size_t block = 4096;
  for (; !bytes.empty();
       bytes = bytes.drop_front(std::min(block, bytes.size()))) {
    bool inside = true;
    for (char byte : bytes.take_front(block))
      inside &= int8_t(byte) >= low && int8_t(byte) <= high;
    if (!inside)
      return false;
  }
  return true;
}

/// True when every reader loads tiles of the constant into sram: operands of
/// generics that compute. One that only moves its operand may be the initial
/// value of another.
static bool isOnlyLoaded(arith::ConstantOp constant) {
  return !constant->use_empty() &&
         llvm::all_of(constant->getUses(), [](OpOperand &use) {
           auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
           return user && user.isDpsInput(&use) &&
                  !llvm::hasSingleElement(*user.getBody());
         });
}

/// The type of the target's that holds every element of `constant`, or null.
static Type packedType(ElementsAttr constant,
                       const ::asic::TargetModel &target) {
  std::optional<ArrayRef<char>> bytes = getBytes(constant);
  if (!bytes)
    return Type();
  MLIRContext *context = constant.getContext();
  if (target.canUnpack(ElementType::I4) && allWithin(*bytes, -8, 7))
    return IntegerType::get(context, 4);
  if (target.canUnpack(ElementType::U4) && allWithin(*bytes, 0, 15))
    return IntegerType::get(context, 4, IntegerType::Unsigned);
  return Type();
}

void PackConstantsPass::runOnOperation() {
  func::FuncOp function = getOperation();
  auto region = function->getAttrOfType<StringAttr>(kRegionAttrName);
  if (!region || region != kAcceleratorRegion)
    return;
  FailureOr<::asic::TargetModel> target = readTarget(function);
  if (failed(target))
    return signalPassFailure();
  if (target->dma.unpack.empty())
    return;
  function.walk([&](arith::ConstantOp constant) {
    auto type = dyn_cast<RankedTensorType>(constant.getType());
    if (!type || !type.getElementType().isSignlessInteger(8))
      return;
    // Less than a burst is not worth it.
    if (type.getNumElements() / 2 < int64_t(target->dram.burstBytes) ||
        !isOnlyLoaded(constant))
      return;
    if (Type packed =
            packedType(cast<ElementsAttr>(constant.getValue()), *target))
      constant->setAttr(kPackedAttrName, TypeAttr::get(packed));
  });
}
