// RUN: asic-opt %s | asic-opt | FileCheck %s
// RUN: asic-opt --mlir-print-op-generic %s | asic-opt | FileCheck %s

// A module that names its target.
// CHECK: asic.target = #asic.target<"tiny", "00ff", "{}">
module attributes {asic.target = #asic.target<"tiny", "00ff", "{}">} {

// Quantisation markers, per tensor and per channel.
// CHECK-LABEL: @markers
func.func @markers(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: asic.quantize %{{.*}} scales [5.000000e-01] zero_points [-3] range -128 to 127
  %q = asic.quantize %x scales [0.5] zero_points [-3] range -128 to 127 : tensor<2x3xf32> -> tensor<2x3xi8>
  // CHECK: asic.dequantize %{{.*}} scales [{{.*}}] zero_points [0, 0, 0] axis 1
  %d = asic.dequantize %q scales [0.5, 0.25, 0.125] zero_points [0, 0, 0] axis 1 : tensor<2x3xi8> -> tensor<2x3xf32>
  return %d : tensor<2x3xf32>
}

// Requantisation in a body.
// CHECK-LABEL: @rescale
func.func @rescale(%x: i32, %m: i32, %s: i8) -> i32 {
  // CHECK: asic.rescale %{{.*}}, %{{.*}}, %{{.*}} rounding <sr> : i32
  %y = asic.rescale %x, %m, %s rounding <sr> : i32
  return %y : i32
}

// Codes of four bits lie two to a byte in dram and are widened on their way.
// CHECK-LABEL: @packed
func.func @packed() {
  // CHECK: asic.constant dense<-8> : tensor<4x5xi8> : memref<4x5xi4, #asic.space<dram>>
  %w = asic.constant dense<-8> : tensor<4x5xi8> : memref<4x5xi4, #asic.space<dram>>
  %u = asic.constant dense<15> : tensor<3xi8> : memref<3xui4, #asic.space<dram>>
  %a = memref.alloc() : memref<2x5xi8, #asic.space<sram>>
  %b = memref.alloc() : memref<3xi8, #asic.space<sram>>
  %rows = memref.subview %w[2, 0] [2, 5] [1, 1] : memref<4x5xi4, #asic.space<dram>> to memref<2x5xi4, strided<[5, 1], offset: 10>, #asic.space<dram>>
  // CHECK: asic.copy %{{.*}}, %{{.*}} : memref<2x5xi4, strided<[5, 1], offset: 10>, #asic.space<dram>> to memref<2x5xi8, #asic.space<sram>>
  asic.copy %rows, %a : memref<2x5xi4, strided<[5, 1], offset: 10>, #asic.space<dram>> to memref<2x5xi8, #asic.space<sram>>
  // CHECK: asic.copy %{{.*}}, %{{.*}} : memref<3xui4, #asic.space<dram>> to memref<3xi8, #asic.space<sram>>
  asic.copy %u, %b : memref<3xui4, #asic.space<dram>> to memref<3xi8, #asic.space<sram>>
  return
}

// A padded 3x3 convolution of one tile, loaded, contracted, requantised, stored.
// CHECK-LABEL: @tile
func.func @tile(%in: memref<1x4x4x8xi8, #asic.space<dram>>, %out: memref<1x4x4x16xi8, #asic.space<dram>>) {
  // CHECK: asic.constant dense<1> : tensor<3x3x8x16xi8> : memref<3x3x8x16xi8, #asic.space<dram>>
  %wd = asic.constant dense<1> : tensor<3x3x8x16xi8> : memref<3x3x8x16xi8, #asic.space<dram>>
  %a = memref.alloc() : memref<1x4x4x8xi8, #asic.space<sram>>
  %w = memref.alloc() : memref<3x3x8x16xi8, #asic.space<sram>>
  %acc = memref.alloc() : memref<1x4x4x16xi32, #asic.space<acc>>
  %y = memref.alloc() : memref<1x4x4x16xi8, #asic.space<sram>>
  // CHECK: asic.copy %{{.*}}, %{{.*}} : memref<1x4x4x8xi8, #asic.space<dram>> to memref<1x4x4x8xi8, #asic.space<sram>>
  asic.copy %in, %a : memref<1x4x4x8xi8, #asic.space<dram>> to memref<1x4x4x8xi8, #asic.space<sram>>
  asic.copy %wd, %w : memref<3x3x8x16xi8, #asic.space<dram>> to memref<3x3x8x16xi8, #asic.space<sram>>
  // CHECK: asic.contract ins(%{{.*}}, %{{.*}} : {{.*}}) outs(%{{.*}} : {{.*}}) {a_zero = 3 : i64, {{.*}}pad = array<i64: 0, 1, 1, 0>}
  asic.contract ins(%a, %w : memref<1x4x4x8xi8, #asic.space<sram>>, memref<3x3x8x16xi8, #asic.space<sram>>)
    outs(%acc : memref<1x4x4x16xi32, #asic.space<acc>>)
    {indexing_maps = [affine_map<(n, y, x, o, ky, kx, c) -> (n, y + ky, x + kx, c)>,
                      affine_map<(n, y, x, o, ky, kx, c) -> (ky, kx, c, o)>,
                      affine_map<(n, y, x, o, ky, kx, c) -> (n, y, x, o)>],
     iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"],
     a_zero = 3 : i64, pad = array<i64: 0, 1, 1, 0>}
  // CHECK: asic.map ins(%{{.*}} : memref<1x4x4x16xi32, #asic.space<acc>>) outs(%{{.*}} : memref<1x4x4x16xi8, #asic.space<sram>>)
  asic.map ins(%acc : memref<1x4x4x16xi32, #asic.space<acc>>) outs(%y : memref<1x4x4x16xi8, #asic.space<sram>>)
    attributes {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>],
                iterator_types = ["parallel", "parallel", "parallel", "parallel"]} {
  ^bb0(%v: i32):
    %m = arith.constant 1073741824 : i32
    %s = arith.constant 35 : i8
    %r = asic.rescale %v, %m, %s rounding <sr> : i32
    %t = arith.trunci %r : i32 to i8
    asic.yield %t : i8
  }
  asic.copy %y, %out : memref<1x4x4x16xi8, #asic.space<sram>> to memref<1x4x4x16xi8, #asic.space<dram>>
  return
}

// A scheduled fill and a reduction.
// CHECK-LABEL: @scheduled
func.func @scheduled() {
  %x = memref.alloc() {asic.address = 0 : i64} : memref<4x16xf32, #asic.space<sram>>
  %y = memref.alloc() {asic.address = 256 : i64} : memref<4xf32, #asic.space<sram>>
  // CHECK: asic.fill 0.000000e+00 : f32, %{{.*}} {engine = 3 : i64, posts = array<i64: 0, 1>, tag = 7 : i64}
  asic.fill 0.0 : f32, %x {engine = 3 : i64, posts = array<i64: 0, 1>, tag = 7 : i64} : memref<4x16xf32, #asic.space<sram>>
  // CHECK: asic.map {{.*}} attributes {{{.*}}init = 0.000000e+00 : f32
  asic.map ins(%x : memref<4x16xf32, #asic.space<sram>>) outs(%y : memref<4xf32, #asic.space<sram>>)
    attributes {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                iterator_types = ["parallel", "reduction"], init = 0.0 : f32,
                engine = 2 : i64, waits = array<i64: 0, 1>} {
  ^bb0(%v: f32, %s: f32):
    %t = arith.addf %s, %v : f32
    asic.yield %t : f32
  }
  return
}

// What a planner writes.
// CHECK: asic.plan = #asic.plan<group = 0, tile = [1, 8, 56, 64], reduce = [], order = [0, 1, 2, 3], space = dram, cycles = 10, bytes = 20>
// CHECK: asic.plan = #asic.plan<group = 1, tile = [1], reduce = [3, 3, 64], order = [0], space = sram, cycles = 10, bytes = 20>
func.func private @planned() attributes {
  asic.plan = #asic.plan<group = 0, tile = [1, 8, 56, 64], reduce = [], order = [0, 1, 2, 3], space = dram, cycles = 10, bytes = 20>}
func.func private @planned2() attributes {
  asic.plan = #asic.plan<group = 1, tile = [1], reduce = [3, 3, 64], order = [0], space = sram, cycles = 10, bytes = 20>}
}

// A row whose place is known at run time, as a tensor and as a machine's copy.
// CHECK-LABEL: @update
func.func @update(%row: tensor<2x1x4xf32>, %cache: tensor<2x8x4xf32>, %i: tensor<i32>) -> tensor<2x8x4xf32> {
  // CHECK: asic.update_slice %{{.*}} into %{{.*}}[%{{.*}}] dim 1 : tensor<2x1x4xf32> into tensor<2x8x4xf32>
  %0 = asic.update_slice %row into %cache[%i] dim 1 : tensor<2x1x4xf32> into tensor<2x8x4xf32>
  return %0 : tensor<2x8x4xf32>
}
// Rows that have a place each may be more than there are places.
// CHECK-LABEL: @update_rows
func.func @update_rows(%rows: tensor<2x9x4xf32>, %cache: tensor<2x8x4xf32>, %i: tensor<9xi32>) -> tensor<2x8x4xf32> {
  // CHECK: asic.update_slice %{{.*}} into %{{.*}}[%{{.*}}] dim 1 : tensor<2x9x4xf32> into tensor<2x8x4xf32>, tensor<9xi32>
  %0 = asic.update_slice %rows into %cache[%i] dim 1 : tensor<2x9x4xf32> into tensor<2x8x4xf32>, tensor<9xi32>
  return %0 : tensor<2x8x4xf32>
}
// CHECK-LABEL: @indexed_copy
func.func @indexed_copy(%row: memref<2x1x4xf32, #asic.space<sram>>, %cache: memref<2x8x4xf32, #asic.space<dram>>, %i: memref<i32, #asic.space<sram>>) {
  // CHECK: asic.copy %{{.*}}, %{{.*}} at %{{.*}} dim 1 {engine = 3 : i64} : memref<2x1x4xf32, #asic.space<sram>> to memref<2x8x4xf32, #asic.space<dram>>, memref<i32, #asic.space<sram>>
  asic.copy %row, %cache at %i dim 1 {engine = 3 : i64} : memref<2x1x4xf32, #asic.space<sram>> to memref<2x8x4xf32, #asic.space<dram>>, memref<i32, #asic.space<sram>>
  return
}
// CHECK-LABEL: @copy_of_rows
func.func @copy_of_rows(%rows: memref<2x9x4xf32, #asic.space<sram>>, %cache: memref<2x8x4xf32, #asic.space<dram>>, %i: memref<9xi32, #asic.space<sram>>) {
  // CHECK: asic.copy %{{.*}}, %{{.*}} at %{{.*}} dim 1 : memref<2x9x4xf32, #asic.space<sram>> to memref<2x8x4xf32, #asic.space<dram>>, memref<9xi32, #asic.space<sram>>
  asic.copy %rows, %cache at %i dim 1 : memref<2x9x4xf32, #asic.space<sram>> to memref<2x8x4xf32, #asic.space<dram>>, memref<9xi32, #asic.space<sram>>
  return
}
