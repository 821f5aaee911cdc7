// RUN: asic-opt %s --split-input-file --verify-diagnostics --asic-verify-plan

#id = affine_map<(i) -> (i)>
func.func @without_group(%x: tensor<8xi8>) -> tensor<8xi8> attributes {asic.region = "accelerator"} {
  %e = tensor.empty() : tensor<8xi8>
  // expected-error @below {{expected a group after plan}}
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xi8>) outs(%e : tensor<8xi8>) {
  ^bb0(%a: i8, %o: i8):
    linalg.yield %a : i8
  } -> tensor<8xi8>
  return %y : tensor<8xi8>
}

// -----

#id = affine_map<(i) -> (i)>
func.func @tile_too_large(%x: tensor<8xi8>) -> tensor<8xi8> attributes {asic.region = "accelerator"} {
  %e = tensor.empty() : tensor<8xi8>
  // expected-error @below {{expected a tile size from 1 to 8 in dimension 0, got 9}}
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xi8>) outs(%e : tensor<8xi8>)
    attrs = {asic.group = 0 : i64, asic.plan = #asic.plan<group = 0, tile = [9], reduce = [], order = [0], space = dram, cycles = 1, bytes = 16>} {
  ^bb0(%a: i8, %o: i8):
    linalg.yield %a : i8
  } -> tensor<8xi8>
  return %y : tensor<8xi8>
}

// -----

#id = affine_map<(i) -> (i)>
// expected-error @below {{expected a plan for group 3}}
func.func @group_without_plan(%x: tensor<8xi8>) -> tensor<8xi8> attributes {asic.region = "accelerator"} {
  %e = tensor.empty() : tensor<8xi8>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xi8>) outs(%e : tensor<8xi8>)
    attrs = {asic.group = 3 : i64} {
  ^bb0(%a: i8, %o: i8):
    linalg.yield %a : i8
  } -> tensor<8xi8>
  return %y : tensor<8xi8>
}

// -----

#id = affine_map<(i) -> (i)>
func.func @order_names_a_dimension_twice(%x: tensor<8x8xi8>) -> tensor<8x8xi8> attributes {asic.region = "accelerator"} {
  %e = tensor.empty() : tensor<8x8xi8>
  // expected-error @below {{expected the order to name each of 2 dimensions once}}
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xi8>) outs(%e : tensor<8x8xi8>)
    attrs = {asic.group = 0 : i64, asic.plan = #asic.plan<group = 0, tile = [8, 8], reduce = [], order = [1, 1], space = dram, cycles = 1, bytes = 16>} {
  ^bb0(%a: i8, %o: i8):
    linalg.yield %a : i8
  } -> tensor<8x8xi8>
  return %y : tensor<8x8xi8>
}
