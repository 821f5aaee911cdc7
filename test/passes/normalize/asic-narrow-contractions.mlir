// RUN: asic-opt %s --split-input-file --asic-narrow-contractions --canonicalize | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// The sum is of i32, the factors are the int8 behind the cast and an int8 constant.
// CHECK-LABEL: func @cut
// CHECK-SAME: %[[X:.*]]: tensor<2x3xi8>
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{.*}}> : tensor<3x2xi8>
// CHECK: %[[P:.*]] = linalg.generic {{.*}}"reduction"]} ins(%[[X]], %[[W]] : tensor<2x3xi8>, tensor<3x2xi8>) outs({{.*}} : tensor<2x2xi32>)
// CHECK: arith.extsi %{{.*}} : i8 to i32
// CHECK: arith.extsi %{{.*}} : i8 to i32
// CHECK: arith.muli {{.*}} : i32
// CHECK: return %[[P]]
func.func @cut(%x: tensor<2x3xi8>) -> tensor<2x2xi32> {
  %zero = arith.constant 0 : i64
  %w = arith.constant dense<[[1, -2], [127, 4], [-128, 6]]> : tensor<3x2xi32>
  %e = tensor.empty() : tensor<2x3xi32>
  %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x3xi8>) outs(%e : tensor<2x3xi32>) {
  ^bb0(%in: i8, %out: i32):
    %v = arith.extsi %in : i8 to i32
    linalg.yield %v : i32
  } -> tensor<2x3xi32>
  %e64 = tensor.empty() : tensor<2x2xi64>
  %init = linalg.fill ins(%zero : i64) outs(%e64 : tensor<2x2xi64>) -> tensor<2x2xi64>
  %sum = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%wide, %w : tensor<2x3xi32>, tensor<3x2xi32>) outs(%init : tensor<2x2xi64>) {
  ^bb0(%p: i32, %q: i32, %acc: i64):
    %p64 = arith.extsi %p : i32 to i64
    %q64 = arith.extsi %q : i32 to i64
    %m = arith.muli %p64, %q64 : i64
    %s = arith.addi %acc, %m : i64
    linalg.yield %s : i64
  } -> tensor<2x2xi64>
  %e32 = tensor.empty() : tensor<2x2xi32>
  %cut = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%sum : tensor<2x2xi64>) outs(%e32 : tensor<2x2xi32>) {
  ^bb0(%in: i64, %out: i32):
    %v = arith.trunci %in : i64 to i32
    linalg.yield %v : i32
  } -> tensor<2x2xi32>
  return %cut : tensor<2x2xi32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// A value that int8 has not keeps both factors wide.
// CHECK-LABEL: func @wide_constant
// CHECK: "reduction"]} ins({{.*}} : tensor<2x3xi32>, tensor<3x1xi32>)
func.func @wide_constant(%x: tensor<2x3xi8>, %init: tensor<2x1xi32>) -> tensor<2x1xi32> {
  %w = arith.constant dense<[[1], [128], [-128]]> : tensor<3x1xi32>
  %e = tensor.empty() : tensor<2x3xi32>
  %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x3xi8>) outs(%e : tensor<2x3xi32>) {
  ^bb0(%in: i8, %out: i32):
    %v = arith.extsi %in : i8 to i32
    linalg.yield %v : i32
  } -> tensor<2x3xi32>
  %sum = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%wide, %w : tensor<2x3xi32>, tensor<3x1xi32>) outs(%init : tensor<2x1xi32>) {
  ^bb0(%p: i32, %q: i32, %acc: i32):
    %m = arith.muli %p, %q : i32
    %s = arith.addi %acc, %m : i32
    linalg.yield %s : i32
  } -> tensor<2x1xi32>
  return %sum : tensor<2x1xi32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#t = affine_map<(d0, d1) -> (d1, d0)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// Casts are found behind a reshape and in one that transposes.
