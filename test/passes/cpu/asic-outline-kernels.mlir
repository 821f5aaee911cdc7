// RUN: asic-opt %s --asic-outline-kernels | FileCheck %s

// Equal operations share a kernel; a constant goes along, a computed scalar is
// an argument.
// CHECK-LABEL: func.func @shared
// CHECK: call @[[K:kernel[_0-9]*]](%arg3, %arg0, %arg1)
// CHECK: call @[[K]](%arg3, %arg1, %arg0)
// CHECK: call @[[OTHER:kernel[_0-9]*]](%arg2)
// CHECK: func.func @gather
// CHECK: call @[[GATHER:kernel[_0-9]*]](%arg0, %arg1, %arg2)
// CHECK: linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<3xf32>)
// CHECK: func.func private @[[K]](%{{.*}}: f32, %{{.*}}: memref<4xf32>, %{{.*}}: memref<4xf32>) attributes {passthrough = ["noinline"]}
// CHECK: arith.constant 2.000000e+00
// CHECK: linalg.generic
// CHECK: func.func private @[[OTHER]](%{{.*}}: memref<5xf32>)
// CHECK: linalg.fill
func.func @shared(%a: memref<4xf32>, %b: memref<4xf32>, %c: memref<5xf32>, %s: f32) {
  %two = arith.constant 2.0 : f32
  linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]} ins(%a : memref<4xf32>) outs(%b : memref<4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.mulf %x, %two : f32
    %1 = arith.addf %0, %s : f32
    linalg.yield %1 : f32
  }
  linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]} ins(%b : memref<4xf32>) outs(%a : memref<4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.mulf %x, %two : f32
    %1 = arith.addf %0, %s : f32
    linalg.yield %1 : f32
  }
  linalg.fill ins(%two : f32) outs(%c : memref<5xf32>)
  return
}

// A buffer that only the body reads is an argument, too; tensors are left alone.
func.func @gather(%table: memref<9xf32>, %index: memref<3xindex>, %out: memref<3xf32>,
                  %t: tensor<3xf32>) -> tensor<3xf32> {
  linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]} ins(%index : memref<3xindex>) outs(%out : memref<3xf32>) {
  ^bb0(%i: index, %y: f32):
    %0 = memref.load %table[%i] : memref<9xf32>
    linalg.yield %0 : f32
  }
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%t : tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}
