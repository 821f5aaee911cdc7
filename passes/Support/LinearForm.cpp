// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Support/LinearForm.h"

using namespace mlir;

bool mlir::asic::addLinear(AffineExpr expr, int64_t factor,
                           MutableArrayRef<int64_t> coefficients,
                           int64_t &constant) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    coefficients[dim.getPosition()] += factor;
    return true;
  }
  if (auto value = dyn_cast<AffineConstantExpr>(expr)) {
    constant += factor * value.getValue();
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (binary.getKind() == AffineExprKind::Add)
    return addLinear(binary.getLHS(), factor, coefficients, constant) &&
           addLinear(binary.getRHS(), factor, coefficients, constant);
  if (binary.getKind() == AffineExprKind::Mul)
    if (auto value = dyn_cast<AffineConstantExpr>(binary.getRHS()))
      return addLinear(binary.getLHS(), factor * value.getValue(), coefficients,
                       constant);
  return false;
}
