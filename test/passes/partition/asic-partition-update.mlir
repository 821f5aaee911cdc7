// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-partition --asic-verify-partition | FileCheck %s

// The field of an indexed copy has 24 bits for the number of places.
// CHECK-LABEL: func.func private @host_0
// CHECK: asic.update_slice
// CHECK-SAME: asic.refusal = "expected at most 16777215 places to write to, got 16777216; make a tensor of fewer rows"
func.func @main(%row: tensor<1x2xi8>, %x: tensor<16777216x2xi8>, %i: tensor<i32>) -> tensor<16777216x2xi8> {
  %0 = asic.update_slice %row into %x[%i] dim 0 : tensor<1x2xi8> into tensor<16777216x2xi8>
  return %0 : tensor<16777216x2xi8>
}
