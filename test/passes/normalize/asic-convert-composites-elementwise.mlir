// RUN: asic-opt %s --asic-convert-composites | FileCheck %s

// The sign of -0 and of NaN counts, which no comparison sees.
// CHECK-LABEL: func.func @signbit
// CHECK: math.copysign
// CHECK: arith.cmpf olt
func.func @signbit(%x: tensor<4xf32>) -> tensor<4xi1> {
  %y = call @asic.signbit(%x) : (tensor<4xf32>) -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// Extremes and clamps keep NaN; operands broadcast.
// CHECK-LABEL: func.func @maximum
// CHECK: ins(%arg0, %arg1 : tensor<2x4xf32>, tensor<4xf32>)
// CHECK: arith.maximumf
func.func @maximum(%x: tensor<2x4xf32>, %y: tensor<4xf32>) -> tensor<2x4xf32> {
  %z = call @asic.maximum(%x, %y)
      : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %z : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @clamp
// CHECK: arith.maximumf
// CHECK: arith.minimumf
func.func @clamp(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @asic.clamp(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// By a power of two the quotient is exact, and no remainder is needed.
// CHECK-LABEL: func.func @floor_divide_by_two
// CHECK-NOT: arith.remf
// CHECK: math.floor
func.func @floor_divide_by_two(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @asic.floor_divide(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// Integers are divided as integers.
// CHECK-LABEL: func.func @divide_integers
// CHECK: arith.remsi
// CHECK: arith.divsi
func.func @divide_integers(%x: tensor<4xi64>, %y: tensor<4xi64>)
    -> tensor<4xi64> {
  %z = call @asic.div(%x, %y) : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
  return %z : tensor<4xi64>
}

// By the width and more all bits leave, where arith leaves the result open.
// CHECK-LABEL: func.func @shift_left
// CHECK: %[[SHIFTED:.*]] = arith.shli %[[X:.*]], %[[N:.*]] : i32
// CHECK: %[[STAYS:.*]] = arith.cmpi ult, %[[N]], %c32_i32
// CHECK: arith.select %[[STAYS]], %[[SHIFTED]], %c0_i32
func.func @shift_left(%x: tensor<4xi32>, %n: tensor<4xi32>) -> tensor<4xi32> {
  %y = call @asic.shift_left(%x, %n)
      : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %y : tensor<4xi32>
}

// What comes in at the other end is the sign. Numbers wrap to the type first.
// CHECK-LABEL: func.func @shift_right
// CHECK: %[[N:.*]] = arith.minui %c44_i8, %c7_i8
// CHECK: arith.shrsi %{{.*}}, %[[N]] : i8
func.func @shift_right(%x: tensor<4xi8>) -> tensor<4xi8> {
  %y = call @asic.shift_right(%x) : (tensor<4xi8>) -> tensor<4xi8>
  return %y : tensor<4xi8>
}

// Floats are left for partition to refuse.
// CHECK-LABEL: func.func @shift_floats
// CHECK: call @asic.shift_floats
func.func @shift_floats(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @asic.shift_floats(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// The same bits.
// CHECK-LABEL: func.func @view_bits
// CHECK: arith.bitcast %{{.*}} : f32 to i32
func.func @view_bits(%x: tensor<4xf32>) -> tensor<4xi32> {
  %y = call @asic.view_bits(%x) : (tensor<4xf32>) -> tensor<4xi32>
  return %y : tensor<4xi32>
}

// Both pieces of erfinv are one short body with one logarithm; integers are
// computed in f32.
// CHECK-LABEL: func.func @erfinv
// CHECK: linalg.generic
// CHECK: arith.sitofp {{.*}} : i32 to f32
// CHECK: math.log
// CHECK-NOT: math.log
// CHECK: math.fma
// CHECK: math.sqrt
// CHECK: arith.select
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @erfinv(%x: tensor<4xi32>) -> tensor<4xf32> {
  %y = call @asic.erfinv(%x) : (tensor<4xi32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// The logarithm is of 2p and 2 - 2p, not of what 2p - 1 leaves.
// CHECK-LABEL: func.func @ndtri
// CHECK: %[[TWICE:.*]] = arith.mulf
// CHECK: %[[REST:.*]] = arith.subf %{{.*}}, %[[TWICE]]
// CHECK: %[[PRODUCT:.*]] = arith.mulf %[[TWICE]], %[[REST]]
// CHECK: math.log %[[PRODUCT]]
func.func @ndtri(%p: tensor<4xf32>) -> tensor<4xf32> {
  %x = call @asic.ndtri(%p) : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

func.func private @asic.signbit(tensor<4xf32>) -> tensor<4xi1>
  attributes {asic.op = "aten.signbit.default", asic.operands = ["self"],
              asic.results = [0]}
func.func private @asic.maximum(tensor<2x4xf32>, tensor<4xf32>)
    -> tensor<2x4xf32>
  attributes {asic.op = "aten.maximum.default",
              asic.operands = ["self", "other"], asic.results = [0]}
func.func private @asic.clamp(tensor<4xf32>) -> tensor<4xf32>
  attributes {asic.op = "aten.clamp.default", asic.operands = ["self"],
              asic.results = [0], asic.min = -1.0 : f64, asic.max = 2 : i64}
func.func private @asic.floor_divide(tensor<4xf32>) -> tensor<4xf32>
  attributes {asic.op = "aten.floor_divide.default", asic.operands = ["self"],
              asic.results = [0], asic.other = 2 : i64}
func.func private @asic.div(tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
  attributes {asic.op = "aten.div.Tensor_mode",
              asic.operands = ["self", "other"], asic.results = [0],
              asic.rounding_mode = "floor"}
func.func private @asic.erfinv(tensor<4xi32>) -> tensor<4xf32>
  attributes {asic.op = "aten.erfinv.default", asic.operands = ["self"],
              asic.results = [0]}
func.func private @asic.ndtri(tensor<4xf32>) -> tensor<4xf32>
  attributes {asic.op = "aten.special_ndtri.default",
              asic.operands = ["self"], asic.results = [0]}
func.func private @asic.shift_left(tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  attributes {asic.op = "aten.bitwise_left_shift.Tensor",
              asic.operands = ["self", "other"], asic.results = [0]}
func.func private @asic.shift_right(tensor<4xi8>) -> tensor<4xi8>
  attributes {asic.op = "aten.bitwise_right_shift.Tensor_Scalar",
              asic.operands = ["self"], asic.results = [0], asic.other = 300 : i64}
func.func private @asic.shift_floats(tensor<4xf32>) -> tensor<4xf32>
  attributes {asic.op = "aten.bitwise_left_shift.Tensor_Scalar",
              asic.operands = ["self"], asic.results = [0], asic.other = 1 : i64}
func.func private @asic.view_bits(tensor<4xf32>) -> tensor<4xi32>
  attributes {asic.op = "aten.view.dtype", asic.operands = ["self"],
              asic.results = [0], asic.dtype = i32}
