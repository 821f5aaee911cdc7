// RUN: asic-opt %s --split-input-file --asic-verify-tile --verify-diagnostics

func.func @offset_at_run_time(%x: tensor<8xi8>, %at: index) -> tensor<4xi8> attributes {asic.region = "accelerator"} {
  // expected-error @+1 {{expected constant offsets and sizes after tile}}
  %0 = tensor.extract_slice %x[%at] [4] [1] : tensor<8xi8> to tensor<4xi8>
  return %0 : tensor<4xi8>
}
