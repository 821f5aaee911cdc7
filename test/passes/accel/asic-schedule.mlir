// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-schedule --split-input-file | FileCheck %s

// The load of the second tile runs ahead of the first map; every operation has
// an engine and a tag, every on-chip buffer an address.
// CHECK-LABEL: func.func @prefetch
// CHECK: memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
// CHECK: asic.copy {{.*}} {engine = 3 : i64, tag = 1 : i64}
// CHECK: asic.copy {{.*}} {engine = 3 : i64, tag = {{[0-9]+}} : i64}
// CHECK: asic.map {{.*}} attributes {engine = 2 : i64
// CHECK: asic.map
// CHECK: return
func.func @prefetch(%x: memref<128xi8, #asic.space<dram>>) -> memref<128xi8, #asic.space<dram>> {
  %y = memref.alloc() : memref<128xi8, #asic.space<dram>>
  %x0 = memref.subview %x[0] [64] [1] : memref<128xi8, #asic.space<dram>> to memref<64xi8, strided<[1]>, #asic.space<dram>>
  %x1 = memref.subview %x[64] [64] [1] : memref<128xi8, #asic.space<dram>> to memref<64xi8, strided<[1], offset: 64>, #asic.space<dram>>
  %y0 = memref.subview %y[0] [64] [1] : memref<128xi8, #asic.space<dram>> to memref<64xi8, strided<[1]>, #asic.space<dram>>
  %y1 = memref.subview %y[64] [64] [1] : memref<128xi8, #asic.space<dram>> to memref<64xi8, strided<[1], offset: 64>, #asic.space<dram>>
  %a0 = memref.alloc() : memref<64xi8, #asic.space<sram>>
  %b0 = memref.alloc() : memref<64xi8, #asic.space<sram>>
  %a1 = memref.alloc() : memref<64xi8, #asic.space<sram>>
  %b1 = memref.alloc() : memref<64xi8, #asic.space<sram>>
  asic.copy %x0, %a0 : memref<64xi8, strided<[1]>, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.map ins(%a0 : memref<64xi8, #asic.space<sram>>) outs(%b0 : memref<64xi8, #asic.space<sram>>)
    attributes {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} {
  ^bb0(%v: i8):
    asic.yield %v : i8
  }
  asic.copy %b0, %y0 : memref<64xi8, #asic.space<sram>> to memref<64xi8, strided<[1]>, #asic.space<dram>>
  asic.copy %x1, %a1 : memref<64xi8, strided<[1], offset: 64>, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.map ins(%a1 : memref<64xi8, #asic.space<sram>>) outs(%b1 : memref<64xi8, #asic.space<sram>>)
    attributes {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} {
  ^bb0(%v: i8):
    asic.yield %v : i8
  }
  asic.copy %b1, %y1 : memref<64xi8, #asic.space<sram>> to memref<64xi8, strided<[1], offset: 64>, #asic.space<dram>>
  return %y : memref<128xi8, #asic.space<dram>>
}

// -----

// A load of what the network itself stores stays behind the store.
// CHECK-LABEL: func.func @store_then_load
// CHECK: asic.copy %[[A:.*]], %[[S:.*]] {engine = 4
// CHECK: asic.copy %[[S]], %{{.*}} {engine = 3
func.func @store_then_load(%x: memref<64xi8, #asic.space<dram>>) -> memref<64xi8, #asic.space<dram>> {
  %s = memref.alloc() : memref<64xi8, #asic.space<dram>>
  %y = memref.alloc() : memref<64xi8, #asic.space<dram>>
  %a = memref.alloc() : memref<64xi8, #asic.space<sram>>
  %b = memref.alloc() : memref<64xi8, #asic.space<sram>>
  asic.copy %x, %a : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.copy %a, %s : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  asic.copy %s, %b : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.copy %b, %y : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  return %y : memref<64xi8, #asic.space<dram>>
}
