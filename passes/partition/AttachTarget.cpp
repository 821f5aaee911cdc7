// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"
#include "passes/Support/Target.h"

namespace mlir::asic {
#define GEN_PASS_DEF_ATTACHTARGETPASS
#include "passes/Passes.h.inc"

namespace {

struct AttachTargetPass : impl::AttachTargetPassBase<AttachTargetPass> {
  using AttachTargetPassBase::AttachTargetPassBase;

  void runOnOperation() override {
    std::string error;
    std::optional<::asic::TargetModel> model =
        ::asic::resolveTarget(target, error);
    if (!model) {
      getOperation().emitError(error);
      return signalPassFailure();
    }
    getOperation()->setAttr(kTargetAttrName,
                            makeTargetAttr(&getContext(), *model));
  }
};

} // namespace
} // namespace mlir::asic
