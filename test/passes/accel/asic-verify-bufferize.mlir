// RUN: asic-opt %s --split-input-file --asic-verify-bufferize --verify-diagnostics

func.func @tensor_left(%x: memref<4xi8, #asic.space<dram>>) attributes {asic.region = "accelerator"} {
  // expected-error @+1 {{expected no tensor after bufferize, got}}
  %0 = tensor.empty() : tensor<4xi8>
  return
}
