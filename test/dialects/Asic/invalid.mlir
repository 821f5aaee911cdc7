// RUN: asic-opt %s --split-input-file --verify-diagnostics

func.func @quantize_shape(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected equal shapes, got 'tensor<2xf32>' and 'tensor<3xi8>'}}
  %q = asic.quantize %x scales [0.5] zero_points [0] range -128 to 127 : tensor<2xf32> -> tensor<3xi8>
  return
}

// -----

func.func @quantize_types(%x: tensor<2xi32>) {
  // expected-error @+1 {{expected float to integer, got 'tensor<2xi32>' to 'tensor<2xi8>'}}
  %q = asic.quantize %x scales [0.5] zero_points [0] range -128 to 127 : tensor<2xi32> -> tensor<2xi8>
  return
}

// -----

func.func @quantize_range(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected lo <= hi, got 127 > -128}}
  %q = asic.quantize %x scales [0.5] zero_points [0] range 127 to -128 : tensor<2xf32> -> tensor<2xi8>
  return
}

// -----

func.func @quantize_scale(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected positive finite scales, got 0}}
  %q = asic.quantize %x scales [0.0] zero_points [0] range -128 to 127 : tensor<2xf32> -> tensor<2xi8>
  return
}

// -----

func.func @dequantize_types(%x: tensor<2xf32>) {
  // expected-error @+1 {{expected integer to float, got 'tensor<2xf32>' to 'tensor<2xf32>'}}
  %q = asic.dequantize %x scales [0.5] zero_points [0] : tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @dequantize_axis(%x: tensor<2xi8>) {
  // expected-error @+1 {{expected an axis in [0, 1), got 1}}
  %q = asic.dequantize %x scales [0.5, 0.5] zero_points [0, 0] axis 1 : tensor<2xi8> -> tensor<2xf32>
  return
}

// -----

func.func @dequantize_count(%x: tensor<2x3xi8>) {
  // expected-error @+1 {{expected 3 scales and zero points, got 2 and 2}}
  %q = asic.dequantize %x scales [0.5, 0.5] zero_points [0, 0] axis 1 : tensor<2x3xi8> -> tensor<2x3xf32>
  return
}

// -----

func.func @constant_type() {
  // expected-error @+1 {{expected a memref of the value's shape and element type}}
  %c = asic.constant dense<1> : tensor<4xi8> : memref<5xi8, #asic.space<dram>>
  return
}

// -----

func.func @constant_space() {
  // expected-error @+1 {{expected a constant in dram, got sram}}
  %c = asic.constant dense<1> : tensor<4xi8> : memref<4xi8, #asic.space<sram>>
  return
}

// -----

func.func @copy_shape(%a: memref<4xi8, #asic.space<dram>>, %b: memref<5xi8, #asic.space<sram>>) {
  // expected-error @+1 {{expected equal shapes and element types}}
  asic.copy %a, %b : memref<4xi8, #asic.space<dram>> to memref<5xi8, #asic.space<sram>>
  return
}

// -----

func.func @copy_narrows(%a: memref<4xi8, #asic.space<sram>>, %b: memref<4xi4, #asic.space<dram>>) {
  // expected-error @+1 {{expected equal shapes and element types}}
  asic.copy %a, %b : memref<4xi8, #asic.space<sram>> to memref<4xi4, #asic.space<dram>>
  return
}

// -----

func.func @copy_of_packed_to_words(%a: memref<4xi4, #asic.space<dram>>, %b: memref<4xi16, #asic.space<sram>>) {
  // expected-error @+1 {{expected packed elements to be widened to i8 without an index}}
  asic.copy %a, %b : memref<4xi4, #asic.space<dram>> to memref<4xi16, #asic.space<sram>>
  return
}

// -----

func.func @copy_from_within_a_byte(%a: memref<4xi4, strided<[1], offset: 3>, #asic.space<dram>>, %b: memref<4xi8, #asic.space<sram>>) {
  // expected-error @+1 {{expected packed elements and their target to be contiguous from a whole byte on, got 'memref<4xi4, strided<[1], offset: 3>}}
  asic.copy %a, %b : memref<4xi4, strided<[1], offset: 3>, #asic.space<dram>> to memref<4xi8, #asic.space<sram>>
  return
}

// -----

func.func @copy_of_packed_columns(%a: memref<2x4xi4, strided<[8, 1]>, #asic.space<dram>>, %b: memref<2x4xi8, #asic.space<sram>>) {
  // expected-error @+1 {{contiguous from a whole byte on, got 'memref<2x4xi4, strided<[8, 1]>}}
  asic.copy %a, %b : memref<2x4xi4, strided<[8, 1]>, #asic.space<dram>> to memref<2x4xi8, #asic.space<sram>>
  return
}

// -----

func.func @copy_space(%a: memref<4xi32, #asic.space<acc>>, %b: memref<4xi32, #asic.space<sram>>) {
  // expected-error @+1 {{expected the source in dram or sram, got acc}}
  asic.copy %a, %b : memref<4xi32, #asic.space<acc>> to memref<4xi32, #asic.space<sram>>
  return
}

// -----

func.func @fill_type(%a: memref<4xi8, #asic.space<sram>>) {
  // expected-error @+1 {{expected a value of the element type 'i8', got 'i32'}}
  asic.fill 1 : i32, %a : memref<4xi8, #asic.space<sram>>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @contract_acc_space(%a: memref<4x8xi8, #asic.space<sram>>, %w: memref<8x2xi8, #asic.space<sram>>,
                              %c: memref<4x2xi32, #asic.space<sram>>) {
  // expected-error @+1 {{expected acc in acc, got sram}}
  asic.contract ins(%a, %w : memref<4x8xi8, #asic.space<sram>>, memref<8x2xi8, #asic.space<sram>>)
    outs(%c : memref<4x2xi32, #asic.space<sram>>)
    {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @contract_iterator(%a: memref<4x8xi8, #asic.space<sram>>, %w: memref<8x2xi8, #asic.space<sram>>,
                             %c: memref<4x2xi32, #asic.space<acc>>) {
  // expected-error @+1 {{expected iterator types "parallel" or "reduction", got "window"}}
  asic.contract ins(%a, %w : memref<4x8xi8, #asic.space<sram>>, memref<8x2xi8, #asic.space<sram>>)
    outs(%c : memref<4x2xi32, #asic.space<acc>>)
    {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "window"]}
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @contract_maps(%a: memref<4x8xi8, #asic.space<sram>>, %w: memref<8x2xi8, #asic.space<sram>>,
                         %c: memref<4x2xi32, #asic.space<acc>>) {
  // expected-error @+1 {{expected 3 indexing maps, got 2}}
  asic.contract ins(%a, %w : memref<4x8xi8, #asic.space<sram>>, memref<8x2xi8, #asic.space<sram>>)
    outs(%c : memref<4x2xi32, #asic.space<acc>>)
    {indexing_maps = [#a, #c], iterator_types = ["parallel", "parallel", "reduction"]}
  return
}

// -----

// Without pad, every point of the window lies inside a.
#a = affine_map<(x, n, k) -> (x + k, n)>
#w = affine_map<(x, n, k) -> (k, n)>
#c = affine_map<(x, n, k) -> (x, n)>
func.func @contract_outside(%a: memref<4x8xi8, #asic.space<sram>>, %w: memref<3x8xi8, #asic.space<sram>>,
                            %c: memref<4x8xi32, #asic.space<acc>>) {
  // expected-error @+1 {{expected indices of a below 4 in dimension 0, got 5; give pad}}
  asic.contract ins(%a, %w : memref<4x8xi8, #asic.space<sram>>, memref<3x8xi8, #asic.space<sram>>)
    outs(%c : memref<4x8xi32, #asic.space<acc>>)
    {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @contract_bias_and_accumulate(%a: memref<4x8xi8, #asic.space<sram>>, %w: memref<8x2xi8, #asic.space<sram>>,
                                        %b: memref<2xi32, #asic.space<sram>>, %c: memref<4x2xi32, #asic.space<acc>>) {
  // expected-error @+1 {{expected either bias or accumulate, got both}}
  asic.contract ins(%a, %w : memref<4x8xi8, #asic.space<sram>>, memref<8x2xi8, #asic.space<sram>>)
    bias(%b : memref<2xi32, #asic.space<sram>>) outs(%c : memref<4x2xi32, #asic.space<acc>>)
    {accumulate, indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @contract_bias_type(%a: memref<4x8xi8, #asic.space<sram>>, %w: memref<8x2xi8, #asic.space<sram>>,
                              %b: memref<2xi8, #asic.space<sram>>, %c: memref<4x2xi32, #asic.space<acc>>) {
  // expected-error @+1 {{expected a 1-D bias of acc's element type}}
  asic.contract ins(%a, %w : memref<4x8xi8, #asic.space<sram>>, memref<8x2xi8, #asic.space<sram>>)
    bias(%b : memref<2xi8, #asic.space<sram>>) outs(%c : memref<4x2xi32, #asic.space<acc>>)
    {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
func.func @map_space(%x: memref<4x4xi8, #asic.space<dram>>, %y: memref<4x4xi8, #asic.space<sram>>) {
  // expected-error @+1 {{expected operands in sram or acc, got dram}}
  asic.map ins(%x : memref<4x4xi8, #asic.space<dram>>) outs(%y : memref<4x4xi8, #asic.space<sram>>)
    attributes {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} {
  ^bb0(%v: i8):
    asic.yield %v : i8
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @map_init(%x: memref<4x4xi8, #asic.space<sram>>, %y: memref<4xi8, #asic.space<sram>>) {
  // expected-error @+1 {{expected init for the reduction}}
  asic.map ins(%x : memref<4x4xi8, #asic.space<sram>>) outs(%y : memref<4xi8, #asic.space<sram>>)
    attributes {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} {
  ^bb0(%v: i8, %acc: i8):
    %m = arith.maxsi %v, %acc : i8
    asic.yield %m : i8
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
func.func @map_arguments(%x: memref<4x4xi8, #asic.space<sram>>, %y: memref<4x4xi8, #asic.space<sram>>) {
  // expected-error @+1 {{expected 1 body arguments, got 2}}
  asic.map ins(%x : memref<4x4xi8, #asic.space<sram>>) outs(%y : memref<4x4xi8, #asic.space<sram>>)
    attributes {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} {
  ^bb0(%v: i8, %u: i8):
    asic.yield %v : i8
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
func.func @map_yield(%x: memref<4x4xi8, #asic.space<sram>>, %y: memref<4x4xi32, #asic.space<sram>>) {
  // expected-error @+1 {{expected the body to yield 'i32'}}
  asic.map ins(%x : memref<4x4xi8, #asic.space<sram>>) outs(%y : memref<4x4xi32, #asic.space<sram>>)
    attributes {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} {
  ^bb0(%v: i8):
    asic.yield %v : i8
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @map_range(%x: memref<4xi8, #asic.space<sram>>, %y: memref<4xi8, #asic.space<sram>>) {
  // expected-error @+1 {{expected iterator 1 as a plain result of an indexing map}}
  asic.map ins(%x : memref<4xi8, #asic.space<sram>>) outs(%y : memref<4xi8, #asic.space<sram>>)
    attributes {indexing_maps = [#row, #row], iterator_types = ["parallel", "reduction"], init = 0 : i8} {
  ^bb0(%v: i8, %acc: i8):
    asic.yield %v : i8
  }
  return
}

// -----

func.func @update_shape(%row: tensor<2x1x3xf32>, %cache: tensor<2x8x4xf32>, %i: tensor<i32>) -> tensor<2x8x4xf32> {
  // expected-error @+1 {{expected a slice along dimension 1 of 'tensor<2x8x4xf32>', got 'tensor<2x1x3xf32>'}}
  %0 = asic.update_slice %row into %cache[%i] dim 1 : tensor<2x1x3xf32> into tensor<2x8x4xf32>
  return %0 : tensor<2x8x4xf32>
}

// -----

func.func @update_indices(%rows: tensor<2x3x4xf32>, %cache: tensor<2x8x4xf32>, %i: tensor<2xi32>) -> tensor<2x8x4xf32> {
  // expected-error @+1 {{expected an index for every row along dimension 1 of 'tensor<2x3x4xf32>', got 'tensor<2xi32>'}}
  %0 = asic.update_slice %rows into %cache[%i] dim 1 : tensor<2x3x4xf32> into tensor<2x8x4xf32>, tensor<2xi32>
  return %0 : tensor<2x8x4xf32>
}

// -----

func.func @update_of_nothing(%rows: tensor<2x3x4xf32>, %cache: tensor<2x0x4xf32>, %i: tensor<3xi32>) -> tensor<2x0x4xf32> {
  // expected-error @+1 {{expected a slice along dimension 1 of 'tensor<2x0x4xf32>', got 'tensor<2x3x4xf32>'}}
  %0 = asic.update_slice %rows into %cache[%i] dim 1 : tensor<2x3x4xf32> into tensor<2x0x4xf32>, tensor<3xi32>
  return %0 : tensor<2x0x4xf32>
}

// -----

func.func @copy_indices(%rows: memref<3xi8, #asic.space<sram>>, %y: memref<8xi8, #asic.space<dram>>, %i: memref<4xi32, #asic.space<sram>>) {
  // expected-error @+1 {{expected an index for every row along dimension 0 of}}
  asic.copy %rows, %y at %i dim 0 : memref<3xi8, #asic.space<sram>> to memref<8xi8, #asic.space<dram>>, memref<4xi32, #asic.space<sram>>
  return
}

// -----

func.func @update_dim(%row: tensor<2x8x4xf32>, %cache: tensor<2x8x4xf32>, %i: tensor<i32>) -> tensor<2x8x4xf32> {
  // expected-error @+1 {{expected a slice along dimension 3}}
  %0 = asic.update_slice %row into %cache[%i] dim 3 : tensor<2x8x4xf32> into tensor<2x8x4xf32>
  return %0 : tensor<2x8x4xf32>
}

// -----

func.func @copy_longer(%row: memref<9xi8, #asic.space<sram>>, %y: memref<8xi8, #asic.space<dram>>, %i: memref<i32, #asic.space<sram>>) {
  // expected-error @+1 {{expected equal shapes and element types}}
  asic.copy %row, %y at %i dim 0 : memref<9xi8, #asic.space<sram>> to memref<8xi8, #asic.space<dram>>, memref<i32, #asic.space<sram>>
  return
}

// -----

func.func @copy_index_space(%row: memref<1xi8, #asic.space<sram>>, %y: memref<8xi8, #asic.space<dram>>, %i: memref<i32, #asic.space<dram>>) {
  // expected-error @+1 {{expected the index in sram, got dram}}
  asic.copy %row, %y at %i dim 0 : memref<1xi8, #asic.space<sram>> to memref<8xi8, #asic.space<dram>>, memref<i32, #asic.space<dram>>
  return
}
