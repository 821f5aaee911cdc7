// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much of every tensor a call needs when it uses a part of its inputs.
//
// A function of dynamic shape is compiled for the largest sizes. Its border
// says which dimensions a call may use a part of (`asic.extents`). The results
// do not depend on what lies behind that part in the inputs: masks are in the
// function, so that a reduction over a padded dimension takes neutral elements
// there. So it may stop at the extent, and a loop whose results nobody reads
// behind an extent may stop there too.
#ifndef ASIC_PASSES_CPU_EXTENTS_H
#define ASIC_PASSES_CPU_EXTENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::asic {

/// How many places from the first on are needed along a dimension: none, as
/// many as the largest of some expressions over extents (symbols), or all.
class Reach {
public:
  static Reach all() {
    Reach reach;
    reach.isAll = true;
    return reach;
  }
  static Reach upTo(AffineExpr extent) {
    Reach reach;
    reach.extents.push_back(extent);
    return reach;
  }

  /// Both this and `other` are needed.
  void join(const Reach &other);

  /// The expressions; empty when all or nothing is needed.
  ArrayRef<AffineExpr> getExtents() const { return extents; }
  bool needsAll() const { return isAll; }

private:
  bool isAll = false;
  SmallVector<AffineExpr, 2> extents;
};

/// A value along each dimension, or a loop nest along each loop.
using Reaches = SmallVector<Reach>;

/// The analysis of one function on tensors.
class Extents {
public:
  explicit Extents(func::FuncOp function);

  /// Names of the extents; number n is the symbol n.
  ArrayRef<std::string> getNames() const { return names; }

  /// How far each loop of `op` has to go; a reduction to the extent of what it
  /// reads.
  Reaches loopsOf(linalg::LinalgOp op) const;

  /// How far each dimension of `op` has to be made that gets no border.
  Reaches dimsOf(tensor::PadOp op) const;

  /// Whether a dimension of `group` that is not its outermost real one has
  /// padding behind an extent: merged, it lies between the elements.
  bool isMergedPadding(Value value, ArrayRef<int64_t> group) const;

private:
  void findPadding(Operation &op);
  void findPaddingOfLinalg(linalg::LinalgOp op);
  void findNeeds(Operation &op);
  void findNeedsOfLinalg(linalg::LinalgOp op);
  void findNeedsOfCollapse(Value from, Value to,
                           ArrayRef<ReassociationIndices> groups);
  void findNeedsOfExpand(Value from, Value to,
                         ArrayRef<ReassociationIndices> groups);
  void findNeedsOfSlice(tensor::ExtractSliceOp slice);
  void findNeedsOfSlice(tensor::InsertSliceOp slice);
  void findNeedsOfPad(tensor::PadOp pad);
  void readBorder();
  void need(Value value, unsigned dim, const Reach &reach);
  void needAll(Value value);
  Reach needOf(Value value, unsigned dim) const;
  AffineExpr paddingOf(Value value, unsigned dim) const;

  func::FuncOp function;
  std::vector<std::string> names;
  /// The extent behind which padding lies, null for none, by dimension.
  DenseMap<Value, SmallVector<AffineExpr>> padding;
  DenseMap<Value, Reaches> needs;
};

} // namespace mlir::asic

#endif // ASIC_PASSES_CPU_EXTENTS_H
