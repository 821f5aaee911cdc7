// RUN: asic-opt %s --asic-attach-target=target=npu-256 -o %t.mlir
// RUN: asic-translate --mlir-to-program %t.mlir -o %t.asic
// RUN: asic-translate --disassemble %t.asic | FileCheck %s --check-prefix=ASM
// RUN: asic-translate --program-to-mlir %t.asic | FileCheck %s --check-prefix=MLIR

// The same input gives the same bytes, and so do the text forms.
// RUN: asic-translate --mlir-to-program %t.mlir -o %t.again.asic
// RUN: cmp %t.asic %t.again.asic
// RUN: asic-translate --disassemble %t.asic -o %t.s
// RUN: asic-translate --assemble --program-template=%t.asic %t.s -o %t.assembled.asic
// RUN: cmp %t.asic %t.assembled.asic

// What is no program is refused.
// RUN: not asic-translate --disassemble %t.s 2>&1 | FileCheck %s --check-prefix=FOREIGN
// RUN: not asic-translate --mlir-to-program --program-name=other %t.mlir 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not asic-translate --assemble %t.mlir 2>&1 | FileCheck %s --check-prefix=TEXT

// ASM: .lane 0 in=r0 out=r1
// ASM-NEXT: addi r1, r0, r0
// ASM-NEXT: .end
// ASM-NEXT: copy.dma0 post(0,1) tag=1 src_space=dram dst_space=sram src_addr=64 run_bytes=16
// ASM-NEXT: map.vpu wait(0,1) tag=2
// ASM-NEXT: halt.ctrl

// MLIR: asic.target = #asic.target<"npu-256"
// MLIR: isa.program @main dram 128 attributes {meta = {sram_bytes = 32 : i64}}
// MLIR: isa.io input "x" [4, 4] "int8" as i8 at 64 strides [4, 1]
// MLIR: isa.constant dense_resource<constant_0> : tensor<4xi8> at 0
// MLIR: isa.copy dma0 posts [0:1] tag 1
// MLIR: isa.halt ctrl {}

// FOREIGN: error:
// NAME: expected one isa.program called 'other', got 0
// TEXT: error:
isa.program @main dram 128 attributes {meta = {sram_bytes = 32 : i64}} {
  isa.io input "x" [4, 4] "int8" as i8 at 64 strides [4, 1]
  isa.constant dense<[1, 2, 3, 4]> : tensor<4xi8> at 0
  isa.lane_program 0 in [r0] out r1 {
    addi r1, r0, r0
  }
  isa.copy dma0 posts [0:1] tag 1 {src_space = dram, dst_space = sram, src_addr = 64, run_bytes = 16,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1}
  isa.map vpu waits [0:1] tag 2 {n0 = 16, n1 = 1, n2 = 1, n3 = 1, n4 = 1,
    s0_type = i8, s0_space = sram, s0_d0 = 1, s7_type = i8, s7_space = sram, s7_addr = 16, s7_d0 = 1}
  isa.halt ctrl {}
}
