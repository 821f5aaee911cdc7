// RUN: asic-opt %s --split-input-file --verify-diagnostics

// Instructions stand in a program only.
// expected-error @+1 {{expects parent op 'isa.program'}}
isa.halt ctrl {}

// -----

isa.program @engine dram 0 {
  // expected-error @+1 {{expected an engine (ctrl, mxu, vpu, dma0, …), got cpu}}
  isa.halt cpu {}
}

// -----

isa.program @engine_class dram 0 {
  // expected-error @+1 {{engine}}
  isa.contract vpu {}
}

// -----

isa.program @field_name dram 0 {
  // expected-error @+1 {{expected a field of nop, got size}}
  isa.nop mxu {size = 3}
}

// -----

isa.program @field_range dram 0 {
  // expected-error @+1 {{cycles}}
  isa.nop mxu {cycles = 4294967296}
}

// -----

isa.program @field_sign dram 0 {
  // expected-error @+1 {{src_addr}}
  isa.copy dma0 {src_addr = -1}
}

// -----

isa.program @field_count dram 0 {
  // expected-error @+1 {{expected 1 fields, got 2}}
  "isa.nop"() {engine = 1 : i64, fields = array<i64: 0, 0>} : () -> ()
}

// -----

isa.program @element_type dram 0 {
  // expected-error @+1 {{expected an element type, got i7}}
  isa.map vpu {s0_type = i7}
}

// -----

isa.program @space dram 0 {
  // expected-error @+1 {{expected dram, sram or acc, got rom}}
  isa.copy dma0 {src_space = rom}
}

// -----

isa.program @index dram 0 {
  // expected-error @+1 {{expected index_addr, index_src_s, index_dst_s and index_s to be zero without index_n, got 8}}
  isa.copy dma0 {dst_space = sram, index_src_s = 8}
}

// -----

isa.program @packed_words dram 0 {
  // expected-error @+1 {{expected 8-bit elements to pack, got 'i16'}}
  isa.constant dense<7> : tensor<9xi16> packed at 32
}

// -----

isa.program @packed dram 0 {
  // expected-error @+1 {{expected packed_type i4, u4 or none, got type number 4}}
  isa.copy dma0 {dst_space = sram, packed_type = u8}
}

// -----

isa.program @semaphore dram 0 {
  // expected-error @+1 {{expected a semaphore below 64, got 64}}
  isa.nop mxu waits [64:1] {}
}

// -----

isa.program @count dram 0 {
  // expected-error @+1 {{expected a count from 1 to 511, got 0}}
  isa.nop mxu posts [0:0] {}
}

// -----

isa.program @slots dram 0 {
  // expected-error @+1 {{expected at most 4 pairs (semaphore, count) as waits, got 10 numbers}}
  isa.nop mxu waits [0:1, 1:1, 2:1, 3:1, 4:1] {}
}

// -----

isa.program @tag dram 0 {
  // expected-error @+1 {{expected a tag of 32 bits, got 4294967296}}
  isa.nop mxu tag 4294967296 {}
}

// -----

isa.program @lane_order dram 0 {
  // expected-error @+1 {{expected lane program 0, got 1; number them in order}}
  isa.lane_program 1 in [r0] out r0 {
  }
}

// -----

isa.program @lane_number dram 0 {
  // expected-error @+1 {{expected a lane program below 0, got 0}}
  isa.map vpu {n0 = 1, n1 = 1, n2 = 1, n3 = 1, n4 = 1, s7_type = i8, s7_space = sram}
}

// -----

isa.program @lane_op dram 0 {
  isa.lane_program 0 in [r0] out r1 {
    // expected-error @+1 {{expected a lane operation, got frobnicate}}
    frobnicate r1, r0
  }
}

// -----

isa.program @lane_stream dram 0 {
  // expected-error @+1 {{expected an input stream r0 to r6}}
  isa.lane_program 0 in [r7] out r0 {
  }
}

// -----

isa.program @lane_unwritten dram 0 {
  // expected-error @+1 {{expected r4 to be written before}}
  isa.lane_program 0 in [r0] out r1 {
    addi r1, r0, r4
  }
}

// -----

isa.program @io_strides dram 0 {
  // expected-error @+1 {{expected one stride per dimension (2), got 1}}
  isa.io input "x" [1, 4] "int8" as i8 at 0 strides [1]
}

// -----

isa.program @io_type dram 0 {
  // expected-error @+1 {{expected an element type of the machine, got 'i64'}}
  isa.io input "x" [4] "int64" as i64 at 0 strides [1]
}

// -----

isa.program @foreign dram 0 {
  // expected-error @+1 {{expected only ops of the isa dialect in a program}}
  %c = arith.constant 1 : i32
}
