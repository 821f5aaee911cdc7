// RUN: asic-opt %s --split-input-file --verify-diagnostics --asic-attach-target=target=npu-256 --asic-plan

// One row of a reduction along the innermost dimension is larger than SRAM.
#row = affine_map<(i, j) -> (i, j)>
#sum = affine_map<(i, j) -> (i)>
func.func @row_larger_than_sram(%x: tensor<2x400000xi8>) -> tensor<2xi32> attributes {asic.region = "accelerator"} {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<2xi32>
  %init = linalg.fill ins(%zero : i32) outs(%e : tensor<2xi32>) -> tensor<2xi32>
  // expected-error @below {{expected a tile that fits 229376 bytes of sram (262144 less an eighth for prefetch), got 800}}
  %y = linalg.generic {indexing_maps = [#row, #sum], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<2x400000xi8>) outs(%init : tensor<2xi32>) {
  ^bb0(%a: i8, %o: i32):
    %w = arith.extsi %a : i8 to i32
    %s = arith.addi %o, %w : i32
    linalg.yield %s : i32
  } -> tensor<2xi32>
  return %y : tensor<2xi32>
}

// -----

// Nothing has no tiles.
func.func @tensor_without_elements(%x: tensor<0x4xf32>, %e: tensor<0x4xf32>) -> tensor<0x4xf32> attributes {asic.region = "accelerator"} {
  // expected-error @below {{expected tensors with elements, got 'tensor<0x4xf32>'; run asic-fold-import first}}
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<0x4xf32>) outs(%e : tensor<0x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %a : f32
    linalg.yield %s : f32
  } -> tensor<0x4xf32>
  return %y : tensor<0x4xf32>
}
