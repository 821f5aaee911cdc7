// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-partition --asic-verify-partition --split-input-file | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// A negation between two ops that no lane can do: carrying four elements over the border costs more than
// computing them here. One region, and a record on the negation.
// CHECK-LABEL: func.func private @host_0
// CHECK: asic.refusal = "expected a lane operation, got 'math.ctpop'
// CHECK: asic.moved = "moved along with 'linalg.generic': 1 cycles on the host, against 0 on the accelerator and 10001 to hand 32 bytes over and back; follow the remedy of 'linalg.generic'"
// CHECK: asic.refusal
// CHECK-NOT: @accelerator_0
func.func @main(%x: tensor<4xi32>) -> tensor<4xi32> {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<4xi32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<4xi32>) outs(%e : tensor<4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %a = math.ctpop %in : i32
    linalg.yield %a : i32
  } -> tensor<4xi32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%0 : tensor<4xi32>) outs(%e : tensor<4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %a = arith.subi %zero, %in : i32
    linalg.yield %a : i32
  } -> tensor<4xi32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%1 : tensor<4xi32>) outs(%e : tensor<4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %a = math.ctpop %in : i32
    linalg.yield %a : i32
  } -> tensor<4xi32>
  return %2 : tensor<4xi32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// The same with so many elements and so much work that two crossings pay.
// CHECK: {{-----$}}
// CHECK: func.func private @host_0
// CHECK: func.func private @accelerator_0
// CHECK-NOT: asic.moved
// CHECK: func.func private @host_1
func.func @main(%x: tensor<4194304xi32>) -> tensor<4194304xi32> {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<4194304xi32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<4194304xi32>) outs(%e : tensor<4194304xi32>) {
  ^bb0(%in: i32, %out: i32):
    %a = math.ctpop %in : i32
    linalg.yield %a : i32
  } -> tensor<4194304xi32>
  %1 = tensor.expand_shape %0 [[0, 1, 2]] output_shape [256, 128, 128] : tensor<4194304xi32> into tensor<256x128x128xi32>
  %e1 = tensor.empty() : tensor<256x128x128xi32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%1 : tensor<256x128x128xi32>) outs(%e1 : tensor<256x128x128xi32>) {
  ^bb0(%in: i32, %out: i32):
    %a = arith.subi %zero, %in : i32
    %b = arith.muli %a, %in : i32
    %c = arith.addi %b, %a : i32
    %d = arith.muli %c, %b : i32
    %f = arith.addi %d, %in : i32
    %g = arith.muli %f, %c : i32
    linalg.yield %g : i32
  } -> tensor<256x128x128xi32>
  %3 = tensor.collapse_shape %2 [[0, 1, 2]] : tensor<256x128x128xi32> into tensor<4194304xi32>
  %4 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%3 : tensor<4194304xi32>) outs(%e : tensor<4194304xi32>) {
  ^bb0(%in: i32, %out: i32):
    %a = math.ctpop %in : i32
    linalg.yield %a : i32
  } -> tensor<4194304xi32>
  return %4 : tensor<4194304xi32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Work without an input does not make a region of its own in front of the host's.
// CHECK: {{-----$}}
// CHECK: func.func @main
// CHECK-NEXT: call @host_0
// CHECK-NEXT: call @accelerator_0
// CHECK-NEXT: return
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#w = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>
#two = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%x: tensor<4x4xi8>) -> tensor<4x4xi32> {
  %w = arith.constant dense<[[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3, 6], [1, 2, 3, 7]]> : tensor<4x4xi8>
  %zero = arith.constant 0 : i32
  %zero8 = arith.constant 0 : i8
  %e = tensor.empty() : tensor<4x4xi32>
  %e8 = tensor.empty() : tensor<4x4xi8>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<4x4xi32>) -> tensor<4x4xi32>
  %n = linalg.generic {indexing_maps = [#two, #two], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<4x4xi8>) outs(%e8 : tensor<4x4xi8>) {
  ^bb0(%in: i8, %out: i8):
    %1 = arith.subi %zero8, %in : i8
    linalg.yield %1 : i8
  } -> tensor<4x4xi8>
  %h = linalg.generic {indexing_maps = [#two, #two], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x4xi8>) outs(%e8 : tensor<4x4xi8>) {
  ^bb0(%in: i8, %out: i8):
    %1 = math.ctpop %in : i8
    linalg.yield %1 : i8
  } -> tensor<4x4xi8>
  %0 = linalg.generic {indexing_maps = [#a, #w, #c],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%h, %n : tensor<4x4xi8>, tensor<4x4xi8>) outs(%f : tensor<4x4xi32>) {
  ^bb0(%in: i8, %v: i8, %out: i32):
    %1 = arith.extsi %in : i8 to i32
    %2 = arith.extsi %v : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %out, %3 : i32
    linalg.yield %4 : i32
  } -> tensor<4x4xi32>
  return %0 : tensor<4x4xi32>
}
