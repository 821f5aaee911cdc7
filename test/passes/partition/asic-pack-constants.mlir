// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-pack-constants | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-pack-constants | FileCheck %s --check-prefix=BYTES

// A target whose copies widen nothing keeps bytes.
// BYTES-NOT: asic.packed

#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (n)>

// Codes of four bits, signed where there are negative ones.
// CHECK-LABEL: func.func @codes
// CHECK-DAG: arith.constant {asic.packed = i4} dense_resource<signed> : tensor<4x32xi8>
// CHECK-DAG: arith.constant {asic.packed = ui4} dense_resource<unsigned> : tensor<4x32xi8>
// CHECK-DAG: arith.constant {asic.packed = i4} dense<-8> : tensor<128xi8>
// One element of the whole constant is 8, one of the other -9.
// CHECK-DAG: arith.constant dense_resource<high> : tensor<4x32xi8>
// CHECK-DAG: arith.constant dense_resource<low> : tensor<4x32xi8>
// Words are not codes, and 100 codes are less than two bursts.
// CHECK-DAG: arith.constant dense<1> : tensor<128xi32>
// CHECK-DAG: arith.constant dense<1> : tensor<100xi8>
func.func @codes(%x: tensor<4x32xi32>, %y: tensor<1x128xi32>, %z: tensor<1x100xi32>) -> (tensor<4x32xi32>, tensor<1x128xi32>, tensor<1x100xi32>) attributes {asic.region = "accelerator"} {
  %signed = arith.constant dense_resource<signed> : tensor<4x32xi8>
  %unsigned = arith.constant dense_resource<unsigned> : tensor<4x32xi8>
  %high = arith.constant dense_resource<high> : tensor<4x32xi8>
  %low = arith.constant dense_resource<low> : tensor<4x32xi8>
  %splat = arith.constant dense<-8> : tensor<128xi8>
  %words = arith.constant dense<1> : tensor<128xi32>
  %few = arith.constant dense<1> : tensor<100xi8>
  %r = linalg.generic {indexing_maps = [#id, #id, #id, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%signed, %unsigned, %high, %low : tensor<4x32xi8>, tensor<4x32xi8>, tensor<4x32xi8>, tensor<4x32xi8>) outs(%x : tensor<4x32xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i8, %d: i8, %o: i32):
    %e = arith.addi %a, %b : i8
    %f = arith.addi %c, %d : i8
    %g = arith.addi %e, %f : i8
    %h = arith.extsi %g : i8 to i32
    linalg.yield %h : i32
  } -> tensor<4x32xi32>
  %s = linalg.generic {indexing_maps = [#row, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%splat, %words : tensor<128xi8>, tensor<128xi32>) outs(%y : tensor<1x128xi32>) {
  ^bb0(%a: i8, %b: i32, %o: i32):
    %c = arith.extsi %a : i8 to i32
    %d = arith.addi %b, %c : i32
    linalg.yield %d : i32
  } -> tensor<1x128xi32>
  %t = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%few : tensor<100xi8>) outs(%z : tensor<1x100xi32>) {
  ^bb0(%a: i8, %o: i32):
    %c = arith.extsi %a : i8 to i32
    linalg.yield %c : i32
  } -> tensor<1x100xi32>
  return %r, %s, %t : tensor<4x32xi32>, tensor<1x128xi32>, tensor<1x100xi32>
}

// What something else reads than tiles of a generic stays as it is: a result, a
// padding, an initial value, one that is broadcast.
// CHECK-LABEL: func.func @other_readers
// CHECK-NOT: asic.packed
func.func @other_readers(%x: tensor<128xi8>, %y: tensor<2x128xi8>) -> (tensor<128xi8>, tensor<130xi8>, tensor<128xi8>, tensor<2x128xi8>) attributes {asic.region = "accelerator"} {
  %zero = arith.constant 0 : i8
  %result = arith.constant dense<1> : tensor<128xi8>
  %source = arith.constant dense<2> : tensor<128xi8>
  %init = arith.constant dense<3> : tensor<128xi8>
  %pad = tensor.pad %source low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %zero : i8
  } : tensor<128xi8> to tensor<130xi8>
  %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    ins(%x : tensor<128xi8>) outs(%init : tensor<128xi8>) {
  ^bb0(%a: i8, %o: i8):
    %s = arith.addi %a, %o : i8
    linalg.yield %s : i8
  } -> tensor<128xi8>
  %start = arith.constant dense<4> : tensor<128xi8>
  %broadcast = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%start : tensor<128xi8>) outs(%y : tensor<2x128xi8>) {
  ^bb0(%a: i8, %o: i8):
    linalg.yield %a : i8
  } -> tensor<2x128xi8>
  return %result, %pad, %sum, %broadcast : tensor<128xi8>, tensor<130xi8>, tensor<128xi8>, tensor<2x128xi8>
}

// The host reads bytes.
// CHECK-LABEL: func.func @host
// CHECK-NOT: asic.packed
func.func @host(%y: tensor<1x128xi32>) -> tensor<1x128xi32> attributes {asic.region = "host"} {
  %codes = arith.constant dense<-8> : tensor<128xi8>
  %s = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%codes : tensor<128xi8>) outs(%y : tensor<1x128xi32>) {
  ^bb0(%a: i8, %o: i32):
    %c = arith.extsi %a : i8 to i32
    linalg.yield %c : i32
  } -> tensor<1x128xi32>
  return %s : tensor<1x128xi32>
}

// Weights that nobody has given yet have no values to look at.
// CHECK-LABEL: func.func @without_data
// CHECK-NOT: asic.packed
func.func @without_data(%a: tensor<1x64xi8>, %o: tensor<1x64xi32>) -> tensor<1x64xi32> attributes {asic.region = "accelerator"} {
  %w = arith.constant dense_resource<absent> : tensor<64x64xi8>
  %r = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%a, %w : tensor<1x64xi8>, tensor<64x64xi8>) outs(%o : tensor<1x64xi32>) {
  ^bb0(%x: i8, %y: i8, %z: i32):
    %i = arith.extsi %x : i8 to i32
    %j = arith.extsi %y : i8 to i32
    %p = arith.muli %i, %j : i32
    %s = arith.addi %z, %p : i32
    linalg.yield %s : i32
  } -> tensor<1x64xi32>
  return %r : tensor<1x64xi32>
}

{-#
  dialect_resources: {
    builtin: {
      signed: "0x01000000F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03",
      unsigned: "0x01000000000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F",
      high: "0x01000000F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE08",
      low: "0x01000000F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F7FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03F8FD0207FC0106FB0005FAFF04F9FE03"
    }
  }
#-}
