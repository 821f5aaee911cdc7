// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers, loop ranges and memory effects of the tile operations.
#include "dialects/Asic/Asic.h"

#include "mlir/IR/AffineMap.h"

using namespace mlir;
using namespace mlir::asic;

/// Prints numbers so that they read back exactly, which the array attribute's
/// own form does not.
static void printReals(OpAsmPrinter &printer, Operation *,
                       DenseF64ArrayAttr values) {
  printer << '[';
  llvm::interleaveComma(values.asArrayRef(), printer, [&](double value) {
    printer.printFloat(APFloat(value));
  });
  printer << ']';
}

static ParseResult parseReals(OpAsmParser &parser, DenseF64ArrayAttr &values) {
  SmallVector<double> numbers;
  auto parseNumber = [&] { return parser.parseFloat(numbers.emplace_back()); };
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Square,
                                     parseNumber))
    return failure();
  values = parser.getBuilder().getDenseF64ArrayAttr(numbers);
  return success();
}

/// The type of an index, which is one element unless it is written.
static void printIndexType(OpAsmPrinter &printer, Operation *, Type type) {
  if (cast<RankedTensorType>(type).getRank() != 0)
    printer << ", " << type;
}

static ParseResult parseIndexType(OpAsmParser &parser, Type &type) {
  if (succeeded(parser.parseOptionalComma()))
    return parser.parseType(type);
  type = RankedTensorType::get({}, parser.getBuilder().getI32Type());
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Asic/AsicOps.cpp.inc"

using Effects =
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

static MemRefType typeOf(Value value) {
  return cast<MemRefType>(value.getType());
}

/// Names of spaces for messages.
static StringRef spaceName(Value value) {
  return stringifySpace(getSpace(typeOf(value)));
}

static LogicalResult expectSpace(Operation *op, Value value, StringRef what,
                                 ArrayRef<Space> allowed) {
  if (llvm::is_contained(allowed, getSpace(typeOf(value))))
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError("expected ")
                                  << what << " in ";
  llvm::interleave(
      allowed, [&](Space space) { diagnostic << stringifySpace(space); },
      [&] { diagnostic << " or "; });
  return diagnostic << ", got " << spaceName(value);
}

static bool isReductionIterator(ArrayAttr types, unsigned iterator) {
  return cast<StringAttr>(types[iterator]).getValue() == "reduction";
}

static AffineMap mapAt(ArrayAttr maps, unsigned operand) {
  return cast<AffineMapAttr>(maps[operand]).getValue();
}

/// Reads trip counts off results of `map` that are plain dimensions.
static void rangesFrom(AffineMap map, ArrayRef<int64_t> shape,
                       MutableArrayRef<int64_t> ranges) {
  for (auto [expr, size] : llvm::zip_equal(map.getResults(), shape))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      if (ranges[dim.getPosition()] < 0)
        ranges[dim.getPosition()] = size;
}

/// Checks iterator names, number and arity of maps, and ranks of operands.
static LogicalResult verifyStructure(Operation *op, ArrayAttr maps,
                                     ArrayAttr types, ValueRange operands) {
  for (Attribute type : types) {
    auto name = dyn_cast<StringAttr>(type);
    if (!name ||
        (name.getValue() != "parallel" && name.getValue() != "reduction"))
      return op->emitOpError("expected iterator types \"parallel\" or "
                             "\"reduction\", got ")
             << type;
  }
  if (maps.size() != operands.size())
    return op->emitOpError("expected ")
           << operands.size() << " indexing maps, got " << maps.size();
  for (auto [index, operand] : llvm::enumerate(operands)) {
    AffineMap map = mapAt(maps, index);
    if (map.getNumDims() != types.size() || map.getNumSymbols() != 0)
      return op->emitOpError("expected indexing map ")
             << index << " over " << types.size() << " dimensions, got "
             << AffineMapAttr::get(map);
    if (int64_t(map.getNumResults()) != typeOf(operand).getRank())
      return op->emitOpError("expected indexing map ")
             << index << " with " << typeOf(operand).getRank()
             << " results, got " << map.getNumResults();
  }
  return success();
}

/// Largest value of a map result over the iteration space, or none if it may be
/// negative (maps here are sums of dimensions with constant factors).
static std::optional<int64_t> upperBound(AffineExpr expr,
                                         ArrayRef<int64_t> ranges) {
  SmallVector<AffineExpr> highest;
  for (int64_t range : ranges)
    highest.push_back(getAffineConstantExpr(std::max<int64_t>(range, 1) - 1,
                                            expr.getContext()));
  auto bound = dyn_cast<AffineConstantExpr>(
      simplifyAffineExpr(expr.replaceDims(highest), 0, 0));
  if (!bound)
    return std::nullopt;
  return bound.getValue();
}

//===----------------------------------------------------------------------===//
// constant, copy, fill
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::verify() {
  auto value = getValue().getShapedType();
  MemRefType type = typeOf(getResult());
  Type stored = isPacked(type) ? IntegerType::get(getContext(), 8)
                               : type.getElementType();
  if (value.getShape() != type.getShape() || value.getElementType() != stored)
    return emitOpError("expected a memref of the value's shape and element "
                       "type, got ")
           << type << " for " << value;
  return expectSpace(*this, getResult(), "a constant", {Space::dram});
}

void ConstantOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Allocate::get(),
                       cast<OpResult>(getResult()));
}

