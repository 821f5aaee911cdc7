// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-schedule --split-input-file --verify-diagnostics

// What does not fit is explained: the memory, its holders.
func.func @too_large(%x: memref<300000xi8, #asic.space<dram>>) {
  %a = memref.alloc() : memref<300000xi8, #asic.space<sram>>
  // expected-error @+1 {{expected room for 300000 bytes in sram, got 262144 free in one piece of 262144 with 0 held by 0 buffers; use smaller tiles}}
  asic.copy %x, %a : memref<300000xi8, #asic.space<dram>> to memref<300000xi8, #asic.space<sram>>
  return
}

// -----

func.func @held(%x: memref<200000xi8, #asic.space<dram>>) {
  // expected-note @+1 {{200000 bytes of}}
  %a = memref.alloc() : memref<200000xi8, #asic.space<sram>>
  %b = memref.alloc() : memref<200000xi8, #asic.space<sram>>
  asic.copy %x, %a : memref<200000xi8, #asic.space<dram>> to memref<200000xi8, #asic.space<sram>>
  // expected-error @+1 {{expected room for 200000 bytes in sram, got}}
  asic.copy %x, %b : memref<200000xi8, #asic.space<dram>> to memref<200000xi8, #asic.space<sram>>
  asic.copy %a, %x : memref<200000xi8, #asic.space<sram>> to memref<200000xi8, #asic.space<dram>>
  return
}

// -----

// A foreign op cannot be moved around.
func.func @foreign(%x: memref<64xi8, #asic.space<dram>>, %i: index) {
  %a = memref.alloc() : memref<64xi8, #asic.space<sram>>
  asic.copy %x, %a : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected tile operations, buffers and views in a function to schedule}}
  %v = memref.load %x[%i] : memref<64xi8, #asic.space<dram>>
  return
}

// -----

// More dimensions than an instruction has.
func.func @map_dims(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() : memref<2x2x2x2x2x2xi8, #asic.space<sram>>
  %b = memref.alloc() : memref<2x2x2x2x2x2xi8, #asic.space<sram>>
  // expected-error @+1 {{expected at most 5 dimensions after joining contiguous ones, got 6; tile an outer dimension to 1}}
  asic.map ins(%a : memref<2x2x2x2x2x2xi8, #asic.space<sram>>) outs(%b : memref<2x2x2x2x2x2xi8, #asic.space<sram>>)
    attributes {indexing_maps = [affine_map<(a, b, c, d, e, f) -> (f, e, d, c, b, a)>, affine_map<(a, b, c, d, e, f) -> (a, b, c, d, e, f)>],
                iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]} {
  ^bb0(%v: i8):
    asic.yield %v : i8
  }
  return
}
