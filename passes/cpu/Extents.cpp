// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/cpu/Extents.h"
#include "dialects/Asic/Asic.h"
#include "passes/Support/LinearForm.h"
#include "passes/Support/TensorBuilder.h"
#include "passes/cpu/Cpu.h"

using namespace mlir;
using namespace mlir::asic;

/// Extents of one dimension that are told apart; more than these are all.
constexpr unsigned kMaxExtents = 4;

void Reach::join(const Reach &other) {
  if (isAll)
    return;
  for (AffineExpr extent : other.extents)
    if (!llvm::is_contained(extents, extent))
      extents.push_back(extent);
  if (other.isAll || extents.size() > kMaxExtents)
    *this = all();
}

//===----------------------------------------------------------------------===//
// The border
//===----------------------------------------------------------------------===//

/// Calls `visit` with every list of extents of a function's border.
template <typename VisitFn>
static void forEachExtents(func::FuncOp function, VisitFn visit) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    visit(/*isArgument=*/true, i,
          function.getArgAttrOfType<ArrayAttr>(i, kExtentsAttrName));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    visit(/*isArgument=*/false, i,
          function.getResultAttrOfType<ArrayAttr>(i, kExtentsAttrName));
}

std::vector<std::string> mlir::asic::collectExtents(func::FuncOp function) {
  std::vector<std::string> names;
  forEachExtents(function, [&](bool, unsigned, ArrayAttr extents) {
    if (!extents)
      return;
    for (StringRef name : extents.getAsValueRange<StringAttr>())
      if (!name.empty() && !llvm::is_contained(names, name))
        names.push_back(name.str());
  });
  return names;
}

Extents::Extents(func::FuncOp function)
    : function(function), names(collectExtents(function)) {
  if (names.empty())
    return;
  readBorder();
  for (Operation &op : function.getBody().front())
    findPadding(op);
  for (Operation &op : llvm::reverse(function.getBody().front()))
    findNeeds(op);
}

void Extents::readBorder() {
  Operation *end = function.getBody().front().getTerminator();
  forEachExtents(function, [&](bool isArgument, unsigned i, ArrayAttr extents) {
    Value value =
        isArgument ? Value(function.getArgument(i)) : end->getOperand(i);
    auto type = dyn_cast<RankedTensorType>(value.getType());
    // A list of another length says nothing.
    bool isKnown = type && extents && int64_t(extents.size()) == type.getRank();
    if (!isKnown)
      return isArgument ? void() : needAll(value);
    SmallVector<AffineExpr> exprs(type.getRank());
    for (auto [dim, name] :
         llvm::enumerate(extents.getAsValueRange<StringAttr>())) {
      auto found = llvm::find(names, name);
      if (found != names.end())
        exprs[dim] =
            getAffineSymbolExpr(found - names.begin(), function.getContext());
      if (!isArgument)
        need(value, dim, exprs[dim] ? Reach::upTo(exprs[dim]) : Reach::all());
    }
    if (isArgument)
      padding[value] = std::move(exprs);
  });
}

//===----------------------------------------------------------------------===//
// Where padding is: from arguments to results
//===----------------------------------------------------------------------===//

AffineExpr Extents::paddingOf(Value value, unsigned dim) const {
  auto found = padding.find(value);
  return found == padding.end() ? AffineExpr() : found->second[dim];
}

/// Dimensions of a group that are not 1, from the outermost on, and the product
/// of all but the first.
static std::pair<SmallVector<int64_t>, int64_t>
realDims(ArrayRef<int64_t> group, RankedTensorType type) {
  SmallVector<int64_t> dims;
  int64_t inner = 1;
  for (int64_t dim : group) {
    if (type.getDimSize(dim) == 1)
      continue;
    if (!dims.empty())
      inner *= type.getDimSize(dim);
    dims.push_back(dim);
  }
  return {dims, inner};
}