/// True when a block of shape `source`, or each of its rows, has places along
/// `dim` in one of shape `target`.
static bool fitsAlong(ArrayRef<int64_t> source, ArrayRef<int64_t> target,
                      int64_t dim, bool asRows) {
  if (source.size() != target.size() || dim < 0 ||
      dim >= int64_t(source.size()))
    return false;
  // Rows may be more than there are places.
  if (asRows ? target[dim] == 0 : source[dim] > target[dim])
    return false;
  SmallVector<int64_t> block(target);
  block[dim] = source[dim];
  return ArrayRef(block) == source;
}

/// Checks that an index of several places has one for every row of `source`.
static LogicalResult verifyPlaces(Operation *op, ShapedType index,
                                  ShapedType source, int64_t dim) {
  if (index.getRank() == 0 || index.getDimSize(0) == source.getDimSize(dim))
    return success();
  return op->emitOpError("expected an index for every row along dimension ")
         << dim << " of " << source << ", got " << index;
}

LogicalResult UpdateSliceOp::verify() {
  RankedTensorType source = getSource().getType(), dest = getDest().getType();
  if (source.getElementType() == dest.getElementType() &&
      fitsAlong(source.getShape(), dest.getShape(), getDim(),
                /*asRows=*/getIndex().getType().getRank() == 1))
    return verifyPlaces(*this, getIndex().getType(), source, getDim());
  return emitOpError("expected a slice along dimension ")
         << getDim() << " of " << dest << ", got " << source;
}

bool mlir::asic::isPacked(MemRefType type) {
  auto integer = dyn_cast<IntegerType>(type.getElementType());
  return integer && integer.getWidth() == 4;
}

/// True when the elements of `type` follow one another from an even one on.
static bool isRunOfWholeBytes(MemRefType type) {
  int64_t offset, expected = 1;
  SmallVector<int64_t> strides;
  if (failed(type.getStridesAndOffset(strides, offset)) || offset % 2 != 0)
    return false;
  for (auto [size, stride] :
       llvm::reverse(llvm::zip_equal(type.getShape(), strides))) {
    if (size != 1 && stride != expected)
      return false;
    expected *= size;
  }
  return true;
}

/// What a copy that widens its source needs beside equal shapes.
static LogicalResult verifyWidening(CopyOp op) {
  MemRefType source = typeOf(op.getSource()), target = typeOf(op.getTarget());
  if (op.getIndex() || !target.getElementType().isSignlessInteger(8))
    return op.emitOpError("expected packed elements to be widened to i8 "
                          "without an index, got ")
           << source << " and " << target;
  for (MemRefType side : {source, target})
    if (!isRunOfWholeBytes(side))
      return op.emitOpError("expected packed elements and their target to be "
                            "contiguous from a whole byte on, got ")
             << side;
  return success();
}

