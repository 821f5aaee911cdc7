// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/partition/Legality.h"

#include "dialects/Asic/Asic.h"
#include "passes/Support/ContractionBody.h"
#include "passes/Support/LaneOps.h"
#include "passes/Support/LinearForm.h"
#include "passes/Support/Target.h"
#include "passes/Support/TensorBuilder.h"
#include "runtime/LaneProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using ::asic::ElementType;
using ::asic::TargetModel;

namespace mlir::asic {

namespace {

/// Loops that one instruction of the vector unit walks.
constexpr unsigned kMapLoops = 5;
/// Modes of the matrix unit that a message lists one by one.
constexpr unsigned kListedModes = 4;
/// Tensors that it reads.
constexpr unsigned kMapInputs = 7;

std::string toText(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// The remedy that floats have and integers do not.
StringRef quantizeOr(Type element) {
  return isa<FloatType>(element) ? "quantize the layer or " : "";
}

/// Reductions of more than one step that no neighbour with the same strides in
/// all operands takes in. Parallel loops are no limit: the map is split along
/// them.
unsigned countReductionLoops(linalg::GenericOp op) {
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<unsigned> loops;
  for (auto [loop, type] : llvm::enumerate(op.getIteratorTypesArray()))
    if (type == utils::IteratorType::reduction && extents[loop] != 1)
      loops.push_back(loop);
  // Loops i, j merge when every map that knows one has them as neighbours.
  auto adjacent = [&](AffineMap map, unsigned i, unsigned j) {
    std::optional<unsigned> at;
    for (unsigned r = 0; r < map.getNumResults(); ++r) {
      AffineExpr expr = map.getResult(r);
      bool hasI = expr.isFunctionOfDim(i), hasJ = expr.isFunctionOfDim(j);
      if (!hasI && !hasJ)
        continue;
      if (hasI && !hasJ && isa<AffineDimExpr>(expr) && !at)
        at = r;
      else if (hasJ && !hasI && isa<AffineDimExpr>(expr) && at == r - 1)
        at = map.getNumResults();
      else
        return false;
    }
    return !at || *at == map.getNumResults();
  };
  unsigned count = loops.size();
  for (unsigned n = 1; n < loops.size(); ++n)
    if (llvm::all_of(maps, [&](AffineMap map) {
          return adjacent(map, loops[n - 1], loops[n]);
        }))
      --count;
  return count;
}

} // namespace

bool isContraction(linalg::GenericOp op) {
  return matchContractionBody(op).has_value();
}

Refusal Legality::checkTensor(Type type) const {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return llvm::formatv("expected a ranked tensor, got {0}; the accelerator "
                         "works on tensors of static shape",
                         toText(type))
        .str();
  if (!tensor.hasStaticShape())
    return llvm::formatv("expected a static shape, got {0}; declare the size "
                         "or compile one program per size",
                         toText(type))
        .str();
  if (isEmptyTensor(tensor))
    return llvm::formatv("expected a tensor with elements, got {0}; leave out "
                         "what has none",
                         toText(type))
        .str();
  if (!getElementType(tensor.getElementType()))
    return llvm::formatv(
               "expected an element type of the machine, got {0}; cast the "
               "tensor to int8, int32 or a float format of '{1}'",
               toText(tensor.getElementType()), target.name)
        .str();
  return std::nullopt;
}

/// A look-up reads where data says, not where loops are.
static Refusal checkLookUp(Operation *op) {
  bool looksUp = false;
  op->walk([&](tensor::ExtractOp) { looksUp = true; });
  if (!looksUp)
    return std::nullopt;
  return "expected reads at sums of loops, got a look-up at computed indices; "
         "do look-ups at the network's start or end, where they cost least";
}

Refusal Legality::check(Operation *op) const {
  if (Refusal refusal = checkLookUp(op))
    return refusal;
  for (Value value : op->getOperands())
    if (isa<ShapedType>(value.getType()))
      if (Refusal refusal = checkTensor(value.getType()))
        return refusal;
  for (Value value : op->getResults())
    if (isa<ShapedType>(value.getType()))
      if (Refusal refusal = checkTensor(value.getType()))
        return refusal;
  if (Refusal refusal = checkScalars(op))
    return refusal;
  return llvm::TypeSwitch<Operation *, Refusal>(op)
      .Case<linalg::GenericOp>(
          [&](auto generic) { return checkGeneric(generic); })
      .Case<tensor::ExtractSliceOp, tensor::InsertSliceOp>(
          [](OffsetSizeAndStrideOpInterface slice) -> Refusal {
            if (llvm::all_of(
                    llvm::concat<OpFoldResult>(slice.getMixedOffsets(),
                                               slice.getMixedSizes(),
                                               slice.getMixedStrides()),
                    [](OpFoldResult value) { return isa<Attribute>(value); }))
              return std::nullopt;
            return "expected a slice at constant places, got one that is "
                   "computed; use constant indices";
          })
      .Case<linalg::FillOp, arith::ConstantOp, tensor::EmptyOp, tensor::PadOp,
            tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ConcatOp,
            tensor::ReshapeOp>([](auto) { return Refusal(); })
      .Case<UpdateSliceOp>([&](UpdateSliceOp update) -> Refusal {
        RankedTensorType index = update.getIndex().getType();
        // Indices stay in SRAM while rows come and go.
        if (uint64_t(4 * index.getNumElements()) > target.sram.bytes / 8)
          return llvm::formatv("expected rows whose indices fill at most an "
                               "eighth of the SRAM of '{0}', got {1} rows; "
                               "update fewer rows at once",
                               target.name, index.getNumElements())
              .str();
        int64_t extent = update.getDest().getType().getDimSize(update.getDim());
        if (!target.limits.maxExtent ||
            uint64_t(extent) <= target.limits.maxExtent)
          return std::nullopt;
        return llvm::formatv("expected at most {0} places to write to, got {1};"
                             " make a tensor of fewer rows",
                             target.limits.maxExtent, extent)
            .str();
      })
      .Case<func::CallOp>([](func::CallOp call) {
        return "expected an operator with a linalg form, got '" +
               call.getCallee().str() +
               "'; rewrite the model without it or add a decomposition "
               "(docs/adding-an-op.md)";
      })
      .Default([&](Operation *other) {
        return llvm::formatv("expected an operation of linalg, or one of "
                             "tensor that moves data, got '{0}'; rewrite the "
                             "model without it, or move it to the network's "
                             "start or end",
                             other->getName().getStringRef())
            .str();
      });
}

/// Programs take tensors: a scalar is a constant or part of a body.
Refusal Legality::checkScalars(Operation *op) const {
  Refusal refusal;
  op->walk([&](Operation *inner) {
    for (Value value : inner->getOperands()) {
      Operation *scope = value.getParentBlock()->getParentOp();
      if (op->isAncestor(scope) || isa<ShapedType>(value.getType()) ||
          matchPattern(value, m_Constant()))
        continue;
      refusal = llvm::formatv("expected constant scalars, got one of type {0} "
                              "that is computed; keep it as a tensor of one "
                              "element",
                              toText(value.getType()))
                    .str();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return refusal;
}

/// Tiles are boxes: an index is a sum of loops with positive factors, an index
/// of the result a loop.
Refusal Legality::checkIndexing(linalg::GenericOp op) const {
  auto isBox = [&](AffineMap map) {
    return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
      SmallVector<int64_t> factors(map.getNumDims(), 0);
      int64_t constant = 0;
      return addLinear(expr, 1, factors, constant) && constant == 0 &&
             llvm::all_of(factors, [](int64_t f) { return f >= 0; });
    });
  };
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (llvm::all_of(ArrayRef(maps).drop_back(), isBox) &&
      maps.back().isProjectedPermutation())
    return std::nullopt;
  return llvm::formatv("expected indices that are sums of loops, got {0}; "
                       "slice or copy the tensor first",
                       op.getIndexingMaps())
      .str();
}

/// A reduction ends in a step of the vector unit.
Refusal Legality::checkReduction(linalg::GenericOp op) const {
  if (op.getNumReductionLoops() == 0)
    return std::nullopt;
  BlockArgument sum = op.getRegionOutputArgs().front();
  Operation *step =
      op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddIOp, arith::MulIOp, arith::MinSIOp,
                       arith::MaxSIOp, arith::AndIOp, arith::OrIOp,
                       arith::AddFOp, arith::MulFOp, arith::MinimumFOp,
                       arith::MaximumFOp>(step) ||
      !sum.hasOneUse() || *sum.getUsers().begin() != step)
    return "expected a reduction by add, mul, min, max, and, or or, with "
           "nothing "
           "else in a step; compute the rest before it, on the whole tensor";
  return std::nullopt;
}

Refusal Legality::checkGeneric(linalg::GenericOp op) const {
  if (op.getNumDpsInits() != 1)
    return llvm::formatv("expected one result, got {0}; split the operation",
                         op.getNumDpsInits())
        .str();
  for (int64_t extent : op.getStaticLoopRanges())
    if (uint64_t(extent) > target.limits.maxExtent && target.limits.maxExtent)
      return llvm::formatv("expected extents of at most {0}, got {1}; reshape "
                           "the tensor",
                           target.limits.maxExtent, extent)
          .str();
  if (Refusal refusal = checkIndexing(op))
    return refusal;
  if (isContraction(op)) {
    // Without a mode a sum of products is still a vector reduction.
    Refusal refusal = checkContraction(op);
    return refusal && checkMap(op) ? refusal : std::nullopt;
  }
  return checkMap(op);
}

Refusal Legality::checkContraction(linalg::GenericOp op) const {
  auto typeOf = [&](Value value) {
    return getElementType(getElementTypeOrSelf(value))
        .value_or(ElementType::None);
  };
  ElementType a = typeOf(op.getDpsInputs()[0]);
  ElementType w = typeOf(op.getDpsInputs()[1]);
  ElementType acc = typeOf(op.getDpsInits()[0]);
  SmallVector<std::string> modes;
  llvm::SetVector<StringRef> factors;
  for (const TargetModel::MxuMode &mode : target.mxu.modes) {
    if (mode.a == a && mode.w == w && mode.acc == acc)
      return std::nullopt;
    factors.insert(elementTypeName(mode.a));
    modes.push_back(llvm::formatv("{0} x {1} -> {2}", elementTypeName(mode.a),
                                  elementTypeName(mode.w),
                                  elementTypeName(mode.acc)));
  }
  std::string known = modes.size() > kListedModes
                          ? "factors of " + llvm::join(factors, ", ")
                          : llvm::join(modes, ", ");
  return llvm::formatv("expected a contraction of '{0}' ({1}), got {2} x {3} "
                       "-> {4}; {5}choose a target with that mode",
                       target.name, known, elementTypeName(a),
                       elementTypeName(w), elementTypeName(acc),
                       quantizeOr(getElementTypeOrSelf(op.getResult(0))))
      .str();
}

/// Whether an input is read again for another result: a dot product of two
/// tensors in step has nothing that a matrix unit could keep.
static bool reusesInputs(linalg::GenericOp op) {
  return llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    llvm::SmallBitVector unused =
        getUnusedDimsBitVector(op.getMatchingIndexingMap(input));
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    return llvm::any_of(unused.set_bits(),
                        [&](unsigned loop) { return extents[loop] != 1; });
  });
}

