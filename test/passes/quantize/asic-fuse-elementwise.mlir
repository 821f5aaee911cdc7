// RUN: asic-opt %s --asic-fuse-elementwise | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// A chain is one generic; a reduction takes in what is computed for it alone.
// CHECK-LABEL: func.func @chain
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: math.exp
// CHECK: arith.negf
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @chain(%x: tensor<4x8xf32>, %acc: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    %0 = math.exp %v : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    %0 = arith.negf %v : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%b : tensor<4x8xf32>) outs(%acc : tensor<4xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %0 = arith.addf %sum, %v : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// An expensive producer with two readers stays, as does a conversion of an input.
// CHECK-LABEL: func.func @keep
// CHECK-COUNT-4: linalg.generic
func.func @keep(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xi8>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %e8 = tensor.empty() : tensor<4x8xi8>
  %one = arith.constant 1 : i8
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<4x8xf32>) outs(%e8 : tensor<4x8xi8>) {
  ^bb0(%v: f32, %out: i8):
    %0 = arith.fptosi %v : f32 to i8
    linalg.yield %0 : i8
  } -> tensor<4x8xi8>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q : tensor<4x8xi8>) outs(%e8 : tensor<4x8xi8>) {
  ^bb0(%v: i8, %out: i8):
    %0 = arith.addi %v, %one : i8
    linalg.yield %0 : i8
  } -> tensor<4x8xi8>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    %0 = math.exp %v : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    %0 = arith.negf %v : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  return %r, %a, %b : tensor<4x8xi8>, tensor<4x8xf32>, tensor<4x8xf32>
}

// A pass has 64 lane operations, and a constant is one of them: two halves of 34 stay apart.
// CHECK-LABEL: func.func @more_than_one_pass
// CHECK-COUNT-2: linalg.generic
func.func @more_than_one_pass(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = arith.constant 1.5 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    %0 = arith.mulf %v, %c : f32
    %1 = arith.mulf %0, %c : f32
    %2 = arith.mulf %1, %c : f32
    %3 = arith.mulf %2, %c : f32
    %4 = arith.mulf %3, %c : f32
    %5 = arith.mulf %4, %c : f32
    %6 = arith.mulf %5, %c : f32
    %7 = arith.mulf %6, %c : f32
    %8 = arith.mulf %7, %c : f32
    %9 = arith.mulf %8, %c : f32
    %10 = arith.mulf %9, %c : f32
    %11 = arith.mulf %10, %c : f32
    %12 = arith.mulf %11, %c : f32
    %13 = arith.mulf %12, %c : f32
    %14 = arith.mulf %13, %c : f32
    %15 = arith.mulf %14, %c : f32
    %16 = arith.mulf %15, %c : f32
    linalg.yield %16 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    %0 = arith.mulf %v, %c : f32
    %1 = arith.mulf %0, %c : f32
    %2 = arith.mulf %1, %c : f32
    %3 = arith.mulf %2, %c : f32
    %4 = arith.mulf %3, %c : f32
    %5 = arith.mulf %4, %c : f32
    %6 = arith.mulf %5, %c : f32
    %7 = arith.mulf %6, %c : f32
    %8 = arith.mulf %7, %c : f32
    %9 = arith.mulf %8, %c : f32
    %10 = arith.mulf %9, %c : f32
    %11 = arith.mulf %10, %c : f32
    %12 = arith.mulf %11, %c : f32
    %13 = arith.mulf %12, %c : f32
    %14 = arith.mulf %13, %c : f32
    %15 = arith.mulf %14, %c : f32
    %16 = arith.mulf %15, %c : f32
    linalg.yield %16 : f32
  } -> tensor<4x8xf32>
  return %b : tensor<4x8xf32>
}
