// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASIC_OPS_TD
#define ASIC_OPS_TD

include "dialects/Asic/AsicAttrs.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"

class Asic_Op<string mnemonic, list<Trait> traits = []>
    : Op<Asic_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Quantisation markers (tensors; gone after the quantize phase)
//===----------------------------------------------------------------------===//

def Asic_QuantizeOp : Asic_Op<"quantize", [Pure]> {
  let summary = "mark where a real tensor becomes integers";
  let description = [{
    `q = clamp(round_half_even(x * (1 / scale)) + zero_point, lo, hi)` in f32, as
    `torch.ops.quantized_decomposed.quantize_per_tensor`. One scale and zero point, or
    one per index of dimension `axis`. Exists from import to the quantize phase.
  }];
  let arguments = (ins AnyRankedTensor:$input,
                       DenseF64ArrayAttr:$scales,
                       DenseI64ArrayAttr:$zero_points,
                       OptionalAttr<I64Attr>:$axis,
                       I64Attr:$lo, I64Attr:$hi);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `scales` custom<Reals>($scales) `zero_points` $zero_points
    (`axis` $axis^)? `range` $lo `to` $hi attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Asic_DequantizeOp : Asic_Op<"dequantize", [Pure]> {
  let summary = "mark where integers become a real tensor";
  let description = [{
    `x = (q - zero_point) * scale` in f32. One scale and zero point, or one per index of
    dimension `axis`. Exists from import to the quantize phase.
  }];
  let arguments = (ins AnyRankedTensor:$input,
                       DenseF64ArrayAttr:$scales,
                       DenseI64ArrayAttr:$zero_points,
                       OptionalAttr<I64Attr>:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `scales` custom<Reals>($scales) `zero_points` $zero_points
    (`axis` $axis^)? attr-dict `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Moves (tensors)
//===----------------------------------------------------------------------===//

/// Places that are known at run time: of a block, or one for every row.
def Asic_IndexTensor : Type<
    RankedTensorOf<[I32], [HasAnyRankOfPred<[0, 1]>]>.predicate,
    "0-D or 1-D tensor of 32-bit integers", "::mlir::RankedTensorType">;

def Asic_UpdateSliceOp : Asic_Op<"update_slice", [Pure,
    AllTypesMatch<["dest", "result"]>]> {
  let summary = "write slices at places that are known at run time";
  let description = [{
    `dest` with `source` in the place of its elements `index` to `index + n - 1` of dimension
    `dim`, `n` being the extent of `source` there; the other extents agree. `dest` as it
    is when some of these elements do not exist. What a key-value cache does with every
    token: where `dest` dies, one block is written.

    With n indices, `source` is n rows, and row i goes to element `index[i]`, one after the
    other: of rows that have the same place the last one stays. A row whose place does not
    exist goes nowhere. What a prompt does.
  }];
  let arguments = (ins AnyRankedTensor:$source, AnyRankedTensor:$dest,
                       Asic_IndexTensor:$index, I64Attr:$dim);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `into` $dest `[` $index `]` `dim` $dim attr-dict
    `:` type($source) `into` type($dest) `` custom<IndexType>(type($index))
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Scalar operations (bodies of linalg.generic and asic.map)
//===----------------------------------------------------------------------===//

def Asic_RescaleOp : Asic_Op<"rescale", [Pure,
    AllTypesMatch<["input", "result"]>]> {
  let summary = "multiply by multiplier / 2^shift and round";
  let description = [{
    `round(input * multiplier / 2^shift)`, computed in 64 bits and saturated to
    int32. `multiplier` is in [0, 2^31), `shift` in [2, 62]. The one way in which
    integers change scale; docs/numerics.md is normative.
  }];
  let arguments = (ins I32:$input, I32:$multiplier, I8:$shift,
                       Asic_RoundingAttr:$rounding);
  let results = (outs I32:$result);
  let assemblyFormat = [{
    $input `,` $multiplier `,` $shift `rounding` $rounding attr-dict
    `:` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Tile operations (memrefs)
//===----------------------------------------------------------------------===//

def Asic_ConstantOp : Asic_Op<"constant", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "constant data in DRAM";
  let description = [{
    A buffer in `dram` that holds `value` when the program starts. `address` is set by the
    schedule phase. A buffer of i4 or ui4 holds a value of i8 elements two to a byte.
  }];
  let arguments = (ins ElementsAttr:$value, OptionalAttr<I64Attr>:$address);
  let results = (outs AnyStaticShapeMemRef:$result);
  let assemblyFormat = [{
    $value (`at` $address^)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

/// What every op that becomes a machine instruction carries once scheduled.
defvar scheduleArguments = (ins
  OptionalAttr<I64Attr>:$engine,
  OptionalAttr<DenseI64ArrayAttr>:$waits,
  OptionalAttr<DenseI64ArrayAttr>:$posts,
  OptionalAttr<I64Attr>:$tag);

class Asic_TileOp<string mnemonic, dag operands, list<Trait> traits = []>
    : Asic_Op<mnemonic, traits # [
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let arguments = !con(operands, scheduleArguments);
  let hasVerifier = 1;
}

def Asic_CopyOp : Asic_TileOp<"copy",
    (ins AnyStaticShapeMemRef:$source, AnyStaticShapeMemRef:$target,
         Optional<MemRefRankOf<[I32], [0, 1]>>:$index,
         OptionalAttr<I64Attr>:$dim)> {
  let summary = "copy a strided block between dram and sram";
  let description = [{
    `target[i] = source[i]` for every index. Shapes and element types agree, strides need not.
    Runs on a DMA engine; neither side is in `acc`.

    With `at %index dim d` the source goes to elements `index`, `index + 1`, … of dimension d of the
    target, which may have more of them than the source; nothing is copied when they do not
    exist. `index` is an element in `sram`. For order and lifetimes the whole target is written.
    A 1-D `index` has a place for every row of the source along d, in order: the last one stays
    where there are several.

    A source of i4 or ui4, whose elements lie two to a byte, is widened to a target of i8. Both sides are
    contiguous then, and the source starts at a whole byte.
  }];
  let assemblyFormat = [{
    $source `,` $target (`at` $index^ `dim` $dim)? attr-dict
    `:` type($source) `to` type($target) (`,` type($index)^)?
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$source,
                                 "::mlir::Value":$target,
                                 CArg<"::mlir::Value", "{}">:$index,
                                 CArg<"std::optional<int64_t>", "{}">:$dim), [{
    build($_builder, $_state, source, target, index,
          dim ? $_builder.getI64IntegerAttr(*dim) : IntegerAttr(),
          /*engine=*/IntegerAttr(), /*waits=*/nullptr, /*posts=*/nullptr,
          /*tag=*/IntegerAttr());
  }]>];
  let extraClassDeclaration = [{
    /// Places that an index may name; 0 without one.
    int64_t getNumPlaces();
    /// True when every row of the source has an index of its own.
    bool hasIndexPerRow();
  }];
}

def Asic_FillOp : Asic_TileOp<"fill",
    (ins TypedAttrInterface:$value, AnyStaticShapeMemRef:$target)> {
  let summary = "write one value to a strided block";
  let description = [{
    `target[i] = value` for every index. Runs on a DMA engine.
  }];
  let assemblyFormat = "$value `,` $target attr-dict `:` type($target)";
}

def Asic_ContractOp : Asic_TileOp<"contract",
    (ins AnyStaticShapeMemRef:$a, AnyStaticShapeMemRef:$w,
         Optional<AnyStaticShapeMemRef>:$bias, AnyStaticShapeMemRef:$acc,
         AffineMapArrayAttr:$indexing_maps,
         ArrayAttr:$iterator_types,
         DefaultValuedAttr<I64Attr, "0">:$a_zero,
         DefaultValuedAttr<I64Attr, "0">:$w_zero,
         UnitAttr:$accumulate,
         OptionalAttr<DenseI64ArrayAttr>:$pad)> {
  let summary = "multiply and accumulate tiles in the matrix unit";
  let description = [{
    `acc[..] (+)= sum (a[..] - a_zero) * (w[..] - w_zero)` over the reduction
    iterators. `indexing_maps` are those of a, w and acc over the iteration space,
    `iterator_types` are "parallel" and "reduction" as in linalg. Without `accumulate` the sum starts
    at `bias` (1-D, along the parallel dimension that w and acc share innermost) or 0.

    `pad` gives, per dimension of a, how far the map's index lies to the right of a's own:
    index `map(i)[d] - pad[d]` is read, and a point outside a counts as zero.

    The loop ranges follow from acc and w (and from a without `pad`). a, w and bias are in
    `sram`, acc is in `acc`. Reduction order is the order of the reduction iterators, the last innermost.
  }];
  let assemblyFormat = [{
    `ins` `(` $a `,` $w `:` type($a) `,` type($w) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    `outs` `(` $acc `:` type($acc) `)` attr-dict
  }];
  let extraClassDeclaration = [{
    /// Trip count of every iterator, in order.
    ::llvm::SmallVector<int64_t> getLoopRanges();
    ::mlir::AffineMap getAMap();
    ::mlir::AffineMap getWMap();
    ::mlir::AffineMap getAccMap();
    bool isReduction(unsigned iterator);
  }];
}

def Asic_MapOp : Asic_TileOp<"map",
    (ins Variadic<AnyStaticShapeMemRef>:$inputs, AnyStaticShapeMemRef:$output,
         AffineMapArrayAttr:$indexing_maps,
         ArrayAttr:$iterator_types,
         OptionalAttr<TypedAttrInterface>:$init),
    [SingleBlock, NoTerminator]> {
  let summary = "run a scalar program over an affine index space in the vector unit";
  let description = [{
    The hardware image of a `linalg.generic` on buffers. The region's arguments are the elements of the
    inputs and, when there are reduction iterators, the accumulator; `asic.yield` gives the
    element to store, or the combined accumulator. Reductions start from `init`, which is
    required then. Inputs and output are in `sram` or `acc`.
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `ins` `(` ($inputs^ `:` type($inputs))? `)`
    `outs` `(` $output `:` type($output) `)` attr-dict-with-keyword $body
  }];
  let extraClassDeclaration = [{
    /// Trip count of every iterator, in order.
    ::llvm::SmallVector<int64_t> getLoopRanges();
    /// Number of reduction iterators.
    unsigned getNumReductions();
    bool isReduction(unsigned iterator);
    ::mlir::AffineMap getMap(unsigned operand);
  }];
}

def Asic_YieldOp : Asic_Op<"yield", [Pure, Terminator, HasParent<"MapOp">]> {
  let summary = "the value of an asic.map body";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif // ASIC_OPS_TD
