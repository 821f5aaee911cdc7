// RUN: asic-opt %s --asic-attach-target=target=kea1-like --asic-allocate-dram --asic-synchronize --asic-lower-to-isa --asic-verify-isa --split-input-file | FileCheck %s

#sram = #asic.space<sram>
#acc = #asic.space<acc>
#dram = #asic.space<dram>

// Border, constants and moves: the declaration names the program; the boundary
// becomes logical shape, strides and quantisation of the io record.
// CHECK: func.func private @moves
// CHECK-SAME: asic.program = @moves_program
// CHECK: isa.program @moves_program dram 192 attributes {meta = {acc_bytes = 0 : i64, sram_bytes = 32 : i64}}
// CHECK: isa.io input "image" [1, 2, 4, 4] "float32" as i8 at 64 strides [32, 1, 8, 2] quantization {hi = 127 : i64, lo = -128 : i64, scale = 5.000000e-01 : f64, zero_point = 3 : i64}
// CHECK: isa.io output "y" [4, 4] "int8" as i8 at 128 strides [4, 1]
// CHECK: isa.constant dense<7> : tensor<4x4xi8> at 0
// One column of channels: 16 runs of one byte collapse to one dimension.
// CHECK: isa.copy dma0 {dst_space = sram, src_addr = 65, run_bytes = 1, n0 = 16, n1 = 1, n2 = 1, n3 = 1, src_s0 = 2, dst_s0 = 1}
// Columns 1 and 2 of every row.
// CHECK: isa.fill dma0 {dst_space = sram, elem_bytes = 1, dst_addr = 17, value = 255, run = 2, n0 = 4, n1 = 1, n2 = 1, n3 = 1, dst_s0 = 4}
// CHECK: isa.copy dma0 {src_space = sram, src_addr = 16, dst_addr = 128, run_bytes = 16, n0 = 1
// CHECK: isa.halt ctrl {}
func.func @moves(%x: memref<1x4x4x2xi8, #dram> {asic.name = "image",
    asic.boundary = {shape = array<i64: 1, 2, 4, 4>, type = f32, permutation = array<i64: 0, 2, 3, 1>,
                     scale = 0.5 : f64, zero_point = 3 : i64, lo = -128 : i64, hi = 127 : i64}})
    -> (memref<4x4xi8, #dram> {asic.name = "y"}) {
  %c = asic.constant dense<7> : tensor<4x4xi8> : memref<4x4xi8, #dram>
  %y = memref.alloc() : memref<4x4xi8, #dram>
  %a = memref.alloc() {asic.address = 0 : i64} : memref<1x4x4x1xi8, #sram>
  %b = memref.alloc() {asic.address = 16 : i64} : memref<4x4xi8, #sram>
  %xv = memref.subview %x[0, 0, 0, 1] [1, 4, 4, 1] [1, 1, 1, 1] : memref<1x4x4x2xi8, #dram> to memref<1x4x4x1xi8, strided<[32, 8, 2, 1], offset: 1>, #dram>
  %bv = memref.subview %b[0, 1] [4, 2] [1, 1] : memref<4x4xi8, #sram> to memref<4x2xi8, strided<[4, 1], offset: 1>, #sram>
  asic.copy %xv, %a {engine = 3 : i64} : memref<1x4x4x1xi8, strided<[32, 8, 2, 1], offset: 1>, #dram> to memref<1x4x4x1xi8, #sram>
  asic.copy %c, %b {engine = 3 : i64} : memref<4x4xi8, #dram> to memref<4x4xi8, #sram>
  asic.fill -1 : i8, %bv {engine = 3 : i64} : memref<4x2xi8, strided<[4, 1], offset: 1>, #sram>
  asic.copy %b, %y {engine = 3 : i64} : memref<4x4xi8, #sram> to memref<4x4xi8, #dram>
  return %y : memref<4x4xi8, #dram>
}

// -----

#sram = #asic.space<sram>
#acc = #asic.space<acc>

