// RUN: asic-opt %s --asic-convert-layout | FileCheck %s

// Strides and dilations move into the map of the input.
// CHECK: #[[IN:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 * 2 + d4, d2 + d5 * 3, d6)>
// CHECK: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d5, d6, d3)>
// CHECK: #[[OUT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>
// CHECK: #[[DW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d4, d5, d3)>
// CHECK: #[[GIN:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1 + d5, d2 + d6, d3, d7)>
// CHECK: #[[GW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d5, d6, d3, d7, d4)>

// CHECK-LABEL: func.func @conv
// CHECK: linalg.transpose ins(%arg0 {{.*}} permutation = [0, 2, 3, 1]
// CHECK: linalg.transpose ins(%arg1 {{.*}} permutation = [2, 3, 1, 0]
// CHECK: linalg.generic {indexing_maps = [#[[IN]], #[[W]], #[[OUT]]]
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
func.func @conv(%x: tensor<1x3x9x11xf32>, %w: tensor<8x3x3x3xf32>,
                %b: tensor<1x8x4x5xf32>) -> tensor<1x8x4x5xf32> {
  %y = linalg.conv_2d_nchw_fchw {strides = dense<[2, 1]> : vector<2xi64>,
      dilations = dense<[1, 3]> : vector<2xi64>}
      ins(%x, %w : tensor<1x3x9x11xf32>, tensor<8x3x3x3xf32>)
      outs(%b : tensor<1x8x4x5xf32>) -> tensor<1x8x4x5xf32>
  return %y : tensor<1x8x4x5xf32>
}

// CHECK-LABEL: func.func @depthwise
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[DW]], #{{.*}}]
func.func @depthwise(%x: tensor<1x4x6x6xf32>, %w: tensor<4x3x3xf32>,
                     %b: tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> {
  %y = linalg.depthwise_conv_2d_nchw_chw
      ins(%x, %w : tensor<1x4x6x6xf32>, tensor<4x3x3xf32>)
      outs(%b : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return %y : tensor<1x4x4x4xf32>
}

// CHECK-LABEL: func.func @grouped
// CHECK: linalg.generic {indexing_maps = [#[[GIN]], #[[GW]], #{{.*}}]
func.func @grouped(%x: tensor<1x2x4x6x6xf32>, %w: tensor<2x5x4x3x3xf32>,
                   %b: tensor<1x2x5x4x4xf32>) -> tensor<1x2x5x4x4xf32> {
  %y = linalg.conv_2d_ngchw_gfchw
      ins(%x, %w : tensor<1x2x4x6x6xf32>, tensor<2x5x4x3x3xf32>)
      outs(%b : tensor<1x2x5x4x4xf32>) -> tensor<1x2x5x4x4xf32>
  return %y : tensor<1x2x5x4x4xf32>
}

// CHECK-LABEL: func.func @pool
// CHECK: linalg.generic
// CHECK: arith.maximumf
func.func @pool(%x: tensor<1x4x6x6xf32>, %b: tensor<1x4x3x3xf32>) -> tensor<1x4x3x3xf32> {
  %win = tensor.empty() : tensor<2x2xf32>
  %y = linalg.pooling_nchw_max {strides = dense<2> : vector<2xi64>}
      ins(%x, %win : tensor<1x4x6x6xf32>, tensor<2x2xf32>)
      outs(%b : tensor<1x4x3x3xf32>) -> tensor<1x4x3x3xf32>
  return %y : tensor<1x4x3x3xf32>
}