Refusal Legality::explainSlowPath(linalg::GenericOp op) const {
  if (!isContraction(op) || !reusesInputs(op))
    return std::nullopt;
  Refusal refusal = checkContraction(op);
  if (!refusal)
    return std::nullopt;
  auto [reason, otherRemedy] = StringRef(*refusal).split("; ");
  std::string remedy = otherRemedy.str();
  // Products that are written as such have been given a mode.
  for (const TargetModel::MxuMode &mode : target.mxu.modes)
    if (getElementTypeOrSelf(op.getResult(0)).isF32() &&
        mode.acc == ElementType::F32 && mode.a == ElementType::BF16)
      remedy =
          "write it as a matrix product, whose factors are rounded to bf16";
  return llvm::formatv("{0}: the vector unit computes it, at most {1} "
                       "multiply-accumulates per cycle against {2}; {3}",
                       reason, target.vpu.lanes,
                       target.mxu.kRows * target.mxu.nCols, remedy)
      .str();
}

Refusal Legality::checkMap(linalg::GenericOp op) const {
  if (op.getNumDpsInputs() > kMapInputs)
    return llvm::formatv("expected at most {0} inputs, got {1}; split the "
                         "operation",
                         kMapInputs, op.getNumDpsInputs())
        .str();
  if (unsigned loops = countReductionLoops(op); loops > kMapLoops)
    return llvm::formatv("expected at most {0} reduction loops, got {1}; "
                         "reduce fewer dimensions at once",
                         kMapLoops, loops)
        .str();
  for (Value value : op->getOperands()) {
    Type type = getElementTypeOrSelf(value);
    std::optional<ElementType> element = getElementType(type);
    if (!element || !llvm::is_contained(target.vpu.formats, *element))
      return llvm::formatv("expected a format of the vector unit of '{0}', got "
                           "{1}; {2}choose a target with that format",
                           target.name, toText(type), quantizeOr(type))
          .str();
  }
  if (Refusal refusal = checkReduction(op))
    return refusal;
  if (unsigned steps = countLaneOps(op); steps > ::asic::isa::maxLaneOps)
    return llvm::formatv("expected at most {0} operations per element, got "
                         "{1}; split the operation",
                         ::asic::isa::maxLaneOps, steps)
        .str();
  Refusal refusal;
  op.getBody()->walk([&](Operation *inner) {
    refusal = checkBodyOp(inner);
    return refusal ? WalkResult::interrupt() : WalkResult::advance();
  });
  return refusal;
}

