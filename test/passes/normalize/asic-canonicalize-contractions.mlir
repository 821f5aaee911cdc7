// RUN: asic-opt %s --asic-canonicalize-contractions | FileCheck %s

// CHECK: #[[WEIGHT:.*]] = affine_map<(d0, d1, d2, d3) -> (d3, d2)>

#mk = affine_map<(d0, d1, d2) -> (d0, d2)>
#kn = affine_map<(d0, d1, d2) -> (d2, d1)>
#mn = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#col = affine_map<(d0, d1) -> (d1)>

// The bias becomes the init; the constant factor becomes the second input.
// CHECK-LABEL: func.func @linear
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>, %[[B:.*]]: tensor<2xf32>)
// CHECK: %[[W:.*]] = arith.constant
// CHECK: %[[INIT:.*]] = linalg.generic {{.*}} ins(%[[B]] :
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[W]] : {{.*}} outs(%[[INIT]] :
// CHECK-NOT: linalg.generic
func.func @linear(%x: tensor<4x8xf32>, %b: tensor<2xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.0> : tensor<8x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [#kn, #mk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%w, %x : tensor<8x2xf32>, tensor<4x8xf32>) outs(%f : tensor<4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  %z = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %b : tensor<4x2xf32>, tensor<2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<4x2xf32>
  return %z : tensor<4x2xf32>
}

#bmk = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#bkn = affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>
#bmn = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#repeat = affine_map<(d0, d1, d2) -> (d1, d2)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>

// A weight that was repeated for each of the batch is read itself.
// CHECK-LABEL: func.func @repeated_weight
// CHECK-SAME: (%[[X:.*]]: tensor<3x4x8xf32>, %[[W:.*]]: tensor<8x2xf32>, %[[INIT:.*]]: tensor<3x4x2xf32>)
// CHECK-NOT: tensor<3x8x2xf32>
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[WEIGHT]], #{{.*}}]{{.*}} ins(%[[X]], %[[W]] :
func.func @repeated_weight(%x: tensor<3x4x8xf32>, %w: tensor<8x2xf32>, %init: tensor<3x4x2xf32>)
    -> tensor<3x4x2xf32> {
  %e = tensor.empty() : tensor<3x8x2xf32>
  %all = linalg.generic {indexing_maps = [#repeat, #id3],
                         iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w : tensor<8x2xf32>) outs(%e : tensor<3x8x2xf32>) {
  ^bb0(%a: f32, %out: f32):
    linalg.yield %a : f32
  } -> tensor<3x8x2xf32>
  %y = linalg.generic {indexing_maps = [#bmk, #bkn, #bmn],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %all : tensor<3x4x8xf32>, tensor<3x8x2xf32>) outs(%init : tensor<3x4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x4x2xf32>
  return %y : tensor<3x4x2xf32>
}

// Without a loop of its own a factor is none of a matrix product: it stays repeated.
// CHECK-LABEL: func.func @repeated_vector
// CHECK: %[[ALL:.*]] = linalg.generic
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[ALL]] :
func.func @repeated_vector(%x: tensor<3x4x8xf32>, %v: tensor<8xf32>, %init: tensor<3x4x2xf32>)
    -> tensor<3x4x2xf32> {
  %e = tensor.empty() : tensor<3x8x2xf32>
  %all = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1)>, #id3],
                         iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%v : tensor<8xf32>) outs(%e : tensor<3x8x2xf32>) {
  ^bb0(%a: f32, %out: f32):
    linalg.yield %a : f32
  } -> tensor<3x8x2xf32>
  %y = linalg.generic {indexing_maps = [#bmk, #bkn, #bmn],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %all : tensor<3x4x8xf32>, tensor<3x8x2xf32>) outs(%init : tensor<3x4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x4x2xf32>
  return %y : tensor<3x4x2xf32>
}
