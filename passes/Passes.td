// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pass of the compiler, in pipeline order. The description here is the
// pass's documentation: what it does, what must hold before, what holds after.
#ifndef ASIC_PASSES_TD
#define ASIC_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// normalize
//===----------------------------------------------------------------------===//

def ConvertCompositesPass : Pass<"asic-convert-composites", "ModuleOp"> {
  let summary = "replace composite calls by markers and linalg";
  let description = [{
    A call of a declaration `@asic.<op>.<n>` (attributes `asic.op`, `asic.operands`, `asic.results` and one
    `asic.<argument>` per scalar) becomes `asic.quantize` or `asic.dequantize` with exact
    parameters, or the linalg decomposition of its op. Each op has one decomposition. A call that has none
    stays, for partition to refuse by name; one that has but does not apply stays with
    a remark that says why.

    ```mlir
    %y = call @asic.aten.silu.0(%x) : (tensor<4xf32>) -> tensor<4xf32>
    // =>
    %y = linalg.generic … { negf, math.exp, addf, divf }
    ```
  }];
  let dependentDialects = [
    "::mlir::asic::AsicDialect", "arith::ArithDialect",
    "linalg::LinalgDialect", "math::MathDialect", "scf::SCFDialect",
    "tensor::TensorDialect"
  ];
}

def FoldImportPass : Pass<"asic-fold-import", "ModuleOp"> {
  let summary = "remove what importing a network leaves behind";
  let description = [{
    Refuses dynamic arguments by name. Erases `cf.assert`, folds scalars (f64 ones above all) into bodies,
    makes fills of generics that yield a constant, leaves nobody who reads a tensor without elements (a
    sum over nothing is its init, a concatenation has no empty parts), drops unit dimensions that maps
    address with the constant 0, expands small powers, `math.log1p` and `math.expm1` of f32, gives matrix
    products of flattened batches their batch dimensions back, and runs the canonicalization
    patterns of linalg, tensor, arith and math.
  }];
  let dependentDialects = [
    "arith::ArithDialect", "linalg::LinalgDialect", "math::MathDialect", "tensor::TensorDialect"
  ];
}

