// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-tile --asic-verify-tile | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-tile --asic-bufferize --asic-verify-bufferize | FileCheck %s --check-prefix=BUFFER
// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-tile --asic-bufferize --asic-lower-to-asic --asic-verify-asic | FileCheck %s --check-prefix=ASIC

#row = affine_map<(m, n, k) -> (m, k)>
#col = affine_map<(m, n, k) -> (k, n)>
#acc = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>

// Two tiles of columns and two parts of K: parts are summed in order, the
// columns of the weights become constants of their own.
// CHECK-LABEL: func.func @parts_of_k
// CHECK-DAG: %[[W00:.*]] = arith.constant dense<{{\[}}[1, 2], [5, 6]]> : tensor<2x2xi8>
// CHECK: %[[Y:.*]] = tensor.empty() {asic.space = #asic.space<dram>} : tensor<3x4xi8>
// CHECK: %[[A0:.*]] = tensor.extract_slice %arg0[0, 0] [3, 2] [1, 1] {asic.load}
// CHECK: tensor.extract_slice %[[W00]][0, 0] [2, 2] [1, 1] {asic.load}
// CHECK: %[[S0:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<3x2xi32>)
// CHECK: %[[A1:.*]] = tensor.extract_slice %arg0[0, 2] [3, 2] [1, 1] {asic.load}
// CHECK: linalg.generic {{.*}} ins(%[[A1]], {{.*}} outs(%[[S0]] : tensor<3x2xi32>)
// CHECK: tensor.insert_slice {{.*}} into %[[Y]][0, 0] [3, 2] [1, 1]
// CHECK: tensor.insert_slice {{.*}}[0, 2] [3, 2] [1, 1]

// Sums lie in acc, and the second part goes on in the same place.
// BUFFER-LABEL: func.func @parts_of_k
// BUFFER: memref.copy {{.*}} #asic.space<dram>> to memref<3x2xi8, #asic.space<sram>>
// BUFFER: %[[SUM:.*]] = memref.alloc() : memref<3x2xi32, #asic.space<acc>>
// BUFFER: linalg.fill {{.*}} outs(%[[SUM]]
// BUFFER: linalg.generic {{.*}} outs(%[[SUM]]
// BUFFER: linalg.generic {{.*}} outs(%[[SUM]]
// BUFFER-NOT: tensor<

// The fill becomes the start of the sum.
// ASIC-LABEL: func.func @parts_of_k
// ASIC-NOT: asic.fill
// ASIC: asic.contract ins({{.*}}) outs(%[[SUM:.*]] : memref<3x2xi32, #asic.space<acc>>) {asic.group
// ASIC: asic.contract ins({{.*}}) outs(%[[SUM]] : memref<3x2xi32, #asic.space<acc>>) {accumulate
// ASIC: asic.map ins(%[[SUM]] : {{.*}}) outs(%[[T:.*]] : memref<3x2xi8, #asic.space<sram>>)
// ASIC: asic.copy %[[T]], {{.*}} to memref<3x2xi8, strided<[4, 1]>, #asic.space<dram>>
func.func @parts_of_k(%x: tensor<3x4xi8>) -> tensor<3x4xi8> attributes {asic.region = "accelerator"} {
  %w = arith.constant dense<[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]> : tensor<4x4xi8>
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<3x4xi32>
  %init = linalg.fill ins(%zero : i32) outs(%e : tensor<3x4xi32>) -> tensor<3x4xi32>
  %sum = linalg.generic {indexing_maps = [#row, #col, #acc], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<3x4xi8>, tensor<4x4xi8>) outs(%init : tensor<3x4xi32>) attrs = {asic.group = 0 : i64} {
  ^bb0(%a: i8, %b: i8, %o: i32):
    %ae = arith.extsi %a : i8 to i32
    %be = arith.extsi %b : i8 to i32
    %m = arith.muli %ae, %be : i32
    %s = arith.addi %o, %m : i32
    linalg.yield %s : i32
  } -> tensor<3x4xi32>
  %e8 = tensor.empty() : tensor<3x4xi8>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%sum : tensor<3x4xi32>) outs(%e8 : tensor<3x4xi8>)
    attrs = {asic.group = 0 : i64, asic.plan = #asic.plan<group = 0, tile = [3, 2], reduce = [2], order = [0, 1], space = dram, cycles = 0, bytes = 0>} {
  ^bb0(%a: i32, %o: i8):
    %t = arith.trunci %a : i32 to i8
    linalg.yield %t : i8
  } -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}