Refusal Legality::checkScalar(Type type) const {
  if (type.isInteger(1) || type.isIndex() || getElementType(type))
    return std::nullopt;
  return llvm::formatv("expected scalars of at most 32 bits, got {0}; cast "
                       "the tensor to a smaller type",
                       toText(type))
      .str();
}

Refusal Legality::checkBodyOp(Operation *op) const {
  StringRef name = op->getName().getStringRef();
  StringRef mnemonic = laneMnemonic(name);
  if (mnemonic == "?")
    return llvm::formatv("expected a lane operation, got '{0}', which "
                         "the vector unit does not have; express it with "
                         "exp, tanh, erf, sqrt, sin or arithmetic",
                         name)
        .str();
  for (Type type : op->getResultTypes())
    if (Refusal refusal = checkScalar(type))
      return refusal;
  bool isFloat = llvm::any_of(op->getResultTypes(), llvm::IsaPred<FloatType>) ||
                 llvm::any_of(op->getOperandTypes(), llvm::IsaPred<FloatType>);
  if (isFloat && !mnemonic.empty() &&
      !llvm::is_contained(target.vpu.formats, ElementType::F32))
    return llvm::formatv("expected integer arithmetic, got '{0}': the vector "
                         "unit of '{1}' has no f32; quantize the layer or "
                         "choose a target with f32",
                         name, target.name)
        .str();
  return std::nullopt;
}

} // namespace mlir::asic
