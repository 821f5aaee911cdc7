// RUN: asic-opt %s --asic-convert-weight-only --cse | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-convert-weight-only --asic-legalize-contractions --cse | FileCheck %s --check-prefix=TX1
// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-convert-weight-only | FileCheck %s --check-prefix=NONE

#mk = affine_map<(d0, d1, d2) -> (d0, d2)>
#nk = affine_map<(d0, d1, d2) -> (d1, d2)>
#mn = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#col = affine_map<(d0, d1) -> (d1)>

// The integers are read, the scales of the output channels multiply the sum, the bias comes last.
// CHECK-LABEL: func.func @linear
// CHECK-DAG: %[[W:.*]] = arith.constant dense<3> : tensor<2x8xi8>
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<4x8xf32>, tensor<2x8xi8>) outs(%{{.*}} : tensor<4x2xf32>)
// CHECK: arith.sitofp %{{.*}} : i8 to f32
// CHECK: %[[S:.*]] = arith.constant dense<[5.000000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[S]] :
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK-NOT: asic.dequantize
// CHECK: return
// The activations get the target's format.
// TX1-LABEL: func.func @linear
// TX1: arith.truncf %{{.*}} : f32 to bf16
// TX1: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<4x8xbf16>, tensor<2x8xi8>) outs(%{{.*}} : tensor<4x2xf32>)
// NONE-LABEL: func.func @linear
// NONE: asic.dequantize
func.func @linear(%x: tensor<4x8xf32>) -> tensor<4x2xf32> {
  %q = arith.constant dense<3> : tensor<2x8xi8>
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %w = asic.dequantize %q scales [0.5, 0.25] zero_points [0, 0] axis 0 : tensor<2x8xi8> -> tensor<2x8xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %init = linalg.generic {indexing_maps = [#col, #id], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf32>, tensor<2x8xf32>) outs(%init : tensor<4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// A weight with a zero point, and a weight scaled along the sum, stay dequantised.
// CHECK-LABEL: func.func @zero_point
// CHECK: asic.dequantize
// CHECK-LABEL: func.func @scales_along_k
// CHECK: asic.dequantize
func.func @zero_point(%x: tensor<4x8xf32>) -> tensor<4x2xf32> {
  %q = arith.constant dense<3> : tensor<2x8xi8>
  %w = asic.dequantize %q scales [0.5] zero_points [1] : tensor<2x8xi8> -> tensor<2x8xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf32>, tensor<2x8xf32>) outs(%init : tensor<4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

func.func @scales_along_k(%x: tensor<4x2xf32>) -> tensor<4x8xf32> {
  %q = arith.constant dense<3> : tensor<8x2xi8>
  %w = asic.dequantize %q scales [0.5, 0.25] zero_points [0, 0] axis 1 : tensor<8x2xi8> -> tensor<8x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x2xf32>, tensor<8x2xf32>) outs(%init : tensor<4x8xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
