// RUN: asic-opt %s --asic-convert-composites 2>&1 | FileCheck %s

// The remark about the call that stays comes first.
// CHECK: remark: quantized_decomposed.quantize_per_tensor stays a call: expected a range of signed integers, got 0 to 255

// Scales are carried exactly; equal declarations serve several calls.
// CHECK-LABEL: func.func @markers
// CHECK: asic.quantize %{{.*}} scales [0.029868971556425095] zero_points [3] range -128 to 127
// CHECK: asic.dequantize %{{.*}} scales [5.000000e-01, 2.500000e-01] zero_points [0, 0] axis 1
func.func @markers(%x: tensor<2x2xf32>, %w: tensor<2x2xi8>)
    -> (tensor<2x2xi8>, tensor<2x2xf32>) {
  %s = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %z = arith.constant dense<0> : tensor<2xi64>
  %q = call @asic.q(%x) : (tensor<2x2xf32>) -> tensor<2x2xi8>
  %d = call @asic.dq(%w, %s, %z)
      : (tensor<2x2xi8>, tensor<2xf32>, tensor<2xi64>) -> tensor<2x2xf32>
  return %q, %d : tensor<2x2xi8>, tensor<2x2xf32>
}

// Softmax is a maximum, exponentials, a sum and a division, without indices.
// CHECK-LABEL: func.func @softmax
// CHECK: linalg.generic {{.*}}"parallel", "reduction"
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: linalg.generic {{.*}}"parallel", "reduction"
// CHECK: arith.divf
// CHECK-NOT: i64
// CHECK: return
func.func @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = call @asic.softmax(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// Attention contracts query and key over their last dimension in place.
// CHECK-LABEL: func.func @attention
// CHECK: linalg.generic {{.*}} ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %arg1
// CHECK: math.exp
// CHECK: linalg.generic {{.*}} ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%{{.*}}, %arg2
func.func @attention(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x6x8xf32>,
                     %v: tensor<1x2x6x8xf32>) -> tensor<1x2x4x8xf32> {
  %y = call @asic.sdpa(%q, %k, %v)
      : (tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>)
      -> tensor<1x2x4x8xf32>
  return %y : tensor<1x2x4x8xf32>
}

// Only the statistics that the declaration returns are replaced.
// CHECK-LABEL: func.func @layer_norm
// CHECK: math.rsqrt
// CHECK-NOT: f64
// CHECK: return
func.func @layer_norm(%x: tensor<4x8xf32>, %w: tensor<8xf32>)
    -> tensor<4x8xf32> {
  %y = call @asic.ln(%x, %w) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// An op without a decomposition and a type that the markers do not have stay.
// CHECK-LABEL: func.func @stay
// CHECK: call @asic.topk
// CHECK: call @asic.q_unsigned
func.func @stay(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi8>) {
  %y = call @asic.topk(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %q = call @asic.q_unsigned(%x) : (tensor<4xf32>) -> tensor<4xi8>
  return %y, %q : tensor<4xf32>, tensor<4xi8>
}

// CHECK-NOT: @asic.softmax
func.func private @asic.q(tensor<2x2xf32>) -> tensor<2x2xi8> attributes {
  asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"],
  asic.results = [0], asic.scale = 0.029868971556425095 : f64, asic.zero_point = 3 : i64,
  asic.quant_min = -128 : i64, asic.quant_max = 127 : i64}
func.func private @asic.q_unsigned(tensor<4xf32>) -> tensor<4xi8> attributes {
  asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"],
  asic.results = [0], asic.scale = 0.5 : f64, asic.zero_point = 3 : i64,
  asic.quant_min = 0 : i64, asic.quant_max = 255 : i64}
func.func private @asic.dq(tensor<2x2xi8>, tensor<2xf32>, tensor<2xi64>) -> tensor<2x2xf32> attributes {
  asic.op = "quantized_decomposed.dequantize_per_channel.default",
  asic.operands = ["input", "scales", "zero_points"], asic.results = [0], asic.axis = 1 : i64}
func.func private @asic.softmax(tensor<4x8xf32>) -> tensor<4x8xf32> attributes {
  asic.op = "aten._softmax.default", asic.operands = ["self"], asic.results = [0], asic.dim = 1 : i64}
func.func private @asic.sdpa(tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>) -> tensor<1x2x4x8xf32> attributes {
  asic.op = "aten.scaled_dot_product_attention.default", asic.operands = ["query", "key", "value"], asic.results = [0]}
func.func private @asic.ln(tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32> attributes {
  asic.op = "aten.native_layer_norm.default", asic.operands = ["input", "weight"], asic.results = [0],
  asic.normalized_shape = [8], asic.eps = 1.0e-05 : f64}
func.func private @asic.topk(tensor<4xf32>) -> tensor<4xf32> attributes {
  asic.op = "aten.topk.default", asic.operands = ["self"], asic.results = [0]}