bool Extents::isMergedPadding(Value value, ArrayRef<int64_t> group) const {
  SmallVector<int64_t> dims = realDims(group, tensorType(value)).first;
  return dims.size() > 1 &&
         llvm::any_of(ArrayRef(dims).drop_front(),
                      [&](int64_t dim) { return bool(paddingOf(value, dim)); });
}

/// Whether nothing is put in front of or behind `dim`.
static bool isKept(tensor::PadOp op, unsigned dim) {
  return op.getStaticLow()[dim] == 0 && op.getStaticHigh()[dim] == 0;
}

void Extents::findPadding(Operation &op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return findPaddingOfLinalg(linalgOp);
  if (op.getNumResults() != 1 ||
      !isa<RankedTensorType>(op.getResult(0).getType()))
    return;
  Value result = op.getResult(0);
  SmallVector<AffineExpr> exprs(tensorType(result).getRank());
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    Value source = collapse.getSrc();
    for (auto [dim, group] :
         llvm::enumerate(collapse.getReassociationIndices())) {
      auto [dims, inner] = realDims(group, tensorType(source));
      if (dims.empty() || isMergedPadding(source, group))
        continue;
      if (AffineExpr extent = paddingOf(source, dims.front()))
        exprs[dim] = extent * inner;
    }
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    for (auto [dim, group] :
         llvm::enumerate(expand.getReassociationIndices())) {
      auto [dims, inner] = realDims(group, tensorType(result));
      AffineExpr extent = paddingOf(expand.getSrc(), dim);
      if (extent && !dims.empty() && extent.isMultipleOf(inner))
        exprs[dims.front()] = extent.floorDiv(inner);
    }
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    unsigned position = 0;
    for (int64_t dim = 0; dim < slice.getSourceType().getRank(); ++dim) {
      if (dropped.test(dim))
        continue;
      // Only of a dimension that is there as a whole.
      if (slice.getStaticSizes()[dim] == slice.getSourceType().getDimSize(dim))
        exprs[position] = paddingOf(slice.getSource(), dim);
      ++position;
    }
  } else if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    for (unsigned dim = 0; dim < exprs.size(); ++dim)
      if (isKept(pad, dim))
        exprs[dim] = paddingOf(pad.getSource(), dim);
  }
  if (llvm::any_of(exprs, [](AffineExpr e) { return bool(e); }))
    padding[result] = std::move(exprs);
}

/// The extent of each loop behind which all that is read is padding.
static SmallVector<AffineExpr>
paddingOfLoops(linalg::LinalgOp op,
               function_ref<AffineExpr(Value, unsigned)> paddingOf) {
  SmallVector<AffineExpr> loops(op.getNumLoops());
  llvm::SmallBitVector differs(op.getNumLoops());
  for (OpOperand *operand : op.getDpsInputOperands()) {
    if (!isa<RankedTensorType>(operand->get().getType()))
      continue;
    for (auto [dim, expr] :
         llvm::enumerate(op.getMatchingIndexingMap(operand).getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      AffineExpr extent = loop ? paddingOf(operand->get(), dim) : AffineExpr();
      if (!extent)
        continue;
      AffineExpr &known = loops[loop.getPosition()];
      if (known && known != extent)
        differs.set(loop.getPosition());
      known = extent;
    }
  }
  for (unsigned loop : differs.set_bits())
    loops[loop] = AffineExpr();
  return loops;
}

void Extents::findPaddingOfLinalg(linalg::LinalgOp op) {
  SmallVector<AffineExpr> loops = paddingOfLoops(
      op, [&](Value value, unsigned dim) { return paddingOf(value, dim); });
  for (OpOperand &init : op.getDpsInitsMutable()) {
    if (op->getNumResults() == 0)
      return;
    Value result = op.getTiedOpResult(&init);
    SmallVector<AffineExpr> exprs;
    for (AffineExpr expr : op.getMatchingIndexingMap(&init).getResults()) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      exprs.push_back(loop ? loops[loop.getPosition()] : AffineExpr());
    }
    if (llvm::any_of(exprs, [](AffineExpr e) { return bool(e); }))
      padding[result] = std::move(exprs);
  }
}

