// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-assign-state --split-input-file | FileCheck %s

#id = affine_map<(i) -> (i)>
!dram = memref<64xi8, #asic.space<dram>>
!sram = memref<64xi8, #asic.space<sram>>

// Read, then written: one buffer.
// CHECK-LABEL: func.func @update
// CHECK-SAME: (%[[OLD:.*]]: memref<64xi8, #asic.space<dram>>
// CHECK-NOT: memref.alloc() : memref<64xi8, #asic.space<dram>>
// CHECK: asic.copy %[[OLD]], %[[TILE:.*]] :
// CHECK: asic.copy %{{.*}}, %[[OLD]] :
// CHECK: return %[[OLD]]
func.func @update(%old: !dram {asic.state = "s"}) -> (!dram {asic.state = "s"}) {
  %new = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  %b = memref.alloc() : !sram
  asic.copy %old, %a : !dram to !sram
  asic.map ins(%a : !sram) outs(%b : !sram) attributes {indexing_maps = [#id, #id], iterator_types = ["parallel"]} {
  ^bb0(%v: i8):
    %w = arith.addi %v, %v : i8
    asic.yield %w : i8
  }
  asic.copy %b, %new : !sram to !dram
  return %new : !dram
}

// -----

!dram = memref<64xi8, #asic.space<dram>>
!sram = memref<64xi8, #asic.space<sram>>

// The old value is read behind the write: the new one goes home at the end.
// CHECK-LABEL: func.func @later_reader
// CHECK-SAME: (%[[OLD:.*]]: memref<64xi8, #asic.space<dram>> {asic.state = "s"}
// CHECK: %[[NEW:.*]] = memref.alloc() : memref<64xi8, #asic.space<dram>>
// CHECK: asic.copy %{{.*}}, %[[NEW]] :
// CHECK: asic.copy %[[OLD]], %
// CHECK: %[[FROM:.*]] = memref.reinterpret_cast %[[NEW]]
// CHECK: asic.copy %[[FROM]], %[[TILE:.*]] :
// CHECK: %[[TO:.*]] = memref.reinterpret_cast %[[OLD]]
// CHECK: asic.copy %[[TILE]], %[[TO]] :
// CHECK: return %[[OLD]], %
func.func @later_reader(%old: !dram {asic.state = "s"}, %x: !dram) -> (!dram {asic.state = "s"}, !dram) {
  %new = memref.alloc() : !dram
  %y = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  %b = memref.alloc() : !sram
  asic.copy %x, %a : !dram to !sram
  asic.copy %a, %new : !sram to !dram
  asic.copy %old, %b : !dram to !sram
  asic.copy %b, %y : !sram to !dram
  return %new, %y : !dram, !dram
}

// -----

!dram = memref<64xi8, #asic.space<dram>>
!half = memref<32xi8, strided<[1]>, #asic.space<dram>>
!rest = memref<32xi8, strided<[1], offset: 32>, #asic.space<dram>>
!sram = memref<32xi8, #asic.space<sram>>

// A later reader of other bytes is no reason; what would be copied onto itself is not.
// CHECK-LABEL: func.func @parts
// CHECK-SAME: (%[[OLD:.*]]: memref<64xi8, #asic.space<dram>> {asic.state = "s"}
// CHECK-COUNT-4: asic.copy
// CHECK-NOT: asic.copy
// CHECK: return %[[OLD]], %
func.func @parts(%old: !dram {asic.state = "s"}, %x: !half) -> (!dram {asic.state = "s"}, memref<32xi8, #asic.space<dram>>) {
  %new = memref.alloc() : !dram
  %y = memref.alloc() : memref<32xi8, #asic.space<dram>>
  %a = memref.alloc() : !sram
  %b = memref.alloc() : !sram
  %c = memref.alloc() : !sram
  %old1 = memref.subview %old[32] [32] [1] : !dram to !rest
  %new0 = memref.subview %new[0] [32] [1] : !dram to !half
  %new1 = memref.subview %new[32] [32] [1] : !dram to !rest
  asic.copy %x, %a : !half to !sram
  asic.copy %a, %new0 : !sram to !half
  asic.copy %old1, %b : !rest to !sram
  asic.copy %b, %new1 : !sram to !rest
  asic.copy %old1, %c : !rest to !sram
  asic.copy %c, %y : !sram to memref<32xi8, #asic.space<dram>>
  return %new, %y : !dram, memref<32xi8, #asic.space<dram>>
}

// -----

!dram = memref<8x8xi8, #asic.space<dram>>
!turned = memref<8x8xi8, strided<[1, 8]>, #asic.space<dram>>
!sram = memref<8x8xi8, #asic.space<sram>>

// The same bytes in another order are not copied onto themselves.
// CHECK-LABEL: func.func @transpose
// CHECK-SAME: (%[[OLD:.*]]: memref<8x8xi8
// CHECK: %[[TURNED:.*]] = memref.reinterpret_cast %[[OLD]]
// CHECK: asic.copy %[[TURNED]], %[[TILE:.*]] :
// CHECK: asic.copy %[[TILE]], %[[OLD]] :
// CHECK: return %[[OLD]]
func.func @transpose(%old: !dram {asic.state = "s"}) -> (!dram {asic.state = "s"}) {
  %new = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  %turned = memref.reinterpret_cast %old to offset: [0], sizes: [8, 8], strides: [1, 8] : !dram to !turned
  asic.copy %turned, %a : !turned to !sram
  asic.copy %a, %new : !sram to !dram
  return %new : !dram
}

// -----

!flat = memref<64xi8, #asic.space<dram>>
!dram = memref<1x64xi8, #asic.space<dram>>
!sram = memref<64xi8, #asic.space<sram>>

// The result was made in another shape.
// CHECK-LABEL: func.func @reshaped
// CHECK-SAME: (%[[OLD:.*]]: memref<1x64xi8
// CHECK: %[[FLAT:.*]] = memref.reinterpret_cast %[[OLD]]
// CHECK: asic.copy %{{.*}}, %[[FLAT]] :
// CHECK: return %[[OLD]]
func.func @reshaped(%old: !dram {asic.state = "s"}, %x: !flat) -> (!dram {asic.state = "s"}) {
  %new = memref.alloc() : !flat
  %whole = memref.reinterpret_cast %new to offset: [0], sizes: [1, 64], strides: [64, 1] : !flat to !dram
  %a = memref.alloc() : !sram
  asic.copy %x, %a : !flat to !sram
  asic.copy %a, %new : !sram to !flat
  return %whole : !dram
}

// -----

!dram = memref<64xi8, #asic.space<dram>>
!sram = memref<64xi8, #asic.space<sram>>

// Two borders that differ: the host carries the value. So it does where the user's type holds
// less than the device's, and where two forms of the value come in.
// CHECK-LABEL: func.func @borders
// CHECK: %[[NEW:.*]] = memref.alloc() : memref<64xi8, #asic.space<dram>>
// CHECK: return %[[NEW]]
func.func @borders(
    %old: !dram {asic.state = "s", asic.boundary = {shape = array<i64: 64>, type = f32, scale = 0.1 : f64, zero_point = 0 : i64, lo = -128 : i64, hi = 127 : i64}},
    %x: !dram) -> (!dram {asic.state = "s", asic.boundary = {shape = array<i64: 64>, type = f32, scale = 0.2 : f64, zero_point = 0 : i64, lo = -128 : i64, hi = 127 : i64}}) {
  %new = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  asic.copy %x, %a : !dram to !sram
  asic.copy %a, %new : !sram to !dram
  return %new : !dram
}

// CHECK-LABEL: func.func @narrow
// CHECK: %[[NEW:.*]] = memref.alloc() : memref<64xf32, #asic.space<dram>>
// CHECK: return %[[NEW]]
func.func @narrow(
    %old: memref<64xf32, #asic.space<dram>> {asic.state = "s", asic.boundary = {shape = array<i64: 64>, type = bf16}},
    %x: memref<64xf32, #asic.space<dram>>)
    -> (memref<64xf32, #asic.space<dram>> {asic.state = "s", asic.boundary = {shape = array<i64: 64>, type = bf16}}) {
  %new = memref.alloc() : memref<64xf32, #asic.space<dram>>
  %a = memref.alloc() : memref<64xf32, #asic.space<sram>>
  asic.copy %x, %a : memref<64xf32, #asic.space<dram>> to memref<64xf32, #asic.space<sram>>
  asic.copy %a, %new : memref<64xf32, #asic.space<sram>> to memref<64xf32, #asic.space<dram>>
  return %new : memref<64xf32, #asic.space<dram>>
}

// CHECK-LABEL: func.func @forms
// CHECK: %[[NEW:.*]] = memref.alloc() : memref<64xi8, #asic.space<dram>>
// CHECK: return %[[NEW]]
func.func @forms(%old: !dram {asic.state = "s"}, %other: !dram {asic.state = "s"}, %x: !dram) -> (!dram {asic.state = "s"}) {
  %new = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  asic.copy %x, %a : !dram to !sram
  asic.copy %a, %new : !sram to !dram
  return %new : !dram
}

// -----

!dram = memref<64xi8, #asic.space<dram>>
!sram = memref<64xi8, #asic.space<sram>>

// An output that is the old value keeps it.
// CHECK-LABEL: func.func @returned
// CHECK: %[[NEW:.*]] = memref.alloc() : memref<64xi8, #asic.space<dram>>
// CHECK: return %[[NEW]], %arg0
func.func @returned(%old: !dram {asic.state = "s"}, %x: !dram) -> (!dram {asic.state = "s"}, !dram) {
  %new = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  asic.copy %x, %a : !dram to !sram
  asic.copy %a, %new : !sram to !dram
  return %new, %old : !dram, !dram
}

// -----

!dram = memref<8x8xi8, #asic.space<dram>>
!sram = memref<8x8xi8, #asic.space<sram>>
!row = memref<1x8xi8, #asic.space<sram>>
!index = memref<i32, #asic.space<sram>>

// The copy of the old rows is not needed where one row is written over it.
// CHECK-LABEL: func.func @row
// CHECK-SAME: %[[OLD:.*]]: memref<8x8xi8, #asic.space<dram>>
// CHECK-NOT: asic.copy %[[OLD]]
// CHECK: asic.copy %{{.*}}, %[[OLD]] at %{{.*}} dim 0
// CHECK: asic.copy %[[OLD]], %{{.*}}
// CHECK: return %[[OLD]]
func.func @row(%old: !dram {asic.state = "s"}, %row: !row, %i: !index) -> (!dram {asic.state = "s"}) {
  %new = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  asic.copy %old, %a : !dram to !sram
  asic.copy %a, %new : !sram to !dram
  asic.copy %row, %new at %i dim 0 : !row to !dram, !index
  %b = memref.alloc() : !sram
  asic.copy %new, %b : !dram to !sram
  return %new : !dram
}

// Any row may be the one: who reads the old value behind it keeps it.
// CHECK-LABEL: func.func @row_then_read
// CHECK-SAME: %[[OLD:.*]]: memref<8x8xi8, #asic.space<dram>>
// CHECK: %[[NEW:.*]] = memref.alloc() : memref<8x8xi8, #asic.space<dram>>
// CHECK: asic.copy %{{.*}}, %[[NEW]] at
func.func @row_then_read(%old: !dram {asic.state = "s"}, %row: !row, %i: !index) -> (!dram {asic.state = "s"}) {
  %new = memref.alloc() : !dram
  %a = memref.alloc() : !sram
  asic.copy %old, %a : !dram to !sram
  asic.copy %a, %new : !sram to !dram
  asic.copy %row, %new at %i dim 0 : !row to !dram, !index
  %last = memref.subview %old[7, 0] [1, 8] [1, 1] : !dram to memref<1x8xi8, strided<[8, 1], offset: 56>, #asic.space<dram>>
  %b = memref.alloc() : !row
  asic.copy %last, %b : memref<1x8xi8, strided<[8, 1], offset: 56>, #asic.space<dram>> to !row
  return %new : !dram
}
