// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-partition --asic-verify-partition | FileCheck %s

// Indices stay in SRAM while rows come and go.
// CHECK-LABEL: func.func private @host_0
// CHECK: asic.update_slice
// CHECK-SAME: asic.refusal = "expected rows whose indices fill at most an eighth of the SRAM of 'npu-256', got 8193 rows; update fewer rows at once"
func.func @main(%rows: tensor<8193x2xi8>, %x: tensor<9x2xi8>, %i: tensor<8193xi32>) -> tensor<9x2xi8> {
  %0 = asic.update_slice %rows into %x[%i] dim 0 : tensor<8193x2xi8> into tensor<9x2xi8>, tensor<8193xi32>
  return %0 : tensor<9x2xi8>
}
