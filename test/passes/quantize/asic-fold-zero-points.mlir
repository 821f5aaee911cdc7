// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-fold-zero-points --split-input-file | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=kea1-like --asic-fold-zero-points --split-input-file | FileCheck %s --check-prefix=ARRAY

#x = affine_map<(n, w, c, k) -> (n, w + k, c)>
#w = affine_map<(n, w, c, k) -> (k, c)>
#y = affine_map<(n, w, c, k) -> (n, w, c)>

// The bias is 10 - 3 * (1 + 3) and 20 - 3 * (2 + 4). A matrix unit with a
// depthwise path subtracts by itself.
// CHECK-LABEL: func.func @main
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}}reduction
// CHECK-NOT: subi
// CHECK: arith.muli
// CHECK: %[[BIAS:.*]] = arith.constant dense<[-2, 2]> : tensor<2xi32>
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[BIAS]]
// CHECK: arith.addi
// ARRAY-LABEL: func.func @main
// ARRAY: arith.subi
func.func @main(%x: tensor<1x5x2xi8>) -> tensor<1x4x2xi32> {
  %z = arith.constant 3 : i32
  %w = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %b = arith.constant dense<[10, 20]> : tensor<2xi32>
  %e = tensor.empty() : tensor<1x4x2xi32>
  %i = linalg.broadcast ins(%b : tensor<2xi32>) outs(%e : tensor<1x4x2xi32>) dimensions = [0, 1]
  %y = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x5x2xi8>, tensor<2x2xi8>) outs(%i : tensor<1x4x2xi32>) {
  ^bb0(%a: i8, %f: i8, %acc: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.subi %0, %z : i32
    %2 = arith.extsi %f : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %3, %acc : i32
    linalg.yield %4 : i32
  } -> tensor<1x4x2xi32>
  return %y : tensor<1x4x2xi32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>

// Weights with a dimension of their own belong to the matrix unit.
// CHECK-LABEL: func.func @main
// CHECK: arith.subi
func.func @main(%x: tensor<2x2xi8>) -> tensor<2x2xi32> {
  %z = arith.constant 3 : i32
  %zero = arith.constant 0 : i32
  %w = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %e = tensor.empty() : tensor<2x2xi32>
  %i = linalg.fill ins(%zero : i32) outs(%e : tensor<2x2xi32>) -> tensor<2x2xi32>
  %y = linalg.generic {indexing_maps = [#a, #b, #c],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x2xi8>, tensor<2x2xi8>) outs(%i : tensor<2x2xi32>) {
  ^bb0(%p: i8, %f: i8, %acc: i32):
    %0 = arith.extsi %p : i8 to i32
    %1 = arith.subi %0, %z : i32
    %2 = arith.extsi %f : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %3, %acc : i32
    linalg.yield %4 : i32
  } -> tensor<2x2xi32>
  return %y : tensor<2x2xi32>
}
