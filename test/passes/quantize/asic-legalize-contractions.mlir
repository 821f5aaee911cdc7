// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-legalize-contractions | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-legalize-contractions | FileCheck %s --check-prefix=INT

#mk = affine_map<(d0, d1, d2) -> (d0, d2)>
#kn = affine_map<(d0, d1, d2) -> (d2, d1)>
#mn = affine_map<(d0, d1, d2) -> (d0, d1)>

// Operands are rounded (constants now, ties to even: 1 + 2^-8 becomes 1), sums stay f32.
// A target without a float mode changes nothing.
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[W:.*]] = arith.constant dense<1.000000e+00> : tensor<8x2xbf16>
// CHECK-DAG: arith.truncf
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<4x8xbf16>, tensor<8x2xbf16>) outs(%{{.*}} : tensor<4x2xf32>)
// CHECK: arith.extf
// INT-LABEL: func.func @main
// INT-NOT: bf16
// INT: return
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.00390625> : tensor<8x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf32>, tensor<8x2xf32>) outs(%f : tensor<4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// Operands of another 16-bit format go through f32, which holds both.
// CHECK-LABEL: func.func @half
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK-NEXT: arith.truncf %{{.*}} : f32 to bf16
// CHECK: %[[W:.*]] = arith.constant dense<1.000000e+00> : tensor<8x2xbf16>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<4x8xbf16>, tensor<8x2xbf16>) outs(%{{.*}} : tensor<4x2xf32>)
func.func @half(%x: tensor<4x8xf16>) -> tensor<4x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1.001> : tensor<8x2xf16>
  %e = tensor.empty() : tensor<4x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf16>, tensor<8x2xf16>) outs(%f : tensor<4x2xf32>) {
  ^bb0(%a: f16, %c: f16, %acc: f32):
    %0 = arith.extf %a : f16 to f32
    %1 = arith.extf %c : f16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %acc, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}