LogicalResult CopyOp::verify() {
  MemRefType source = typeOf(getSource()), target = typeOf(getTarget());
  if (getIndex() && !getDim())
    return emitOpError("expected the dimension of the index");
  bool fits = getIndex() ? fitsAlong(source.getShape(), target.getShape(),
                                     *getDim(), hasIndexPerRow())
                         : source.getShape() == target.getShape();
  bool widens = isPacked(source);
  if (!fits || (!widens && source.getElementType() != target.getElementType()))
    return emitOpError("expected equal shapes and element types, got ")
           << source << " and " << target;
  if (widens && failed(verifyWidening(*this)))
    return failure();
  if (getIndex() &&
      failed(verifyPlaces(*this, typeOf(getIndex()), source, *getDim())))
    return failure();
  if (getIndex() &&
      failed(expectSpace(*this, getIndex(), "the index", {Space::sram})))
    return failure();
  if (failed(expectSpace(*this, getSource(), "the source",
                         {Space::dram, Space::sram})))
    return failure();
  return expectSpace(*this, getTarget(), "the target",
                     {Space::dram, Space::sram});
}

int64_t CopyOp::getNumPlaces() {
  if (!getIndex())
    return 0;
  int64_t extent =
      hasIndexPerRow() ? 1 : typeOf(getSource()).getDimSize(*getDim());
  return typeOf(getTarget()).getDimSize(*getDim()) - extent + 1;
}

bool CopyOp::hasIndexPerRow() {
  return getIndex() && typeOf(getIndex()).getRank() == 1;
}

void CopyOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getSourceMutable());
  for (OpOperand &index : getIndexMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &index);
  effects.emplace_back(MemoryEffects::Write::get(), &getTargetMutable());
}

LogicalResult FillOp::verify() {
  auto value = cast<TypedAttr>(getValueAttr());
  if (value.getType() != typeOf(getTarget()).getElementType())
    return emitOpError("expected a value of the element type ")
           << typeOf(getTarget()).getElementType() << ", got "
           << value.getType();
  return expectSpace(*this, getTarget(), "the target",
                     {Space::dram, Space::sram});
}

void FillOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), &getTargetMutable());
}

//===----------------------------------------------------------------------===//
// contract
//===----------------------------------------------------------------------===//

AffineMap ContractOp::getAMap() { return mapAt(getIndexingMaps(), 0); }
AffineMap ContractOp::getWMap() { return mapAt(getIndexingMaps(), 1); }
AffineMap ContractOp::getAccMap() { return mapAt(getIndexingMaps(), 2); }

bool ContractOp::isReduction(unsigned iterator) {
  return isReductionIterator(getIteratorTypes(), iterator);
}

SmallVector<int64_t> ContractOp::getLoopRanges() {
  SmallVector<int64_t> ranges(getIteratorTypes().size(), -1);
  rangesFrom(getAccMap(), typeOf(getAcc()).getShape(), ranges);
  rangesFrom(getWMap(), typeOf(getW()).getShape(), ranges);
  rangesFrom(getAMap(), typeOf(getA()).getShape(), ranges);
  return ranges;
}

