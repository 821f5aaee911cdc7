#loc2 = loc("image")
#loc3 = loc("test/data/generate.py":34:0)
#loc4 = loc("test/data/generate.py":52:0)
#loc5 = loc("test/data/generate.py":53:0)
#loc6 = loc("test/data/generate.py":51:0)
#loc7 = loc("test/data/generate.py":35:0)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> ()>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, 0, 0)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1) -> (d1)>
#loc8 = loc("block.act"(#loc3))
#loc9 = loc("pool"(#loc4))
#loc10 = loc("fc"(#loc5))
#loc11 = loc("conv"(#loc6))
#loc12 = loc("block.depthwise"(#loc3))
#loc14 = loc("block"(#loc7))
#loc15 = loc("head"(#loc5))
module {
  func.func @main(%arg0: tensor<1x3x16x16xf32> {asic.name = "image"} loc("image")) -> (tensor<1x10xf32> {asic.name = "output"}) {
    %cst = arith.constant dense<0.000000e+00> : tensor<f32> loc(#loc8)
    %cst_0 = arith.constant dense<6.000000e+00> : tensor<f32> loc(#loc8)
    %cst_1 = arith.constant 1.600000e+01 : f32 loc(#loc)
    %cst_2 = arith.constant 0xFF800000 : f32 loc(#loc9)
    %cst_3 = arith.constant 0.000000e+00 : f32 loc(#loc)
    %cst_4 = arith.constant dense<0> : tensor<10xi64> loc(#loc10)
    %cst_5 = arith.constant dense<[0.00164853095, 0.00194755266, 0.00196819031, 0.00184756122, 0.00193436432, 0.001965984, 0.001946431, 0.00186579593, 0.00196402753, 0.00195852923]> : tensor<10xf32> loc(#loc10)
    %cst_6 = arith.constant dense_resource<fc.weight> : tensor<10x16xi8> loc(#loc10)
    %cst_7 = arith.constant dense_resource<conv.weight> : tensor<16x3x3x3xi8> loc(#loc11)
    %cst_8 = arith.constant dense<[0.00167383126, 0.00153682334, 7.93423736E-4, 0.00160505867, 0.00100773235, 0.00172846811, 9.49430512E-4, 0.00256310683, 0.00154787011, 9.77220479E-4, 0.00194990414, 0.00115095126, 0.00172637473, 0.00174466008, 8.01194342E-4, 0.00208125939]> : tensor<16xf32> loc(#loc11)
    %cst_9 = arith.constant dense<0> : tensor<16xi64> loc(#loc11)
    %cst_10 = arith.constant dense_resource<block.depthwise.weight> : tensor<16x1x3x3xi8> loc(#loc12)
    %cst_11 = arith.constant dense<[0.00230878638, 0.00249237567, 0.0022742236, 0.00199401332, 0.00327145052, 0.0030246512, 0.00147928868, 0.00361597794, 0.00149210659, 7.58975046E-4, 0.00337822665, 0.00225568842, 0.00184806564, 0.00142456184, 0.00204988359, 0.00353129115]> : tensor<16xf32> loc(#loc12)
    %cst_12 = arith.constant dense_resource<block.pointwise.weight> : tensor<16x16x1x1xi8> loc(#loc13)
    %cst_13 = arith.constant dense<[0.00135185942, 0.00338609423, 0.00207556831, 0.00154459011, 0.00177912891, 0.00260872953, 0.00180082826, 0.00132721104, 0.00135810638, 0.00340651581, 0.00123121392, 9.550057E-4, 0.00173646526, 0.00176053541, 0.00308689266, 0.00215535704]> : tensor<16xf32> loc(#loc13)
    %cst_14 = arith.constant dense<[8744, -50, 2552, 3358, 2091, 3943, -8789, 6960, 591, 6152, 11547, -13593, -1992, 2217, 20659, 3669]> : tensor<16xi32> loc(#loc11)
    %cst_15 = arith.constant dense<[4.72586398E-5, 4.33903842E-5, 2.24013784E-5, 4.53169268E-5, 2.84521266E-5, 4.88012447E-5, 2.6806043E-5, 7.23662815E-5, 4.37022754E-5, 2.75906605E-5, 5.50532277E-5, 3.24957437E-5, 4.87421421E-5, 4.92584077E-5, 2.26207721E-5, 5.87618888E-5]> : tensor<16xf32> loc(#loc11)
    %cst_16 = arith.constant dense<[-5603, -2475, -447, 5002, -6149, 9823, 550, -1699, 2943, -741, -148, -6531, 8011, 9548, 1935, -2366]> : tensor<16xi32> loc(#loc12)
    %cst_17 = arith.constant dense<[3.02266944E-5, 3.26302506E-5, 2.97741972E-5, 2.61056757E-5, 4.28299172E-5, 3.95988136E-5, 1.93668875E-5, 4.73404798E-5, 1.953470e-05, 9.93652156E-6, 4.4227836E-5, 2.95315331E-5, 2.41949256E-5, 1.86504021E-5, 2.68371314E-5, 4.62317585E-5]> : tensor<16xf32> loc(#loc12)
    %cst_18 = arith.constant dense<[-11248, -11083, 15987, 10452, -18041, 92, -441, -4874, 7998, -1907, -6898, 24233, -4360, -6912, 5047, -2664]> : tensor<16xi32> loc(#loc13)
    %cst_19 = arith.constant dense<[1.92719544E-5, 4.82717733E-5, 2.95890659E-5, 2.201950e-05, 2.53630587E-5, 3.71897513E-5, 2.56724015E-5, 1.89205693E-5, 1.93610103E-5, 4.85629025E-5, 1.75520454E-5, 1.36144527E-5, 2.47548505E-5, 2.5097992E-5, 4.40063886E-5, 3.07265254E-5]> : tensor<16xf32> loc(#loc13)
    %cst_20 = arith.constant dense<[3725, -5410, 11277, 969, 3179, -5361, 60, -3377, -1418, -13048]> : tensor<10xi32> loc(#loc10)
    %cst_21 = arith.constant dense<[1.25776069E-5, 1.48590188E-5, 1.50164751E-5, 1.40961256E-5, 1.47583969E-5, 1.49996422E-5, 1.48504605E-5, 1.42352483E-5, 1.49847147E-5, 1.49427651E-5]> : tensor<10xf32> loc(#loc10)
    %0 = call @asic.quantized_decomposed.dequantize_per_channel.0(%cst_6, %cst_5, %cst_4) : (tensor<10x16xi8>, tensor<10xf32>, tensor<10xi64>) -> tensor<10x16xf32> loc(#loc10)
    %1 = call @asic.quantized_decomposed.dequantize_per_channel.1(%cst_7, %cst_8, %cst_9) : (tensor<16x3x3x3xi8>, tensor<16xf32>, tensor<16xi64>) -> tensor<16x3x3x3xf32> loc(#loc11)
    %2 = call @asic.quantized_decomposed.dequantize_per_channel.2(%cst_10, %cst_11, %cst_9) : (tensor<16x1x3x3xi8>, tensor<16xf32>, tensor<16xi64>) -> tensor<16x1x3x3xf32> loc(#loc12)
    %3 = call @asic.quantized_decomposed.dequantize_per_channel.3(%cst_12, %cst_13, %cst_9) : (tensor<16x16x1x1xi8>, tensor<16xf32>, tensor<16xi64>) -> tensor<16x16x1x1xf32> loc(#loc13)
    %4 = call @asic.quantized_decomposed.quantize_per_tensor.4(%arg0) : (tensor<1x3x16x16xf32>) -> tensor<1x3x16x16xi8> loc(#loc11)
    %5 = call @asic.quantized_decomposed.dequantize_per_tensor.5(%4) : (tensor<1x3x16x16xi8>) -> tensor<1x3x16x16xf32> loc(#loc11)
    %6 = call @asic.quantized_decomposed.dequantize_per_channel.6(%cst_14, %cst_15, %cst_9) : (tensor<16xi32>, tensor<16xf32>, tensor<16xi64>) -> tensor<16xf32> loc(#loc11)
    %padded = tensor.pad %5 low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%arg1: index loc("conv"(#loc6)), %arg2: index loc("conv"(#loc6)), %arg3: index loc("conv"(#loc6)), %arg4: index loc("conv"(#loc6))):
      tensor.yield %cst_3 : f32 loc(#loc11)
    } : tensor<1x3x16x16xf32> to tensor<1x3x18x18xf32> loc(#loc11)
    %7 = tensor.empty() : tensor<1x16x8x8xf32> loc(#loc11)
    %broadcasted = linalg.broadcast ins(%6 : tensor<16xf32>) outs(%7 : tensor<1x16x8x8xf32>) dimensions = [0, 2, 3]  loc(#loc11)
    %8 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%padded, %1 : tensor<1x3x18x18xf32>, tensor<16x3x3x3xf32>) outs(%broadcasted : tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xf32> loc(#loc11)
    %9 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8 : tensor<1x16x8x8xf32>) outs(%7 : tensor<1x16x8x8xf32>) {
    ^bb0(%in: f32 loc("conv"(#loc6)), %out: f32 loc("test/data/generate.py":51:0)):
      %48 = arith.cmpf ugt, %in, %cst_3 : f32 loc(#loc6)
      %49 = arith.select %48, %in, %cst_3 : f32 loc(#loc6)
      linalg.yield %49 : f32 loc(#loc6)
    } -> tensor<1x16x8x8xf32> loc(#loc6)
    %10 = call @asic.quantized_decomposed.quantize_per_tensor.7(%9) : (tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xi8> loc(#loc6)
    %11 = call @asic.quantized_decomposed.dequantize_per_tensor.8(%10) : (tensor<1x16x8x8xi8>) -> tensor<1x16x8x8xf32> loc(#loc6)
    %padded_22 = tensor.pad %11 low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%arg1: index loc("pool"(#loc4)), %arg2: index loc("pool"(#loc4)), %arg3: index loc("pool"(#loc4)), %arg4: index loc("pool"(#loc4))):
      tensor.yield %cst_2 : f32 loc(#loc9)
    } : tensor<1x16x8x8xf32> to tensor<1x16x10x10xf32> loc(#loc9)
    %12 = tensor.empty() : tensor<1x16x4x4xf32> loc(#loc9)
    %13 = linalg.fill ins(%cst_2 : f32) outs(%12 : tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xf32> loc(#loc9)
    %14 = tensor.empty() : tensor<3x3xf32> loc(#loc9)
    %15 = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%padded_22, %14 : tensor<1x16x10x10xf32>, tensor<3x3xf32>) outs(%13 : tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xf32> loc(#loc9)
    %16 = call @asic.quantized_decomposed.quantize_per_tensor.9(%15) : (tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> loc(#loc9)
    %17 = call @asic.quantized_decomposed.dequantize_per_tensor.10(%16) : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> loc(#loc9)
    %18 = call @asic.quantized_decomposed.dequantize_per_tensor.10(%16) : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> loc(#loc9)
    %19 = call @asic.quantized_decomposed.dequantize_per_channel.6(%cst_16, %cst_17, %cst_9) : (tensor<16xi32>, tensor<16xf32>, tensor<16xi64>) -> tensor<16xf32> loc(#loc12)
    %padded_23 = tensor.pad %18 low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%arg1: index loc("block.depthwise"(#loc3)), %arg2: index loc("block.depthwise"(#loc3)), %arg3: index loc("block.depthwise"(#loc3)), %arg4: index loc("block.depthwise"(#loc3))):
      tensor.yield %cst_3 : f32 loc(#loc12)
    } : tensor<1x16x4x4xf32> to tensor<1x16x6x6xf32> loc(#loc12)
    %broadcasted_24 = linalg.broadcast ins(%19 : tensor<16xf32>) outs(%12 : tensor<1x16x4x4xf32>) dimensions = [0, 2, 3]  loc(#loc12)
    %collapsed = tensor.collapse_shape %2 [[0, 1], [2], [3]] : tensor<16x1x3x3xf32> into tensor<16x3x3xf32> loc(#loc12)
    %20 = linalg.depthwise_conv_2d_nchw_chw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%padded_23, %collapsed : tensor<1x16x6x6xf32>, tensor<16x3x3xf32>) outs(%broadcasted_24 : tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xf32> loc(#loc12)
    %21 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%20, %cst : tensor<1x16x4x4xf32>, tensor<f32>) outs(%12 : tensor<1x16x4x4xf32>) {
    ^bb0(%in: f32 loc("block.depthwise"(#loc3)), %in_27: f32 loc("block.act"(#loc3)), %out: f32 loc("block.act"(#loc3))):
      %48 = arith.cmpf ogt, %in, %in_27 : f32 loc(#loc8)
      %49 = arith.select %48, %in, %in_27 : f32 loc(#loc8)
      linalg.yield %49 : f32 loc(#loc8)
    } -> tensor<1x16x4x4xf32> loc(#loc8)
    %22 = linalg.generic {indexing_maps = [#map1, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_0, %21 : tensor<f32>, tensor<1x16x4x4xf32>) outs(%12 : tensor<1x16x4x4xf32>) {
    ^bb0(%in: f32 loc("block.act"(#loc3)), %in_27: f32 loc("block.act"(#loc3)), %out: f32 loc("block.act"(#loc3))):
      %48 = arith.cmpf olt, %in, %in_27 : f32 loc(#loc8)
      %49 = arith.select %48, %in, %in_27 : f32 loc(#loc8)
      linalg.yield %49 : f32 loc(#loc8)
    } -> tensor<1x16x4x4xf32> loc(#loc8)
    %23 = call @asic.quantized_decomposed.quantize_per_tensor.11(%22) : (tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> loc(#loc8)
    %24 = call @asic.quantized_decomposed.dequantize_per_tensor.12(%23) : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> loc(#loc8)
    %25 = call @asic.quantized_decomposed.dequantize_per_channel.6(%cst_18, %cst_19, %cst_9) : (tensor<16xi32>, tensor<16xf32>, tensor<16xi64>) -> tensor<16xf32> loc(#loc13)
    %broadcasted_25 = linalg.broadcast ins(%25 : tensor<16xf32>) outs(%12 : tensor<1x16x4x4xf32>) dimensions = [0, 2, 3]  loc(#loc13)
    %26 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%24, %3 : tensor<1x16x4x4xf32>, tensor<16x16x1x1xf32>) outs(%broadcasted_25 : tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xf32> loc(#loc13)
    %27 = call @asic.quantized_decomposed.quantize_per_tensor.13(%26) : (tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> loc(#loc13)
    %28 = call @asic.quantized_decomposed.dequantize_per_tensor.14(%27) : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> loc(#loc13)
    %29 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%17, %28 : tensor<1x16x4x4xf32>, tensor<1x16x4x4xf32>) outs(%12 : tensor<1x16x4x4xf32>) {
    ^bb0(%in: f32 loc("block"(#loc7)), %in_27: f32 loc("block"(#loc7)), %out: f32 loc("block"(#loc7))):
      %48 = arith.addf %in, %in_27 : f32 loc(#loc14)
      linalg.yield %48 : f32 loc(#loc14)
    } -> tensor<1x16x4x4xf32> loc(#loc14)
    %30 = call @asic.quantized_decomposed.quantize_per_tensor.15(%29) : (tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> loc(#loc14)
    %31 = call @asic.quantized_decomposed.dequantize_per_tensor.16(%30) : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> loc(#loc14)
    %32 = tensor.empty() : tensor<1x16x1x1xf32> loc(#loc15)
    %33 = linalg.fill ins(%cst_3 : f32) outs(%32 : tensor<1x16x1x1xf32>) -> tensor<1x16x1x1xf32> loc(#loc15)
    %34 = linalg.generic {indexing_maps = [#map, #map2], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%31 : tensor<1x16x4x4xf32>) outs(%33 : tensor<1x16x1x1xf32>) {
    ^bb0(%in: f32 loc("head"(#loc5)), %out: f32 loc("head"(#loc5))):
      %48 = arith.addf %in, %out : f32 loc(#loc15)
      linalg.yield %48 : f32 loc(#loc15)
    } -> tensor<1x16x1x1xf32> loc(#loc15)
    %35 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%34 : tensor<1x16x1x1xf32>) outs(%32 : tensor<1x16x1x1xf32>) {
    ^bb0(%in: f32 loc("head"(#loc5)), %out: f32 loc("head"(#loc5))):
      %48 = arith.divf %in, %cst_1 : f32 loc(#loc15)
      linalg.yield %48 : f32 loc(#loc15)
    } -> tensor<1x16x1x1xf32> loc(#loc15)
    %36 = call @asic.quantized_decomposed.quantize_per_tensor.17(%35) : (tensor<1x16x1x1xf32>) -> tensor<1x16x1x1xi8> loc(#loc15)
    %37 = call @asic.quantized_decomposed.dequantize_per_tensor.18(%36) : (tensor<1x16x1x1xi8>) -> tensor<1x16x1x1xf32> loc(#loc15)
    %collapsed_26 = tensor.collapse_shape %37 [[0], [1, 2, 3]] : tensor<1x16x1x1xf32> into tensor<1x16xf32> loc(#loc5)
    %38 = call @asic.quantized_decomposed.quantize_per_tensor.19(%collapsed_26) : (tensor<1x16xf32>) -> tensor<1x16xi8> loc(#loc5)
    %39 = call @asic.quantized_decomposed.dequantize_per_tensor.20(%38) : (tensor<1x16xi8>) -> tensor<1x16xf32> loc(#loc5)
    %40 = call @asic.quantized_decomposed.dequantize_per_channel.21(%cst_20, %cst_21, %cst_4) : (tensor<10xi32>, tensor<10xf32>, tensor<10xi64>) -> tensor<10xf32> loc(#loc10)
    %41 = tensor.empty() : tensor<16x10xf32> loc(#loc10)
    %transposed = linalg.transpose ins(%0 : tensor<10x16xf32>) outs(%41 : tensor<16x10xf32>) permutation = [1, 0]  loc(#loc10)
    %42 = tensor.empty() : tensor<1x10xf32> loc(#loc10)
    %43 = linalg.fill ins(%cst_3 : f32) outs(%42 : tensor<1x10xf32>) -> tensor<1x10xf32> loc(#loc10)
    %44 = linalg.matmul ins(%39, %transposed : tensor<1x16xf32>, tensor<16x10xf32>) outs(%43 : tensor<1x10xf32>) -> tensor<1x10xf32> loc(#loc10)
    %45 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%44, %40 : tensor<1x10xf32>, tensor<10xf32>) outs(%42 : tensor<1x10xf32>) {
    ^bb0(%in: f32 loc("fc"(#loc5)), %in_27: f32 loc("fc"(#loc5)), %out: f32 loc("fc"(#loc5))):
      %48 = arith.addf %in, %in_27 : f32 loc(#loc10)
      linalg.yield %48 : f32 loc(#loc10)
    } -> tensor<1x10xf32> loc(#loc10)
    %46 = call @asic.quantized_decomposed.quantize_per_tensor.22(%45) : (tensor<1x10xf32>) -> tensor<1x10xi8> loc(#loc10)
    %47 = call @asic.quantized_decomposed.dequantize_per_tensor.23(%46) : (tensor<1x10xi8>) -> tensor<1x10xf32> loc(#loc10)
    return %47 : tensor<1x10xf32> loc(#loc1)
  } loc(#loc1)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.0(tensor<10x16xi8>, tensor<10xf32>, tensor<10xi64>) -> tensor<10x16xf32> attributes {asic.axis = 0 : i64, asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 127 : i64, asic.quant_min = -127 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.1(tensor<16x3x3x3xi8>, tensor<16xf32>, tensor<16xi64>) -> tensor<16x3x3x3xf32> attributes {asic.axis = 0 : i64, asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 127 : i64, asic.quant_min = -127 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.2(tensor<16x1x3x3xi8>, tensor<16xf32>, tensor<16xi64>) -> tensor<16x1x3x3xf32> attributes {asic.axis = 0 : i64, asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 127 : i64, asic.quant_min = -127 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.3(tensor<16x16x1x1xi8>, tensor<16xf32>, tensor<16xi64>) -> tensor<16x16x1x1xf32> attributes {asic.axis = 0 : i64, asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 127 : i64, asic.quant_min = -127 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.4(tensor<1x3x16x16xf32>) -> tensor<1x3x16x16xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.028233813121914864 : f64, asic.zero_point = 3 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.5(tensor<1x3x16x16xi8>) -> tensor<1x3x16x16xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.028233813121914864 : f64, asic.zero_point = 3 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.6(tensor<16xi32>, tensor<16xf32>, tensor<16xi64>) -> tensor<16xf32> attributes {asic.axis = 0 : i64, asic.dtype = i32, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 2147483647 : i64, asic.quant_min = -2147483648 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.7(tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.013092027045786381 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.8(tensor<1x16x8x8xi8>) -> tensor<1x16x8x8xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.013092027045786381 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.9(tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.013092027045786381 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.10(tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.013092027045786381 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.11(tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.01425588596612215 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.12(tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.01425588596612215 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.13(tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.01043325662612915 : f64, asic.zero_point = 5 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.14(tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.01043325662612915 : f64, asic.zero_point = 5 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.15(tensor<1x16x4x4xf32>) -> tensor<1x16x4x4xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.01685553602874279 : f64, asic.zero_point = -65 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.16(tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.01685553602874279 : f64, asic.zero_point = -65 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.17(tensor<1x16x1x1xf32>) -> tensor<1x16x1x1xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0076295849867165089 : f64, asic.zero_point = -127 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.18(tensor<1x16x1x1xi8>) -> tensor<1x16x1x1xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0076295849867165089 : f64, asic.zero_point = -127 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.19(tensor<1x16xf32>) -> tensor<1x16xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0076295849867165089 : f64, asic.zero_point = -127 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.20(tensor<1x16xi8>) -> tensor<1x16xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0076295849867165089 : f64, asic.zero_point = -127 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.21(tensor<10xi32>, tensor<10xf32>, tensor<10xi64>) -> tensor<10xf32> attributes {asic.axis = 0 : i64, asic.dtype = i32, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 2147483647 : i64, asic.quant_min = -2147483648 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.22(tensor<1x10xf32>) -> tensor<1x10xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0067750364542007446 : f64, asic.zero_point = 38 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.23(tensor<1x10xi8>) -> tensor<1x10xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0067750364542007446 : f64, asic.zero_point = 38 : i64} loc(#loc)
} loc(#loc)
#loc = loc(unknown)
#loc1 = loc("b__scale_0")
#loc13 = loc("block.pointwise"(#loc7))

{-#
  dialect_resources: {
    builtin: {
      block.depthwise.weight: "0x400000007009A8D11D9B42888181E558846DCC26068A6A457F41AC6B073D9ADB81CE1C9A294512A99CD8397F4AF22D829248A94A93B48150F0775E5405D1DF144B967FF18DB6797D816145517FAF2F3DD432D55DD6AE374E95137FEA43CB2DA4B5BF75DE00C27F7F9E979DFFDFABD119AF22DDB5157F9807C77E86847FAE19F5E5E3530681B3D442AC7BE3E5754B7F57D39DF57C",
      block.pointwise.weight: "0x40000000D487357FDB948A21F6BE1A326865EC8D877D3B3A8C7C7F798FCDA47FC6C346C2C0F5F39B6DC72E7142126F11C47B1F81D9A377EA84F755232B0D33DFCA819A3BB1132A09AA7FB36D96E048CA70A590C41579C12FDFE4619A0E7BEE66D86A81EDE72F396FEAFA63D97FA0F0F84163E988422836AD567F0C835E9D1F13C12F881FAEF2116FC253EFC28F897FE00623586F6E9CEAB0B3207F9452BAE66BE10CA173ED942B978B0975D6467F62B2F0D189006A760D20C36AC69E1654817F339EE27A9EDB2A9146424FAF7FB57F868F4E0D07B8C9DA810717002A7C23D0CAADA6EBE939C966A600737FB6170FC4D423A71537CD6BF83A7FD946DBEDEAFFD01E0551E6",
      conv.weight: "0x40000000FF47939ECD24FD69F423D8E681A8C9053550A6C6306EE563EB0E7889B0E0CE6EADC5A788B56E393E07BF1689A4BE514BC7FB527F331159B21999A4BC3C35B22849EF051F527F9AD0346E73751A8D0CAD8571618118EBEBC631B52F405B3082AD401B9DB77856C8E087FEA09EF914CA4FAF785B90DF06131F3408BF3F81B2DFC0D293E41CAAF95FF204F51B547D547DF68AC25AFFBF9B8591E54847815299E4CBE7E68287EA02C03581F77CC77F338159F0C1708E0FE364274432DEE28C527867960796ADA833A6FD06618E99A969CA7F3613FFE213DEFF139CBD6898F77F2E049140A5DCD5ED016A10734FAF3AA5CA262A60D70042845D9602EABD116ADBB4D1813AC2AAB64A44622ED5DC266923C0C1811DB58876A9F12604A6936B166FD328E1FAAE2D2AFDE2AD5D8D3FCCB51CB0241E8D1A423DEC81E836C73B67AF02400C0D13860C58724B113BC297937F51A832607F6F62E3D36847B4723D45B024D365E9321737D43FA61DA98199664679678DA8EBAC599FC184B76A695B6271DF38712A7F424FD43D0FE2B8B99E555AF2B6625109C475349B7F65D04BB5EB7105A2D4DCE60D7B07AE07404287E89DC730A231",
      fc.weight: "0x400000000FC8813D13C3CD28E563093942DB427006190559CABC389002C555884E7F1AF77DCAF6C8EE1C11E88107FC13617BB5F8CA839E7F4F494B940E7EB478245FC63E8DF82B276C7F76575BEF9CD0F1BA422D151F702E90A438113E818B4E518D309D61287F818457724F55945D871DACCD17CBEB818234C7AECB9295504412B72D06A51B7483811060B31C59271C7F53B80B41718145DB831CBB12ADA0F5D54B0B64"
    }
  }
#-}
