// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-bufferize --asic-verify-bufferize | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-bufferize --asic-lower-to-asic --asic-verify-asic | FileCheck %s --check-prefix=ASIC

#window = affine_map<(y, x, c, v, u) -> (y + v, x + u, c)>
#kernel = affine_map<(y, x, c, v, u) -> (v, u)>
#pixel = affine_map<(y, x, c, v, u) -> (y, x, c)>

// The padding of a maximum is stored: a fill and a copy into its middle. The
// window operand has no data and goes away; its extents come from a view.
// CHECK-LABEL: func.func @stored_padding
// CHECK: %[[PAD:.*]] = memref.alloc() : memref<6x6x2xi8, #asic.space<sram>>
// CHECK: linalg.fill ins({{.*}} : i8) outs(%[[PAD]]
// CHECK: %[[MIDDLE:.*]] = memref.subview %[[PAD]][1, 1, 0] [4, 4, 2] [1, 1, 1]
// CHECK: memref.copy %{{.*}}, %[[MIDDLE]]

// ASIC-LABEL: func.func @stored_padding
// ASIC: asic.fill -128 : i8, %[[PAD:.*]] : memref<6x6x2xi8
// ASIC: %[[VIEW:.*]] = memref.reinterpret_cast %[[PAD]] to offset: [0], sizes: [4, 4, 2, 3, 3], strides: [12, 2, 1, 12, 2]
// ASIC: asic.map ins(%[[VIEW]] : {{.*}}init = -128 : i8
func.func @stored_padding(%x: tensor<4x4x2xi8>) -> tensor<4x4x2xi8> attributes {asic.region = "accelerator"} {
  %low = arith.constant -128 : i8
  %y = tensor.empty() {asic.space = #asic.space<dram>} : tensor<4x4x2xi8>
  %tile = tensor.extract_slice %x[0, 0, 0] [4, 4, 2] [1, 1, 1] {asic.load} : tensor<4x4x2xi8> to tensor<4x4x2xi8>
  %pad = tensor.pad %tile low[1, 1, 0] high[1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %low : i8
  } : tensor<4x4x2xi8> to tensor<6x6x2xi8>
  %shape = tensor.empty() : tensor<3x3xi8>
  %e = tensor.empty() : tensor<4x4x2xi8>
  %init = linalg.fill ins(%low : i8) outs(%e : tensor<4x4x2xi8>) -> tensor<4x4x2xi8>
  %max = linalg.generic {indexing_maps = [#window, #kernel, #pixel], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%pad, %shape : tensor<6x6x2xi8>, tensor<3x3xi8>) outs(%init : tensor<4x4x2xi8>) {
  ^bb0(%a: i8, %b: i8, %o: i8):
    %s = arith.maxsi %o, %a : i8
    linalg.yield %s : i8
  } -> tensor<4x4x2xi8>
  %r = tensor.insert_slice %max into %y[0, 0, 0] [4, 4, 2] [1, 1, 1] : tensor<4x4x2xi8> into tensor<4x4x2xi8>
  return %r : tensor<4x4x2xi8>
}

// A result that is only a view of an argument is copied, through SRAM.
// CHECK-LABEL: func.func @reshaped_argument
// CHECK: %[[OWN:.*]] = memref.alloc() : memref<8xi8, #asic.space<dram>>
// CHECK: memref.copy %{{.*}}, %[[OWN]]
// CHECK: return %[[OWN]]
// ASIC-LABEL: func.func @reshaped_argument
// ASIC: asic.copy {{.*}}#asic.space<dram>> to memref<8xi8, #asic.space<sram>>
// ASIC: asic.copy {{.*}}#asic.space<sram>> to memref<8xi8, #asic.space<dram>>
func.func @reshaped_argument(%x: tensor<2x4xi8>) -> tensor<8xi8> attributes {asic.region = "accelerator"} {
  %y = tensor.collapse_shape %x [[0, 1]] : tensor<2x4xi8> into tensor<8xi8>
  return %y : tensor<8xi8>
}

// A sum of the vector unit begins anew, and what was there is added behind it:
// the initial value keeps a place of its own.
// CHECK-LABEL: func.func @sum_from_a_tensor
// CHECK: %[[START:.*]] = memref.alloc() : memref<4xi32, #asic.space<sram>>
// CHECK: %[[SUM:.*]] = memref.alloc() : memref<4xi32, #asic.space<sram>>
// CHECK: linalg.generic {{.*}}ins(%[[START]] : memref<4xi32, #asic.space<sram>>) outs(%[[SUM]]
// CHECK: linalg.generic {{.*}}outs(%[[SUM]]
// ASIC-LABEL: func.func @sum_from_a_tensor
// ASIC: asic.map ins(%{{.*}} : {{.*}}) outs(%[[SUM:.*]] : {{.*}}init = 0 : i32
// ASIC: asic.map ins(%[[SUM]], %{{.*}} : {{.*}}) outs(%[[SUM]] :
func.func @sum_from_a_tensor(%x: tensor<4x3xi32>, %from: tensor<4xi32>) -> tensor<4xi32> attributes {asic.region = "accelerator"} {
  %y = tensor.empty() {asic.space = #asic.space<dram>} : tensor<4xi32>
  %tile = tensor.extract_slice %x[0, 0] [4, 3] [1, 1] {asic.load} : tensor<4x3xi32> to tensor<4x3xi32>
  %start = tensor.extract_slice %from[0] [4] [1] {asic.load} : tensor<4xi32> to tensor<4xi32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
    ins(%tile : tensor<4x3xi32>) outs(%start : tensor<4xi32>) {
  ^bb0(%a: i32, %o: i32):
    %s = arith.addi %o, %a : i32
    linalg.yield %s : i32
  } -> tensor<4xi32>
  %r = tensor.insert_slice %sum into %y[0] [4] [1] : tensor<4xi32> into tensor<4xi32>
  return %r : tensor<4xi32>
}

// Rows at a place known at run time are one block each; what is updated is copied once,
// and the index goes to SRAM once for all of its users.
// CHECK-LABEL: func.func @update
// CHECK-SAME: %[[OLD:.*]]: memref<2x8x4xi8, #asic.space<dram>>, %[[ROW:.*]]: memref<2x1x4xi8, #asic.space<dram>>, %[[I:.*]]: memref<i32, #asic.space<dram>>
// CHECK: %[[NEW:.*]] = memref.alloc() : memref<2x8x4xi8, #asic.space<dram>>
// CHECK: memref.copy %[[OLD]], %[[NEW]]
// CHECK: %[[INDEX:.*]] = memref.alloc() : memref<i32, #asic.space<sram>>
// CHECK: memref.copy %[[I]], %[[INDEX]]
// CHECK: asic.copy %[[ROW]], %[[NEW]] at %[[INDEX]] dim 1
// CHECK-NOT: memref.alloc
// CHECK: asic.copy %[[ROW]], %[[NEW]] at %[[INDEX]] dim 1
// CHECK: return %[[NEW]]
// ASIC-LABEL: func.func @update
// ASIC: asic.copy {{.*}} to memref<i32, #asic.space<sram>>
// ASIC-COUNT-2: asic.copy %{{.*}}, %{{.*}} at %{{.*}} dim 1 : memref<2x1x4xi8, #asic.space<sram>> to memref<2x8x4xi8, #asic.space<dram>>
func.func @update(%old: tensor<2x8x4xi8>, %row: tensor<2x1x4xi8>, %i: tensor<i32>) -> tensor<2x8x4xi8> attributes {asic.region = "accelerator"} {
  %0 = asic.update_slice %row into %old[%i] dim 1 : tensor<2x1x4xi8> into tensor<2x8x4xi8>
  %1 = asic.update_slice %row into %0[%i] dim 1 : tensor<2x1x4xi8> into tensor<2x8x4xi8>
  return %1 : tensor<2x8x4xi8>
}

// A block larger than an eighth of SRAM goes there in pieces, each of which keeps its places.
// ASIC-LABEL: func.func @update_large
// ASIC: asic.copy %{{.*}}, %{{.*}} at %{{.*}} dim 0 : memref<2x10000xi8, #asic.space<sram>> to memref<4x10000xi8, strided<[10000, 1]>, #asic.space<dram>>
// ASIC: asic.copy %{{.*}}, %{{.*}} at %{{.*}} dim 0 : memref<2x10000xi8, #asic.space<sram>> to memref<4x10000xi8, strided<[10000, 1], offset: 20000>, #asic.space<dram>>
// ASIC-NOT: dim 0
func.func @update_large(%old: tensor<6x10000xi8>, %rows: tensor<4x10000xi8>, %i: tensor<i32>) -> tensor<6x10000xi8> attributes {asic.region = "accelerator"} {
  %0 = asic.update_slice %rows into %old[%i] dim 0 : tensor<4x10000xi8> into tensor<6x10000xi8>
  return %0 : tensor<6x10000xi8>
}

// Rows that have a place each are one copy.
// CHECK-LABEL: func.func @update_rows
// CHECK: memref.copy %{{.*}}, %[[INDEX:.*]] : memref<5xi32, #asic.space<dram>> to memref<5xi32, #asic.space<sram>>
// CHECK: asic.copy %{{.*}}, %{{.*}} at %[[INDEX]] dim 1
// ASIC-LABEL: func.func @update_rows
// ASIC: asic.copy %{{.*}}, %{{.*}} at %{{.*}} dim 1 : memref<2x5x4xi8, #asic.space<sram>> to memref<2x8x4xi8, #asic.space<dram>>, memref<5xi32, #asic.space<sram>>
// ASIC-NOT: dim 1
func.func @update_rows(%old: tensor<2x8x4xi8>, %rows: tensor<2x5x4xi8>, %i: tensor<5xi32>) -> tensor<2x8x4xi8> attributes {asic.region = "accelerator"} {
  %0 = asic.update_slice %rows into %old[%i] dim 1 : tensor<2x5x4xi8> into tensor<2x8x4xi8>, tensor<5xi32>
  return %0 : tensor<2x8x4xi8>
}

// In pieces, every row of which may go anywhere.
// ASIC-LABEL: func.func @update_many_rows
// ASIC: %[[FIRST:.*]] = memref.subview %[[ALL:.*]][0] [2] [1] : memref<4xi32
// ASIC: asic.copy %{{.*}}, %[[CACHE:.*]] at %[[FIRST]] dim 0 : memref<2x10000xi8, #asic.space<sram>> to memref<6x10000xi8, #asic.space<dram>>
// ASIC: %[[SECOND:.*]] = memref.subview %[[ALL]][2] [2] [1]
// ASIC: asic.copy %{{.*}}, %[[CACHE]] at %[[SECOND]] dim 0
// ASIC-NOT: dim 0
func.func @update_many_rows(%old: tensor<6x10000xi8>, %rows: tensor<4x10000xi8>, %i: tensor<4xi32>) -> tensor<6x10000xi8> attributes {asic.region = "accelerator"} {
  %0 = asic.update_slice %rows into %old[%i] dim 0 : tensor<4x10000xi8> into tensor<6x10000xi8>, tensor<4xi32>
  return %0 : tensor<6x10000xi8>
}

#rows = affine_map<(i, j, k) -> (i, k)>
#columns = affine_map<(i, j, k) -> (j, k)>
#square = affine_map<(i, j, k) -> (i, j)>

// The array skips the padding of A alone: the same tensor is stored as W.
// CHECK-LABEL: func.func @product_with_itself
// CHECK: %[[TILE:.*]] = memref.alloc() : memref<4x3xi8, #asic.space<sram>>
// CHECK: %[[WIDE:.*]] = memref.reinterpret_cast %[[TILE]] {{.*}}sizes: [4, 5], strides: [3, 1] {asic.pad = array<i64: 0, 1>}
// CHECK: %[[STORED:.*]] = memref.alloc() : memref<4x5xi8, #asic.space<sram>>
// CHECK: linalg.generic {{.*}}ins(%[[WIDE]], %[[STORED]] :
// ASIC-LABEL: func.func @product_with_itself
// ASIC: asic.contract ins(%{{.*}}, %{{.*}} : memref<4x3xi8, #asic.space<sram>>, memref<4x5xi8, #asic.space<sram>>) {{.*}}pad = array<i64: 0, 1>
func.func @product_with_itself(%x: tensor<4x3xi8>) -> tensor<4x4xi32> attributes {asic.region = "accelerator"} {
  %zero = arith.constant 0 : i8
  %start = arith.constant 0 : i32
  %y = tensor.empty() {asic.space = #asic.space<dram>} : tensor<4x4xi32>
  %tile = tensor.extract_slice %x[0, 0] [4, 3] [1, 1] {asic.load} : tensor<4x3xi8> to tensor<4x3xi8>
  %pad = tensor.pad %tile low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : i8
  } : tensor<4x3xi8> to tensor<4x5xi8>
  %e = tensor.empty() : tensor<4x4xi32>
  %init = linalg.fill ins(%start : i32) outs(%e : tensor<4x4xi32>) -> tensor<4x4xi32>
  %sums = linalg.generic {indexing_maps = [#rows, #columns, #square], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%pad, %pad : tensor<4x5xi8>, tensor<4x5xi8>) outs(%init : tensor<4x4xi32>) {
  ^bb0(%a: i8, %w: i8, %o: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %w : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %o, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<4x4xi32>
  %r = tensor.insert_slice %sums into %y[0, 0] [4, 4] [1, 1] : tensor<4x4xi32> into tensor<4x4xi32>
  return %r : tensor<4x4xi32>
}
