// RUN: asic-opt %s --asic-separate-results | FileCheck %s

// CHECK-LABEL: func @twice
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>, %[[Y:.*]]: tensor<2xf32>
// CHECK: %[[COPY:.*]] = bufferization.alloc_tensor() copy(%[[X]])
// CHECK: return %[[X]], %[[Y]], %[[COPY]]
func.func @twice(%x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  return %x, %y, %x : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}
