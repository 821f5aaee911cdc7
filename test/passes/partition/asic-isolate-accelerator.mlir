// RUN: asic-opt %s --split-input-file --asic-isolate-accelerator | FileCheck %s

// The accelerator's function stays and becomes public; what calls it goes.
// CHECK-NOT: @main
// CHECK-NOT: @host_0
// CHECK: func.func @accelerator_0
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @accelerator_0(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = call @host_0(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
func.func private @accelerator_0(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {asic.region = "accelerator"} {
  return %x : tensor<4xf32>
}
func.func private @host_0(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {asic.region = "host"} {
  return %x : tensor<4xf32>
}

// -----

// A module without regions is for the accelerator as it is.
// CHECK: func.func @main
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
