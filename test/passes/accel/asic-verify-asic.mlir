// RUN: asic-opt %s --split-input-file --asic-verify-asic --verify-diagnostics

func.func @generic_left(%x: memref<4xi8, #asic.space<sram>>) attributes {asic.region = "accelerator"} {
  // expected-error @+1 {{expected tile operations, buffers and views after}}
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    outs(%x : memref<4xi8, #asic.space<sram>>) {
  ^bb0(%a: i8):
    linalg.yield %a : i8
  }
  return
}
