// RUN: asic-opt %s --split-input-file --verify-diagnostics --asic-attach-target=target=npu-256 --asic-partition=fallback-is-error

#id = affine_map<(d0) -> (d0)>

// A format that the vector unit does not have.
func.func @main(%x: tensor<4xi64>) -> tensor<4xi64> {
  %e = tensor.empty() : tensor<4xi64>
  // expected-error @below {{expected an element type of the machine, got i64; cast the tensor}}
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<4xi64>) outs(%e : tensor<4xi64>) {
  ^bb0(%in: i64, %out: i64):
    %0 = arith.addi %in, %in : i64
    linalg.yield %0 : i64
  } -> tensor<4xi64>
  return %y : tensor<4xi64>
}

// -----

#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#w = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// A contraction in a format that the array does not have.
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x4xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @below {{expected a contraction of 'npu-256' (i8 x i8 -> i32), got f32 x f32 -> f32; quantize the layer}}
  %0 = linalg.generic {indexing_maps = [#a, #w, #c],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf32>, tensor<8x4xf32>) outs(%y : tensor<4x4xf32>) {
  ^bb0(%in: f32, %v: f32, %out: f32):
    %1 = arith.mulf %in, %v : f32
    %2 = arith.addf %out, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

// An operator that nobody gave a linalg form.
func.func private @asic.aten.sort.0(tensor<4xi8>) -> tensor<4xi8>
func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error @below {{expected an operator with a linalg form, got 'asic.aten.sort.0'}}
  %0 = call @asic.aten.sort.0(%x) : (tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}
