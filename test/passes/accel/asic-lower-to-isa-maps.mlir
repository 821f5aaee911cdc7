// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-allocate-dram --asic-synchronize --asic-lower-to-isa --asic-verify-isa --split-input-file | FileCheck %s

#sram = #asic.space<sram>
#id = affine_map<(i) -> (i)>

// rescale, zero point and both bounds are one operation; the final truncation is
// what a stream does, zero extension a mask.
// CHECK-LABEL: isa.program @requantise_program
// CHECK: isa.lane_program 0 in [r0] out [[OUT:r[0-9]+]] {
// CHECK-NEXT: const [[MASK:r[0-9]+]], imm 255
// CHECK-NEXT: andi [[X:r[0-9]+]], r0, [[MASK]]
// CHECK-NEXT: const [[M:r[0-9]+]], imm 1073741824
// CHECK-NEXT: const [[S:r[0-9]+]], imm 33
// CHECK-NEXT: requant [[OUT]], [[X]], [[M]], [[S]], imm
// CHECK-NEXT: }
// CHECK: isa.map vpu {n0 = 64, {{.*}}s0_type = i8, {{.*}}s7_type = i8
func.func @requantise(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #sram>
  %b = memref.alloc() {asic.address = 64 : i64} : memref<64xi8, #sram>
  asic.map ins(%a : memref<64xi8, #sram>) outs(%b : memref<64xi8, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#id, #id], iterator_types = ["parallel"]} {
  ^bb0(%v: i8):
    %m = arith.constant 1073741824 : i32
    %s = arith.constant 33 : i8
    %z = arith.constant -5 : i32
    %lo = arith.constant -128 : i32
    %hi = arith.constant 127 : i32
    %w = arith.extui %v : i8 to i32
    %r = asic.rescale %w, %m, %s rounding <sr> : i32
    %p = arith.addi %r, %z : i32
    %q = arith.minsi %p, %hi : i32
    %t = arith.maxsi %q, %lo : i32
    %u = arith.trunci %t : i32 to i8
    asic.yield %u : i8
  }
  return
}

// -----

#sram = #asic.space<sram>
#rows = affine_map<(i, j) -> (i)>
#all = affine_map<(i, j) -> (i, j)>

// The dimension that is contiguous in the output is innermost; the reduction is
// d1. Two maps with the same body share a program.
// CHECK-LABEL: isa.program @reduction_program
// CHECK: isa.lane_program 0 in [r0] out r31 {
// CHECK-NEXT: red.maximumf r31, r0, imm 4286578688
// CHECK-NEXT: }
// CHECK-NOT: isa.lane_program
// CHECK: isa.map vpu {reduce = 2, n0 = 4, n1 = 16, n2 = 1, n3 = 1, n4 = 1, s0_type = f32, s0_space = sram, s0_d0 = 64, s0_d1 = 4, s7_type = f32, s7_space = sram, s7_addr = 256, s7_d0 = 4}
// CHECK: isa.map vpu {reduce = 2
func.func @reduction(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<4x16xf32, #sram>
  %b = memref.alloc() {asic.address = 256 : i64} : memref<4xf32, #sram>
  %c = memref.alloc() {asic.address = 272 : i64} : memref<4xf32, #sram>
  asic.map ins(%a : memref<4x16xf32, #sram>) outs(%b : memref<4xf32, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"], init = 0xFF800000 : f32} {
  ^bb0(%v: f32, %s: f32):
    %m = arith.maximumf %s, %v : f32
    asic.yield %m : f32
  }
  asic.map ins(%a : memref<4x16xf32, #sram>) outs(%c : memref<4xf32, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"], init = 0xFF800000 : f32} {
  ^bb0(%v: f32, %s: f32):
    %m = arith.maximumf %v, %s : f32
    asic.yield %m : f32
  }
  return
}

// -----

#sram = #asic.space<sram>
#id = affine_map<(i) -> (i)>

// Comparisons, selects, special functions and conversions, each its own operation;
// the input that nothing reads is no stream.
// CHECK-LABEL: isa.program @floats_program
// CHECK: isa.lane_program 0 in [r0, r2] out
// CHECK-NEXT: exp [[E:r[0-9]+]], r0
// CHECK-NEXT: cmpf [[C:r[0-9]+]], [[E]], r2, imm 2
// CHECK-NEXT: select [[S:r[0-9]+]], [[C]], [[E]], r2
// CHECK-NEXT: roundeven [[R:r[0-9]+]], [[S]]
// CHECK-NEXT: fptosi [[I:r[0-9]+]], [[R]]
// CHECK-NEXT: sext8
// CHECK-NEXT: sitofp
// CHECK-NEXT: }
// CHECK: isa.map vpu {{.*}}s0_type = f32, {{.*}}s2_type = bf16, {{.*}}s7_type = bf16
func.func @floats(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<16xf32, #sram>
  %b = memref.alloc() {asic.address = 64 : i64} : memref<16xbf16, #sram>
  %c = memref.alloc() {asic.address = 128 : i64} : memref<16xbf16, #sram>
  asic.map ins(%a, %a, %b : memref<16xf32, #sram>, memref<16xf32, #sram>, memref<16xbf16, #sram>) outs(%c : memref<16xbf16, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} {
  ^bb0(%v: f32, %unread: f32, %w: bf16):
    %e = math.exp %v : f32
    %f = arith.extf %w : bf16 to f32
    %g = arith.cmpf ogt, %e, %f : f32
    %s = arith.select %g, %e, %f : f32
    %r = math.roundeven %s : f32
    %i = arith.fptosi %r : f32 to i8
    %j = arith.extsi %i : i8 to i32
    %k = arith.sitofp %j : i32 to f32
    %t = arith.truncf %k : f32 to bf16
    asic.yield %t : bf16
  }
  return
}

// -----

#sram = #asic.space<sram>
#id = affine_map<(i) -> (i)>

// Every 32-bit pattern is a constant like any other, all ones included.
// CHECK-LABEL: isa.program @all_ones_program
// CHECK: isa.lane_program 0 in [r0] out r{{[0-9]+}} {
// CHECK-NEXT: const [[ONE:r[0-9]+]], imm 4294967295
// CHECK-NEXT: subi [[A:r[0-9]+]], r0, [[ONE]]
// CHECK-NEXT: const [[TWO:r[0-9]+]], imm 4294967294
// CHECK-NEXT: xori {{r[0-9]+}}, [[A]], [[TWO]]
// CHECK-NEXT: }
func.func @all_ones(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi32, #sram>
  %b = memref.alloc() {asic.address = 256 : i64} : memref<64xi32, #sram>
  asic.map ins(%a : memref<64xi32, #sram>) outs(%b : memref<64xi32, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#id, #id], iterator_types = ["parallel"]} {
  ^bb0(%v: i32):
    %one = arith.constant -1 : i32
    %two = arith.constant -2 : i32
    %d = arith.subi %v, %one : i32
    %x = arith.xori %d, %two : i32
    asic.yield %x : i32
  }
  return
}
