// RUN: asic-opt %s --split-input-file --verify-diagnostics --asic-verify-normalize

func.func @named(%x: tensor<2x3xf32>, %e: tensor<3x2xf32>) -> tensor<3x2xf32> {
  // expected-error @below {{expected only linalg.generic and linalg.fill after normalize}}
  %t = linalg.transpose ins(%x : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  return %t : tensor<3x2xf32>
}

// -----

func.func @double() -> f64 {
  // expected-error @below {{expected no f64 after normalize, got 'f64'}}
  %x = arith.constant 1.0 : f64
  return %x : f64
}

// -----

func.func @assert(%ok: i1) {
  // expected-error @below {{expected no control flow after normalize}}
  cf.assert %ok, "no"
  return
}

// -----

func.func @dynamic(%n: index) -> tensor<?xf32> {
  // expected-error @below {{expected static shapes after normalize, got 'tensor<?xf32>'}}
  %x = tensor.empty(%n) : tensor<?xf32>
  return %x : tensor<?xf32>
}