// CHECK-LABEL: func @moved
// CHECK-SAME: %[[X:.*]]: tensor<1x2x3xi8>, %[[Y:.*]]: tensor<4x3xi8>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{.*}} into tensor<2x3xi8>
// CHECK: "reduction"]} ins(%[[FLAT]], %[[Y]] : tensor<2x3xi8>, tensor<4x3xi8>)
func.func @moved(%x: tensor<1x2x3xi8>, %y: tensor<4x3xi8>, %init: tensor<2x4xi32>) -> tensor<2x4xi32> {
  %ex = tensor.empty() : tensor<1x2x3xi32>
  %wx = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<1x2x3xi8>) outs(%ex : tensor<1x2x3xi32>) {
  ^bb0(%in: i8, %out: i32):
    %v = arith.extsi %in : i8 to i32
    linalg.yield %v : i32
  } -> tensor<1x2x3xi32>
  %flat = tensor.collapse_shape %wx [[0, 1], [2]] : tensor<1x2x3xi32> into tensor<2x3xi32>
  %ey = tensor.empty() : tensor<3x4xi32>
  %wy = linalg.generic {indexing_maps = [#t, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<4x3xi8>) outs(%ey : tensor<3x4xi32>) {
  ^bb0(%in: i8, %out: i32):
    %v = arith.extsi %in : i8 to i32
    linalg.yield %v : i32
  } -> tensor<3x4xi32>
  %sum = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%flat, %wy : tensor<2x3xi32>, tensor<3x4xi32>) outs(%init : tensor<2x4xi32>) {
  ^bb0(%p: i32, %q: i32, %acc: i32):
    %m = arith.muli %p, %q : i32
    %s = arith.addi %acc, %m : i32
    linalg.yield %s : i32
  } -> tensor<2x4xi32>
  return %sum : tensor<2x4xi32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// Somebody else reads all 64 bits.
// CHECK-LABEL: func @read_whole
// CHECK: "reduction"]} {{.*}} outs({{.*}} : tensor<2x4xi64>)
func.func @read_whole(%x: tensor<2x3xi32>, %y: tensor<3x4xi32>) -> (tensor<2x4xi64>, tensor<2x4xi32>) {
  %zero = arith.constant 0 : i64
  %e64 = tensor.empty() : tensor<2x4xi64>
  %init = linalg.fill ins(%zero : i64) outs(%e64 : tensor<2x4xi64>) -> tensor<2x4xi64>
  %sum = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<2x3xi32>, tensor<3x4xi32>) outs(%init : tensor<2x4xi64>) {
  ^bb0(%p: i32, %q: i32, %acc: i64):
    %p64 = arith.extsi %p : i32 to i64
    %q64 = arith.extsi %q : i32 to i64
    %m = arith.muli %p64, %q64 : i64
    %s = arith.addi %acc, %m : i64
    linalg.yield %s : i64
  } -> tensor<2x4xi64>
  %e32 = tensor.empty() : tensor<2x4xi32>
  %cut = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%sum : tensor<2x4xi64>) outs(%e32 : tensor<2x4xi32>) {
  ^bb0(%in: i64, %out: i32):
    %v = arith.trunci %in : i64 to i32
    linalg.yield %v : i32
  } -> tensor<2x4xi32>
  return %sum, %cut : tensor<2x4xi64>, tensor<2x4xi32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#t = affine_map<(d0, d1) -> (d1, d0)>
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d2, d1)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// Two products read what is moved after a reshape.
// CHECK-LABEL: func @two_readers
// CHECK: tensor.expand_shape {{.*}} into tensor<3x2xi8>
// CHECK-COUNT-2: "reduction"]} ins({{.*}} : tensor<2x3xi8>, tensor<3x1xi8>)
func.func @two_readers(%x: tensor<6xi8>, %init: tensor<2x1xi32>) -> (tensor<2x1xi32>, tensor<2x1xi32>) {
  %v = arith.constant dense<[[1], [2], [3]]> : tensor<3x1xi32>
  %w = arith.constant dense<1> : tensor<3x1xi32>
  %e = tensor.empty() : tensor<6xi32>
  %wide = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<6xi8>) outs(%e : tensor<6xi32>) {
  ^bb0(%in: i8, %out: i32):
    %s = arith.extsi %in : i8 to i32
    linalg.yield %s : i32
  } -> tensor<6xi32>
  %grid = tensor.expand_shape %wide [[0, 1]] output_shape [3, 2] : tensor<6xi32> into tensor<3x2xi32>
  %et = tensor.empty() : tensor<2x3xi32>
  %moved = linalg.generic {indexing_maps = [#t, #id], iterator_types = ["parallel", "parallel"]} ins(%grid : tensor<3x2xi32>) outs(%et : tensor<2x3xi32>) {
  ^bb0(%in: i32, %out: i32):
    linalg.yield %in : i32
  } -> tensor<2x3xi32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%moved, %v : tensor<2x3xi32>, tensor<3x1xi32>) outs(%init : tensor<2x1xi32>) {
  ^bb0(%l: i32, %r: i32, %acc: i32):
    %m = arith.muli %l, %r : i32
    %s = arith.addi %acc, %m : i32
    linalg.yield %s : i32
  } -> tensor<2x1xi32>
  %q = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%moved, %w : tensor<2x3xi32>, tensor<3x1xi32>) outs(%init : tensor<2x1xi32>) {
  ^bb0(%l: i32, %r: i32, %acc: i32):
    %m = arith.muli %l, %r : i32
    %s = arith.addi %acc, %m : i32
    linalg.yield %s : i32
  } -> tensor<2x1xi32>
  return %p, %q : tensor<2x1xi32>, tensor<2x1xi32>
}
