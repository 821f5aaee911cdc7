// RUN: asic-opt %s --asic-fold-import | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
#row = affine_map<(d0, d1) -> (d0, 0)>

// A scalar operand becomes a constant of the body, f64 is folded away.
// CHECK-LABEL: func.func @scalar
// CHECK-DAG: %[[SIX:.*]] = arith.constant 6.000000e+00 : f32
// CHECK-DAG: %[[EPS:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4x8xf32>)
// CHECK: arith.minimumf %{{.*}}, %[[SIX]]
// CHECK: arith.addf %{{.*}}, %[[EPS]]
func.func @scalar(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %six = arith.constant dense<6.0> : tensor<f32>
  %eps = arith.constant 0.5 : f64
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %six : tensor<4x8xf32>, tensor<f32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.minimumf %a, %b : f32
    %1 = arith.truncf %eps : f64 to f32
    %2 = arith.addf %0, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// Assertions go; a broadcast unit dimension and a kept reduced one are reshapes.
// CHECK-LABEL: func.func @units
// CHECK-NOT: cf.assert
// CHECK: tensor.collapse_shape %arg1 {{.*}} : tensor<4x1xf32> into tensor<4xf32>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4xf32>)
// CHECK: tensor.expand_shape {{.*}} : tensor<4xf32> into tensor<4x1xf32>
func.func @units(%x: tensor<4x8xf32>, %s: tensor<4x1xf32>, %ok: i1) -> tensor<4x1xf32> {
  cf.assert %ok, "size mismatch"
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x1xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x1xf32>) -> tensor<4x1xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x, %s : tensor<4x8xf32>, tensor<4x1xf32>) outs(%f : tensor<4x1xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.subf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x1xf32>
  return %y : tensor<4x1xf32>
}

// A generic that yields a constant is a fill.
// CHECK-LABEL: func.func @constant
// CHECK: linalg.fill
// CHECK-NOT: linalg.generic
func.func @constant() -> tensor<4x8xf32> {
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%e : tensor<4x8xf32>) {
  ^bb0(%out: f32):
    linalg.yield %one : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// What only a library has becomes functions that every machine has.
// CHECK-LABEL: func.func @library
// CHECK-NOT: math.log1p
// CHECK-NOT: math.expm1
// CHECK: math.log
// CHECK: math.exp
func.func @library(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.log1p %a : f32
    %1 = math.expm1 %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// A bias of 16-bit floats is widened now, and broadcast then.
// CHECK-LABEL: func.func @widened_bias
// CHECK: %[[BIAS:.*]] = arith.constant dense<[5.000000e-01, -2.000000e+00]> : tensor<2xf32>
// CHECK: linalg.generic {{.*}} ins(%[[BIAS]] : tensor<2xf32>)
// CHECK-NOT: arith.extf
// CHECK: return
func.func @widened_bias() -> tensor<3x2xf32> {
  %bias = arith.constant dense<[0.5, -2.0]> : tensor<2xbf16>
  %e = tensor.empty() : tensor<3x2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%bias : tensor<2xbf16>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %0 = arith.extf %a : bf16 to f32
    linalg.yield %0 : f32
  } -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// The heads of an attention are no one batch.
// CHECK-LABEL: func.func @flattened_batch
// CHECK-SAME: %[[A:.*]]: tensor<2x4x8x16xf32>, %[[B:.*]]: tensor<2x4x16x5xf32>
// CHECK-NOT: collapse_shape
// CHECK: linalg.generic {{.*}}"parallel", "parallel", "parallel", "parallel", "reduction"
// CHECK-SAME: ins(%[[A]], %[[B]] : {{.*}}) outs({{.*}} : tensor<2x4x8x5xf32>)
// CHECK-NOT: expand_shape
// CHECK: return
func.func @flattened_batch(%a: tensor<2x4x8x16xf32>, %b: tensor<2x4x16x5xf32>) -> tensor<2x4x8x5xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.collapse_shape %a [[0, 1], [2], [3]] : tensor<2x4x8x16xf32> into tensor<8x8x16xf32>
  %1 = tensor.collapse_shape %b [[0, 1], [2], [3]] : tensor<2x4x16x5xf32> into tensor<8x16x5xf32>
  %2 = tensor.empty() : tensor<8x8x5xf32>
  %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  %4 = linalg.batch_matmul ins(%0, %1 : tensor<8x8x16xf32>, tensor<8x16x5xf32>) outs(%3 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  %5 = tensor.expand_shape %4 [[0, 1], [2], [3]] output_shape [2, 4, 8, 5] : tensor<8x8x5xf32> into tensor<2x4x8x5xf32>
  return %5 : tensor<2x4x8x5xf32>
}

// Batches of other factors stay flat.
// CHECK-LABEL: func.func @batches_of_two_kinds
// CHECK: linalg.batch_matmul
func.func @batches_of_two_kinds(%a: tensor<2x4x8x16xf32>, %b: tensor<4x2x16x5xf32>) -> tensor<8x8x5xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.collapse_shape %a [[0, 1], [2], [3]] : tensor<2x4x8x16xf32> into tensor<8x8x16xf32>
  %1 = tensor.collapse_shape %b [[0, 1], [2], [3]] : tensor<4x2x16x5xf32> into tensor<8x16x5xf32>
  %2 = tensor.empty() : tensor<8x8x5xf32>
  %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  %4 = linalg.batch_matmul ins(%0, %1 : tensor<8x8x16xf32>, tensor<8x16x5xf32>) outs(%3 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  return %4 : tensor<8x8x5xf32>
}
