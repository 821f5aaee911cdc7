// Tensors without elements end in normalize, and the phases behind it take what
// is left.
// RUN: asic-opt --split-input-file --asic-fold-import %s | FileCheck %s
// RUN: asic-opt --split-input-file --asic-pipeline=target=edge-tx1 %s -o /dev/null
// RUN: asic-opt --split-input-file --asic-pipeline=target=npu-256 %s -o /dev/null
// RUN: asic-opt --split-input-file --asic-cpu-pipeline %s -o /dev/null

// A product of matrices with nothing between them is its init.
// CHECK-LABEL: module @contraction_over_nothing
module @contraction_over_nothing {
  // CHECK: %[[FILL:.*]] = linalg.fill
  // CHECK-NEXT: return %[[FILL]]
  func.func @main(%a: tensor<4x0xf32>, %b: tensor<0x3xf32>) -> tensor<4x3xf32> {
    %zero = arith.constant 0.0 : f32
    %empty = tensor.empty() : tensor<4x3xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x3xf32>) -> tensor<4x3xf32>
    %0 = linalg.matmul ins(%a, %b : tensor<4x0xf32>, tensor<0x3xf32>) outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
    return %0 : tensor<4x3xf32>
  }
}

// -----

// A result without elements is nobody's work, a convolution of no images, too.
// CHECK-LABEL: module @convolution_of_no_images
module @convolution_of_no_images {
  // CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<0x3x6xf32>
  // CHECK-NEXT: return %[[EMPTY]]
  func.func @main(%x: tensor<0x4x8xf32>, %w: tensor<3x4x3xf32>) -> tensor<0x3x6xf32> {
    %init = arith.constant dense<1.0> : tensor<0x3x6xf32>
    %0 = linalg.conv_1d_ncw_fcw ins(%x, %w : tensor<0x4x8xf32>, tensor<3x4x3xf32>) outs(%init : tensor<0x3x6xf32>) -> tensor<0x3x6xf32>
    return %0 : tensor<0x3x6xf32>
  }
}

// -----

// A sum over nothing, from a slice of an argument.
// CHECK-LABEL: module @sum_over_nothing
module @sum_over_nothing {
  // CHECK-NOT: tensor.extract_slice
  // CHECK-NOT: linalg.generic
  // CHECK: linalg.fill
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4xf32> {
    %zero = arith.constant 0.0 : f32
    %slice = tensor.extract_slice %x[0, 0] [4, 0] [1, 1] : tensor<4x8xf32> to tensor<4x0xf32>
    %empty = tensor.empty() : tensor<4xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
    %0 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]
    } ins(%slice : tensor<4x0xf32>) outs(%init : tensor<4xf32>) {
    ^bb0(%a: f32, %sum: f32):
      %1 = arith.addf %sum, %a : f32
      linalg.yield %1 : f32
    } -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}

// -----

// Padding of nothing, empty parts of a concatenation, an empty insertion.
// CHECK-LABEL: module @moves_of_nothing
module @moves_of_nothing {
  // CHECK: %[[FILL:.*]] = linalg.fill
  // CHECK: %[[CONCAT:.*]] = tensor.concat dim(1) %[[FILL]], %{{.*}} : (tensor<4x2xf32>, tensor<4x8xf32>)
  // CHECK-NEXT: return %[[CONCAT]]
  func.func @main(%x: tensor<4x8xf32>, %none: tensor<4x0xf32>) -> tensor<4x10xf32> {
    %three = arith.constant 3.0 : f32
    %pad = tensor.pad %none low[0, 1] high[0, 1] {
    ^bb0(%i: index, %j: index):
      tensor.yield %three : f32
    } : tensor<4x0xf32> to tensor<4x2xf32>
    %0 = tensor.concat dim(1) %pad, %none, %x : (tensor<4x2xf32>, tensor<4x0xf32>, tensor<4x8xf32>) -> tensor<4x10xf32>
    %1 = tensor.insert_slice %none into %0[0, 3] [4, 0] [1, 1] : tensor<4x0xf32> into tensor<4x10xf32>
    return %1 : tensor<4x10xf32>
  }
}

// -----

// Empty arguments and results stay.
// CHECK-LABEL: module @empty_borders
module @empty_borders {
  // CHECK: func.func @main(%[[NONE:.*]]: tensor<0x8xf32>
  // CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<0x8xf32>
  // CHECK: return %[[NONE]], %[[EMPTY]], %{{.*}}
  func.func @main(%none: tensor<0x8xf32>, %x: tensor<4x8xf32>) -> (tensor<0x8xf32>, tensor<0x8xf32>, tensor<4x8xf32>) {
    %slice = tensor.extract_slice %x[0, 0] [0, 8] [1, 1] : tensor<4x8xf32> to tensor<0x8xf32>
    %empty = tensor.empty() : tensor<4x8xf32>
    %0 = linalg.abs ins(%x : tensor<4x8xf32>) outs(%empty : tensor<4x8xf32>) -> tensor<4x8xf32>
    return %none, %slice, %0 : tensor<0x8xf32>, tensor<0x8xf32>, tensor<4x8xf32>
  }
}

// -----

// Markers on nothing go.
// CHECK-LABEL: module @quantization_of_nothing
module @quantization_of_nothing {
  // CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<0x8xf32>
  // CHECK-NEXT: return %[[EMPTY]]
  func.func @main(%x: tensor<0x8xf32>) -> tensor<0x8xf32> {
    %0 = asic.quantize %x scales [0.1] zero_points [0] range -128 to 127 : tensor<0x8xf32> -> tensor<0x8xi8>
    %1 = asic.dequantize %0 scales [0.1] zero_points [0] : tensor<0x8xi8> -> tensor<0x8xf32>
    return %1 : tensor<0x8xf32>
  }
}
