// RUN: asic-opt %s --asic-fold-transposes | FileCheck %s

#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#mk = affine_map<(d0, d1, d2) -> (d0, d2)>
#kn = affine_map<(d0, d1, d2) -> (d2, d1)>
#mn = affine_map<(d0, d1, d2) -> (d0, d1)>

// A pair cancels through a pad, a marker and an elementwise op.
// CHECK-LABEL: func.func @cancel
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x4x8xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]] :
// CHECK: asic.quantize {{.*}} tensor<1x4x4x8xf32>
// CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @cancel(%x: tensor<1x4x4x8xf32>) -> tensor<1x6x6x8xi8> {
  %zero = arith.constant 0.0 : f32
  %code = arith.constant 3 : i8
  %e0 = tensor.empty() : tensor<1x8x4x4xf32>
  %t = linalg.transpose ins(%x : tensor<1x4x4x8xf32>) outs(%e0 : tensor<1x8x4x4xf32>) permutation = [0, 3, 1, 2]
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%t : tensor<1x8x4x4xf32>) outs(%e0 : tensor<1x8x4x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.maximumf %a, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<1x8x4x4xf32>
  %q = asic.quantize %r scales [0.5] zero_points [3] range -128 to 127 : tensor<1x8x4x4xf32> -> tensor<1x8x4x4xi8>
  %p = tensor.pad %q low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %code : i8
  } : tensor<1x8x4x4xi8> to tensor<1x8x6x6xi8>
  %e1 = tensor.empty() : tensor<1x6x6x8xi8>
  %y = linalg.transpose ins(%p : tensor<1x8x6x6xi8>) outs(%e1 : tensor<1x6x6x8xi8>) permutation = [0, 2, 3, 1]
  return %y : tensor<1x6x6x8xi8>
}

// A transposition of a quantised constant happens now; its axis moves along.
// CHECK-LABEL: func.func @weight
// CHECK: %[[W:.*]] = arith.constant dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi8>
// CHECK: asic.dequantize %[[W]] {{.*}} axis 1
func.func @weight() -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  %d = asic.dequantize %w scales [0.5, 0.25] zero_points [0, 0] axis 0 : tensor<2x3xi8> -> tensor<2x3xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%d : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  return %t : tensor<3x2xf32>
}

// Flattening a channels-last tensor in front of a matrix product permutes the rows
// of the weight: row (c, w) becomes row (w, c).
// CHECK-LABEL: func.func @flatten
// CHECK: %[[ROWS:.*]] = arith.constant dense<{{\[\[}}1.000000e+00], [3.000000e+00], [2.000000e+00], [4.000000e+00]]> : tensor<4x1xf32>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %arg0 {{.*}} : tensor<1x2x2xf32> into tensor<1x4xf32>
// CHECK: linalg.generic {{.*}} ins(%[[FLAT]], %[[ROWS]]
func.func @flatten(%x: tensor<1x2x2xf32>) -> tensor<1x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf32>
  %e = tensor.empty() : tensor<1x2x2xf32>
  %t = linalg.transpose ins(%x : tensor<1x2x2xf32>) outs(%e : tensor<1x2x2xf32>) permutation = [0, 2, 1]
  %f = tensor.collapse_shape %t [[0], [1, 2]] : tensor<1x2x2xf32> into tensor<1x4xf32>
  %e1 = tensor.empty() : tensor<1x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%f, %w : tensor<1x4xf32>, tensor<4x1xf32>) outs(%init : tensor<1x1xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// What is left rises to the argument.
// CHECK-LABEL: func.func @border
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x4x4xf32>)
// CHECK: %[[T:.*]] = linalg.generic {{.*}} ins(%[[X]] :
// CHECK: asic.quantize %[[T]] {{.*}} : tensor<1x4x4x3xf32>
func.func @border(%x: tensor<1x3x4x4xf32>) -> tensor<1x4x4x3xi8> {
  %q = asic.quantize %x scales [0.5] zero_points [3] range -128 to 127 : tensor<1x3x4x4xf32> -> tensor<1x3x4x4xi8>
  %e = tensor.empty() : tensor<1x4x4x3xi8>
  %t = linalg.transpose ins(%q : tensor<1x3x4x4xi8>) outs(%e : tensor<1x4x4x3xi8>) permutation = [0, 2, 3, 1]
  return %t : tensor<1x4x4x3xi8>
}

// A transposition that moves only units is a reshape.
// CHECK-LABEL: func.func @units
// CHECK: tensor.collapse_shape
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @units(%x: tensor<2x1x1x8xf32>) -> tensor<2x8x1x1xf32> {
  %e = tensor.empty() : tensor<2x8x1x1xf32>
  %t = linalg.transpose ins(%x : tensor<2x1x1x8xf32>) outs(%e : tensor<2x8x1x1xf32>) permutation = [0, 3, 1, 2]
  return %t : tensor<2x8x1x1xf32>
}

// A constant whose data nobody has given stays without data.
// CHECK-LABEL: func.func @without_data
// CHECK: arith.constant dense_resource<fc.weight.10> : tensor<3x2xf32>
// CHECK-NEXT: return
func.func @without_data() -> tensor<3x2xf32> {
  %w = arith.constant dense_resource<fc.weight> : tensor<2x3xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  return %t : tensor<3x2xf32>
}

// A few new rows are transposed in front of a cache, not the cache for their sake.
// CHECK-LABEL: func.func @few_rows
// CHECK-SAME: (%[[NEW:.*]]: tensor<1x2x4x8xf32>, %[[OLD:.*]]: tensor<1x4x6x8xf32>)
// CHECK: %[[ROWS:.*]] = linalg.generic {{.*}} ins(%[[NEW]] :
// CHECK: %[[ALL:.*]] = tensor.concat dim(2) %[[ROWS]], %[[OLD]]
// CHECK: return %[[ALL]]
func.func @few_rows(%new: tensor<1x2x4x8xf32>, %old: tensor<1x4x6x8xf32>) -> tensor<1x4x8x8xf32> {
  %e = tensor.empty() : tensor<1x4x2x8xf32>
  %t = linalg.transpose ins(%new : tensor<1x2x4x8xf32>) outs(%e : tensor<1x4x2x8xf32>) permutation = [0, 2, 1, 3]
  %all = tensor.concat dim(2) %t, %old : (tensor<1x4x2x8xf32>, tensor<1x4x6x8xf32>) -> tensor<1x4x8x8xf32>
  return %all : tensor<1x4x8x8xf32>
}

// Where as much is transposed already, the rest follows.
// CHECK-LABEL: func.func @as_many
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x4x8xf32>, %[[Y:.*]]: tensor<1x8x4x4xf32>)
// CHECK: %[[TURNED:.*]] = linalg.generic {{.*}} ins(%[[Y]] :
// CHECK: tensor.concat dim(3) %[[X]], %[[TURNED]]
func.func @as_many(%x: tensor<1x4x4x8xf32>, %y: tensor<1x8x4x4xf32>) -> tensor<1x16x4x4xf32> {
  %e = tensor.empty() : tensor<1x8x4x4xf32>
  %t = linalg.transpose ins(%x : tensor<1x4x4x8xf32>) outs(%e : tensor<1x8x4x4xf32>) permutation = [0, 3, 1, 2]
  %all = tensor.concat dim(1) %t, %y : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x16x4x4xf32>
  return %all : tensor<1x16x4x4xf32>
}
