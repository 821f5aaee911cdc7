// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-allocate-dram --split-input-file | FileCheck %s

// Constants of one value share their bytes; arguments and results follow; scratch
// that is not alive at the same time shares its place.
// CHECK-LABEL: func.func @main
// CHECK-SAME: asic.address = [[ARG:[0-9]+]]
// CHECK: asic.constant {{.*}} at 0
// CHECK: asic.constant {{.*}} at 0
// CHECK: memref.alloc() {asic.address = [[PLACE:[0-9]+]] : i64} : memref<64xi8, #asic.space<dram>>
// CHECK: memref.alloc() {asic.address = [[PLACE]] : i64} : memref<64xi8, #asic.space<dram>>
func.func @main(%x: memref<64xi8, #asic.space<dram>>) {
  %c = asic.constant dense<1> : tensor<64xi8> : memref<64xi8, #asic.space<dram>>
  %d = asic.constant dense<1> : tensor<64xi8> : memref<64xi8, #asic.space<dram>>
  %t = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  %a = memref.alloc() : memref<64xi8, #asic.space<dram>>
  asic.copy %c, %t {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.copy %t, %a {engine = 3 : i64} : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  asic.copy %d, %t {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  %b = memref.alloc() : memref<64xi8, #asic.space<dram>>
  asic.copy %t, %b {engine = 3 : i64} : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  return
}
