// RUN: asic-opt %s --asic-attach-target=target=npu-256 --asic-allocate-dram --asic-verify-schedule --split-input-file --verify-diagnostics

func.func @missing_wait(%x: memref<64xi8, #asic.space<dram>>, %y: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  // expected-note @+1 {{the other operation, number 0 of the stream}}
  asic.copy %x, %a {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected to wait for an operation on dma0 that touches the same bytes}}
  asic.copy %a, %y {engine = 4 : i64} : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  return
}

// -----

func.func @post_after_wait(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected the posts of semaphore 0 before this wait in the stream}}
  asic.copy %x, %a {engine = 3 : i64, waits = array<i64: 0, 1>} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return
}

// -----

func.func @unread_post(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected every post to be waited for, got 1 left on semaphore 0}}
  asic.copy %x, %a {engine = 3 : i64, posts = array<i64: 0, 1>} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return
}

// -----

func.func @two_producers(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  %b = memref.alloc() {asic.address = 64 : i64} : memref<64xi8, #asic.space<sram>>
  asic.copy %x, %a {engine = 3 : i64, posts = array<i64: 0, 1>} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected one producer engine of semaphore 0}}
  asic.copy %x, %b {engine = 4 : i64, posts = array<i64: 0, 1>} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return
}

// -----

func.func @engine(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected an engine below}}
  asic.copy %x, %a : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return
}

// -----

func.func @address(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() : memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected every buffer to have an address}}
  asic.copy %x, %a {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return
}

// -----

func.func @outside(%x: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 262128 : i64} : memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected its buffers inside sram of 262144 bytes, got one that ends at 262192}}
  asic.copy %x, %a {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  return
}

// -----

func.func @shared_bytes(%x: memref<64xi8, #asic.space<dram>>, %y: memref<64xi8, #asic.space<dram>>) {
  %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
  %b = memref.alloc() {asic.address = 32 : i64} : memref<64xi8, #asic.space<sram>>
  asic.copy %x, %a {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  // expected-error @+1 {{expected buffers with bytes of their own, got one at sram address 32 that overlaps one in use, at address 0}}
  asic.copy %x, %b {engine = 3 : i64} : memref<64xi8, #asic.space<dram>> to memref<64xi8, #asic.space<sram>>
  asic.copy %a, %y {engine = 3 : i64} : memref<64xi8, #asic.space<sram>> to memref<64xi8, #asic.space<dram>>
  return
}