// A strided, dilated convolution with padding on all sides: x is m0 and k1, y is
// m1 and k2, and A starts before its buffer.
// CHECK-LABEL: isa.program @convolution_program
// CHECK: isa.contract mxu {a_type = i8, w_type = i8, acc_type = i32, has_bounds = 1, a_addr = -40, w_addr = 1024, a_zero = 3
// CHECK-SAME: m0 = 4, m1 = 3, m2 = 1, k0 = 4, k1 = 3, k2 = 3, n = 8
// CHECK-SAME: a_m0 = 8, a_m1 = 64, a_k0 = 1, a_k1 = 8, a_k2 = 64, w_k0 = 8, w_k1 = 32, w_k2 = 96, w_n = 1, acc_m0 = 32, acc_m1 = 128, acc_n = 4
// CHECK-SAME: x0 = -2, y0 = -1, w = 8, h = 6, x_m0 = 2, y_m1 = 2, x_k1 = 2, y_k2 = 2
func.func @convolution(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<1x6x8x4xi8, #sram>
  %w = memref.alloc() {asic.address = 1024 : i64} : memref<3x3x4x8xi8, #sram>
  %s = memref.alloc() {asic.address = 0 : i64} : memref<1x3x4x8xi32, #acc>
  asic.contract ins(%a, %w : memref<1x6x8x4xi8, #sram>, memref<3x3x4x8xi8, #sram>) outs(%s : memref<1x3x4x8xi32, #acc>)
    {engine = 1 : i64, a_zero = 3 : i64, pad = array<i64: 0, 1, 2, 0>,
     indexing_maps = [affine_map<(n, y, x, o, u, v, c) -> (n, y * 2 + u * 2, x * 2 + v * 2, c)>,
                      affine_map<(n, y, x, o, u, v, c) -> (u, v, c, o)>,
                      affine_map<(n, y, x, o, u, v, c) -> (n, y, x, o)>],
     iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
  return
}

// -----

#sram = #asic.space<sram>
#acc = #asic.space<acc>

// A tile at the front of a volume: only the columns need m0 and k1, so x is theirs
// and y is left to the depth, which has no loop here.
// CHECK-LABEL: isa.program @front_of_a_volume_program
// CHECK: isa.contract mxu {{.*}}m0 = 12, m1 = 3, m2 = 1, k0 = 4, k1 = 3, k2 = 3, n = 8
// CHECK-SAME: x0 = -1, y0 = -1, w = 12, h = 2, x_m0 = 1, x_k1 = 1
func.func @front_of_a_volume(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<1x2x5x12x4xi8, #sram>
  %w = memref.alloc() {asic.address = 1024 : i64} : memref<1x3x3x4x8xi8, #sram>
  %s = memref.alloc() {asic.address = 0 : i64} : memref<1x1x3x12x8xi32, #acc>
  asic.contract ins(%a, %w : memref<1x2x5x12x4xi8, #sram>, memref<1x3x3x4x8xi8, #sram>) outs(%s : memref<1x1x3x12x8xi32, #acc>)
    {engine = 1 : i64, pad = array<i64: 0, 1, 0, 1, 0>,
     indexing_maps = [affine_map<(n, d, y, x, o, i, j, k, c) -> (n, d + i, y + j, x + k, c)>,
                      affine_map<(n, d, y, x, o, i, j, k, c) -> (i, j, k, c, o)>,
                      affine_map<(n, d, y, x, o, i, j, k, c) -> (n, d, y, x, o)>],
     iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction", "reduction"]}
  return
}

// -----

#sram = #asic.space<sram>
#acc = #asic.space<acc>

// A matmul of contiguous rows is one m, one k and one n; with `accumulate`.
// CHECK-LABEL: isa.program @matmul_program
// CHECK: isa.contract mxu {a_type = i8, w_type = i8, acc_type = i32, accumulate = 1, w_addr = 64, m0 = 12, m1 = 1, m2 = 1, k0 = 4, k1 = 1, k2 = 1, n = 8, a_m0 = 4, a_k0 = 1, w_k0 = 8, w_n = 1, acc_m0 = 32, acc_n = 4}
func.func @matmul(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<3x4x4xi8, #sram>
  %w = memref.alloc() {asic.address = 64 : i64} : memref<4x8xi8, #sram>
  %s = memref.alloc() {asic.address = 0 : i64} : memref<3x4x8xi32, #acc>
  asic.contract ins(%a, %w : memref<3x4x4xi8, #sram>, memref<4x8xi8, #sram>) outs(%s : memref<3x4x8xi32, #acc>)
    {engine = 1 : i64, accumulate,
     indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (k, n)>,
                      affine_map<(b, m, n, k) -> (b, m, n)>],
     iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
  return
}

// -----

#sram = #asic.space<sram>
#acc = #asic.space<acc>

// A batched matmul has its batch in m2, the only m with a stride in W.
// CHECK-LABEL: isa.program @batch_matmul_program
// CHECK: isa.contract mxu {{.*}}m0 = 4, m1 = 1, m2 = 2, k0 = 4, k1 = 1, k2 = 1, n = 8, a_m0 = 4, a_m2 = 16, a_k0 = 1, w_m2 = 32, w_k0 = 8, w_n = 1
func.func @batch_matmul(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<2x4x4xi8, #sram>
  %w = memref.alloc() {asic.address = 64 : i64} : memref<2x4x8xi8, #sram>
  %s = memref.alloc() {asic.address = 0 : i64} : memref<2x4x8xi32, #acc>
  asic.contract ins(%a, %w : memref<2x4x4xi8, #sram>, memref<2x4x8xi8, #sram>) outs(%s : memref<2x4x8xi32, #acc>)
    {engine = 1 : i64,
     indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, k, n)>,
                      affine_map<(b, m, n, k) -> (b, m, n)>],
     iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
  return
}

// -----

#sram = #asic.space<sram>
#acc = #asic.space<acc>

// Depthwise: the channel is n and has a stride in A.
// CHECK-LABEL: isa.program @depthwise_program
// CHECK: isa.contract mxu {{.*}}m0 = 2, m1 = 2, m2 = 1, k0 = 3, k1 = 3, k2 = 1, n = 16, a_m0 = 16, a_m1 = 64, a_k0 = 16, a_k1 = 64, a_n = 1, w_k0 = 16, w_k1 = 48, w_n = 1
func.func @depthwise(%unused: memref<4xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<4x4x16xi8, #sram>
  %w = memref.alloc() {asic.address = 512 : i64} : memref<3x3x16xi8, #sram>
  %s = memref.alloc() {asic.address = 0 : i64} : memref<2x2x16xi32, #acc>
  asic.contract ins(%a, %w : memref<4x4x16xi8, #sram>, memref<3x3x16xi8, #sram>) outs(%s : memref<2x2x16xi32, #acc>)
    {engine = 1 : i64,
     indexing_maps = [affine_map<(y, x, c, u, v) -> (y + u, x + v, c)>, affine_map<(y, x, c, u, v) -> (u, v, c)>,
                      affine_map<(y, x, c, u, v) -> (y, x, c)>],
     iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
  return
}

// -----

#sram = #asic.space<sram>
#dram = #asic.space<dram>

// Two rows of a block of 8 rows by 4 bytes in every image: 7 places, 4 bytes apart.
// CHECK: isa.copy dma0 {src_space = sram, src_addr = 64, run_bytes = 8, n0 = 3, n1 = 1, n2 = 1, n3 = 1, src_s0 = 8, dst_s0 = 32, index_addr = 128, index_n = 7, index_dst_s = 4}
func.func @indexed(%cache: memref<3x8x4xi8, #dram> {asic.name = "cache"}) {
  %rows = memref.alloc() {asic.address = 64 : i64} : memref<3x2x4xi8, #sram>
  %i = memref.alloc() {asic.address = 128 : i64} : memref<i32, #sram>
  asic.copy %rows, %cache at %i dim 1 {engine = 3 : i64} : memref<3x2x4xi8, #sram> to memref<3x8x4xi8, #dram>, memref<i32, #sram>
  return
}

// A place for each of five rows: they are the steps of n3, the images and bytes of a row go inside.
// CHECK: isa.copy dma0 {src_space = sram, src_addr = 64, run_bytes = 4, n0 = 3, n1 = 1, n2 = 1, n3 = 5, src_s0 = 20, src_s3 = 4, dst_s0 = 32, index_addr = 136, index_n = 8, index_dst_s = 4, index_s = 8}
// One row has no step.
// CHECK: isa.copy dma0 {src_space = sram, src_addr = 64, run_bytes = 4, n0 = 3, n1 = 1, n2 = 1, n3 = 1, src_s0 = 20, dst_s0 = 32, index_addr = 128, index_n = 8, index_dst_s = 4}
func.func @indexed_rows(%cache: memref<3x8x4xi8, #dram> {asic.name = "cache"}) {
  %rows = memref.alloc() {asic.address = 64 : i64} : memref<3x5x4xi8, #sram>
  %i = memref.alloc() {asic.address = 128 : i64} : memref<12xi32, #sram>
  %some = memref.subview %i[2] [5] [2] : memref<12xi32, #sram> to memref<5xi32, strided<[2], offset: 2>, #sram>
  %row = memref.subview %rows[0, 0, 0] [3, 1, 4] [1, 1, 1] : memref<3x5x4xi8, #sram> to memref<3x1x4xi8, strided<[20, 4, 1]>, #sram>
  %one = memref.subview %i[0] [1] [1] : memref<12xi32, #sram> to memref<1xi32, strided<[1]>, #sram>
  asic.copy %rows, %cache at %some dim 1 {engine = 3 : i64} : memref<3x5x4xi8, #sram> to memref<3x8x4xi8, #dram>, memref<5xi32, strided<[2], offset: 2>, #sram>
  asic.copy %row, %cache at %one dim 1 {engine = 3 : i64} : memref<3x1x4xi8, strided<[20, 4, 1]>, #sram> to memref<3x8x4xi8, #dram>, memref<1xi32, strided<[1]>, #sram>
  return
}
