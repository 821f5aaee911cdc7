#loc2 = loc("x")
#loc3 = loc("test/data/generate.py":65:0)
#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d1)>
#loc4 = loc("out"(#loc3))
#loc5 = loc("hidden"(#loc3))
module {
  func.func @main(%arg0: tensor<4x32xf32> {asic.name = "x"} loc("x")) -> (tensor<4x10xf32> {asic.name = "output"}) {
    %cst = arith.constant 0.000000e+00 : f32 loc(#loc)
    %cst_0 = arith.constant dense<[1.16483452E-5, 1.13579435E-5, 1.08760687E-5, 1.01386968E-5, 1.16770861E-5, 1.13672068E-5, 1.13053748E-5, 1.10843957E-5, 1.12860807E-5, 1.08711283E-5]> : tensor<10xf32> loc(#loc4)
    %cst_1 = arith.constant dense<[5391, 15638, -6578, -627, -15557, 13859, -14665, -8215, 168, -8962]> : tensor<10xi32> loc(#loc4)
    %cst_2 = arith.constant dense<[3.78240657E-5, 3.72908944E-5, 3.82402213E-5, 3.587590e-05, 3.75530253E-5, 3.76321477E-5, 3.77620454E-5, 3.70610469E-5, 3.75987584E-5, 3.77721226E-5, 3.76160824E-5, 3.84686573E-5, 3.83370061E-5, 3.83200604E-5, 3.76977732E-5, 3.717871E-5, 3.81308964E-5, 3.83458209E-5, 3.68573856E-5, 3.81212885E-5, 3.81367099E-5, 3.6944064E-5, 3.66192071E-5, 3.83044935E-5]> : tensor<24xf32> loc(#loc5)
    %cst_3 = arith.constant dense_resource<hidden.bias> : tensor<24xi32> loc(#loc5)
    %cst_4 = arith.constant dense<0> : tensor<10xi64> loc(#loc4)
    %cst_5 = arith.constant dense<[0.00160313875, 0.00156317127, 0.00149685179, 0.00139536872, 0.00160709431, 0.00156444614, 0.00155593641, 0.00152552349, 0.00155328098, 0.00149617193]> : tensor<10xf32> loc(#loc4)
    %cst_6 = arith.constant dense_resource<out.weight> : tensor<10x24xi8> loc(#loc4)
    %cst_7 = arith.constant dense_resource<hidden.weight> : tensor<24x32xi8> loc(#loc5)
    %cst_8 = arith.constant dense<[0.00136816897, 0.00134888315, 0.00138322217, 0.0012977001, 0.00135836494, 0.00136122701, 0.00136592565, 0.00134056911, 0.0013600192, 0.00136629015, 0.00136064587, 0.0013914851, 0.00138672302, 0.00138611009, 0.00136360072, 0.00134482526, 0.00137926766, 0.00138704188, 0.00133320235, 0.00137892016, 0.00137947791, 0.00133633765, 0.00132458692, 0.00138554699]> : tensor<24xf32> loc(#loc5)
    %cst_9 = arith.constant dense<0> : tensor<24xi64> loc(#loc5)
    %0 = call @asic.quantized_decomposed.dequantize_per_channel.0(%cst_7, %cst_8, %cst_9) : (tensor<24x32xi8>, tensor<24xf32>, tensor<24xi64>) -> tensor<24x32xf32> loc(#loc5)
    %1 = call @asic.quantized_decomposed.dequantize_per_channel.1(%cst_6, %cst_5, %cst_4) : (tensor<10x24xi8>, tensor<10xf32>, tensor<10xi64>) -> tensor<10x24xf32> loc(#loc4)
    %2 = call @asic.quantized_decomposed.quantize_per_tensor.2(%arg0) : (tensor<4x32xf32>) -> tensor<4x32xi8> loc(#loc5)
    %3 = call @asic.quantized_decomposed.dequantize_per_tensor.3(%2) : (tensor<4x32xi8>) -> tensor<4x32xf32> loc(#loc5)
    %4 = call @asic.quantized_decomposed.dequantize_per_channel.4(%cst_3, %cst_2, %cst_9) : (tensor<24xi32>, tensor<24xf32>, tensor<24xi64>) -> tensor<24xf32> loc(#loc5)
    %5 = tensor.empty() : tensor<32x24xf32> loc(#loc5)
    %transposed = linalg.transpose ins(%0 : tensor<24x32xf32>) outs(%5 : tensor<32x24xf32>) permutation = [1, 0]  loc(#loc5)
    %6 = tensor.empty() : tensor<4x24xf32> loc(#loc5)
    %7 = linalg.fill ins(%cst : f32) outs(%6 : tensor<4x24xf32>) -> tensor<4x24xf32> loc(#loc5)
    %8 = linalg.matmul ins(%3, %transposed : tensor<4x32xf32>, tensor<32x24xf32>) outs(%7 : tensor<4x24xf32>) -> tensor<4x24xf32> loc(#loc5)
    %9 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%8, %4 : tensor<4x24xf32>, tensor<24xf32>) outs(%6 : tensor<4x24xf32>) {
    ^bb0(%in: f32 loc("hidden"(#loc3)), %in_11: f32 loc("hidden"(#loc3)), %out: f32 loc("hidden"(#loc3))):
      %21 = arith.addf %in, %in_11 : f32 loc(#loc5)
      linalg.yield %21 : f32 loc(#loc5)
    } -> tensor<4x24xf32> loc(#loc5)
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%9 : tensor<4x24xf32>) outs(%6 : tensor<4x24xf32>) {
    ^bb0(%in: f32 loc("hidden"(#loc3)), %out: f32 loc("test/data/generate.py":65:0)):
      %21 = arith.cmpf ugt, %in, %cst : f32 loc(#loc3)
      %22 = arith.select %21, %in, %cst : f32 loc(#loc3)
      linalg.yield %22 : f32 loc(#loc3)
    } -> tensor<4x24xf32> loc(#loc3)
    %11 = call @asic.quantized_decomposed.quantize_per_tensor.5(%10) : (tensor<4x24xf32>) -> tensor<4x24xi8> loc(#loc3)
    %12 = call @asic.quantized_decomposed.dequantize_per_tensor.6(%11) : (tensor<4x24xi8>) -> tensor<4x24xf32> loc(#loc3)
    %13 = call @asic.quantized_decomposed.dequantize_per_channel.7(%cst_1, %cst_0, %cst_4) : (tensor<10xi32>, tensor<10xf32>, tensor<10xi64>) -> tensor<10xf32> loc(#loc4)
    %14 = tensor.empty() : tensor<24x10xf32> loc(#loc4)
    %transposed_10 = linalg.transpose ins(%1 : tensor<10x24xf32>) outs(%14 : tensor<24x10xf32>) permutation = [1, 0]  loc(#loc4)
    %15 = tensor.empty() : tensor<4x10xf32> loc(#loc4)
    %16 = linalg.fill ins(%cst : f32) outs(%15 : tensor<4x10xf32>) -> tensor<4x10xf32> loc(#loc4)
    %17 = linalg.matmul ins(%12, %transposed_10 : tensor<4x24xf32>, tensor<24x10xf32>) outs(%16 : tensor<4x10xf32>) -> tensor<4x10xf32> loc(#loc4)
    %18 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%17, %13 : tensor<4x10xf32>, tensor<10xf32>) outs(%15 : tensor<4x10xf32>) {
    ^bb0(%in: f32 loc("out"(#loc3)), %in_11: f32 loc("out"(#loc3)), %out: f32 loc("out"(#loc3))):
      %21 = arith.addf %in, %in_11 : f32 loc(#loc4)
      linalg.yield %21 : f32 loc(#loc4)
    } -> tensor<4x10xf32> loc(#loc4)
    %19 = call @asic.quantized_decomposed.quantize_per_tensor.8(%18) : (tensor<4x10xf32>) -> tensor<4x10xi8> loc(#loc4)
    %20 = call @asic.quantized_decomposed.dequantize_per_tensor.9(%19) : (tensor<4x10xi8>) -> tensor<4x10xf32> loc(#loc4)
    return %20 : tensor<4x10xf32> loc(#loc1)
  } loc(#loc1)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.0(tensor<24x32xi8>, tensor<24xf32>, tensor<24xi64>) -> tensor<24x32xf32> attributes {asic.axis = 0 : i64, asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 127 : i64, asic.quant_min = -127 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.1(tensor<10x24xi8>, tensor<10xf32>, tensor<10xi64>) -> tensor<10x24xf32> attributes {asic.axis = 0 : i64, asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 127 : i64, asic.quant_min = -127 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.2(tensor<4x32xf32>) -> tensor<4x32xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.027645755559206009 : f64, asic.zero_point = 8 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.3(tensor<4x32xi8>) -> tensor<4x32xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.027645755559206009 : f64, asic.zero_point = 8 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.4(tensor<24xi32>, tensor<24xf32>, tensor<24xi64>) -> tensor<24xf32> attributes {asic.axis = 0 : i64, asic.dtype = i32, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 2147483647 : i64, asic.quant_min = -2147483648 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.5(tensor<4x24xf32>) -> tensor<4x24xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0072659621946513653 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.6(tensor<4x24xi8>) -> tensor<4x24xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.0072659621946513653 : f64, asic.zero_point = -128 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_channel.7(tensor<10xi32>, tensor<10xf32>, tensor<10xi64>) -> tensor<10xf32> attributes {asic.axis = 0 : i64, asic.dtype = i32, asic.op = "quantized_decomposed.dequantize_per_channel.default", asic.operands = ["input", "scales", "zero_points"], asic.quant_max = 2147483647 : i64, asic.quant_min = -2147483648 : i64, asic.results = [0]} loc(#loc)
  func.func private @asic.quantized_decomposed.quantize_per_tensor.8(tensor<4x10xf32>) -> tensor<4x10xi8> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.quantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.006657846737653017 : f64, asic.zero_point = -21 : i64} loc(#loc)
  func.func private @asic.quantized_decomposed.dequantize_per_tensor.9(tensor<4x10xi8>) -> tensor<4x10xf32> attributes {asic.dtype = i8, asic.op = "quantized_decomposed.dequantize_per_tensor.default", asic.operands = ["input"], asic.quant_max = 127 : i64, asic.quant_min = -128 : i64, asic.results = [0], asic.scale = 0.006657846737653017 : f64, asic.zero_point = -21 : i64} loc(#loc)
} loc(#loc)
#loc = loc(unknown)
#loc1 = loc("b__scale_0")

{-#
  dialect_resources: {
    builtin: {
      hidden.bias: "0x40000000590E000077080000FE0500004F0C000068FCFFFF48F7FFFF06FBFFFF06F2FFFF20000000670900006B03000061FFFFFFD006000091EFFFFFF5F3FFFFC9EFFFFF01120000A2EFFFFFE6080000050D0000DEFAFFFF0EFDFFFF7E0F000044F1FFFF",
      hidden.weight: "0x400000001F4B77527FC79617FEED98FB044F3E165BF2688AFCC653DCA9EA0057478BC9C1F93AED770E49E04C3305FC3A13ADD7AA1F62B52C9B3685CDFEEA4ACC2B3A2481B9E1FE315A1AA88172008EDD31FC54EA10788F0D98AA883FE72E0E2A95D3DDA33A4DCFA3B981A7DA16BF90456D06EDC42C0BC25D50655EAF7DFD8356A8C01B611591A730DC2471AB90D4F6D47FB24B3278835FD7D2045843B51FFB2B00E03C6F45D50219B56E453878EF62F169B281432D8538E43576690540880A2A422F57092A81C23B2D3734932BD9EBF66D7440CE262D630A8634991155357A7D8A0325E6BC7FB18688B80E59F89862F6D0FC39F03437A97757FA55DCE4379EE0A8F5CCD4E4642082A6F62B5177A87B5799959B03E481DB51F798AB3129C89637BB8E7734EA13698DE6D2826E86CC4275DE6BFD8887C4FF69C9EC58E038F5CEAC7FBB0D2D18F6E7C92DDA30432EC3A7DD2A0E7F58C35DB6D460A0DC953C5D72D3A045ACD59763F3110712C87C8DEFB6AA445D3C265544DBCA265055017FA5356D084D709E533B43404C29478C81447FDA62F240F63EC99744CB5F11CC7B7ABE3925B210900A916D406519CA413846EC7FAF8E227314DB935683CB47B8ADC03DCAE3E145700801F33E5E1F50D7FA9438BDEC810B294EE3067A025D7F6E3B5376F368CBD73AB1CE070B07EE2A7FD44820536BF3E5CCDCC8E04D27C24A0C0533B6F264554AEE0D53164741383CAA8F8164B99B10E729DF6386826EC81F2F14AF0EAC6C145D5B362D48AF60E562F73B5E18E73481F3E69EFA1E8468487EC9A64E78B6B5F76CEC81C9B4649F6332F4DF49B5CD75CD0D6C981604BC6B5BF7F253D44BA893595A99E436444C5AC51B6E975320067FCBDDA16CA273A249C071AAADDB997A2FBA9FD613C64AC1265CA59C851865AEEF506346291609700532F76581D7851EE3979E2563715B956E7E0681A08B156D55C0C61FB9F326D02FED7A9370598A1FEF3E60B9B49F6190AD78455C738CDFF57BDAF74C46A98CCE2B7F3C4D29DEEA701C1B4E6024F3C8B2C06866BD6CDFE02998B5EDD840E293917B3A8197AF74452A48165B99",
      out.weight: "0x4000000081EDF0CC0A4444255AC5092B29D2679FC4860F9D5BAB2271772B30174BF79E739E7F073C043859854AD48A970C66842637821EBD15CC6F8347CD260E81BF0604BB4EBFB83CF12B55C62A75177F406B725828495A0A19C8FB4BF5D124FB0CE1FFE16BAA9FE7095423FE88C421D7B2205B105F6E037F2A2A2E87356E1808EA9A11353277B273E3DABEA91CE41881D643C179A9B457713A46A319F4C21C35A5F0227F9674F31D8F8DBDF61978EA5C904B8C8150A9B6B1DB41439B0B918EDEF5433A2164F1F47F0959BF544F67B28317EF7CD4C6159794551E1AEB4CCD292E23A382BF8C8AD1F214BAA8DC50487F3F6202AC"
    }
  }
#-}
