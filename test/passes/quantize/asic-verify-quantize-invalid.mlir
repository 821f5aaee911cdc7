// RUN: asic-opt %s --split-input-file --verify-diagnostics --asic-verify-quantize

func.func @marker(%x: tensor<4xi8>) -> tensor<4xf32> {
  // expected-error @below {{expected no quantisation markers after quantize}}
  %y = asic.dequantize %x scales [0.5] zero_points [0] : tensor<4xi8> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

#mk = affine_map<(d0, d1, d2) -> (d0, d2)>
#kn = affine_map<(d0, d1, d2) -> (d2, d1)>
#mn = affine_map<(d0, d1, d2) -> (d0, d1)>

func.func @narrow_sum(%a: tensor<2x3xi8>, %w: tensor<3x4xi8>, %c: tensor<2x4xi16>) -> tensor<2x4xi16> {
  // expected-error @below {{expected sums of products in i32, got 'i16'}}
  %y = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %w : tensor<2x3xi8>, tensor<3x4xi8>) outs(%c : tensor<2x4xi16>) {
  ^bb0(%x: i8, %y: i8, %acc: i16):
    %0 = arith.extsi %x : i8 to i16
    %1 = arith.extsi %y : i8 to i16
    %2 = arith.muli %0, %1 : i16
    %3 = arith.addi %2, %acc : i16
    linalg.yield %3 : i16
  } -> tensor<2x4xi16>
  return %y : tensor<2x4xi16>
}
