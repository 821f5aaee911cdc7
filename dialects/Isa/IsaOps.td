// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The isa dialect. Instructions are not listed here: one op per entry of
// runtime/isa/Instructions.def is made in Isa.h, so that the table stays the only
// place where an instruction is defined.
#ifndef ISA_OPS_TD
#define ISA_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"

def Isa_Dialect : Dialect {
  let name = "isa";
  let cppNamespace = "::mlir::asicisa";
  let summary = "machine instructions, one op each";
  let description = [{
    The last form of a program inside the compiler: an `isa.program` holds what its
    container will hold, in the same order. Per instruction of
    `runtime/isa/Instructions.def` there is one op `isa.MNEMONIC`:

    ```
    isa.copy dma0 waits [0:1] posts [1:1] tag 3 {src_space = dram, dst_space = sram, run_bytes = 64, n0 = 1}
    ```

    Fields that are zero are not printed; fields that hold an element type or a memory
    space are printed by name. In the generic form the attribute `fields` has every field
    in the order of the table, `waits` and `posts` are pairs (semaphore, count).
    The verifier checks ranges, engine and synchronisation slots against the table.
  }];
  let extraClassDeclaration = [{
    void registerInstructions();
  }];
}

class Isa_Op<string mnemonic, list<Trait> traits = []>
    : Op<Isa_Dialect, mnemonic, traits>;

def Isa_ProgramOp : Isa_Op<"program", [
    SingleBlock, NoTerminator, NoRegionArguments, IsolatedFromAbove, Symbol]> {
  let summary = "a whole machine program";
  let description = [{
    Inputs, outputs, constants and lane programs first, then the instruction stream, which
    ends with `isa.halt`. `dram_bytes` is what it uses of dram, from address 0;
    `meta` are facts for people (per-layer counts, predicted cycles).
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$dram_bytes,
                       OptionalAttr<DictionaryAttr>:$meta);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `dram` $dram_bytes attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
}

def Isa_IoOp : Isa_Op<"io", [HasParent<"ProgramOp">]> {
  let summary = "an input or output tensor of the program";
  let description = [{
    `shape` and `dtype` (a NumPy name) are what the user sees; `device_type` is the element type
    in dram, from `address`, with `strides` in elements per dimension of `shape`. `quantization` =
    {scale, zero_point, lo, hi} when the user's floats are the machine's integers. `state` is the path
    of the buffer that an input brings and the output of the same `state` leaves for the next run.
  }];
  let arguments = (ins UnitAttr:$output, StrAttr:$io_name,
                       DenseI64ArrayAttr:$shape, StrAttr:$dtype,
                       TypeAttr:$device_type, I64Attr:$address,
                       DenseI64ArrayAttr:$strides,
                       OptionalAttr<DictionaryAttr>:$quantization,
                       OptionalAttr<StrAttr>:$state);
  let assemblyFormat = [{
    (`output` $output^):(`input`)? $io_name $shape $dtype `as` $device_type
    `at` $address `strides` $strides (`quantization` $quantization^)?
    (`state` $state^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Isa_ConstantOp : Isa_Op<"constant", [HasParent<"ProgramOp">]> {
  let summary = "bytes that lie in dram before the program starts";
  let description = [{
    With `packed` the low halves of two i8 elements make a byte, that of the first one its low half.
  }];
  let arguments = (ins ElementsAttr:$value, UnitAttr:$packed,
                       I64Attr:$address);
  let assemblyFormat = "$value (`packed` $packed^)? `at` $address attr-dict";
  let hasVerifier = 1;
}

def Isa_LaneProgramOp : Isa_Op<"lane_program", [HasParent<"ProgramOp">]> {
  let summary = "a register program that map instructions run per lane";
  let description = [{
    Bit i of `in_mask` set: input stream i is present, in register ri. `body` and `final` hold six
    numbers per operation: opcode, dst, a, b, c, immediate. The verifier is that of the
    container (`runtime/LaneProgram.h`).

    ```
    isa.lane_program 0 in [r0, r1] out r2 {
      addi r2, r0, r1
    }
    ```
  }];
  let arguments = (ins I64Attr:$index, I64Attr:$in_mask, I64Attr:$out,
                       DenseI64ArrayAttr:$body, DenseI64ArrayAttr:$final);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

#endif // ISA_OPS_TD
