// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-allocate-dram --asic-lower-to-isa --split-input-file --verify-diagnostics

#sram = #asic.space<sram>
#id = affine_map<(i) -> (i)>

func.func @unscheduled(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #sram>
  // expected-error @+1 {{expected an engine; run asic-schedule first}}
  asic.copy %x, %a : memref<64xi8, #asic.space<dram>> to memref<64xi8, #sram>
  return
}

// -----

#sram = #asic.space<sram>

func.func @unplaced(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() : memref<64xi8, #sram>
  // expected-error @+1 {{expected every buffer to have an address}}
  asic.copy %x, %a {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #sram>
  return
}

// -----

#sram = #asic.space<sram>
#id = affine_map<(i) -> (i)>

func.func @lane_operation(%x: memref<64xf32, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xf32, #sram>
  asic.map ins(%a : memref<64xf32, #sram>) outs(%a : memref<64xf32, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#id, #id], iterator_types = ["parallel"]} {
  ^bb0(%v: f32):
    // expected-error @+1 {{expected an operation of the vector unit}}
    %r = math.atan %v : f32
    asic.yield %r : f32
  }
  return
}

// -----

#sram = #asic.space<sram>
#all = affine_map<(i, j) -> (i, j)>

func.func @reduction_step(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<4x4xi32, #sram>
  %b = memref.alloc() {asic.address = 64 : i64} : memref<4xi32, #sram>
  // expected-error @+1 {{expected the body to yield add, mul, min, max, and or or of the accumulator and a value}}
  asic.map ins(%a : memref<4x4xi32, #sram>) outs(%b : memref<4xi32, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#all, affine_map<(i, j) -> (i)>],
                iterator_types = ["parallel", "reduction"], init = 0 : i32} {
  ^bb0(%v: i32, %s: i32):
    %r = arith.subi %s, %v : i32
    asic.yield %r : i32
  }
  return
}

// -----

#sram = #asic.space<sram>
#id = affine_map<(i) -> (i)>

func.func @wide_integers(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi32, #sram>
  // expected-error @+1 {{expected integers of at most 32 bits in a lane program, got 'i64' in arith.muli}}
  asic.map ins(%a : memref<64xi32, #sram>) outs(%a : memref<64xi32, #sram>)
    attributes {engine = 2 : i64, indexing_maps = [#id, #id], iterator_types = ["parallel"]} {
  ^bb0(%v: i32):
    %w = arith.extsi %v : i32 to i64
    %p = arith.muli %w, %w : i64
    %r = arith.trunci %p : i64 to i32
    asic.yield %r : i32
  }
  return
}

// -----

#sram = #asic.space<sram>

// Three padded dimensions are one more than the address generator checks.
func.func @bounds(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<4x4x4xi8, #sram>
  %w = memref.alloc() {asic.address = 64 : i64} : memref<3x3x3x2xi8, #sram>
  %s = memref.alloc() {asic.address = 0 : i64} : memref<4x4x4x2xi32, #asic.space<acc>>
  // expected-error @+1 {{expected out-of-range points in at most two dimensions of a}}
  asic.contract ins(%a, %w : memref<4x4x4xi8, #sram>, memref<3x3x3x2xi8, #sram>) outs(%s : memref<4x4x4x2xi32, #asic.space<acc>>)
    {engine = 1 : i64, pad = array<i64: 1, 1, 1>,
     indexing_maps = [affine_map<(z, y, x, o, t, u, v) -> (z + t, y + u, x + v)>,
                      affine_map<(z, y, x, o, t, u, v) -> (t, u, v, o)>,
                      affine_map<(z, y, x, o, t, u, v) -> (z, y, x, o)>],
     iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
  return
}

// -----

#sram = #asic.space<sram>

func.func @too_many_dims(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<2x2x2x2x4xi8, #sram>
  %w = memref.alloc() {asic.address = 64 : i64} : memref<4x2xi8, #sram>
  %s = memref.alloc() {asic.address = 0 : i64} : memref<2x2x2x2x2xi32, #asic.space<acc>>
  // expected-error @+1 {{expected at most 3 dimensions of a alone, 3 reductions, 1 of w alone and 1 of both, got 4, 1, 1 and 0}}
  asic.contract ins(%a, %w : memref<2x2x2x2x4xi8, #sram>, memref<4x2xi8, #sram>) outs(%s : memref<2x2x2x2x2xi32, #asic.space<acc>>)
    {engine = 1 : i64,
     indexing_maps = [affine_map<(p, q, r, s, n, k) -> (s, r, q, p, k)>, affine_map<(p, q, r, s, n, k) -> (k, n)>,
                      affine_map<(p, q, r, s, n, k) -> (p, q, r, s, n)>],
     iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
  return
}
