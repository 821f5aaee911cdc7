// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-verify-isa --split-input-file --verify-diagnostics

// expected-error @+1 {{expected isa.halt as the last instruction}}
isa.program @halt dram 0 {
  isa.nop mxu {cycles = 1}
}

// -----

// expected-error @+1 {{expected a program that finishes, got a deadlock}}
isa.program @deadlock dram 0 {
  // expected-note @+1 {{mxu: semaphore 0 is 0, needs 1}}
  isa.nop mxu waits [0:1] {cycles = 1}
  // expected-note @+1 {{ctrl}}
  isa.halt ctrl {}
}

// -----

// expected-error @+1 {{expected every post to be waited for, got 1 left on semaphore 0}}
isa.program @leak dram 0 {
  isa.nop mxu posts [0:1] {cycles = 1}
  isa.halt ctrl {}
}

// -----

isa.program @engine dram 0 {
  // expected-error @+1 {{expected an engine and semaphores that the target has}}
  isa.copy dma7 {dst_space = sram}
  isa.halt ctrl {}
}

// -----

func.func @tile_op(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() : memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected no tile operations after asic-lower-to-isa}}
  asic.copy %x, %a : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return
}
