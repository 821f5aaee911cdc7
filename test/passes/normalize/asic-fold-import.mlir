// RUN: asic-opt %s --asic-fold-import | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
#row = affine_map<(d0, d1) -> (d0, 0)>

// A scalar operand becomes a constant of the body, f64 is folded away.
// CHECK-LABEL: func.func @scalar
// CHECK-DAG: %[[SIX:.*]] = arith.constant 6.000000e+00 : f32
// CHECK-DAG: %[[EPS:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4x8xf32>)
// CHECK: arith.minimumf %{{.*}}, %[[SIX]]
// CHECK: arith.addf %{{.*}}, %[[EPS]]
func.func @scalar(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %six = arith.constant dense<6.0> : tensor<f32>
  %eps = arith.constant 0.5 : f64
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %six : tensor<4x8xf32>, tensor<f32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.minimumf %a, %b : f32
    %1 = arith.truncf %eps : f64 to f32
    %2 = arith.addf %0, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// Assertions go; a broadcast unit dimension and a kept reduced one are reshapes.
// CHECK-LABEL: func.func @units
// CHECK-NOT: cf.assert
// CHECK: tensor.collapse_shape %arg1 {{.*}} : tensor<4x1xf32> into tensor<4xf32>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4xf32>)
// CHECK: tensor.expand_shape {{.*}} : tensor<4xf32> into tensor<4x1xf32>
func.func @units(%x: tensor<4x8xf32>, %s: tensor<4x1xf32>, %ok: i1) -> tensor<4x1xf32> {
  cf.assert %ok, "size mismatch"
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x1xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x1xf32>) -> tensor<4x1xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x, %s : tensor<4x8xf32>, tensor<4x1xf32>) outs(%f : tensor<4x1xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.subf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x1xf32>
  return %y : tensor<4x1xf32>
}

// A generic that yields a constant is a fill.
// CHECK-LABEL: func.func @constant
// CHECK: linalg.fill
// CHECK-NOT: linalg.generic
func.func @constant() -> tensor<4x8xf32> {
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%e : tensor<4x8xf32>) {
  ^bb0(%out: f32):
    linalg.yield %one : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// What only a library has becomes functions that every machine has.
// CHECK-LABEL: func.func @library
// CHECK-NOT: math.log1p
// CHECK-NOT: math.expm1
// CHECK: math.log
// CHECK: math.exp
func.func @library(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.log1p %a : f32
    %1 = math.expm1 %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// A bias of 16-bit floats is widened now, and broadcast then.
// CHECK-LABEL: func.func @widened_bias
// CHECK: %[[BIAS:.*]] = arith.constant dense<[5.000000e-01, -2.000000e+00]> : tensor<2xf32>
// CHECK: linalg.generic {{.*}} ins(%[[BIAS]] : tensor<2xf32>)
// CHECK-NOT: arith.extf
// CHECK: return
func.func @widened_bias() -> tensor<3x2xf32> {
  %bias = arith.constant dense<[0.5, -2.0]> : tensor<2xbf16>
  %e = tensor.empty() : tensor<3x2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%bias : tensor<2xbf16>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %0 = arith.extf %a : bf16 to f32
    linalg.yield %0 : f32
  } -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// The heads of an attention are no one batch.
// CHECK-LABEL: func.func @flattened_batch
// CHECK-SAME: %[[A:.*]]: tensor<2x4x8x16xf32>, %[[B:.*]]: tensor<2x4x16x5xf32>
// CHECK-NOT: collapse_shape
// CHECK: linalg.generic {{.*}}"parallel", "parallel", "parallel", "parallel", "reduction"
// CHECK-SAME: ins(%[[A]], %[[B]] : {{.*}}) outs({{.*}} : tensor<2x4x8x5xf32>)
// CHECK-NOT: expand_shape
// CHECK: return
func.func @flattened_batch(%a: tensor<2x4x8x16xf32>, %b: tensor<2x4x16x5xf32>) -> tensor<2x4x8x5xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.collapse_shape %a [[0, 1], [2], [3]] : tensor<2x4x8x16xf32> into tensor<8x8x16xf32>
  %1 = tensor.collapse_shape %b [[0, 1], [2], [3]] : tensor<2x4x16x5xf32> into tensor<8x16x5xf32>
  %2 = tensor.empty() : tensor<8x8x5xf32>
  %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  %4 = linalg.batch_matmul ins(%0, %1 : tensor<8x8x16xf32>, tensor<8x16x5xf32>) outs(%3 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  %5 = tensor.expand_shape %4 [[0, 1], [2], [3]] output_shape [2, 4, 8, 5] : tensor<8x8x5xf32> into tensor<2x4x8x5xf32>
  return %5 : tensor<2x4x8x5xf32>
}

// Batches of other factors stay flat.
// CHECK-LABEL: func.func @batches_of_two_kinds
// CHECK: linalg.batch_matmul
func.func @batches_of_two_kinds(%a: tensor<2x4x8x16xf32>, %b: tensor<4x2x16x5xf32>) -> tensor<8x8x5xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.collapse_shape %a [[0, 1], [2], [3]] : tensor<2x4x8x16xf32> into tensor<8x8x16xf32>
  %1 = tensor.collapse_shape %b [[0, 1], [2], [3]] : tensor<4x2x16x5xf32> into tensor<8x16x5xf32>
  %2 = tensor.empty() : tensor<8x8x5xf32>
  %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  %4 = linalg.batch_matmul ins(%0, %1 : tensor<8x8x16xf32>, tensor<8x16x5xf32>) outs(%3 : tensor<8x8x5xf32>) -> tensor<8x8x5xf32>
  return %4 : tensor<8x8x5xf32>
}

// A selection by position from an argument writes one row; a position outside
// becomes -1.
// CHECK-LABEL: func.func @select_row
// CHECK-SAME: %[[CACHE:.*]]: tensor<2x6x4xf32>, %[[ROW:.*]]: tensor<2x4xf32>
// CHECK: %[[INDEX:.*]] = linalg.generic
// CHECK: arith.cmpi ult, %{{.*}}, %c6_i64
// CHECK: arith.select %{{.*}}, %{{.*}}, %c-1_i32
// CHECK: %[[SLICE:.*]] = tensor.expand_shape %[[ROW]]
// CHECK: %[[NEW:.*]] = asic.update_slice %[[SLICE]] into %[[CACHE]][%[[INDEX]]] dim 1 : tensor<2x1x4xf32> into tensor<2x6x4xf32>
// CHECK: return %[[NEW]]
func.func @select_row(%cache: tensor<2x6x4xf32>, %row: tensor<2x4xf32>, %position: tensor<i64>) -> tensor<2x6x4xf32> {
  %places = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi64>
  %0 = tensor.empty() : tensor<6xi1>
  %mask = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
    ins(%places, %position : tensor<6xi64>, tensor<i64>) outs(%0 : tensor<6xi1>) {
  ^bb0(%a: i64, %b: i64, %o: i1):
    %c = arith.cmpi eq, %a, %b : i64
    linalg.yield %c : i1
  } -> tensor<6xi1>
  %1 = tensor.empty() : tensor<2x6x4xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1)>, affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%mask, %row, %cache : tensor<6xi1>, tensor<2x4xf32>, tensor<2x6x4xf32>) outs(%1 : tensor<2x6x4xf32>) {
  ^bb0(%m: i1, %n: f32, %old: f32, %o: f32):
    %c = arith.select %m, %n, %old : f32
    linalg.yield %c : f32
  } -> tensor<2x6x4xf32>
  return %2 : tensor<2x6x4xf32>
}

