// RUN: asic-opt %s --asic-attach-target=target=npu-256 -o %t.mlir
// RUN: asic-translate --mlir-to-program %t.mlir -o %t.asic
// RUN: asic-translate --disassemble %t.asic | FileCheck %s --check-prefix=ASM
// RUN: asic-translate --program-to-mlir %t.asic | FileCheck %s --check-prefix=MLIR
// RUN: asic-translate --disassemble %t.asic -o %t.s
// RUN: asic-translate --assemble --program-template=%t.asic %t.s -o %t.assembled.asic
// RUN: cmp %t.asic %t.assembled.asic
// RUN: asic-run --timing %t.asic | FileCheck %s --check-prefix=TIME

// The index of a copy survives every form of a program.
// ASM: copy.dma0 {{.*}} index_addr=64 index_n=8 index_src_s=16{{ *(#.*)?$}}
// ASM: copy.dma0 {{.*}} index_addr=64 index_n=8 index_dst_s=-16{{ *(#.*)?$}}
// MLIR: isa.copy dma0 {{.*}}index_addr = 64, index_n = 8, index_src_s = 16}
// MLIR: isa.copy dma0 {{.*}}index_addr = 64, index_n = 8, index_dst_s = -16}

// Issues at 1, 18 and 42: setup 16 and a cycle of work, then setup 16 + sram.latency 4 and a burst of 4
// cycles, twice; the last one retires write_latency 100 after its end at 66.
// TIME: 167 cycles
isa.program @main dram 512 {
  isa.fill dma0 {dst_space = sram, elem_bytes = 4, dst_addr = 64, value = 3, run = 1,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1}
  isa.copy dma0 {src_space = dram, dst_space = sram, run_bytes = 16,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1, index_addr = 64, index_n = 8, index_src_s = 16}
  isa.copy dma0 {src_space = sram, dst_space = dram, dst_addr = 384, run_bytes = 16,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1, index_addr = 64, index_n = 8, index_dst_s = -16}
  isa.halt ctrl {}
}
