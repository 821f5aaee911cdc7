// RUN: asic-opt %s --asic-convert-composites | FileCheck %s

// A scan of 5 elements takes 3 elementwise steps and no loop.
// CHECK-LABEL: func.func @cumsum
// CHECK-COUNT-3: arith.addf
// CHECK-NOT: arith.addf
// CHECK: return
func.func @cumsum(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %y = call @asic.cumsum(%x) : (tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// One row is selected by its position: no element is extracted.
// CHECK-LABEL: func.func @index_copy_one_row
// The place is looked up in the list of places, where a wrong one is found.
// CHECK: %[[PLACES:.*]] = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi32>
// CHECK: tensor.extract %[[PLACES]]
// CHECK-NOT: tensor.extract
// CHECK: asic.update_slice %{{.*}} into %{{.*}}[%{{.*}}] dim 1 : tensor<4x1xf32> into tensor<4x6xf32>
// CHECK-NOT: scf.for
// CHECK: return
func.func @index_copy_one_row(%x: tensor<4x6xf32>, %i: tensor<1xi64>,
                              %v: tensor<4x1xf32>) -> tensor<4x6xf32> {
  %y = call @asic.index_copy(%x, %i, %v)
      : (tensor<4x6xf32>, tensor<1xi64>, tensor<4x1xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// Constant rows that follow one another are one block.
// CHECK-LABEL: func.func @index_copy_run
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 1] [4, 5] [1, 1]
// CHECK-NOT: scf.for
// CHECK: return
func.func @index_copy_run(%x: tensor<4x6xf32>, %v: tensor<4x5xf32>)
    -> tensor<4x6xf32> {
  %i = arith.constant dense<[1, 2, 3, 4, 5]> : tensor<5xi64>
  %y = call @asic.index_copy.run(%x, %i, %v)
      : (tensor<4x6xf32>, tensor<5xi64>, tensor<4x5xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// Others, and rows that do not exist, have a place each.
// CHECK-LABEL: func.func @index_copy_no_run
// CHECK-NOT: tensor.insert_slice
// CHECK-COUNT-2: asic.update_slice {{.*}} dim 1 : tensor<4x5xf32> into tensor<4x6xf32>, tensor<5xi32>
// CHECK-NOT: tensor.insert_slice
// CHECK-NOT: scf.for
// CHECK: return
func.func @index_copy_no_run(%x: tensor<4x6xf32>, %v: tensor<4x5xf32>)
    -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %i = arith.constant dense<[1, 2, 3, 5, 4]> : tensor<5xi64>
  %j = arith.constant dense<[2, 3, 4, 5, 6]> : tensor<5xi64>
  %y = call @asic.index_copy.run(%x, %i, %v)
      : (tensor<4x6xf32>, tensor<5xi64>, tensor<4x5xf32>) -> tensor<4x6xf32>
  %z = call @asic.index_copy.run(%x, %j, %v)
      : (tensor<4x6xf32>, tensor<5xi64>, tensor<4x5xf32>) -> tensor<4x6xf32>
  return %y, %z : tensor<4x6xf32>, tensor<4x6xf32>
}

// A row that is combined with what is there is a selection by position.
// CHECK-LABEL: func.func @index_add_one_row
// CHECK: arith.cmpi eq
// CHECK: arith.select
// CHECK-NOT: scf.for
// CHECK: return
func.func @index_add_one_row(%x: tensor<4x6xf32>, %i: tensor<1xi64>,
                             %v: tensor<4x1xf32>) -> tensor<4x6xf32> {
  %y = call @asic.index_add(%x, %i, %v)
      : (tensor<4x6xf32>, tensor<1xi64>, tensor<4x1xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// Index tensors that broadcast update one element after the other.
// CHECK-LABEL: func.func @index_put
// CHECK: scf.for
// CHECK: tensor.insert
func.func @index_put(%x: tensor<4x6xf32>, %i: tensor<8x1xi64>,
                     %j: tensor<3xi64>, %v: tensor<8x3xf32>)
    -> tensor<4x6xf32> {
  %y = call @asic.index_put(%x, %i, %j, %v)
      : (tensor<4x6xf32>, tensor<8x1xi64>, tensor<3xi64>, tensor<8x3xf32>)
      -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// A short row is sorted by counting what comes before each element.
// CHECK-LABEL: func.func @sort_short_row
// CHECK-NOT: scf.for
// CHECK: arith.cmpf olt
// CHECK-NOT: scf.for
// CHECK: return
func.func @sort_short_row(%x: tensor<2x7xf32>) -> tensor<2x7xf32> {
  %y = call @asic.sort.0(%x) : (tensor<2x7xf32>) -> tensor<2x7xf32>
  return %y : tensor<2x7xf32>
}

// A long one by its bits.
// CHECK-LABEL: func.func @sort_long_row
// CHECK: arith.bitcast
// CHECK: scf.for
// CHECK: arith.shrui
func.func @sort_long_row(%x: tensor<2x1000xf32>) -> tensor<2x1000xf32> {
  %y = call @asic.sort.1(%x) : (tensor<2x1000xf32>) -> tensor<2x1000xf32>
  return %y : tensor<2x1000xf32>
}

// Doubling an image is a weighted sum of slices for each of the two phases.
// CHECK-LABEL: func.func @bilinear_by_two
// CHECK-NOT: tensor.extract %
// CHECK-COUNT-4: arith.addf
// CHECK-NOT: arith.addf
// CHECK: return
func.func @bilinear_by_two(%x: tensor<1x2x3x3xf32>) -> tensor<1x2x6x6xf32> {
  %y = call @asic.bilinear.0(%x) : (tensor<1x2x3x3xf32>) -> tensor<1x2x6x6xf32>
  return %y : tensor<1x2x6x6xf32>
}

// A factor without a short period is gathered.
// CHECK-LABEL: func.func @bilinear_to_a_size
// CHECK: tensor.extract %
func.func @bilinear_to_a_size(%x: tensor<1x2x3x20xf32>)
    -> tensor<1x2x3x37xf32> {
  %y = call @asic.bilinear.1(%x)
      : (tensor<1x2x3x20xf32>) -> tensor<1x2x3x37xf32>
  return %y : tensor<1x2x3x37xf32>
}

func.func private @asic.cumsum(tensor<2x5xf32>) -> tensor<2x5xf32>
  attributes {asic.op = "aten.cumsum.default", asic.operands = ["self"],
              asic.results = [0], asic.dim = 1 : i64}
func.func private @asic.index_copy(tensor<4x6xf32>, tensor<1xi64>,
    tensor<4x1xf32>) -> tensor<4x6xf32>
  attributes {asic.op = "aten.index_copy.default",
              asic.operands = ["self", "index", "source"],
              asic.results = [0], asic.dim = 1 : i64}
func.func private @asic.index_copy.run(tensor<4x6xf32>, tensor<5xi64>,
    tensor<4x5xf32>) -> tensor<4x6xf32>
  attributes {asic.op = "aten.index_copy.default",
              asic.operands = ["self", "index", "source"],
              asic.results = [0], asic.dim = 1 : i64}
func.func private @asic.index_add(tensor<4x6xf32>, tensor<1xi64>,
    tensor<4x1xf32>) -> tensor<4x6xf32>
  attributes {asic.op = "aten.index_add.default",
              asic.operands = ["self", "index", "source"],
              asic.results = [0], asic.dim = 1 : i64, asic.alpha = 1 : i64}
func.func private @asic.index_put(tensor<4x6xf32>, tensor<8x1xi64>,
    tensor<3xi64>, tensor<8x3xf32>) -> tensor<4x6xf32>
  attributes {asic.op = "aten.index_put.default",
              asic.operands = ["self", "indices.0", "indices.1", "values"],
              asic.results = [0], asic.accumulate = false}
func.func private @asic.sort.0(tensor<2x7xf32>) -> tensor<2x7xf32>
  attributes {asic.op = "aten.sort.default", asic.operands = ["self"],
              asic.results = [0], asic.dim = 1 : i64, asic.descending = false}
func.func private @asic.sort.1(tensor<2x1000xf32>) -> tensor<2x1000xf32>
  attributes {asic.op = "aten.sort.default", asic.operands = ["self"],
              asic.results = [0], asic.dim = 1 : i64, asic.descending = true}
func.func private @asic.bilinear.0(tensor<1x2x3x3xf32>) -> tensor<1x2x6x6xf32>
  attributes {asic.op = "aten.upsample_bilinear2d.vec",
              asic.operands = ["input"], asic.results = [0],
              asic.align_corners = false}
func.func private @asic.bilinear.1(tensor<1x2x3x20xf32>)
    -> tensor<1x2x3x37xf32>
  attributes {asic.op = "aten.upsample_bilinear2d.vec",
              asic.operands = ["input"], asic.results = [0],
              asic.align_corners = false}
