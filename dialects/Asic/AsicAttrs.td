// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASIC_ATTRS_TD
#define ASIC_ATTRS_TD

include "dialects/Asic/AsicDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Asic_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Asic_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Asic_Space : I32EnumAttr<"Space", "memory space", [
    I32EnumAttrCase<"dram", 0>, I32EnumAttrCase<"sram", 1>,
    I32EnumAttrCase<"acc", 2>]> {
  let cppNamespace = "::mlir::asic";
  let genSpecializedAttr = 0;
}

def Asic_SpaceAttr : EnumAttr<Asic_Dialect, Asic_Space, "space"> {
  let summary = "memory space of a memref";
  let description = [{
    `dram` is the external memory, `sram` the scratchpad, `acc` the accumulator
    memory (32-bit words). The numbers are those of the instruction set.
  }];
  let assemblyFormat = "`<` $value `>`";
}

def Asic_Rounding : I32EnumAttr<"Rounding", "rounding of a rescale", [
    I32EnumAttrCase<"sr", 0>, I32EnumAttrCase<"dr", 1>,
    I32EnumAttrCase<"rne", 2>, I32EnumAttrCase<"f32", 3>]> {
  let cppNamespace = "::mlir::asic";
  let genSpecializedAttr = 0;
}

def Asic_RoundingAttr : EnumAttr<Asic_Dialect, Asic_Rounding, "rounding"> {
  let summary = "rounding mode of a rescale";
  let description = [{
    `sr` TOSA single round, `dr` TOSA double round (TFLite), `rne` round half to
    even of the exact product, `f32` binary32 product rounded half to even.
    docs/numerics.md is normative.
  }];
  let assemblyFormat = "`<` $value `>`";
}

def Asic_TargetAttr : Asic_Attr<"Target", "target"> {
  let summary = "the accelerator that a module is compiled for";
  let description = [{
    The canonical JSON of a target file (`target/TargetModel.h`), its name and
    the SHA-256 of the JSON in hexadecimal. Attached to a module as `asic.target`.
  }];
  let parameters = (ins StringRefParameter<"name of the target">:$name,
                        StringRefParameter<"SHA-256 of the JSON">:$hash,
                        StringRefParameter<"canonical JSON">:$json);
  let assemblyFormat = "`<` $name `,` $hash `,` $json `>`";
}

def Asic_PlanAttr : Asic_Attr<"Plan", "plan"> {
  let summary = "how a group of fused operations is executed";
  let description = [{
    `tile` are tile sizes of the result dimensions of the group's last op,
    `reduce` tile sizes of the reduction dimensions of its contraction (empty: not tiled),
    `order` the loop order over result dimensions, outermost first, `space` where the result
    lives; `cycles` and `bytes` what the cost model predicts for the group. `hold` names the
    inputs of the group (in order of first use) whose tiles stay in SRAM until the group ends;
    tiles of the others are loaded again when a tile in between did not use them.
  }];
  let parameters = (ins "int64_t":$group,
                        ArrayRefParameter<"int64_t">:$tile,
                        OptionalArrayRefParameter<"int64_t">:$reduce,
                        ArrayRefParameter<"int64_t">:$order,
                        "::mlir::asic::Space":$space,
                        "int64_t":$cycles,
                        "int64_t":$bytes,
                        OptionalArrayRefParameter<"int64_t">:$hold);
  let assemblyFormat = [{
    `<` `group` `=` $group `,` `tile` `=` `[` $tile `]` `,`
    `reduce` `=` `[` (`]`) : ($reduce^ `]`)? `,` `order` `=` `[` $order `]` `,`
    `space` `=` $space `,` `cycles` `=` $cycles `,` `bytes` `=` $bytes
    (`,` `hold` `=` `[` $hold^ `]`)? `>`
  }];
}

#endif // ASIC_ATTRS_TD
