// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Moving a transposition across one op, in both directions. `linalg.transpose`
// stands for the transpositions that are being moved; once they rest they
// become generics.
#ifndef ASIC_PASSES_NORMALIZE_TRANSPOSEUTILS_H
#define ASIC_PASSES_NORMALIZE_TRANSPOSEUTILS_H

#include "passes/Support/TensorBuilder.h"

#include "mlir/IR/PatternMatch.h"

namespace mlir::asic {

/// A transposition that sinking must not pick up again; it waits to be hoisted.
inline constexpr llvm::StringLiteral kPinnedAttr = "asic.pinned";

/// The transposition that makes `value`, unless it is pinned.
linalg::TransposeOp sinkable(Value value);

/// Whether `permutation` changes nothing.
bool isIdentity(ArrayRef<int64_t> permutation);

/// Applying `first` and then `second`.
SmallVector<int64_t> compose(ArrayRef<int64_t> first, ArrayRef<int64_t> second);

/// `values` in transposed order: element d is `values[permutation[d]]`.
template <typename T>
SmallVector<T> permuted(ArrayRef<T> values, ArrayRef<int64_t> permutation) {
  SmallVector<T> result;
  for (int64_t dim : permutation)
    result.push_back(values[dim]);
  return result;
}

/// Loops that the results of `map` name, in order; none unless all are plain
/// dimensions.
std::optional<SmallVector<int64_t>> loopsOf(AffineMap map);

/// The permutation that puts dimensions with these loops into the order of
/// `loops`. A dimension whose loop is not in `loops` stays behind its left
/// neighbour.
SmallVector<int64_t> orderLike(ArrayRef<int64_t> dims, ArrayRef<int64_t> loops);

/// Whether the generic reads and writes every dimension plainly and may change
/// its layout: no window, no contraction.
bool isPermutable(linalg::GenericOp op);

/// `op` with other operands and maps of the same meaning, its loops renumbered
/// so that the result comes first, in its order, then the reductions in the
/// order of `like`. Replaces nothing.
linalg::GenericOp rebuild(TensorBuilder &b, linalg::GenericOp op,
                          ValueRange inputs, ArrayRef<AffineMap> inputMaps,
                          Value init, AffineMap outputMap,
                          ArrayRef<int64_t> like);

/// Whether the generic multiplies and accumulates over plain dimensions: a
/// matrix product, not a convolution.
bool isPlainContraction(linalg::GenericOp op);

/// Patterns that cancel transpositions and apply them to constants and to
/// tensors that are alike in every layout.
void populateFoldTransposePatterns(RewritePatternSet &patterns);

/// Patterns that move transpositions towards the results.
void populateSinkTransposePatterns(RewritePatternSet &patterns);

/// Patterns of reshapes: of constants, and out of the way of computation.
void populateFoldReshapePatterns(RewritePatternSet &patterns);

/// Patterns that put a reshape of a transposition into constant weights.
void populateAbsorbReshapePatterns(RewritePatternSet &patterns);

/// Moves every resting transposition towards the arguments where it ends in a
/// constant, an argument, another transposition or a contraction.
void hoistTransposes(IRRewriter &rewriter, Operation *root);

} // namespace mlir::asic

#endif // ASIC_PASSES_NORMALIZE_TRANSPOSEUTILS_H
