// RUN: asic-opt %s --asic-fold-transposes --verify-diagnostics

func.func @main() -> tensor<3x2xf32> {
  %w = arith.constant dense_resource<fc.weight> : tensor<2x3xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  // expected-error @below {{expected data for constant 'fc.weight', got none; attach the weights before the pipeline}}
  %t = linalg.transpose ins(%w : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  return %t : tensor<3x2xf32>
}
