// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-lower-to-asic --asic-verify-asic | FileCheck %s

#a = affine_map<(y, x, o, v, u, c) -> (y + v, x + u, c)>
#w = affine_map<(y, x, o, v, u, c) -> (v, u, c, o)>
#s = affine_map<(y, x, o, v, u, c) -> (y, x, o)>
#bias = affine_map<(y, x, o) -> (o)>
#out = affine_map<(y, x, o) -> (y, x, o)>

// Bias, zero point and padding of a convolution are parts of one contract.
// CHECK-LABEL: func.func @padded_convolution
// CHECK: asic.contract ins(%arg0, %arg1 : memref<4x4x2xi8, #asic.space<sram>>, {{.*}}) bias(%arg2 : memref<8xi32, #asic.space<sram>>) outs(%arg3 : {{.*}}) {a_zero = -5 : i64
// CHECK-SAME: pad = array<i64: 1, 1, 0>
// CHECK-NOT: reinterpret_cast
func.func @padded_convolution(%x: memref<4x4x2xi8, #asic.space<sram>>, %f: memref<3x3x2x8xi8, #asic.space<sram>>,
    %b: memref<8xi32, #asic.space<sram>>, %sum: memref<4x4x8xi32, #asic.space<acc>>) attributes {asic.region = "accelerator"} {
  %wide = memref.reinterpret_cast %x to offset: [0], sizes: [6, 6, 2], strides: [8, 2, 1] {asic.pad = array<i64: 1, 1, 0>}
    : memref<4x4x2xi8, #asic.space<sram>> to memref<6x6x2xi8, strided<[8, 2, 1]>, #asic.space<sram>>
  linalg.generic {indexing_maps = [#bias, #out], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%b : memref<8xi32, #asic.space<sram>>) outs(%sum : memref<4x4x8xi32, #asic.space<acc>>) {
  ^bb0(%i: i32, %o: i32):
    linalg.yield %i : i32
  }
  linalg.generic {indexing_maps = [#a, #w, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%wide, %f : memref<6x6x2xi8, strided<[8, 2, 1]>, #asic.space<sram>>, memref<3x3x2x8xi8, #asic.space<sram>>)
    outs(%sum : memref<4x4x8xi32, #asic.space<acc>>) {
  ^bb0(%p: i8, %q: i8, %o: i32):
    %z = arith.constant -5 : i32
    %pe = arith.extsi %p : i8 to i32
    %ps = arith.subi %pe, %z : i32
    %qe = arith.extsi %q : i8 to i32
    %m = arith.muli %ps, %qe : i32
    %r = arith.addi %o, %m : i32
    linalg.yield %r : i32
  }
  return
}

#id6 = affine_map<(a, b, c, d, e, f) -> (a, b, c, d, e, f)>
#turn = affine_map<(a, b, c, d, e, f) -> (f, e, d, c, b, a)>

// Six loops that do not merge are one more than the vector unit has: the
// outermost is unrolled.
// CHECK-LABEL: func.func @six_loops
// CHECK-COUNT-2: asic.map
// CHECK-NOT: asic.map
func.func @six_loops(%x: memref<2x2x2x2x2x2xi8, #asic.space<sram>>, %y: memref<2x2x2x2x2x2xi8, #asic.space<sram>>) attributes {asic.region = "accelerator"} {
  linalg.generic {indexing_maps = [#turn, #id6], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
    ins(%x : memref<2x2x2x2x2x2xi8, #asic.space<sram>>) outs(%y : memref<2x2x2x2x2x2xi8, #asic.space<sram>>) {
  ^bb0(%i: i8, %o: i8):
    linalg.yield %i : i8
  }
  return
}

#channels = affine_map<(x, o, v, u, c) -> (x + v, u, c)>
#filter = affine_map<(x, o, v, u, c) -> (o, u, v, c)>
#pixels = affine_map<(x, o, v, u, c) -> (x, o)>

// The innermost of three reductions has no check: padded channels leave the outer two, and the outermost
// is split.
// CHECK-LABEL: func.func @padded_channels
// CHECK: asic.contract ins(%arg0, %{{.*}}) outs(%arg2 : {{.*}}pad = array<i64: 0, 0, 1>
// CHECK: asic.contract ins(%arg0, %{{.*}}) outs(%arg2 : {{.*}}pad = array<i64: -1, 0, 1>
// CHECK-NOT: asic.contract
func.func @padded_channels(%x: memref<4x3x2xi8, #asic.space<sram>>, %f: memref<8x3x2x3xi8, #asic.space<sram>>,
    %sum: memref<3x8xi32, #asic.space<acc>>) attributes {asic.region = "accelerator"} {
  %wide = memref.reinterpret_cast %x to offset: [0], sizes: [4, 3, 3], strides: [6, 2, 1] {asic.pad = array<i64: 0, 0, 1>}
    : memref<4x3x2xi8, #asic.space<sram>> to memref<4x3x3xi8, strided<[6, 2, 1]>, #asic.space<sram>>
  linalg.generic {indexing_maps = [#channels, #filter, #pixels], iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%wide, %f : memref<4x3x3xi8, strided<[6, 2, 1]>, #asic.space<sram>>, memref<8x3x2x3xi8, #asic.space<sram>>)
    outs(%sum : memref<3x8xi32, #asic.space<acc>>) {
  ^bb0(%a: i8, %w: i8, %o: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %w : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %o, %2 : i32
    linalg.yield %3 : i32
  }
  return
}

// Rows that have a place each are a dimension of the move: of the four beside them, the outermost is
// unrolled.
// CHECK-LABEL: func.func @rows_of_four_dimensions
// CHECK-COUNT-2: asic.copy %{{.*}}, %{{.*}} at %arg2 dim 4 : memref<1x2x2x2x5x4xi8, {{.*}} to memref<1x2x2x2x8x4xi8, {{.*}}, memref<5xi32, #asic.space<sram>>
// CHECK-NOT: asic.copy
// One place for all: four dimensions are as many as there are.
// CHECK-LABEL: func.func @block_of_four_dimensions
// CHECK: asic.copy %arg0, %arg1 at %arg2 dim 4
// CHECK-NOT: asic.copy
func.func @rows_of_four_dimensions(%rows: memref<2x2x2x2x5x4xi8, strided<[1000, 400, 150, 50, 4, 1]>, #asic.space<sram>>, %y: memref<2x2x2x2x8x4xi8, #asic.space<dram>>, %i: memref<5xi32, #asic.space<sram>>) attributes {asic.region = "accelerator"} {
  asic.copy %rows, %y at %i dim 4 : memref<2x2x2x2x5x4xi8, strided<[1000, 400, 150, 50, 4, 1]>, #asic.space<sram>> to memref<2x2x2x2x8x4xi8, #asic.space<dram>>, memref<5xi32, #asic.space<sram>>
  return
}
func.func @block_of_four_dimensions(%rows: memref<2x2x2x2x5x4xi8, strided<[1000, 400, 150, 50, 4, 1]>, #asic.space<sram>>, %y: memref<2x2x2x2x8x4xi8, #asic.space<dram>>, %i: memref<i32, #asic.space<sram>>) attributes {asic.region = "accelerator"} {
  asic.copy %rows, %y at %i dim 4 : memref<2x2x2x2x5x4xi8, strided<[1000, 400, 150, 50, 4, 1]>, #asic.space<sram>> to memref<2x2x2x2x8x4xi8, #asic.space<dram>>, memref<i32, #asic.space<sram>>
  return
}
