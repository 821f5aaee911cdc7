// RUN: asic-opt %s --asic-expand-padded-dims --split-input-file | FileCheck %s

#rows = affine_map<(d0, d1, d2) -> (d0, d2)>
#weights = affine_map<(d0, d1, d2) -> (d2, d1)>
#result = affine_map<(d0, d1, d2) -> (d0, d1)>

// A length merged with the batch gets a loop of its own.
// CHECK-LABEL: func.func @merged(
// CHECK-NOT:     collapse_shape
// CHECK:         linalg.generic
// CHECK-SAME:      iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK-SAME:      ins(%{{.*}}, %{{.*}} : tensor<8x16x4xf32>, tensor<4x5xf32>)
// CHECK-NOT:     expand_shape
// CHECK:         return
func.func @merged(%x: tensor<8x16x4xf32> {asic.extents = ["b", "s", ""]}, %w: tensor<4x5xf32>)
    -> (tensor<8x16x5xf32> {asic.extents = ["b", "s", ""]}) {
  %zero = arith.constant 0.0 : f32
  %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<8x16x4xf32> into tensor<128x4xf32>
  %empty = tensor.empty() : tensor<128x5xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<128x5xf32>) -> tensor<128x5xf32>
  %y = linalg.generic {indexing_maps = [#rows, #weights, #result],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%rows, %w : tensor<128x4xf32>, tensor<4x5xf32>) outs(%init : tensor<128x5xf32>) {
  ^bb0(%in: f32, %weight: f32, %out: f32):
    %0 = arith.mulf %in, %weight : f32
    %1 = arith.addf %out, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<128x5xf32>
  %back = tensor.expand_shape %y [[0, 1], [2]] output_shape [8, 16, 5]
      : tensor<128x5xf32> into tensor<8x16x5xf32>
  return %back : tensor<8x16x5xf32>
}

// -----

#rows = affine_map<(d0, d1, d2) -> (d0, d2)>
#weights = affine_map<(d0, d1, d2) -> (d2, d1)>
#result = affine_map<(d0, d1, d2) -> (d0, d1)>

// A batch alone stays the outer part of the rows.
// CHECK-LABEL: func.func @outer(
// CHECK:         collapse_shape
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%{{.*}}, %{{.*}} : tensor<128x4xf32>, tensor<4x5xf32>)
func.func @outer(%x: tensor<8x16x4xf32> {asic.extents = ["b", "", ""]}, %w: tensor<4x5xf32>)
    -> (tensor<128x5xf32>) {
  %zero = arith.constant 0.0 : f32
  %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<8x16x4xf32> into tensor<128x4xf32>
  %empty = tensor.empty() : tensor<128x5xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<128x5xf32>) -> tensor<128x5xf32>
  %y = linalg.generic {indexing_maps = [#rows, #weights, #result],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%rows, %w : tensor<128x4xf32>, tensor<4x5xf32>) outs(%init : tensor<128x5xf32>) {
  ^bb0(%in: f32, %weight: f32, %out: f32):
    %0 = arith.mulf %in, %weight : f32
    %1 = arith.addf %out, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<128x5xf32>
  return %y : tensor<128x5xf32>
}
