// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-tile --asic-verify-tile | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-tile --asic-bufferize --asic-verify-bufferize --asic-lower-to-asic --asic-verify-asic | FileCheck %s --check-prefix=ASIC
// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 --asic-pipeline="from=plan until=isa" -o %t.mlir
// RUN: FileCheck %s --check-prefix=ISA --input-file=%t.mlir
// RUN: asic-translate --mlir-to-program %t.mlir -o %t.asic
// RUN: asic-translate --program-to-mlir %t.asic -o %t.again.mlir
// RUN: FileCheck %s --check-prefix=BYTES --input-file=%t.again.mlir

#id = affine_map<(i, j) -> (i, j)>

// Rows of five codes. The second one starts inside a byte and becomes a constant
// of its own, the others are loaded from where they are.
// CHECK-LABEL: func.func @rows
// CHECK-DAG: %[[CODES:.*]] = arith.constant {asic.packed = i4} dense<{{\[}}[-8, 1, 2, 3, 4], [5, 6, 7, -1, -2], [-3, -4, -5, -6, -7]]> : tensor<3x5xi8>
// CHECK-DAG: %[[ROW:.*]] = arith.constant {asic.packed = i4} dense<{{\[}}[5, 6, 7, -1, -2]]> : tensor<1x5xi8>
// CHECK: tensor.extract_slice %[[CODES]][0, 0] [1, 5]
// CHECK: tensor.extract_slice %[[ROW]][0, 0] [1, 5]
// CHECK: tensor.extract_slice %[[CODES]][2, 0] [1, 5]

// ASIC-LABEL: func.func @rows
// ASIC-DAG: %[[CODES:.*]] = asic.constant dense<{{.*}}> : tensor<3x5xi8> : memref<3x5xi4, #asic.space<dram>>
// ASIC-DAG: %[[ROW:.*]] = asic.constant dense<{{.*}}> : tensor<1x5xi8> : memref<1x5xi4, #asic.space<dram>>
// ASIC: asic.copy %{{.*}}, %{{.*}} : memref<1x5xi4, strided<[5, 1]>, #asic.space<dram>> to memref<1x5xi8, #asic.space<sram>>
// ASIC: asic.copy %[[ROW]], %{{.*}} : memref<1x5xi4, #asic.space<dram>> to memref<1x5xi8, #asic.space<sram>>
// ASIC: asic.copy %{{.*}}, %{{.*}} : memref<1x5xi4, strided<[5, 1], offset: 10>, #asic.space<dram>> to memref<1x5xi8, #asic.space<sram>>

// ISA-LABEL: isa.program @rows_program
// ISA-DAG: isa.constant dense<{{.*}}> : tensor<3x5xi8> packed at [[CODES:[0-9]+]]
// ISA-DAG: isa.constant dense<{{.*}}> : tensor<1x5xi8> packed at
// ISA: isa.copy {{.*}}run_bytes = 5, {{.*}}packed_type = i4}

// Two codes a byte, the first one low; an odd one leaves the high half empty.
// BYTES: 0x4000000018325476EFCDAB09"
// BYTES: 0x4000000065F70E"
func.func @rows(%x: tensor<3x5xi32> {asic.name = "x"}) -> (tensor<3x5xi32> {asic.name = "y"}) attributes {asic.region = "accelerator"} {
  %codes = arith.constant {asic.packed = i4} dense<[[-8, 1, 2, 3, 4], [5, 6, 7, -1, -2], [-3, -4, -5, -6, -7]]> : tensor<3x5xi8>
  %e = tensor.empty() : tensor<3x5xi32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %codes : tensor<3x5xi32>, tensor<3x5xi8>) outs(%e : tensor<3x5xi32>)
    attrs = {asic.group = 0 : i64, asic.plan = #asic.plan<group = 0, tile = [1, 5], reduce = [], order = [0, 1], space = dram, cycles = 1, bytes = 1>} {
  ^bb0(%a: i32, %c: i8, %o: i32):
    %d = arith.extsi %c : i8 to i32
    %s = arith.addi %a, %d : i32
    linalg.yield %s : i32
  } -> tensor<3x5xi32>
  return %y : tensor<3x5xi32>
}
