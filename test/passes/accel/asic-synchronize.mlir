// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-allocate-dram --asic-synchronize --asic-verify-schedule --split-input-file | FileCheck %s

// One post and one wait per conflict; the copy that loads %b is known to have
// retired once the one behind it has, so nothing more is needed.
// CHECK-LABEL: func.func @chain
// CHECK: asic.copy {{.*}} {engine = 3 : i64}
// CHECK: asic.copy {{.*}} {engine = 3 : i64, posts = array<i64: 0, 1>}
// CHECK: asic.map {{.*}}posts = array<i64: 1, 1>, waits = array<i64: 0, 1>}
// CHECK: asic.copy {{.*}} {engine = 4 : i64, waits = array<i64: 1, 1>}
func.func @chain(%x: memref<64xi8, #asic.space<dram>>) -> memref<64xi8, #asic.space<dram>> {
  %y = memref.alloc() : memref<64xi8, #asic.space<dram>>
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  %b = memref.alloc() {asic.address = 64 : i64} : memref<64xi8, #asic.space<sram>>
  %c = memref.alloc() {asic.address = 128 : i64} : memref<64xi8, #asic.space<sram>>
  asic.copy %x, %b {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.copy %x, %a {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.map ins(%a, %b : memref<64xi8, #asic.space<sram>>, memref<64xi8, #asic.space<sram>>) outs(%c : memref<64xi8, #asic.space<sram>>)
    attributes {engine = 2 : i64, indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} {
  ^bb0(%v: i8, %w: i8):
    %s = arith.addi %v, %w : i8
    asic.yield %s : i8
  }
  asic.copy %c, %y {engine = 4 : i64} : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  return %y : memref<64xi8, #asic.space<dram>>
}

// -----

// A reused address is a dependence: the second load waits for the store that
// reads the old bytes.
// CHECK-LABEL: func.func @reuse
// CHECK: asic.copy {{.*}} {engine = 3 : i64, posts = array<i64: 0, 1>}
// CHECK: asic.copy {{.*}} {engine = 4 : i64, posts = array<i64: 1, 1>, waits = array<i64: 0, 1>}
// CHECK: asic.copy {{.*}} {engine = 3 : i64, waits = array<i64: 1, 1>}
func.func @reuse(%x: memref<64xi8, #asic.space<dram>>) -> memref<64xi8, #asic.space<dram>> {
  %y = memref.alloc() : memref<64xi8, #asic.space<dram>>
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  %b = memref.alloc() {asic.address = 32 : i64} : memref<64xi8, #asic.space<sram>>
  asic.copy %x, %a {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.copy %a, %y {engine = 4 : i64} : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  asic.copy %x, %b {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return %y : memref<64xi8, #asic.space<dram>>
}

// -----

// Interleaved columns of one buffer do not touch: no semaphore.
// CHECK-LABEL: func.func @disjoint_columns
// CHECK-NOT: waits
// CHECK: return
func.func @disjoint_columns(%x: memref<8x8xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<8x8xi8, #asic.space<sram>>
  %l = memref.subview %a[0, 0] [8, 4] [1, 1] : memref<8x8xi8, #asic.space<sram>> to memref<8x4xi8, strided<[8, 1]>, #asic.space<sram>>
  %r = memref.subview %a[0, 4] [8, 4] [1, 1] : memref<8x8xi8, #asic.space<sram>> to memref<8x4xi8, strided<[8, 1], offset: 4>, #asic.space<sram>>
  asic.fill 0 : i8, %l {engine = 3 : i64} : memref<8x4xi8, strided<[8, 1]>, #asic.space<sram>>
  asic.fill 1 : i8, %r {engine = 4 : i64} : memref<8x4xi8, strided<[8, 1], offset: 4>, #asic.space<sram>>
  return
}
