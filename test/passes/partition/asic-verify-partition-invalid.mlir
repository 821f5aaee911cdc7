// RUN: asic-opt %s --split-input-file --verify-diagnostics --asic-verify-partition

// @main computes nothing itself.
func.func @main(%x: tensor<4xi8>) -> tensor<1x4xi8> {
  // expected-error @below {{expected calls of region functions in '@main' after partition, got 'tensor.expand_shape'}}
  %0 = tensor.expand_shape %x [[0, 1]] output_shape [1, 4] : tensor<4xi8> into tensor<1x4xi8>
  return %0 : tensor<1x4xi8>
}

// -----

func.func private @f(%x: tensor<4xi8>) -> tensor<4xi8> {
  return %x : tensor<4xi8>
}

// A function that is called is a region.
func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error @below {{expected calls of region functions in '@main' after partition, got 'func.call'}}
  %0 = call @f(%x) : (tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

// A region has one of two sides.
// expected-error @below {{expected asic.region = "accelerator" or "host", got "moon"}}
func.func private @f(%x: tensor<4xi8>) -> tensor<4xi8> attributes {asic.region = "moon"} {
  return %x : tensor<4xi8>
}
func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {
  %0 = call @f(%x) : (tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

// An accelerator region needs a target.
// expected-error @below {{expected a module with an 'asic.target' attribute, got none; run asic-attach-target first}}
func.func private @f(%x: tensor<4xi8>) -> tensor<4xi8> attributes {asic.region = "accelerator"} {
  return %x : tensor<4xi8>
}
func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {
  %0 = call @f(%x) : (tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}
