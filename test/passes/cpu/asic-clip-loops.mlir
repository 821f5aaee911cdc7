// RUN: asic-opt %s --asic-clip-loops --split-input-file | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>

// Both loops stop where a call ends, and nothing larger is made.
// CHECK-LABEL: func.func @parallel(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<8x4xf32> {{{.*}}}, %[[N:[a-z0-9]+]]: index {asic.extent = "n"})
// CHECK:         %[[SIZE:.*]] = arith.minsi %[[N]], %{{.*}} : index
// CHECK:         %[[PART:.*]] = tensor.extract_slice %[[X]][0, 0] [%[[SIZE]], 4] [1, 1]
// CHECK:         %[[FIRST:.*]] = linalg.generic
// CHECK-SAME:      ins(%[[PART]] : tensor<?x4xf32>)
// CHECK:         %[[SECOND:.*]] = linalg.generic
// CHECK-SAME:      ins(%[[FIRST]] : tensor<?x4xf32>)
// CHECK:         tensor.insert_slice %[[SECOND]] into %{{.*}}[0, 0] [%[[SIZE]], 4] [1, 1]
func.func @parallel(%x: tensor<8x4xf32> {asic.extents = ["n", ""]})
    -> (tensor<8x4xf32> {asic.extents = ["n", ""]}) {
  %empty = tensor.empty() : tensor<8x4xf32>
  %first = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%empty : tensor<8x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<8x4xf32>
  %second = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%first : tensor<8x4xf32>) outs(%empty : tensor<8x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<8x4xf32>
  return %second : tensor<8x4xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// Behind the extent a masked tensor has neutral elements: a sum of floats stops there.
// CHECK-LABEL: func.func @sum(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<4x8xf32> {{{.*}}}, %[[N:[a-z0-9]+]]: index {asic.extent = "n"})
// CHECK:         %[[SIZE:.*]] = arith.minsi %[[N]], %{{.*}} : index
// CHECK:         %[[PART:.*]] = tensor.extract_slice %[[X]][0, 0] [4, %[[SIZE]]] [1, 1]
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%[[PART]] : tensor<4x?xf32>)
func.func @sum(%x: tensor<4x8xf32> {asic.extents = ["", "n"]}) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// A zero point may have been taken out of a sum of codes for all places at once, so that the sum
// goes on, and what it reads is made as a whole.
// CHECK-LABEL: func.func @codes(
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%{{.*}} : tensor<4x8xi8>) outs(%{{.*}} : tensor<4x8xi32>)
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%{{.*}} : tensor<4x8xi32>)
func.func @codes(%x: tensor<4x8xi8> {asic.extents = ["", "n"]}) -> tensor<4xi32> {
  %zero = arith.constant 0 : i32
  %wide = tensor.empty() : tensor<4x8xi32>
  %codes = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xi8>) outs(%wide : tensor<4x8xi32>) {
  ^bb0(%in: i8, %out: i32):
    %0 = arith.extsi %in : i8 to i32
    linalg.yield %0 : i32
  } -> tensor<4x8xi32>
  %empty = tensor.empty() : tensor<4xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<4xi32>) -> tensor<4xi32>
  %sum = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%codes : tensor<4x8xi32>) outs(%init : tensor<4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %0 = arith.addi %out, %in : i32
    linalg.yield %0 : i32
  } -> tensor<4xi32>
  return %sum : tensor<4xi32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#window = affine_map<(d0, d1, d2) -> (d0, d1 * 2 + d2)>
#kernel = affine_map<(d0, d1, d2) -> (d2)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>

// A result of "m" places reads (m - 1) * 2 + 3 of its input.
// CHECK:       #[[READ:.*]] = affine_map<()[s0, s1] -> ((s1 - 1) * 2 + 3)>
// CHECK-LABEL: func.func @convolution(
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index {asic.extent = "n"}, %[[M:[a-z0-9]+]]: index {asic.extent = "m"})
// CHECK:         %[[PLACES:.*]] = affine.apply #[[READ]]()[%[[N]], %[[M]]]
// CHECK:         %[[SIZE:.*]] = arith.minsi %[[PLACES]], %{{.*}} : index
// CHECK:         tensor.extract_slice %{{.*}}[0, 0] [4, %[[SIZE]]] [1, 1]
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<4x?xf32>)
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<4x?xf32>)
func.func @convolution(%x: tensor<4x9xf32> {asic.extents = ["", "n"]}, %w: tensor<3xf32>)
    -> (tensor<4x4xf32> {asic.extents = ["", "m"]}) {
  %zero = arith.constant 0.0 : f32
  %like = tensor.empty() : tensor<4x9xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x9xf32>) outs(%like : tensor<4x9xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x9xf32>
  %empty = tensor.empty() : tensor<4x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %z = linalg.generic {indexing_maps = [#window, #kernel, #out],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%y, %w : tensor<4x9xf32>, tensor<3xf32>) outs(%init : tensor<4x4xf32>) {
  ^bb0(%in: f32, %tap: f32, %out: f32):
    %0 = arith.mulf %in, %tap : f32
    %1 = arith.addf %out, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// What is returned as a whole, too, is made as a whole.
// CHECK-LABEL: func.func @whole(
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<8x4xf32>)
func.func @whole(%x: tensor<8x4xf32> {asic.extents = ["n", ""]})
    -> (tensor<8x4xf32> {asic.extents = ["n", ""]}, tensor<8x4xf32>) {
  %empty = tensor.empty() : tensor<8x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%empty : tensor<8x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<8x4xf32>
  return %y, %y : tensor<8x4xf32>, tensor<8x4xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// Padding of an image: the batch stops, the border is that of the whole image.
// CHECK-LABEL: func.func @pad(
// CHECK:         tensor.pad %{{.*}} low[0, 1] high[0, 1]
// CHECK:         : tensor<?x4xf32> to tensor<?x6xf32>
func.func @pad(%x: tensor<8x4xf32> {asic.extents = ["n", ""]})
    -> (tensor<8x6xf32> {asic.extents = ["n", ""]}) {
  %zero = arith.constant 0.0 : f32
  %y = tensor.pad %x low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<8x4xf32> to tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// The first row is all that is needed of a tensor: the rest is not made.
// CHECK-LABEL: func.func @first_row(
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<1x4xf32>)
func.func @first_row(%x: tensor<8x4xf32> {asic.extents = ["n", ""]})
    -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<8x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%empty : tensor<8x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<8x4xf32>
  %row = tensor.extract_slice %y[0, 0] [1, 4] [1, 1] : tensor<8x4xf32> to tensor<4xf32>
  return %row : tensor<4xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// A look-up at computed places may read everything.
// CHECK-LABEL: func.func @lookup(
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<8xf32>)
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<?xf32>)
func.func @lookup(%x: tensor<8xf32> {asic.extents = ["n"]},
                  %at: tensor<8xindex> {asic.extents = ["n"]})
    -> (tensor<8xf32> {asic.extents = ["n"]}) {
  %empty = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%empty : tensor<8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%at : tensor<8xindex>) outs(%empty : tensor<8xf32>) {
  ^bb0(%in: index, %out: f32):
    %0 = tensor.extract %y[%in] : tensor<8xf32>
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %z : tensor<8xf32>
}

// -----

// Without extents nothing changes.
// CHECK-LABEL: func.func @static(
// CHECK-SAME:    %{{[a-z0-9]*}}: tensor<8x4xf32>)
// CHECK-NOT:     extract_slice
func.func @static(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %zero = arith.constant 0.0 : f32
  %y = linalg.fill ins(%zero : f32) outs(%x : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