//===----------------------------------------------------------------------===//
// What is needed: from results to arguments
//===----------------------------------------------------------------------===//

void Extents::need(Value value, unsigned dim, const Reach &reach) {
  Reaches &reaches = needs[value];
  reaches.resize(tensorType(value).getRank());
  reaches[dim].join(reach);
}

void Extents::needAll(Value value) {
  if (auto type = dyn_cast<RankedTensorType>(value.getType()))
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      need(value, dim, Reach::all());
}

Reach Extents::needOf(Value value, unsigned dim) const {
  auto found = needs.find(value);
  return found == needs.end() ? Reach() : found->second[dim];
}

/// `reach` with every extent changed by `change`.
static Reach mapReach(const Reach &reach,
                      function_ref<AffineExpr(AffineExpr)> change) {
  Reach result = reach.needsAll() ? Reach::all() : Reach();
  for (AffineExpr extent : reach.getExtents())
    result.join(Reach::upTo(change(extent)));
  return result;
}

Reaches Extents::loopsOf(linalg::LinalgOp op) const {
  Reaches loops(op.getNumLoops());
  SmallVector<AffineExpr> padded = paddingOfLoops(
      op, [&](Value value, unsigned dim) { return paddingOf(value, dim); });
  bool isFloat = true;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (OpOperand &init : op.getDpsInitsMutable()) {
    isFloat &= isa<FloatType>(getElementTypeOrSelf(init.get()));
    Value result =
        op->getNumResults() ? Value(op.getTiedOpResult(&init)) : init.get();
    for (auto [dim, expr] :
         llvm::enumerate(op.getMatchingIndexingMap(&init).getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        loops[loop.getPosition()].join(needOf(result, dim));
      else
        expr.walk([&](AffineExpr part) {
          if (auto loop = dyn_cast<AffineDimExpr>(part))
            loops[loop.getPosition()].join(Reach::all());
        });
  }
  for (auto [loop, iterator, extent] :
       llvm::zip_equal(loops, iterators, padded))
    if (iterator == utils::IteratorType::reduction)
      // Sums of codes may have zero points taken out, of all places at once.
      loop = extent && isFloat ? Reach::upTo(extent) : Reach::all();
  return loops;
}

/// How far a dimension is read whose index is `expr` of loops.
static Reach reachOf(AffineExpr expr, ArrayRef<Reach> loops,
                     ArrayRef<int64_t> sizes) {
  if (auto loop = dyn_cast<AffineDimExpr>(expr))
    return loops[loop.getPosition()];
  SmallVector<int64_t> factors(loops.size(), 0);
  int64_t constant = 0;
  if (!addLinear(expr, 1, factors, constant))
    return Reach::all();
  // The last place that is read, and one.
  AffineExpr last = getAffineConstantExpr(constant + 1, expr.getContext());
  bool isPart = false;
  for (auto [factor, loop, size] : llvm::zip_equal(factors, loops, sizes)) {
    if (factor == 0)
      continue;
    if (factor < 0 || loop.getExtents().size() > 1)
      return Reach::all();
    isPart |= !loop.getExtents().empty();
    AffineExpr extent = loop.getExtents().empty()
                            ? getAffineConstantExpr(size, expr.getContext())
                            : loop.getExtents().front();
    last = last + (extent - 1) * factor;
  }
  return isPart ? Reach::upTo(last) : Reach::all();
}

void Extents::findNeedsOfLinalg(linalg::LinalgOp op) {
  Reaches loops = loopsOf(op);
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    for (auto [dim, expr] :
         llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
      need(operand.get(), dim, reachOf(expr, loops, sizes));
  }
  // What the body reads at places of its own.
  op->walk([&](Operation *inner) {
    if (inner != op.getOperation())
      for (Value operand : inner->getOperands())
        needAll(operand);
  });
}

void Extents::findNeedsOfCollapse(Value from, Value to,
                                  ArrayRef<ReassociationIndices> groups) {
  for (auto [dim, group] : llvm::enumerate(groups)) {
    auto [dims, inner] = realDims(group, tensorType(from));
    for (int64_t each : group)
      if (dims.empty() || each != dims.front())
        need(from, each, Reach::all());
    if (!dims.empty())
      need(from, dims.front(),
           mapReach(needOf(to, dim), [inner = inner](AffineExpr e) {
             return e.ceilDiv(inner);
           }));
  }
}

void Extents::findNeedsOfExpand(Value from, Value to,
                                ArrayRef<ReassociationIndices> groups) {
  for (auto [dim, group] : llvm::enumerate(groups)) {
    auto [dims, inner] = realDims(group, tensorType(to));
    need(from, dim,
         dims.empty()
             ? Reach::all()
             : mapReach(needOf(to, dims.front()),
                        [inner = inner](AffineExpr e) { return e * inner; }));
  }
}

void Extents::findNeedsOfSlice(tensor::ExtractSliceOp slice) {
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  unsigned position = 0;
  for (int64_t dim = 0; dim < slice.getSourceType().getRank(); ++dim) {
    bool isDropped = dropped.test(dim);
    Reach reach =
        isDropped ? Reach::all() : needOf(slice.getResult(), position);
    position += !isDropped;
    int64_t offset = slice.getStaticOffsets()[dim];
    int64_t stride = slice.getStaticStrides()[dim];
    int64_t size = slice.getStaticSizes()[dim];
    if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(stride) ||
        ShapedType::isDynamic(size)) {
      need(slice.getSource(), dim, Reach::all());
      continue;
    }
    if (reach.needsAll())
      reach = Reach::upTo(getAffineConstantExpr(size, slice.getContext()));
    need(slice.getSource(), dim, mapReach(reach, [&](AffineExpr e) {
           return (e - 1) * stride + offset + 1;
         }));
  }
}

void Extents::findNeedsOfSlice(tensor::InsertSliceOp slice) {
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  unsigned position = 0;
  for (int64_t dim = 0; dim < slice.getDestType().getRank(); ++dim) {
    Reach reach = needOf(slice.getResult(), dim);
    need(slice.getDest(), dim, reach);
    if (dropped.test(dim))
      continue;
    bool isAtFront = slice.getStaticOffsets()[dim] == 0 &&
                     slice.getStaticStrides()[dim] == 1;
    need(slice.getSource(), position++, isAtFront ? reach : Reach::all());
  }
}

Reaches Extents::dimsOf(tensor::PadOp op) const {
  Reaches dims;
  for (int64_t dim = 0; dim < op.getResultType().getRank(); ++dim)
    dims.push_back(isKept(op, dim) ? needOf(op.getResult(), dim)
                                   : Reach::all());
  return dims;
}

void Extents::findNeedsOfPad(tensor::PadOp pad) {
  Reaches dims = dimsOf(pad);
  for (auto [dim, reach] : llvm::enumerate(dims))
    need(pad.getSource(), dim, reach);
}

void Extents::findNeeds(Operation &op) {
  if (isa<func::ReturnOp, tensor::EmptyOp>(op))
    return; // The border says what a return needs.
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return findNeedsOfLinalg(linalgOp);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return findNeedsOfCollapse(collapse.getSrc(), collapse.getResult(),
                               collapse.getReassociationIndices());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return findNeedsOfExpand(expand.getSrc(), expand.getResult(),
                             expand.getReassociationIndices());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return findNeedsOfSlice(slice);
  if (auto slice = dyn_cast<tensor::InsertSliceOp>(op))
    return findNeedsOfSlice(slice);
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return findNeedsOfPad(pad);
  op.walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      needAll(operand);
  });
}
