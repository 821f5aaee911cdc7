// RUN: asic-opt %s --asic-convert-to-host | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// Single round: one addition of half in 64 bits, then saturation.
// CHECK-LABEL: func.func @rescale_sr
// CHECK-NOT: asic.rescale
// CHECK: arith.extsi %{{.*}} : i32 to i64
// CHECK: arith.muli %{{.*}} : i64
// CHECK: arith.shrsi %{{.*}} : i64
// CHECK: arith.maxsi
// CHECK: arith.minsi
// CHECK: arith.trunci %{{.*}} : i64 to i32
func.func @rescale_sr(%x: i32, %m: i32, %s: i8) -> i32 {
  %0 = asic.rescale %x, %m, %s rounding <sr> : i32
  return %0 : i32
}

// Double round looks at the sign and at the shift.
// CHECK-LABEL: func.func @rescale_dr
// CHECK: arith.cmpi sge
// CHECK: arith.select
// CHECK: arith.cmpi sgt
// CHECK: arith.select
func.func @rescale_dr(%x: i32, %m: i32, %s: i8) -> i32 {
  %0 = asic.rescale %x, %m, %s rounding <dr> : i32
  return %0 : i32
}

// The scale is multiplier / 2^shift, exact in f64 and rounded once to f32.
// CHECK-LABEL: func.func @rescale_f32
// CHECK: %[[POWER:.*]] = arith.bitcast %{{.*}} : i64 to f64
// CHECK: %[[EXACT:.*]] = arith.mulf %{{.*}}, %[[POWER]] : f64
// CHECK: arith.truncf %[[EXACT]] : f64 to f32
// CHECK: math.roundeven
func.func @rescale_f32(%x: i32, %m: i32, %s: i8) -> i32 {
  %0 = asic.rescale %x, %m, %s rounding <f32> : i32
  return %0 : i32
}

// A matrix product: one rounding per step, and the loop over columns, which is
// contiguous in the weights and the result, goes inside.
// CHECK-LABEL: func.func @matmul
// CHECK: iterator_types = ["parallel", "reduction", "parallel"]
// CHECK: math.fma
func.func @matmul(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>)
      outs(%c : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// A row sum has nothing contiguous to put inside: the order stays.
// CHECK-LABEL: func.func @row_sum
// CHECK: iterator_types = ["parallel", "reduction"]
func.func @row_sum(%a: tensor<4x8xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%a : tensor<4x8xf32>) outs(%c : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %1 = arith.addf %out, %in : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @concat
// CHECK-NOT: tensor.concat
// CHECK-COUNT-2: tensor.insert_slice
func.func @concat(%a: tensor<2x4xf32>, %b: tensor<3x4xf32>) -> tensor<5x4xf32> {
  %0 = tensor.concat dim(0) %a, %b : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}

// A place that a tensor's value names may not exist; one of a loop does.
// CHECK-LABEL: func.func @look_up
// CHECK: %[[INDEX:.*]] = arith.index_cast
// CHECK: %[[INSIDE:.*]] = arith.cmpi ult, %[[INDEX]], %c10
// CHECK-NEXT: cf.assert %[[INSIDE]], "expected indices of 0 to 9, got one outside"
// CHECK-NOT: cf.assert
// CHECK: tensor.extract
func.func @look_up(%table: tensor<10x4xf32>, %rows: tensor<4xi64>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%rows : tensor<4xi64>) outs(%init : tensor<4xf32>) {
  ^bb0(%row: i64, %out: f32):
    %1 = arith.index_cast %row : i64 to index
    %2 = linalg.index 0 : index
    %3 = tensor.extract %table[%1, %2] : tensor<10x4xf32>
    linalg.yield %3 : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @update
// CHECK: cf.assert %{{.*}}, "aten.scatter at model.py:3: expected indices of 0 to 9, got one outside"
// CHECK: tensor.insert
func.func @update(%table: tensor<10xf32>, %row: i64, %value: f32) -> tensor<10xf32> {
  %0 = arith.index_cast %row : i64 to index
  %1 = tensor.insert %value into %table[%0] : tensor<10xf32> loc(fused<"aten.scatter">["model.py":3:0])
  return %1 : tensor<10xf32>
}

// The slice at its place, or at place 0 what is there.
// CHECK-LABEL: func.func @update_slice
// CHECK: %[[I:.*]] = arith.index_cast %{{.*}} : i32 to index
// CHECK: %[[INSIDE:.*]] = arith.cmpi ult, %[[I]], %c7
// CHECK: %[[AT:.*]] = arith.select %[[INSIDE]], %[[I]], %c0
// CHECK: %[[OLD:.*]] = tensor.extract_slice %{{.*}}[0, %[[AT]]] [3, 2] [1, 1]
// CHECK: %[[NEW:.*]] = linalg.generic {{.*}}outs(%[[OLD]] : tensor<3x2xf32>)
// CHECK: arith.select %[[INSIDE]]
// CHECK: tensor.insert_slice %[[NEW]] into %{{.*}}[0, %[[AT]]] [3, 2] [1, 1]
func.func @update_slice(%slice: tensor<3x2xf32>, %x: tensor<3x8xf32>, %i: tensor<i32>) -> tensor<3x8xf32> {
  %0 = asic.update_slice %slice into %x[%i] dim 1 : tensor<3x2xf32> into tensor<3x8xf32>
  return %0 : tensor<3x8xf32>
}

// A loop over rows that have a place each.
// CHECK-LABEL: func.func @update_rows
// CHECK-SAME: %[[ROWS:[^:]*]]: tensor<3x9xf32>, %[[X:[^:]*]]: tensor<3x8xf32>, %[[INDEX:[^:]*]]: tensor<9xi32>
// CHECK: scf.for %[[ROW:.*]] = %c0{{.*}} to %c9{{.*}} iter_args(%[[STATE:.*]] = %[[X]])
// CHECK: tensor.extract %[[INDEX]][%[[ROW]]]
// CHECK: tensor.extract_slice %[[ROWS]][0, %[[ROW]]] [3, 1] [1, 1]
// CHECK: arith.cmpi ult, %{{.*}}, %c8
// CHECK: %[[NEW:.*]] = tensor.insert_slice %{{.*}} into %[[STATE]]
// CHECK: scf.yield %[[NEW]]
// CHECK-NOT: asic.update_slice
func.func @update_rows(%rows: tensor<3x9xf32>, %x: tensor<3x8xf32>, %i: tensor<9xi32>) -> tensor<3x8xf32> {
  %0 = asic.update_slice %rows into %x[%i] dim 1 : tensor<3x9xf32> into tensor<3x8xf32>, tensor<9xi32>
  return %0 : tensor<3x8xf32>
}

// A constant place may not exist either.
// CHECK-LABEL: func.func @constant_places
// CHECK: %[[NEVER:.*]] = arith.cmpi ult, %c10{{.*}}, %c10
// CHECK: cf.assert %[[NEVER]], "expected indices of 0 to 9, got one outside"
// CHECK: tensor.extract
// CHECK-NOT: cf.assert
// CHECK: tensor.extract
func.func @constant_places(%table: tensor<10xf32>) -> (f32, f32) {
  %ten = arith.constant 10 : index
  %nine = arith.constant 9 : index
  %0 = tensor.extract %table[%ten] : tensor<10xf32>
  %1 = tensor.extract %table[%nine] : tensor<10xf32>
  return %0, %1 : f32, f32
}
