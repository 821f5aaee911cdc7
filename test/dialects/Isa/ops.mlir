// RUN: asic-opt %s | FileCheck %s
// RUN: asic-opt %s --mlir-print-op-generic | asic-opt | FileCheck %s

// Every record of a program and one instruction of each kind.
// CHECK-LABEL: isa.program @all dram 4096
isa.program @all dram 4096 attributes {meta = {sram_bytes = 128 : i64}} {
  // CHECK: isa.io input "x" [1, 4] "float32" as i8 at 64 strides [4, 1] quantization {hi = 127 : i64, lo = -128 : i64, scale = 5.000000e-01 : f64, zero_point = 3 : i64}
  isa.io input "x" [1, 4] "float32" as i8 at 64 strides [4, 1]
    quantization {hi = 127 : i64, lo = -128 : i64, scale = 0.5 : f64, zero_point = 3 : i64}
  // CHECK: isa.io output "y" [4] "int8" as i8 at 128 strides [1]
  isa.io output "y" [4] "int8" as i8 at 128 strides [1]
  // CHECK: isa.io output "h" [4] "int8" as i8 at 256 strides [1] state "cell.h"
  isa.io output "h" [4] "int8" as i8 at 256 strides [1] state "cell.h"
  // CHECK: isa.constant dense<7> : tensor<8xi32> at 0
  isa.constant dense<7> : tensor<8xi32> at 0
  // CHECK: isa.constant dense<-7> : tensor<9xi8> packed at 32
  isa.constant dense<-7> : tensor<9xi8> packed at 32
  // CHECK: isa.lane_program 0 in [r0, r2] out r3 {
  // CHECK-NEXT: const r1, imm 5
  // CHECK-NEXT: muli r3, r0, r2
  // CHECK-NEXT: addi r3, r3, r1
  // CHECK-NEXT: }
  isa.lane_program 0 in [r0, r2] out r3 {
    const r1, imm 5
    muli r3, r0, r2
    addi r3, r3, r1
  }
  // A reduction and its final part.
  // CHECK: isa.lane_program 1 in [r0] out r1 {
  // CHECK-NEXT: red.addf r31, r0, imm 2147483648
  // CHECK-NEXT: } final {
  // CHECK-NEXT: mulf r1, r31, r31
  // CHECK-NEXT: }
  isa.lane_program 1 in [r0] out r1 {
    red.addf r31, r0, imm 2147483648
  } final {
    mulf r1, r31, r31
  }
  // CHECK: isa.copy dma0 waits [0:1, 2:3] posts [1:1] tag 3 {dst_space = sram, dst_addr = 16, run_bytes = 4, n0 = 1, n1 = 1, n2 = 1, n3 = 1, src_s0 = -8}
  isa.copy dma0 waits [0:1, 2:3] posts [1:1] tag 3 {src_space = 0, dst_space = sram,
    dst_addr = 16, run_bytes = 4, n0 = 1, n1 = 1, n2 = 1, n3 = 1, src_s0 = -8}
  // CHECK: isa.copy dma1 {dst_space = sram, run_bytes = 4, n0 = 1, n1 = 1, n2 = 1, n3 = 1, index_addr = 64, index_n = 8, index_src_s = 4, index_dst_s = -4}
  isa.copy dma1 {dst_space = sram, run_bytes = 4, n0 = 1, n1 = 1, n2 = 1, n3 = 1,
    index_addr = 64, index_n = 8, index_src_s = 4, index_dst_s = -4}
  // CHECK: isa.copy dma1 {dst_space = sram, run_bytes = 4, n0 = 1, n1 = 1, n2 = 1, n3 = 5, src_s3 = 4, index_addr = 64, index_n = 8, index_dst_s = 4, index_s = 4}
  isa.copy dma1 {dst_space = sram, run_bytes = 4, n0 = 1, n1 = 1, n2 = 1, n3 = 5, src_s3 = 4,
    index_addr = 64, index_n = 8, index_dst_s = 4, index_s = 4}
  // CHECK: isa.copy dma1 {dst_space = sram, run_bytes = 7, n0 = 1, n1 = 1, n2 = 1, n3 = 1, packed_type = i4}
  isa.copy dma1 {dst_space = sram, run_bytes = 7, n0 = 1, n1 = 1, n2 = 1, n3 = 1, packed_type = i4}
  // CHECK: isa.fill dma1 {dst_space = sram, elem_bytes = 1, value = 255, run = 64}
  isa.fill dma1 {dst_space = sram, elem_bytes = 1, value = 255, run = 64}
  // CHECK: isa.contract mxu tag 4 {a_type = i8, w_type = i8, acc_type = i32, a_addr = -12, a_zero = -3, m0 = 2
  isa.contract mxu tag 4 {a_type = i8, w_type = i8, acc_type = i32, a_addr = -12, a_zero = -3,
    m0 = 2, m1 = 1, m2 = 1, k0 = 4, k1 = 1, k2 = 1, n = 4}
  // CHECK: isa.map vpu {program = 1, reduce = 1, n0 = 4, n1 = 1, n2 = 1, n3 = 1, n4 = 1, s0_type = f32, s0_space = acc, s0_d0 = 4, s7_type = bf16, s7_space = sram}
  isa.map vpu {program = 1, reduce = 1, n0 = 4, n1 = 1, n2 = 1, n3 = 1, n4 = 1,
    s0_type = f32, s0_space = acc, s0_d0 = 4, s7_type = bf16, s7_space = sram}
  // CHECK: isa.nop mxu {cycles = 7}
  isa.nop mxu {cycles = 7}
  // CHECK: isa.fence ctrl {engines = 6}
  isa.fence ctrl {engines = 6}
  // CHECK: isa.halt ctrl {}
  isa.halt ctrl {}
}