// Not where places repeat, the other side is selected, or what is selected from is computed.
// CHECK-LABEL: func.func @other_selections
// CHECK-NOT: asic.update_slice
// CHECK: return
func.func @other_selections(%x: tensor<4x3xf32>, %row: tensor<3xf32>, %position: tensor<i64>) -> (tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) {
  %twice = arith.constant dense<[0, 1, 1, 3]> : tensor<4xi64>
  %places = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %0 = tensor.empty() : tensor<4xi1>
  %1 = tensor.empty() : tensor<4x3xf32>
  %both = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
    ins(%twice, %position : tensor<4xi64>, tensor<i64>) outs(%0 : tensor<4xi1>) {
  ^bb0(%a: i64, %b: i64, %o: i1):
    %c = arith.cmpi eq, %a, %b : i64
    linalg.yield %c : i1
  } -> tensor<4xi1>
  %one = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
    ins(%places, %position : tensor<4xi64>, tensor<i64>) outs(%0 : tensor<4xi1>) {
  ^bb0(%a: i64, %b: i64, %o: i1):
    %c = arith.cmpi eq, %a, %b : i64
    linalg.yield %c : i1
  } -> tensor<4xi1>
  %computed = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<4x3xf32>) outs(%1 : tensor<4x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %c = arith.negf %a : f32
    linalg.yield %c : f32
  } -> tensor<4x3xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1)>, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%both, %row, %x : tensor<4xi1>, tensor<3xf32>, tensor<4x3xf32>) outs(%1 : tensor<4x3xf32>) {
  ^bb0(%m: i1, %n: f32, %old: f32, %o: f32):
    %c = arith.select %m, %n, %old : f32
    linalg.yield %c : f32
  } -> tensor<4x3xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1)>, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%one, %row, %x : tensor<4xi1>, tensor<3xf32>, tensor<4x3xf32>) outs(%1 : tensor<4x3xf32>) {
  ^bb0(%m: i1, %n: f32, %old: f32, %o: f32):
    %c = arith.select %m, %old, %n : f32
    linalg.yield %c : f32
  } -> tensor<4x3xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1)>, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%one, %row, %computed : tensor<4xi1>, tensor<3xf32>, tensor<4x3xf32>) outs(%1 : tensor<4x3xf32>) {
  ^bb0(%m: i1, %n: f32, %old: f32, %o: f32):
    %c = arith.select %m, %n, %old : f32
    linalg.yield %c : f32
  } -> tensor<4x3xf32>
  return %2, %3, %4 : tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>
}

// A constant place is an insertion, one outside nothing.
// CHECK-LABEL: func.func @constant_place
// CHECK-SAME: %[[X:.*]]: tensor<4x3xf32>
// CHECK: %[[IN:.*]] = tensor.insert_slice %{{.*}} into %[[X]][2, 0] [2, 3] [1, 1]
// CHECK: return %[[IN]], %[[X]]
func.func @constant_place(%x: tensor<4x3xf32>, %rows: tensor<2x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  %last = arith.constant dense<2> : tensor<i32>
  %behind = arith.constant dense<3> : tensor<i32>
  %0 = asic.update_slice %rows into %x[%last] dim 0 : tensor<2x3xf32> into tensor<4x3xf32>
  %1 = asic.update_slice %rows into %x[%behind] dim 0 : tensor<2x3xf32> into tensor<4x3xf32>
  return %0, %1 : tensor<4x3xf32>, tensor<4x3xf32>
}
