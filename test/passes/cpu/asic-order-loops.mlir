// RUN: asic-opt %s --asic-order-loops | FileCheck %s

// The weight lies transposed and is used sixteen times: it is copied, and the
// columns of the result become the innermost loop.
// CHECK-DAG: #[[A:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[C:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-LABEL: func.func @transposed_weight
// CHECK: %[[T:.*]] = linalg.transpose ins(%arg1 : tensor<8x5xf32>) outs(%{{.*}} : tensor<5x8xf32>) permutation = [1, 0]
// CHECK: linalg.generic {indexing_maps = [#[[A]], #[[W]], #[[C]]], iterator_types = ["parallel", "reduction", "parallel"]}
// CHECK-SAME: ins(%arg0, %[[T]]
func.func @transposed_weight(%a: tensor<16x5xf32>, %w: tensor<8x5xf32>,
                             %c: tensor<16x8xf32>) -> tensor<16x8xf32> {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %w : tensor<16x5xf32>, tensor<8x5xf32>) outs(%c : tensor<16x8xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<16x8xf32>
  return %0 : tensor<16x8xf32>
}

// A window's reductions keep their order in front of the channels.
// CHECK-LABEL: func.func @window
// CHECK: iterator_types = ["parallel", "reduction", "reduction", "parallel"]
func.func @window(%x: tensor<6x4xf32>, %k: tensor<2x3xf32>,
                  %c: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(o, c, i, j) -> (o + i + j, c)>, affine_map<(o, c, i, j) -> (i, j)>, affine_map<(o, c, i, j) -> (o, c)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %k : tensor<6x4xf32>, tensor<2x3xf32>) outs(%c : tensor<3x4xf32>) {
  ^bb0(%a: f32, %w: f32, %acc: f32):
    %p = arith.mulf %a, %w : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// A sum along rows uses each element once: a transposed copy would not pay.
// CHECK-LABEL: func.func @row_sum
// CHECK-NOT: linalg.transpose
// CHECK: iterator_types = ["parallel", "reduction"]
func.func @row_sum(%x: tensor<16x8xf32>, %c: tensor<16xf32>) -> tensor<16xf32> {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<16x8xf32>) outs(%c : tensor<16xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %s = arith.addf %acc, %a : f32
    linalg.yield %s : f32
  } -> tensor<16xf32>
  return %0 : tensor<16xf32>
}
