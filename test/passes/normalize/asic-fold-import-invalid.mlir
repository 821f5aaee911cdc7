// RUN: asic-opt %s --asic-fold-import --verify-diagnostics

// expected-error @below {{expected static shapes, got 'tensor<?x3xf32>' for argument 0 ("image"); export the model without dynamic shapes}}
func.func @main(%x: tensor<?x3xf32> {asic.name = "image"}) -> tensor<?x3xf32> {
  return %x : tensor<?x3xf32>
}
