// RUN: asic-opt %s --asic-attach-target=target=edge-tx1 | FileCheck %s
// RUN: asic-opt %s --asic-attach-target=target=%targets/npu-256.yaml | FileCheck %s --check-prefix=FILE
// RUN: not asic-opt %s --asic-attach-target=target=nothing 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// A preset and a file give the same attribute: name, hash, canonical JSON.
// CHECK: module attributes {asic.target = #asic.target<"edge-tx1", "{{[0-9a-f]+}}", "{{.*}}k_rows{{.*}}">}
// FILE: module attributes {asic.target = #asic.target<"npu-256"
// UNKNOWN: error: {{.*}}nothing
module {}
