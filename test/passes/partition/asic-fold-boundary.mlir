// RUN: asic-opt %s --split-input-file --asic-fold-boundary | FileCheck %s

#nchw = affine_map<(d0, d1, d2, d3) -> (d0, d3, d1, d2)>
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// A quantised, permuted input: the zero point moves the clamp's bounds.
// CHECK-LABEL: func.func @main
// CHECK: %[[Q:.*]] = builtin.unrealized_conversion_cast %{{.*}} : tensor<1x3x8x8xf32> to tensor<1x8x8x3xi8>
// CHECK-SAME: hi = 127 : i64, lo = -128 : i64, permutation = array<i64: 0, 2, 3, 1>, scale = 5.000000e-02 : f64
// CHECK-SAME: shape = array<i64: 1, 3, 8, 8>, type = f32, zero_point = -3 : i64
// CHECK: linalg.generic {{.*}} ins(%[[Q]]
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x8x8x3xi8> {
  %inverse = arith.constant 2.0e+01 : f32
  %lo = arith.constant -1.25e+02 : f32
  %hi = arith.constant 1.3e+02 : f32
  %zero = arith.constant -3 : i32
  %e = tensor.empty() : tensor<1x8x8x3xi8>
  %q = linalg.generic {indexing_maps = [#nchw, #id],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<1x3x8x8xf32>) outs(%e : tensor<1x8x8x3xi8>) {
  ^bb0(%a: f32, %b: i8):
    %0 = arith.mulf %a, %inverse : f32
    %1 = math.roundeven %0 : f32
    %2 = arith.maximumf %1, %lo : f32
    %3 = arith.minimumf %2, %hi : f32
    %4 = arith.fptosi %3 : f32 to i32
    %5 = arith.addi %4, %zero : i32
    %6 = arith.trunci %5 : i32 to i8
    linalg.yield %6 : i8
  } -> tensor<1x8x8x3xi8>
  %y = linalg.generic {indexing_maps = [#id, #id],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q : tensor<1x8x8x3xi8>) outs(%e : tensor<1x8x8x3xi8>) {
  ^bb0(%a: i8, %b: i8):
    %0 = arith.muli %a, %a : i8
    linalg.yield %0 : i8
  } -> tensor<1x8x8x3xi8>
  return %y : tensor<1x8x8x3xi8>
}

// -----

#nc = affine_map<(d0, d1) -> (d0, d1)>
#cn = affine_map<(d0, d1) -> (d1, d0)>

// Between an input and a result there is no accelerator whose border it could be.
// CHECK-LABEL: func.func @main
// CHECK-NOT: unrealized_conversion_cast
// CHECK: linalg.generic
func.func @main(%x: tensor<2x4xf32>) -> tensor<4x2xf32> {
  %e = tensor.empty() : tensor<4x2xf32>
  %t = linalg.generic {indexing_maps = [#cn, #nc], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<2x4xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<4x2xf32>
  return %t : tensor<4x2xf32>
}

// -----

#id2 = affine_map<(d0, d1) -> (d0, d1)>

// A dequantised output; the op that makes the integers stays.
// CHECK-LABEL: func.func @main
// CHECK: %[[INT:.*]] = linalg.generic
// CHECK: %[[Y:.*]] = builtin.unrealized_conversion_cast %[[INT]]
// CHECK-SAME: {asic.boundary = {hi = 127 : i64, lo = -128 : i64, scale = 5.000000e-01 : f64
// CHECK-SAME: zero_point = 4 : i64
// CHECK: return %[[Y]]
func.func @main(%x: tensor<2x4xi8>) -> tensor<2x4xf32> {
  %zero = arith.constant 4 : i32
  %scale = arith.constant 0.5 : f32
  %e8 = tensor.empty() : tensor<2x4xi8>
  %e = tensor.empty() : tensor<2x4xf32>
  %n = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<2x4xi8>) outs(%e8 : tensor<2x4xi8>) {
  ^bb0(%a: i8, %b: i8):
    %0 = arith.muli %a, %a : i8
    linalg.yield %0 : i8
  } -> tensor<2x4xi8>
  %y = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%n : tensor<2x4xi8>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: i8, %b: f32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.subi %0, %zero : i32
    %2 = arith.sitofp %1 : i32 to f32
    %3 = arith.mulf %2, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

#id3 = affine_map<(d0) -> (d0)>

// An elementwise op that is no conversion stays: the runtime only copies.
// CHECK-LABEL: func.func @main
// CHECK-NOT: unrealized_conversion_cast
// CHECK: linalg.generic
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %two = arith.constant 2.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %two : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

#id4 = affine_map<(d0, d1) -> (d0, d1)>

// A reshape between the input and the quantization changes places with it.
// CHECK-LABEL: func.func @main
// CHECK: %[[Q:.*]] = builtin.unrealized_conversion_cast %{{.*}} : tensor<2x1x4xf32> to tensor<2x1x4xi8>
// CHECK: %[[R:.*]] = tensor.collapse_shape %[[Q]] {{\[\[}}0, 1], [2]] : tensor<2x1x4xi8> into tensor<2x4xi8>
// CHECK: linalg.generic {{.*}} ins(%[[R]]
func.func @main(%x: tensor<2x1x4xf32>) -> tensor<2x4xi8> {
  %inverse = arith.constant 4.0 : f32
  %lo = arith.constant -1.28e+02 : f32
  %hi = arith.constant 1.27e+02 : f32
  %e = tensor.empty() : tensor<2x4xi8>
  %r = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x1x4xf32> into tensor<2x4xf32>
  %q = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel"]}
      ins(%r : tensor<2x4xf32>) outs(%e : tensor<2x4xi8>) {
  ^bb0(%a: f32, %b: i8):
    %0 = arith.mulf %a, %inverse : f32
    %1 = math.roundeven %0 : f32
    %2 = arith.maximumf %1, %lo : f32
    %3 = arith.minimumf %2, %hi : f32
    %4 = arith.fptosi %3 : f32 to i32
    %5 = arith.trunci %4 : i32 to i8
    linalg.yield %5 : i8
  } -> tensor<2x4xi8>
  %y = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel"]}
      ins(%q : tensor<2x4xi8>) outs(%e : tensor<2x4xi8>) {
  ^bb0(%a: i8, %b: i8):
    %0 = arith.muli %a, %a : i8
    linalg.yield %0 : i8
  } -> tensor<2x4xi8>
  return %y : tensor<2x4xi8>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#turned = affine_map<(d0, d1) -> (d1, d0)>

// A state of two orders would be two buffers: the new value is transposed by the network. One
// whose old and new value turn alike is left to the runtime.
// CHECK-LABEL: func.func @main
// CHECK-NOT: unrealized_conversion_cast %arg0
// CHECK: %[[A:.*]] = linalg.generic {{.*}} ins(%arg0
// CHECK: %[[TURNED:.*]] = linalg.generic {{.*}} ins(%[[A]]
// CHECK: %[[OLD:.*]] = builtin.unrealized_conversion_cast %arg1
// CHECK-SAME: permutation = array<i64: 1, 0>
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[OLD]]
// CHECK: %[[NEW:.*]] = builtin.unrealized_conversion_cast %[[SUM]]
// CHECK-SAME: permutation = array<i64: 1, 0>
// CHECK: return %[[TURNED]], %[[NEW]]
func.func @main(%a: tensor<4x4xf32> {asic.state = "a"}, %b: tensor<2x4xf32> {asic.state = "b"})
    -> (tensor<4x4xf32> {asic.state = "a"}, tensor<2x4xf32> {asic.state = "b"}) {
  %e = tensor.empty() : tensor<4x4xf32>
  %f = tensor.empty() : tensor<4x2xf32>
  %g = tensor.empty() : tensor<2x4xf32>
  %doubled = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %0 = arith.addf %v, %v : f32
    linalg.yield %0 : f32
  } -> tensor<4x4xf32>
  %turned = linalg.generic {indexing_maps = [#id, #turned], iterator_types = ["parallel", "parallel"]}
      ins(%doubled : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%v: f32, %o: f32):
    linalg.yield %v : f32
  } -> tensor<4x4xf32>
  %old = linalg.generic {indexing_maps = [#id, #turned], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<2x4xf32>) outs(%f : tensor<4x2xf32>) {
  ^bb0(%v: f32, %o: f32):
    linalg.yield %v : f32
  } -> tensor<4x2xf32>
  %sum = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%old : tensor<4x2xf32>) outs(%f : tensor<4x2xf32>) {
  ^bb0(%v: f32, %o: f32):
    %0 = arith.addf %v, %v : f32
    linalg.yield %0 : f32
  } -> tensor<4x2xf32>
  %new = linalg.generic {indexing_maps = [#id, #turned], iterator_types = ["parallel", "parallel"]}
      ins(%sum : tensor<4x2xf32>) outs(%g : tensor<2x4xf32>) {
  ^bb0(%v: f32, %o: f32):
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %turned, %new : tensor<4x4xf32>, tensor<2x4xf32>
}
