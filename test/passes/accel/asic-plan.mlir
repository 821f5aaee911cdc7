// RUN: asic-opt %s --split-input-file --asic-attach-target=target=npu-256 --asic-plan --asic-verify-plan | FileCheck %s

#row = affine_map<(m, n, k) -> (m, k)>
#col = affine_map<(m, n, k) -> (k, n)>
#acc = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>

// A product and what alone reads it are one group; the plan stands on the last
// operation and the whole result fits one tile.
// CHECK-LABEL: func.func @epilogue
// CHECK: linalg.generic {{.*}} attrs = {asic.group = 0 : i64}
// CHECK: linalg.generic {{.*}} attrs = {asic.group = 0 : i64, asic.plan = #asic.plan<group = 0, tile = [32, 16], reduce = [], order = [0, 1], space = dram
func.func @epilogue(%x: tensor<32x64xi8>, %w: tensor<64x16xi8>) -> tensor<32x16xi8> attributes {asic.region = "accelerator"} {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<32x16xi32>
  %init = linalg.fill ins(%zero : i32) outs(%e : tensor<32x16xi32>) -> tensor<32x16xi32>
  %sum = linalg.generic {indexing_maps = [#row, #col, #acc], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<32x64xi8>, tensor<64x16xi8>) outs(%init : tensor<32x16xi32>) {
  ^bb0(%a: i8, %b: i8, %o: i32):
    %ae = arith.extsi %a : i8 to i32
    %be = arith.extsi %b : i8 to i32
    %m = arith.muli %ae, %be : i32
    %s = arith.addi %o, %m : i32
    linalg.yield %s : i32
  } -> tensor<32x16xi32>
  %e8 = tensor.empty() : tensor<32x16xi8>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%sum : tensor<32x16xi32>) outs(%e8 : tensor<32x16xi8>) {
  ^bb0(%a: i32, %o: i8):
    %t = arith.trunci %a : i32 to i8
    linalg.yield %t : i8
  } -> tensor<32x16xi8>
  return %y : tensor<32x16xi8>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#sum = affine_map<(i, j) -> (i)>

// A maximum along rows joins its user when rows are not cut; so does what both
// of them read.
// CHECK-LABEL: func.func @rows
// CHECK: linalg.generic {{.*}} attrs = {asic.group = 0 : i64}
// CHECK: linalg.generic {{.*}} attrs = {asic.group = 0 : i64}
// CHECK: linalg.generic {{.*}} attrs = {asic.group = 0 : i64, asic.plan = #asic.plan<group = 0, tile = [{{[0-9]+}}, 64]
func.func @rows(%x: tensor<1024x64xi32>) -> tensor<1024x64xi32> attributes {asic.region = "accelerator"} {
  %low = arith.constant -2147483648 : i32
  %e = tensor.empty() : tensor<1024x64xi32>
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<1024x64xi32>) outs(%e : tensor<1024x64xi32>) {
  ^bb0(%a: i32, %o: i32):
    %s = arith.addi %a, %a : i32
    linalg.yield %s : i32
  } -> tensor<1024x64xi32>
  %er = tensor.empty() : tensor<1024xi32>
  %init = linalg.fill ins(%low : i32) outs(%er : tensor<1024xi32>) -> tensor<1024xi32>
  %max = linalg.generic {indexing_maps = [#id, #sum], iterator_types = ["parallel", "reduction"]}
    ins(%d : tensor<1024x64xi32>) outs(%init : tensor<1024xi32>) {
  ^bb0(%a: i32, %o: i32):
    %s = arith.maxsi %o, %a : i32
    linalg.yield %s : i32
  } -> tensor<1024xi32>
  %y = linalg.generic {indexing_maps = [#id, #sum, #id], iterator_types = ["parallel", "parallel"]}
    ins(%d, %max : tensor<1024x64xi32>, tensor<1024xi32>) outs(%e : tensor<1024x64xi32>) {
  ^bb0(%a: i32, %b: i32, %o: i32):
    %s = arith.subi %a, %b : i32
    linalg.yield %s : i32
  } -> tensor<1024x64xi32>
  return %y : tensor<1024x64xi32>
}

// -----

#row = affine_map<(m, n, k) -> (m, k)>
#col = affine_map<(m, n, k) -> (k, n)>
#acc = affine_map<(m, n, k) -> (m, n)>

// Weights of four bits cost half the traffic: 64 + 64 * 16 / 2 + 4 * 16 bytes.
// CHECK-LABEL: func.func @packed
// CHECK: #asic.plan<group = 0, {{.*}}bytes = 640>
// CHECK-LABEL: func.func @bytes
// CHECK: #asic.plan<group = 0, {{.*}}bytes = 1152>
func.func @packed(%x: tensor<1x64xi8>) -> tensor<1x16xi32> attributes {asic.region = "accelerator"} {
  %w = arith.constant {asic.packed = i4} dense<-8> : tensor<64x16xi8>
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<1x16xi32>
  %init = linalg.fill ins(%zero : i32) outs(%e : tensor<1x16xi32>) -> tensor<1x16xi32>
  %sum = linalg.generic {indexing_maps = [#row, #col, #acc], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<1x64xi8>, tensor<64x16xi8>) outs(%init : tensor<1x16xi32>) {
  ^bb0(%a: i8, %b: i8, %o: i32):
    %ae = arith.extsi %a : i8 to i32
    %be = arith.extsi %b : i8 to i32
    %m = arith.muli %ae, %be : i32
    %s = arith.addi %o, %m : i32
    linalg.yield %s : i32
  } -> tensor<1x16xi32>
  return %sum : tensor<1x16xi32>
}
func.func @bytes(%x: tensor<1x64xi8>) -> tensor<1x16xi32> attributes {asic.region = "accelerator"} {
  %w = arith.constant dense<-8> : tensor<64x16xi8>
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<1x16xi32>
  %init = linalg.fill ins(%zero : i32) outs(%e : tensor<1x16xi32>) -> tensor<1x16xi32>
  %sum = linalg.generic {indexing_maps = [#row, #col, #acc], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<1x64xi8>, tensor<64x16xi8>) outs(%init : tensor<1x16xi32>) {
  ^bb0(%a: i8, %b: i8, %o: i32):
    %ae = arith.extsi %a : i8 to i32
    %be = arith.extsi %b : i8 to i32
    %m = arith.muli %ae, %be : i32
    %s = arith.addi %o, %m : i32
    linalg.yield %s : i32
  } -> tensor<1x16xi32>
  return %sum : tensor<1x16xi32>
}
