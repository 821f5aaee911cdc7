// RUN: asic-opt %s --asic-hoist-constants | FileCheck %s

// A resource becomes one argument however often it is used; small constants stay;
// inputs are never written.
// CHECK-LABEL: func.func @f
// CHECK-SAME: %[[X:.*]]: tensor<4xf32> {bufferization.writable = false}
// CHECK-SAME: %[[W:.*]]: tensor<4xf32> {asic.constant = dense_resource<w> : tensor<4xf32>, bufferization.writable = false}
// CHECK-NOT: dense_resource
// CHECK: arith.constant dense<1.000000e+00>
// CHECK: arith.addf %[[X]], %[[W]]
// CHECK: arith.mulf %{{.*}}, %[[W]]
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %w = arith.constant dense_resource<w> : tensor<4xf32>
  %v = arith.constant dense_resource<w> : tensor<4xf32>
  %one = arith.constant dense<1.0> : tensor<4xf32>
  %0 = arith.addf %x, %w : tensor<4xf32>
  %1 = arith.mulf %0, %v : tensor<4xf32>
  %2 = arith.addf %1, %one : tensor<4xf32>
  return %2 : tensor<4xf32>
}

{-#
  dialect_resources: {
    builtin: {
      w: "0x040000000000803f000000400000404000008040"
    }
  }
#-}