def ConvertLayoutPass : Pass<"asic-convert-layout", "ModuleOp"> {
  let summary = "express windowed ops channels last";
  let description = [{
    Channels-first convolutions (plain, depthwise, grouped; 1-D to 3-D) and poolings become generics in the
    canonical form of docs/compiler.md, between transpositions of their input, weight, init
    and result. Other named linalg ops except fill, transpose and broadcast are generalized.

    ```mlir
    %y = linalg.conv_2d_nchw_fchw ins(%x, %w) outs(%b)
    // =>
    %xt = linalg.transpose %x [0, 2, 3, 1]; %wt = linalg.transpose %w [2, 3, 1, 0]; …
    %yt = linalg.generic (n, oh, ow, oc, kh, kw, ic) ins(%xt, %wt) outs(%bt)
    %y = linalg.transpose %yt [0, 3, 1, 2]
    ```
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

def FoldTransposesPass : Pass<"asic-fold-transposes", "ModuleOp"> {
  let summary = "cancel transpositions or move them to the border";
  let description = [{
    Transpositions sink through elementwise and reducing generics, pads, markers, concatenations, slices and
    reshapes until pairs cancel; those that are left rise where that ends in an argument, a constant, another
    transposition or the result of a contraction. Constants are transposed and reshaped now, in
    their resources; contractions read and write transposed operands in place; flattening a channels-last
    tensor in front of a contraction permutes the rows of its weight. A transposition that
    moves only unit dimensions is a reshape. What rests becomes a generic with permuted maps.
    Refuses a constant without data that would have to be transposed.
  }];
  let dependentDialects = [
    "::mlir::asic::AsicDialect", "arith::ArithDialect",
    "linalg::LinalgDialect", "tensor::TensorDialect"
  ];
}

def NarrowContractionsPass : Pass<"asic-narrow-contractions", "ModuleOp"> {
  let summary = "integer products in the width that they need";
  let description = [{
    A sum of products in i64 that is cut to i32 is made in i32, and factors of i32 that are widened int8, or
    constants that fit in it, are read as int8: `torch.mm` of integers becomes the product that machines have.
  }];
  let dependentDialects = ["arith::ArithDialect", "linalg::LinalgDialect", "tensor::TensorDialect"];
}

def CanonicalizeContractionsPass
    : Pass<"asic-canonicalize-contractions", "ModuleOp"> {
  let summary = "put biases into inits and weights second, unrepeated";
  let description = [{
    A 1-D bias that is added to a contraction from zero becomes the broadcast init of the contraction; a
    constant factor is the second input; a factor that was repeated along a batch is read itself.
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

def VerifyNormalizePass : Pass<"asic-verify-normalize", "ModuleOp"> {
  let summary = "check what holds after normalize";
  let description = [{
    Of linalg only `generic` and `fill`; static shapes; no f64; no control flow.
  }];
}

//===----------------------------------------------------------------------===//
// quantize
//===----------------------------------------------------------------------===//

def QuantizePass : Pass<"asic-quantize", "ModuleOp"> {
  let summary = "turn quantised regions into integer arithmetic";
  let description = [{
    Follows every `asic.quantize` back to the dequantised tensors that it depends on. Where docs/quantization.md
    has integer arithmetic for all ops between, they become integer generics that end in `asic.rescale` with the
    target's rounding mode (`requant.default`; single round without a target). A contraction of
    quantised operands with a float reader becomes an integer contraction and one multiplication. Every other
    marker becomes float arithmetic with PyTorch's results, and a remark (category
    `asic-quantize`) at the op that stays float says why. Afterwards there are no markers.
  }];
  let dependentDialects = [
    "::mlir::asic::AsicDialect", "arith::ArithDialect",
    "linalg::LinalgDialect", "math::MathDialect", "tensor::TensorDialect"
  ];
}

def ConvertWeightOnlyPass : Pass<"asic-convert-weight-only", "ModuleOp"> {
  let summary = "let float contractions read int8 weights as they are";
  let description = [{
    A float contraction with a constant dequantised weight (zero point 0, one scale or one per output channel)
    reads the integers, each exact as a float, and the scale multiplies the sum:
    `(Σ x * q[n]) * scale[n] + bias[n]`. Only where the target has a mode of floats and int8; elsewhere the weight becomes a float constant.
  }];
  let dependentDialects = [
    "arith::ArithDialect", "linalg::LinalgDialect", "tensor::TensorDialect"
  ];
}

def LegalizeContractionsPass : Pass<"asic-legalize-contractions", "ModuleOp"> {
  let summary = "give float contractions a format of the target";
  let description = [{
    Float contractions whose operand types are no mode of the target's matrix unit get the widest float mode that
    it has: operands are rounded to nearest even (constants now), sums stay f32. With int8 weights it is the widest
    mode of floats and int8. A target without such a mode leaves them to the host.
  }];
  let dependentDialects = [
    "arith::ArithDialect", "linalg::LinalgDialect", "tensor::TensorDialect"
  ];
}

def FoldZeroPointsPass : Pass<"asic-fold-zero-points", "ModuleOp"> {
  let summary = "take zero points out of the vector unit's depthwise sums";
  let description = [{
    `Σ (x - z) * w[c] + b[c]` with constant weights and bias becomes `Σ x * w[c]` and one addition of
    `b[c] - z * Σ w[c]`: one operation per product instead of two. Padding is a tensor of the code z here, so
    nothing changes at the edges. For targets whose matrix unit has no depthwise path.
  }];
  let dependentDialects = [
    "arith::ArithDialect", "linalg::LinalgDialect", "tensor::TensorDialect"
  ];
}

def FuseElementwisePass : Pass<"asic-fuse-elementwise", "ModuleOp"> {
  let summary = "fuse elementwise generics into one pass over memory";
  let description = [{
    Upstream's elementwise fusion with a policy: producers have one reader or cost next to nothing; a
    reduction takes producers in only where nothing is computed twice; nothing is fused into the inputs of
    contractions and windows; conversions at the network's border stay alone, for the runtime
    to take over.
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

def ConvertPredicatesPass : Pass<"asic-convert-predicates", "ModuleOp"> {
  let summary = "store predicates as bytes";
  let description = [{
    Tensors of i1 between ops become tensors of i8 that are 0 or 1, which an accelerator can store and load; bodies
    still compute with i1. The network's own inputs and results keep their types.
  }];
  let dependentDialects = ["arith::ArithDialect", "linalg::LinalgDialect"];
}

def VerifyQuantizePass : Pass<"asic-verify-quantize", "ModuleOp"> {
  let summary = "check what holds after quantize";
  let description = [{
    No markers; integer contractions accumulate in i32, float ones in f32.
  }];
}

//===----------------------------------------------------------------------===//
// partition
//===----------------------------------------------------------------------===//

def AttachTargetPass : Pass<"asic-attach-target", "ModuleOp"> {
  let summary = "attach the description of an accelerator to the module";
  let description = [{
    Reads `target`, the name of a preset or the path of a target file, and sets the
    module attribute `asic.target`. Every later phase reads the target from there.
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"",
           "name of a preset or path of a target file">
  ];
  let dependentDialects = ["AsicDialect"];
}

def FoldBoundaryPass : Pass<"asic-fold-boundary", "ModuleOp"> {
  let summary = "leave conversions at the network's border to the runtime";
  let description = [{
    A generic on an input of `@main` that only permutes dimensions, quantizes or narrows floats, and one
    on a result that permutes, dequantizes or widens, becomes a
    `builtin.unrealized_conversion_cast` with the attribute `asic.boundary`: the
    runtime does it while it copies the tensor. Reshapes in between change places with it. A state whose old and new value would
    get different orders or float formats keeps both as they are. Afterwards such casts stand only between `@main`'s
    arguments or results and the rest.

    ```mlir
    %q = linalg.generic … (quantize %x) : tensor<1x3x8x8xf32> -> tensor<1x8x8x3xi8>
    // =>
    %q = builtin.unrealized_conversion_cast %x : tensor<1x3x8x8xf32> to tensor<1x8x8x3xi8>
           {asic.boundary = {shape = array<i64: 1, 3, 8, 8>, type = f32,
             permutation = array<i64: 0, 2, 3, 1>, scale = 0.1 : f64, zero_point = 3 : i64,
             lo = -128 : i64, hi = 127 : i64}}
    ```
  }];
}

def PartitionPass : Pass<"asic-partition", "ModuleOp"> {
  let summary = "split the network into accelerator and host functions";
  let description = [{
    Every op of `@main` is checked against the target. What the target cannot run gets the
    attribute `asic.refusal`, a sentence with the reason and the remedy, and goes to the host. A
    minimum cut decides on the rest but for contractions: what costs more to carry over the border than to run on
    the host goes along, with the attribute `asic.moved` and the same kind of sentence. Ops are then gathered into as few
    regions as their order allows, each becomes a private function with `asic.region = "accelerator"` or `"host"`, and `@main` keeps
    calls, border casts and the return. Arguments and results of regions have an `asic.name`, those of
    accelerator regions the `asic.boundary` of the cast they come from; those that are the value of a buffer keep
    `@main`'s `asic.state`.
  }];
  let options = [
    Option<"hostOnly", "host-only", "bool", /*default=*/"false",
           "there is no accelerator: one host region">,
    Option<"fallbackIsError", "fallback-is-error", "bool", /*default=*/"false",
           "report every refusal as an error">
  ];
  let dependentDialects = ["func::FuncDialect"];
}

def VerifyPartitionPass : Pass<"asic-verify-partition", "ModuleOp"> {
  let summary = "check what holds after partition";
  let description = [{
    `@main` has only calls of region functions, border casts and `return`; region functions are marked
    and have one block; accelerator functions hold no op that the target refuses.
  }];
}

def PackConstantsPass : Pass<"asic-pack-constants", "func::FuncOp"> {
  let summary = "mark constants that dram holds two elements to a byte";
  let description = [{
    A constant of an accelerator function whose i8 elements all lie in [-8, 7] (or [0, 15]) gets `asic.packed = i4`
    (`ui4`) when the target's copies widen that type (`engines.dma.unpack`) and all its readers load
    tiles of it. Nothing else changes: the value keeps a byte per element in the IR, tiles in
    sram have i8 elements, results are the same bits. Here, so that the network's work, the plan and the
    buffers count the same bytes. Bytes are packed when the program is emitted.
  }];
}

def IsolateAcceleratorPass : Pass<"asic-isolate-accelerator", "ModuleOp"> {
  let summary = "keep only the accelerator's functions";
  let description = [{
    What stands in front of the accelerator's own phases: `@main` and the host's functions, which others
    compile, are dropped, and the accelerator's functions become public. A module without regions stays as
    it is.
  }];
}

//===----------------------------------------------------------------------===//
// accel: plan, tile, bufferize, asic, schedule, isa, program
//===----------------------------------------------------------------------===//

def PlanPass : Pass<"asic-plan", "func::FuncOp"> {
  let summary = "group operations and choose how each group is tiled";
  let description = [{
    Forms groups in an accelerator function: a contraction or generic with the elementwise
    generics behind it, so that what passes between them stays on the chip. For each group a
    bounded search finds tile sizes, loop order and the inputs to keep in SRAM, by the cost model
    of the target. Before: linalg.generic on static tensors. After: every generic has `asic.group`,
    the last one of each group `asic.plan = #asic.plan<...>`. A generic without any tile that
    fits the memories is an error.
  }];
}

def VerifyPlanPass : Pass<"asic-verify-plan", "func::FuncOp"> {
  let summary = "check that every generic belongs to a planned group";
  let description = [{
    Every generic that is computed has `asic.group`, one operation per group has `asic.plan` with
    tile sizes for the result's dimensions, all loops in its order, and no tile larger than
    its dimension.
  }];
}

def TilePass : Pass<"asic-tile", "func::FuncOp"> {
  let summary = "execute plans as straight-line tiles";
  let description = [{
    Replaces every group by its tiles, in the plan's order, with constant offsets. A load is a
    `tensor.extract_slice` with `asic.load`, a store a `tensor.insert_slice` into the group's result.
    Reductions that the plan cuts become chains with K ascending. Slices of constants that are not
    contiguous become constants. Makes no decision: tile sizes, order and reuse are the plan's.
  }];
}

def VerifyTilePass : Pass<"asic-verify-tile", "func::FuncOp"> {
  let summary = "check that only tiles are left";
  let description = [{
    No `asic.plan` is left, every generic reads loaded tiles or tiles computed before, and every
    slice has constant offsets.
  }];
}

def BufferizePass : Pass<"asic-bufferize", "func::FuncOp"> {
  let summary = "give every tensor a buffer in a memory space";
  let description = [{
    One walk over the tiles: tensors between groups become buffers in dram (or sram, where the
    plan says so), loads become copies to sram, sums of contractions lie in acc, results of maps in
    sram, stores are copies. A padded input of a contraction is a wider view of the unpadded
    tile (`memref.reinterpret_cast` with `asic.pad`), of a map a filled buffer. Reshapes are views.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect",
                           "::mlir::asic::AsicDialect"];
}

def VerifyBufferizePass : Pass<"asic-verify-bufferize", "func::FuncOp"> {
  let summary = "check that no tensor is left";
}

def LowerToAsicPass : Pass<"asic-lower-to-asic", "func::FuncOp"> {
  let summary = "turn linalg on buffers into tile operations";
  let description = [{
    Contractions become `asic.contract` (bias and zero points from initial value and body, parts of a sum
    accumulate), other generics `asic.map`, moves `asic.copy` and `asic.fill`. An operation with more
    dimensions than the machine's is split along outer ones. A copy from dram to dram goes through
    sram.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect",
                           "::mlir::asic::AsicDialect"];
}

def VerifyAsicPass : Pass<"asic-verify-asic", "func::FuncOp"> {
  let summary = "check that only tile operations, buffers and views are left";
}

def AssignStatePass : Pass<"asic-assign-state", "func::FuncOp"> {
  let summary = "give the new value of a state the buffer of the old one";
  let description = [{
    An argument and a result with the same `asic.state`, of one type and one `asic.boundary` that keeps every value, become one
    buffer: afterwards the function returns the argument. The result's own buffer goes away when no operation reads bytes of
    the old value behind one that has written them, by exact footprints; what would then be copied onto itself is not
    copied. Otherwise it stays, and a copy at the end moves it. Any other state stays as it is. Runs before asic-schedule.

    ```mlir
    func.func @f(%old: memref<…> {asic.state = "s"}) -> (memref<…> {asic.state = "s"}) {
      asic.copy %old, %tile : …
      …
      asic.copy %sum, %new : …
      return %new
    // =>
      asic.copy %sum, %old : …
      return %old
    ```
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect",
                           "::mlir::asic::AsicDialect"];
}

def SchedulePass : Pass<"asic-schedule", "func::FuncOp"> {
  let summary = "choose engines, stream order and on-chip addresses";
  let description = [{
    Takes a single block of tile operations in an order that is right when executed one after the other.
    Replays the machine with the cost model: compute keeps its order, loads run ahead
    of it as far as memory allows, stores follow when their data is there. SRAM and ACC
    addresses are given out on the way, to the place that has been free longest, so that
    nobody waits for it. A few variants are tried; the one with the fewest predicted cycles stays.

    Afterwards every tile operation has `engine` and `tag`, every on-chip buffer has `asic.address`,
    and the block is in stream order: buffers and views first.

    ```mlir
    %a = memref.alloc() : memref<64xi8, #asic.space<sram>>
    asic.copy %x, %a : …
    // =>
    %a = memref.alloc() {asic.address = 0 : i64} : memref<64xi8, #asic.space<sram>>
    asic.copy %x, %a {engine = 3 : i64, tag = 1 : i64} : …
    ```
  }];
}

def AllocateDramPass : Pass<"asic-allocate-dram", "func::FuncOp"> {
  let summary = "give constants, inputs, outputs and scratch their addresses";
  let description = [{
    Constants come first (equal ones once), then arguments, then results, then scratch, whose bytes are
    used again after the last operation of the stream that touches them. Sets `asic.address` and, on the function,
    `asic.dram_bytes`. Runs after asic-schedule: lifetimes are those of the final order.
  }];
}

def SynchronizePass : Pass<"asic-synchronize", "func::FuncOp"> {
  let summary = "order conflicting operations on different engines by semaphores";
  let description = [{
    Two operations on different engines conflict when one writes bytes that the other touches; footprints are exact,
    reused addresses included. Each conflict becomes a post on the earlier and a wait on
    the later operation, one semaphore per pair of engines, unless vector clocks show that it is ordered already.
    Needs engines and all addresses; sets `waits` and `posts`, replacing those that are there.
  }];
}

def VerifySchedulePass : Pass<"asic-verify-schedule", "func::FuncOp"> {
  let summary = "check what holds after schedule";
  let description = [{
    Every operation has an engine, every buffer an address inside its memory; waits and posts
    pair up with one producer and one consumer per semaphore, posts precede their waits in the stream, and every
    conflict is ordered by them.
  }];
}

def LowerToIsaPass : Pass<"asic-lower-to-isa", "ModuleOp"> {
  let summary = "turn scheduled functions into machine programs";
  let description = [{
    Every function with tile operations becomes an `isa.program` called `NAME_program`: views become addresses and
    strides, iterators the counts of the instruction, map bodies lane programs (equal ones once), arguments and
    results io records with what `asic.name`, `asic.boundary` and `asic.state` say. The function stays as a private declaration with
    `asic.program = @NAME_program`.
  }];
  let dependentDialects = ["asicisa::IsaDialect"];
}

def VerifyIsaPass : Pass<"asic-verify-isa", "ModuleOp"> {
  let summary = "check what holds after isa";
  let description = [{
    No tile operation is left; every `isa.program` ends with `isa.halt` and, replayed with the
    event simulation of the emulator, finishes without deadlock, overflow or unread posts.
  }];
}

//===----------------------------------------------------------------------===//
// cpu
//===----------------------------------------------------------------------===//

def HoistConstantsPass : Pass<"asic-hoist-constants", "func::FuncOp"> {
  let summary = "turn resource constants into arguments";
  let description = [{
    Each `arith.constant dense_resource<…>` becomes one more argument of its function, marked
    `asic.constant = dense_resource<…>`: weights are passed by address and never copied into
    code. Every argument is marked as read-only for bufferization.

    ```mlir
    func.func @f(%x: tensor<4xf32>) {
      %w = arith.constant dense_resource<w> : tensor<32x4xf32>
    // =>
    func.func @f(%x: tensor<4xf32>,
                 %w: tensor<32x4xf32> {asic.constant = dense_resource<w> : tensor<32x4xf32>}) {
    ```
  }];
  let dependentDialects = ["bufferization::BufferizationDialect"];
}

def ConvertToHostPass : Pass<"asic-convert-to-host", "func::FuncOp"> {
  let summary = "express everything in upstream arithmetic for this computer";
  let description = [{
    `asic.rescale` becomes 64-bit integer arithmetic, named linalg ops become generics,
    concatenations become slices, and float multiply-accumulates become one `math.fma`, as in the
    machine's contraction. Loops of reductions are reordered so that the innermost one is parallel and contiguous
    where there is such a one; the order of every sum stays. A read or a write at a place
    that a tensor's value names asserts that the place exists. Rows with a place each are a loop.
  }];
  let dependentDialects = [
    "arith::ArithDialect", "cf::ControlFlowDialect", "linalg::LinalgDialect", "math::MathDialect",
    "scf::SCFDialect", "tensor::TensorDialect"
  ];
}

def SeparateResultsPass : Pass<"asic-separate-results", "func::FuncOp"> {
  let summary = "give every result of a function a tensor of its own";
  let description = [{
    A tensor that is returned twice is copied: each result has a buffer of the caller, and two of them cannot be one.
  }];
  let dependentDialects = ["bufferization::BufferizationDialect"];
}

def ExpandPaddedDimsPass : Pass<"asic-expand-padded-dims", "func::FuncOp"> {
  let summary = "work on a padded dimension as such, not merged with another";
  let description = [{
    Where a function says that calls use a part of some dimensions (`asic.extents`), an operation on a batch that is
    merged with a padded length becomes one on both, so that each has its own loop for `asic-clip-loops`.

    ```mlir
    %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<8x512x32xf32> into tensor<4096x32xf32>
    %y = linalg.generic (m, n, k) ins(%rows[m, k], %w[k, n])
    // =>
    %y = linalg.generic (b, s, n, k) ins(%x[b, s, k], %w[k, n])
    ```
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

def ClipLoopsPass : Pass<"asic-clip-loops", "func::FuncOp"> {
  let summary = "stop loops where a call's sizes end";
  let description = [{
    A function of dynamic shape is compiled for the largest sizes, with masks that keep padding from mixing with the rest.
    Its border says with `asic.extents` which dimensions a call may use a part of; how much becomes one more argument per
    name, behind the constants. Loops stop there: parallel ones where nobody reads behind it, reductions of floats over
    padding, whose elements are neutral. Strides and buffers stay those of the largest sizes.

    ```mlir
    func.func @f(%x: tensor<8x4xf32> {asic.extents = ["n", ""]}) -> (tensor<8x4xf32> {asic.extents = ["n", ""]}) {
      %y = linalg.generic ins(%x) outs(%init)
    // =>
    func.func @f(%x: tensor<8x4xf32> {…}, %n: index) -> (…) {
      %size = arith.minsi %n, %c8
      %part = tensor.extract_slice %x[0, 0] [%size, 4] [1, 1]
      %made = linalg.generic ins(%part) outs(%init_part)
      %y = tensor.insert_slice %made into %init[0, 0] [%size, 4] [1, 1]
    ```
  }];
  let dependentDialects = [
    "affine::AffineDialect", "arith::ArithDialect", "linalg::LinalgDialect", "tensor::TensorDialect"
  ];
}

def OrderLoopsPass : Pass<"asic-order-loops", "func::FuncOp"> {
  let summary = "walk memory in order in the innermost loop of reductions";
  let description = [{
    The innermost loop of a reduction becomes the one over neighbours in its result, so that it vectorises without
    changing the order of any sum. An operand whose neighbours lie elsewhere is copied transposed when it is used often
    enough; an operation whose operands cannot follow stays as it is.

    ```mlir
    %c = linalg.generic (m, n, k) ins(%a[m, k], %b[n, k]) outs(%init[m, n])
    // =>
    %t = linalg.transpose %b [1, 0]
    %c = linalg.generic (m, k, n) ins(%a[m, k], %t[k, n]) outs(%init[m, n])
    ```
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

def OutlineKernelsPass : Pass<"asic-outline-kernels", "ModuleOp"> {
  let summary = "put every linalg operation on buffers into a function";
  let description = [{
    Equal operations share one function, `@kernel`, `@kernel_0`, …, that is not inlined. Machine code is then made once
    per kind of layer, and in small pieces: LLVM's time grows faster than a function's length.
  }];
  let dependentDialects = ["func::FuncDialect"];
}

def ConvertCopiesPass : Pass<"asic-convert-copies", "func::FuncOp"> {
  let summary = "express copies of buffers as loops of this function";
  let description = [{
    `memref.copy` becomes `linalg.copy`, so that a strided copy needs no call of a runtime library.
  }];
  let dependentDialects = ["linalg::LinalgDialect"];
}

#endif // ASIC_PASSES_TD
