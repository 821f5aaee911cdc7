// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-partition --asic-verify-partition | FileCheck %s
// RUN: asic-opt %s --asic-partition=host-only | FileCheck %s --check-prefix=HOST

#id = affine_map<(d0, d1) -> (d0, d1)>
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#w = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// A contraction, an op that no lane can do, a contraction: three regions, the reason
// on the op, the user's names at the border. The negation between the host's
// op and the second contraction could go to either side and splits nothing. State
// stays marked where it comes in and goes out.
// CHECK: func.func private @accelerator_0(%{{.*}}: tensor<4x4xi8> {asic.name = "x", asic.state = "cell.h"})
// CHECK-SAME: attributes {asic.region = "accelerator"}
// CHECK: func.func private @host_0
// CHECK-SAME: attributes {asic.region = "host"}
// CHECK: asic.refusal = "expected a lane operation, got 'math.ctpop'
// CHECK: math.ctpop
// CHECK: func.func private @accelerator_1(%{{[^,]*}}) -> (tensor<4x4xi32> {asic.name = "y", asic.state = "cell.h"})
// CHECK: linalg.fill
// CHECK: func.func @main
// CHECK-NEXT: %[[A:.*]] = call @accelerator_0
// CHECK-NEXT: %[[B:.*]] = call @host_0(%[[A]])
// CHECK-NEXT: %[[C:.*]] = call @accelerator_1(%[[B]])
// CHECK-NEXT: return %[[C]]

// HOST-NOT: accelerator
// HOST: func.func private @host_0
// HOST-COUNT-4: linalg.generic
// HOST: func.func @main
// HOST-NEXT: call @host_0
// HOST-NEXT: return
func.func @main(%x: tensor<4x4xi8> {asic.name = "x", asic.state = "cell.h"}) -> (tensor<4x4xi32> {asic.name = "y", asic.state = "cell.h"}) {
  %w = arith.constant dense<2> : tensor<4x4xi8>
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<4x4xi32>
  %e8 = tensor.empty() : tensor<4x4xi8>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<4x4xi32>) -> tensor<4x4xi32>
  %0 = linalg.generic {indexing_maps = [#a, #w, #c],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x4xi8>, tensor<4x4xi8>) outs(%f : tensor<4x4xi32>) {
  ^bb0(%in: i8, %v: i8, %out: i32):
    %1 = arith.extsi %in : i8 to i32
    %2 = arith.extsi %v : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %out, %3 : i32
    linalg.yield %4 : i32
  } -> tensor<4x4xi32>
  %5 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x4xi32>) outs(%e : tensor<4x4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %1 = math.ctpop %in : i32
    linalg.yield %1 : i32
  } -> tensor<4x4xi32>
  %6 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%5 : tensor<4x4xi32>) outs(%e8 : tensor<4x4xi8>) {
  ^bb0(%in: i32, %out: i8):
    %1 = arith.subi %zero, %in : i32
    %2 = arith.trunci %1 : i32 to i8
    linalg.yield %2 : i8
  } -> tensor<4x4xi8>
  %7 = linalg.generic {indexing_maps = [#a, #w, #c],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%6, %w : tensor<4x4xi8>, tensor<4x4xi8>) outs(%f : tensor<4x4xi32>) {
  ^bb0(%in: i8, %v: i8, %out: i32):
    %1 = arith.extsi %in : i8 to i32
    %2 = arith.extsi %v : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %out, %3 : i32
    linalg.yield %4 : i32
  } -> tensor<4x4xi32>
  return %7 : tensor<4x4xi32>
}
