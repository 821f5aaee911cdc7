// RUN: asic-opt %s --asic-quantize 2>&1 | FileCheck %s
// RUN: asic-opt %s --asic-quantize --asic-fuse-elementwise --cse 2>&1 | FileCheck %s --check-prefix=FUSED

// CHECK: remark: stays float: no integer arithmetic for this elementwise op

#mk = affine_map<(d0, d1, d2) -> (d0, d2)>
#kn = affine_map<(d0, d1, d2) -> (d2, d1)>
#mn = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#col = affine_map<(d0, d1) -> (d1)>

// Zero point of the activations, int32 bias, one multiplier and shift per channel
// (0.5 * 0.5 / 0.25 = 1 and 0.5 * 0.4 / 0.25 = 0.8), relu as the lower bound.
// CHECK-LABEL: func.func @linear
// CHECK: %[[BIAS:.*]] = arith.constant dense<[7, -9]> : tensor<2xi32>
// CHECK: linalg.generic {{.*}} ins(%[[BIAS]] :
// CHECK: linalg.generic {{.*}} tensor<4x2xi32>
// CHECK: %[[A:.*]] = arith.extsi %{{.*}} : i8 to i32
// CHECK: arith.subi %[[A]], %{{.*}} : i32
// CHECK: arith.muli
// CHECK: arith.addi
// CHECK: arith.constant dense<[1073741824, 1717986918]> : tensor<2xi32>
// CHECK: arith.constant dense<[30, 31]> : tensor<2xi8>
// CHECK: linalg.generic
// CHECK: asic.rescale %{{.*}}, %{{.*}}, %{{.*}} rounding <sr> : i32
// CHECK: arith.addi
// CHECK: arith.maxsi %{{.*}}, %c-5_i32
// CHECK: arith.minsi %{{.*}}, %c127_i32
// CHECK: arith.trunci
// CHECK-NOT: f32
// CHECK: return
func.func @linear(%x: tensor<4x8xi8>) -> tensor<4x2xi8> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<1> : tensor<8x2xi8>
  %b = arith.constant dense<[7, -9]> : tensor<2xi32>
  %dx = asic.dequantize %x scales [0.5] zero_points [3] : tensor<4x8xi8> -> tensor<4x8xf32>
  %dw = asic.dequantize %w scales [0.5, 0.4] zero_points [0, 0] axis 1 : tensor<8x2xi8> -> tensor<8x2xf32>
  %db = asic.dequantize %b scales [0.25, 0.2] zero_points [0, 0] axis 0 : tensor<2xi32> -> tensor<2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %init = linalg.generic {indexing_maps = [#col, #id], iterator_types = ["parallel", "parallel"]}
      ins(%db : tensor<2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %out: f32):
    linalg.yield %a : f32
  } -> tensor<4x2xf32>
  %y = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%dx, %dw : tensor<4x8xf32>, tensor<8x2xf32>) outs(%init : tensor<4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %acc: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<4x2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.cmpf ugt, %a, %zero : f32
    %1 = arith.select %0, %a, %zero : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  %q = asic.quantize %r scales [0.25] zero_points [-5] range -128 to 127 : tensor<4x2xf32> -> tensor<4x2xi8>
  return %q : tensor<4x2xi8>
}

// An addition: 20 bits of headroom, one rescale per operand and one of the sum.
// CHECK-LABEL: func.func @add
// CHECK: arith.shli %{{.*}}, %c20_i32
// CHECK: asic.rescale
// CHECK: arith.shli %{{.*}}, %c20_i32
// CHECK: asic.rescale
// CHECK: arith.addi
// CHECK: asic.rescale
// FUSED-LABEL: func.func @add
// FUSED-COUNT-1: linalg.generic
// FUSED-NOT: linalg.generic
// FUSED: return
func.func @add(%x: tensor<4x2xi8>, %y: tensor<4x2xi8>) -> tensor<4x2xi8> {
  %dx = asic.dequantize %x scales [0.5] zero_points [3] : tensor<4x2xi8> -> tensor<4x2xf32>
  %dy = asic.dequantize %y scales [0.3] zero_points [1] : tensor<4x2xi8> -> tensor<4x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%dx, %dy : tensor<4x2xf32>, tensor<4x2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<4x2xf32>
  %q = asic.quantize %s scales [0.7] zero_points [0] range -128 to 127 : tensor<4x2xf32> -> tensor<4x2xi8>
  return %q : tensor<4x2xi8>
}

// Equal scales, zero points and ranges: the same codes.
// CHECK-LABEL: func.func @same
// CHECK-NEXT: return %arg0
func.func @same(%x: tensor<4x2xi8>) -> tensor<4x2xi8> {
  %d = asic.dequantize %x scales [0.5] zero_points [3] : tensor<4x2xi8> -> tensor<4x2xf32>
  %q = asic.quantize %d scales [0.5] zero_points [3] range -128 to 127 : tensor<4x2xf32> -> tensor<4x2xi8>
  return %q : tensor<4x2xi8>
}

// What has no integer arithmetic becomes float between explicit conversions; the clamp is
// in front of the zero point.
// CHECK-LABEL: func.func @float
// CHECK: arith.sitofp
// CHECK: math.exp
// CHECK: math.roundeven
// CHECK: arith.maximumf %{{.*}}, %cst
// CHECK: arith.minimumf
// CHECK: arith.fptosi
// CHECK: arith.addi
func.func @float(%x: tensor<4x2xi8>) -> tensor<4x2xi8> {
  %d = asic.dequantize %x scales [0.5] zero_points [3] : tensor<4x2xi8> -> tensor<4x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%d : tensor<4x2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<4x2xf32>
  %q = asic.quantize %s scales [0.7] zero_points [2] range -128 to 127 : tensor<4x2xf32> -> tensor<4x2xi8>
  return %q : tensor<4x2xi8>
}
