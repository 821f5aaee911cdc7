// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-convert-predicates | FileCheck %s
// RUN: asic-opt %s --asic-convert-predicates | FileCheck %s --check-prefix=HOST

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#one = affine_map<(d0) -> (d0)>

// Made and read by bodies, moved in between: bytes all the way, i1 inside of bodies.
// CHECK-LABEL: func.func @mask
// CHECK: tensor.empty() : tensor<8xi8>
// CHECK: arith.cmpi sle
// CHECK: arith.extui %{{.*}} : i1 to i8
// CHECK: tensor.expand_shape %{{.*}} : tensor<8xi8> into tensor<2x4xi8>
// CHECK: arith.cmpi ne, %{{.*}}, %{{.*}} : i8
// CHECK: arith.select
// Without a target nothing changes.
// HOST-LABEL: func.func @mask
// HOST: tensor<2x4xi1>
func.func @mask(%x: tensor<8xi32>, %y: tensor<8xi32>, %v: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<8xi1>
  %m = linalg.generic {indexing_maps = [#one, #one, #one], iterator_types = ["parallel"]}
      ins(%x, %y : tensor<8xi32>, tensor<8xi32>) outs(%e : tensor<8xi1>) {
  ^bb0(%a: i32, %b: i32, %out: i1):
    %0 = arith.cmpi sle, %a, %b : i32
    linalg.yield %0 : i1
  } -> tensor<8xi1>
  %wide = tensor.expand_shape %m [[0, 1]] output_shape [2, 4] : tensor<8xi1> into tensor<2x4xi1>
  %f = tensor.empty() : tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%wide, %v : tensor<2x4xi1>, tensor<2x4xf32>) outs(%f : tensor<2x4xf32>) {
  ^bb0(%p: i1, %a: f32, %out: f32):
    %zero = arith.constant 0.0 : f32
    %0 = arith.select %p, %a, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// The network's own predicates keep their type: converted behind and in front.
// CHECK-LABEL: func.func @border(
// CHECK-SAME: %[[P:.*]]: tensor<8xi1>) -> tensor<8xi1>
// CHECK: ins(%[[P]] : tensor<8xi1>) outs(%{{.*}} : tensor<8xi8>)
// CHECK: arith.extui
// CHECK: arith.xori
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<8xi8>) outs(%{{.*}} : tensor<8xi1>)
// CHECK: return %[[R]] : tensor<8xi1>
func.func @border(%p: tensor<8xi1>) -> tensor<8xi1> {
  %c = arith.constant dense<true> : tensor<8xi1>
  %e = tensor.empty() : tensor<8xi1>
  %r = linalg.generic {indexing_maps = [#one, #one, #one], iterator_types = ["parallel"]}
      ins(%p, %c : tensor<8xi1>, tensor<8xi1>) outs(%e : tensor<8xi1>) {
  ^bb0(%a: i1, %b: i1, %out: i1):
    %0 = arith.xori %a, %b : i1
    linalg.yield %0 : i1
  } -> tensor<8xi1>
  return %r : tensor<8xi1>
}

// Constants, fills and padding, too.
// CHECK-LABEL: func.func @others
// CHECK-DAG: arith.constant dense<[1, 0]> : tensor<2xi8>
// CHECK-DAG: linalg.fill ins(%{{.*}} : i8)
// CHECK: tensor.concat dim(0) {{.*}} -> tensor<4xi8>
// CHECK: tensor.pad
// CHECK: tensor.yield %{{.*}} : i8
func.func @others() -> tensor<6xi1> {
  %true = arith.constant true
  %c = arith.constant dense<[true, false]> : tensor<2xi1>
  %e = tensor.empty() : tensor<2xi1>
  %f = linalg.fill ins(%true : i1) outs(%e : tensor<2xi1>) -> tensor<2xi1>
  %both = tensor.concat dim(0) %c, %f : (tensor<2xi1>, tensor<2xi1>) -> tensor<4xi1>
  %r = tensor.pad %both low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %true : i1
  } : tensor<4xi1> to tensor<6xi1>
  return %r : tensor<6xi1>
}

// A resource of predicates has a byte for each already.
// CHECK-LABEL: func.func @resource
// CHECK: arith.constant dense_resource<mask> : tensor<2x4xi8>
func.func @resource(%v: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %m = arith.constant dense_resource<mask> : tensor<2x4xi1>
  %f = tensor.empty() : tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%m, %v : tensor<2x4xi1>, tensor<2x4xf32>) outs(%f : tensor<2x4xf32>) {
  ^bb0(%p: i1, %a: f32, %out: f32):
    %zero = arith.constant 0.0 : f32
    %0 = arith.select %p, %a, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// Bits are packed eight to a byte, bytes are not.
// CHECK-LABEL: func.func @mixed
// CHECK: arith.constant dense<[1, 0, 0, 1, 1, 0, 1, 0, 1]> : tensor<9xi8>
func.func @mixed() -> tensor<9xi1> {
  %c = arith.constant dense<[true, false, false, true, true, false, true, false, true]> : tensor<9xi1>
  return %c : tensor<9xi1>
}

{-#
  dialect_resources: {
    builtin: {
      mask: "0x010000000100010100000101"
    }
  }
#-}