LogicalResult ContractOp::verify() {
  if (failed(verifyStructure(*this, getIndexingMaps(), getIteratorTypes(),
                             {getA(), getW(), getAcc()})))
    return failure();
  for (auto [index, range] : llvm::enumerate(getLoopRanges()))
    if (range < 0)
      return emitOpError("expected iterator ")
             << index
             << " as a plain result of an indexing map, so that its "
                "range is known";
  if (getPad() && int64_t(getPad()->size()) != typeOf(getA()).getRank())
    return emitOpError("expected one pad per dimension of a (")
           << typeOf(getA()).getRank() << "), got " << getPad()->size();
  if (getAccumulate() && getBias())
    return emitOpError("expected either bias or accumulate, got both");
  if (!getPad())
    for (auto [dim, expr] : llvm::enumerate(getAMap().getResults())) {
      std::optional<int64_t> last = upperBound(expr, getLoopRanges());
      if (last && *last >= typeOf(getA()).getDimSize(dim))
        return emitOpError("expected indices of a below ")
               << typeOf(getA()).getDimSize(dim) << " in dimension " << dim
               << ", got " << *last << "; give pad when points may lie outside";
    }
  if (failed(expectSpace(*this, getA(), "a", {Space::sram})) ||
      failed(expectSpace(*this, getW(), "w", {Space::sram})) ||
      failed(expectSpace(*this, getAcc(), "acc", {Space::acc})))
    return failure();
  if (Value bias = getBias()) {
    if (typeOf(bias).getRank() != 1 ||
        typeOf(bias).getElementType() != typeOf(getAcc()).getElementType())
      return emitOpError("expected a 1-D bias of acc's element type, got ")
             << typeOf(bias);
    return expectSpace(*this, bias, "bias", {Space::sram});
  }
  return success();
}

void ContractOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getAMutable());
  effects.emplace_back(MemoryEffects::Read::get(), &getWMutable());
  if (getBias())
    effects.emplace_back(MemoryEffects::Read::get(), &getBiasMutable()[0]);
  if (getAccumulate())
    effects.emplace_back(MemoryEffects::Read::get(), &getAccMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getAccMutable());
}

//===----------------------------------------------------------------------===//
// map
//===----------------------------------------------------------------------===//

AffineMap MapOp::getMap(unsigned operand) {
  return mapAt(getIndexingMaps(), operand);
}

bool MapOp::isReduction(unsigned iterator) {
  return isReductionIterator(getIteratorTypes(), iterator);
}

unsigned MapOp::getNumReductions() {
  return llvm::count_if(llvm::seq<unsigned>(0, getIteratorTypes().size()),
                        [&](unsigned i) { return isReduction(i); });
}

SmallVector<int64_t> MapOp::getLoopRanges() {
  SmallVector<int64_t> ranges(getIteratorTypes().size(), -1);
  rangesFrom(getMap(getInputs().size()), typeOf(getOutput()).getShape(),
             ranges);
  for (auto [index, input] : llvm::enumerate(getInputs()))
    rangesFrom(getMap(index), typeOf(input).getShape(), ranges);
  return ranges;
}

LogicalResult MapOp::verify() {
  SmallVector<Value> operands(getInputs());
  operands.push_back(getOutput());
  if (failed(verifyStructure(*this, getIndexingMaps(), getIteratorTypes(),
                             operands)))
    return failure();
  for (auto [index, range] : llvm::enumerate(getLoopRanges()))
    if (range < 0)
      return emitOpError("expected iterator ")
             << index
             << " as a plain result of an indexing map, so that its "
                "range is known";
  for (Value operand : operands)
    if (failed(
            expectSpace(*this, operand, "operands", {Space::sram, Space::acc})))
      return failure();
  bool reduces = getNumReductions() > 0;
  if (reduces != bool(getInitAttr()))
    return emitOpError(reduces ? "expected init for the reduction"
                               : "expected no init without a reduction");
  Block &body = getBody().front();
  if (body.getNumArguments() != getInputs().size() + reduces)
    return emitOpError("expected ")
           << getInputs().size() + reduces << " body arguments, got "
           << body.getNumArguments();
  for (auto [argument, operand] : llvm::zip(body.getArguments(), operands))
    if (argument.getType() != typeOf(operand).getElementType())
      return emitOpError("expected body arguments of the operands' element "
                         "types, got ")
             << argument.getType() << " for " << operand.getType();
  auto yield = body.empty() ? YieldOp() : dyn_cast<YieldOp>(body.back());
  if (!yield ||
      yield.getValue().getType() != typeOf(getOutput()).getElementType())
    return emitOpError("expected the body to yield ")
           << typeOf(getOutput()).getElementType();
  return success();
}

void MapOp::getEffects(Effects &effects) {
  for (OpOperand &input : getInputsMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &input);
  effects.emplace_back(MemoryEffects::Write::get(), &getOutputMutable());
}
