// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bodies of asic.map become lane programs: values get registers, constants and
// conversions that the streams do are free, a requantisation is one operation.
#include "passes/accel/LowerToIsaSelect.h"

#include "dialects/Isa/Isa.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::asic;
namespace machine = ::asic::isa;
using machine::LaneOp;
using machine::LaneOpcode;
using machine::LaneProgram;

namespace {

/// An operation on virtual registers; 0..6 are the input streams.
struct VirtualOp {
  LaneOpcode opcode;
  unsigned dst = 0;
  SmallVector<unsigned, 3> sources;
  uint64_t imm = 0;
};

/// Translates one map body.
class LaneProgramBuilder {
public:
  explicit LaneProgramBuilder(MapOp op)
      : op(op), numInputs(op.getInputs().size()) {}

  FailureOr<LaneProgram> build();

private:
  // Streams.
  LogicalResult checkStreams();

  // Values.
  FailureOr<unsigned> valueOf(Value value);
  FailureOr<unsigned> translate(Operation *def);
  FailureOr<unsigned> translateCast(Operation *def);
  FailureOr<unsigned> translateMinMaxNum(Operation *def, LaneOpcode opcode);
  FailureOr<unsigned> translateCompare(Operation *def);
  FailureOr<unsigned> emitNarrowShift(Operation *def);
  std::optional<FailureOr<unsigned>> translateRequant(Operation *def);
  FailureOr<unsigned> emitSources(LaneOpcode opcode, ValueRange sources,
                                  uint64_t imm = 0);
  unsigned emit(LaneOpcode opcode, ArrayRef<unsigned> sources,
                uint64_t imm = 0);
  unsigned constant(uint32_t bits);
  FailureOr<unsigned> narrowFloat(FailureOr<unsigned> value, Type type);
  unsigned narrowInt(unsigned value, Type type);
  unsigned zeroExtend(unsigned value, Value source);

  // Reduction.
  FailureOr<unsigned> translateReduction(Value yielded);
  FailureOr<uint64_t> initialBits();

  // Registers.
  FailureOr<LaneProgram> assignRegisters(unsigned result);

  MapOp op;
  unsigned numInputs;
  unsigned nextValue = 7;
  SmallVector<VirtualOp> ops;
  DenseMap<Value, unsigned> values;
  /// Keyed by 64 bits: a dense map keeps two of the 32-bit keys for itself.
  DenseMap<uint64_t, unsigned> constants;
  /// Streams that the body reads.
  unsigned inMask = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

LogicalResult LaneProgramBuilder::checkStreams() {
  if (numInputs > 7)
    return op.emitOpError("expected at most 7 inputs, got ")
           << numInputs << "; split the map";
  for (unsigned i = 0; i < numInputs; ++i) {
    BlockArgument argument = op.getBody().getArgument(i);
    values[argument] = i;
    if (!argument.use_empty())
      inMask |= 1u << i;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

unsigned LaneProgramBuilder::emit(LaneOpcode opcode, ArrayRef<unsigned> sources,
                                  uint64_t imm) {
  ops.push_back({opcode, nextValue, {sources.begin(), sources.end()}, imm});
  return nextValue++;
}

unsigned LaneProgramBuilder::constant(uint32_t bits) {
  auto [it, isNew] = constants.try_emplace(bits, 0);
  if (isNew)
    it->second = emit(LaneOpcode::Const, {}, bits);
  return it->second;
}

FailureOr<unsigned> LaneProgramBuilder::emitSources(LaneOpcode opcode,
                                                    ValueRange sources,
                                                    uint64_t imm) {
  SmallVector<unsigned, 3> registers;
  for (Value source : sources) {
    FailureOr<unsigned> reg = valueOf(source);
    if (failed(reg))
      return failure();
    registers.push_back(*reg);
  }
  return emit(opcode, registers, imm);
}

/// The 32 bits that a scalar constant has in a register.
static FailureOr<uint32_t> registerBits(Attribute value) {
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    const APInt &bits = integer.getValue();
    if (bits.getBitWidth() == 1)
      return uint32_t(bits.getZExtValue());
    if (integer.getType().isUnsignedInteger() && bits.getActiveBits() <= 32)
      return uint32_t(bits.getZExtValue());
    if (bits.getSignificantBits() <= 32)
      return uint32_t(bits.getSExtValue());
    return failure();
  }
  if (auto real = dyn_cast<FloatAttr>(value)) {
    APFloat number = real.getValue();
    bool losesInfo;
    number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                   &losesInfo);
    return uint32_t(number.bitcastToAPInt().getZExtValue());
  }
  return failure();
}

FailureOr<unsigned> LaneProgramBuilder::valueOf(Value value) {
  if (auto it = values.find(value); it != values.end())
    return it->second;
  Attribute attribute;
  if (matchPattern(value, m_Constant(&attribute))) {
    FailureOr<uint32_t> bits = registerBits(attribute);
    if (failed(bits))
      return op.emitOpError("expected a constant of 32 bits, got ")
             << attribute;
    return values[value] = constant(*bits);
  }
  Operation *def = value.getDefiningOp();
  if (!def || def->getBlock() != &op.getBody().front())
    return op.emitOpError("expected values from inputs and constants of the "
                          "body; this one comes from outside");
  FailureOr<unsigned> reg = translate(def);
  if (succeeded(reg))
    values[value] = *reg;
  return reg;
}

/// Keeps a narrow integer in the form in which streams load it.
unsigned LaneProgramBuilder::narrowInt(unsigned value, Type type) {
  if (type.isInteger(8))
    return emit(LaneOpcode::SExt8, {value});
  if (type.isInteger(16))
    return emit(LaneOpcode::SExt16, {value});
  if (type.isInteger(1))
    return emit(LaneOpcode::AndI, {value, constant(1)});
  return value;
}

/// Rounds the binary32 result of a narrow float operation to its type.
FailureOr<unsigned> LaneProgramBuilder::narrowFloat(FailureOr<unsigned> value,
                                                    Type type) {
  if (failed(value) || type.isF32())
    return value;
  auto element = asicisa::getElementType(type);
  if (!element)
    return op.emitOpError("expected a float type of the machine, got ") << type;
  return emit(LaneOpcode::RoundToFmt, {*value}, unsigned(*element));
}

/// Operations that have a lane operation with the same operands.
static std::optional<LaneOpcode> directOpcode(Operation *def) {
  return llvm::TypeSwitch<Operation *, std::optional<LaneOpcode>>(def)
      .Case<arith::AddIOp>([](auto) { return LaneOpcode::AddI; })
      .Case<arith::SubIOp>([](auto) { return LaneOpcode::SubI; })
      .Case<arith::MulIOp>([](auto) { return LaneOpcode::MulI; })
      .Case<arith::MinSIOp>([](auto) { return LaneOpcode::MinSI; })
      .Case<arith::MaxSIOp>([](auto) { return LaneOpcode::MaxSI; })
      .Case<arith::MinUIOp>([](auto) { return LaneOpcode::MinUI; })
      .Case<arith::MaxUIOp>([](auto) { return LaneOpcode::MaxUI; })
      .Case<arith::AndIOp>([](auto) { return LaneOpcode::AndI; })
      .Case<arith::OrIOp>([](auto) { return LaneOpcode::OrI; })
      .Case<arith::XOrIOp>([](auto) { return LaneOpcode::XorI; })
      .Case<arith::ShLIOp>([](auto) { return LaneOpcode::ShlI; })
      .Case<arith::ShRSIOp>([](auto) { return LaneOpcode::ShrSI; })
      .Case<arith::ShRUIOp>([](auto) { return LaneOpcode::ShrUI; })
      .Case<arith::DivSIOp>([](auto) { return LaneOpcode::DivSI; })
      .Case<arith::RemSIOp>([](auto) { return LaneOpcode::RemSI; })
      .Case<arith::SelectOp>([](auto) { return LaneOpcode::Select; })
      .Case<arith::AddFOp>([](auto) { return LaneOpcode::AddF; })
      .Case<arith::SubFOp>([](auto) { return LaneOpcode::SubF; })
      .Case<arith::MulFOp>([](auto) { return LaneOpcode::MulF; })
      .Case<arith::DivFOp>([](auto) { return LaneOpcode::DivF; })
      .Case<arith::MinimumFOp>([](auto) { return LaneOpcode::MinF; })
      .Case<arith::MaximumFOp>([](auto) { return LaneOpcode::MaxF; })
      .Case<arith::NegFOp>([](auto) { return LaneOpcode::NegF; })
      .Case<math::AbsFOp>([](auto) { return LaneOpcode::AbsF; })
      .Case<math::FmaOp>([](auto) { return LaneOpcode::FmaF; })
      .Case<math::RoundEvenOp>([](auto) { return LaneOpcode::RoundEvenF; })
      .Case<math::FloorOp>([](auto) { return LaneOpcode::FloorF; })
      .Case<math::CeilOp>([](auto) { return LaneOpcode::CeilF; })
      .Case<math::ExpOp>([](auto) { return LaneOpcode::ExpF; })
      .Case<math::LogOp>([](auto) { return LaneOpcode::LogF; })
      .Case<math::TanhOp>([](auto) { return LaneOpcode::TanhF; })
      .Case<math::ErfOp>([](auto) { return LaneOpcode::ErfF; })
      .Case<math::SqrtOp>([](auto) { return LaneOpcode::SqrtF; })
      .Case<math::RsqrtOp>([](auto) { return LaneOpcode::RsqrtF; })
      .Case<math::SinOp>([](auto) { return LaneOpcode::SinF; })
      .Case<math::CosOp>([](auto) { return LaneOpcode::CosF; })
      .Case<math::PowFOp>([](auto) { return LaneOpcode::PowF; })
      .Default([](Operation *) { return std::nullopt; });
}

/// Integer operations on narrow types that may leave the type's range.
static bool mayLeaveRange(LaneOpcode opcode) {
  switch (opcode) {
  case LaneOpcode::AddI:
  case LaneOpcode::SubI:
  case LaneOpcode::MulI:
  case LaneOpcode::ShlI:
  case LaneOpcode::ShrUI:
  case LaneOpcode::DivSI:
    return true;
  default:
    return false;
  }
}

FailureOr<unsigned> LaneProgramBuilder::translate(Operation *def) {
  if (auto requant = translateRequant(def))
    return *requant;
  Type type = def->getResult(0).getType();
  if (auto opcode = directOpcode(def)) {
    if (isa<IntegerType>(type) && type.getIntOrFloatBitWidth() > 32)
      return op.emitOpError("expected integers of at most 32 bits in a lane "
                            "program, got ")
             << type << " in " << def->getName();
    FailureOr<unsigned> value =
        *opcode == LaneOpcode::ShrUI && type.getIntOrFloatBitWidth() < 32
            ? emitNarrowShift(def)
            : emitSources(*opcode, def->getOperands());
    if (failed(value))
      return failure();
    if (isa<FloatType>(type) && !isa<arith::SelectOp>(def))
      return narrowFloat(value, type);
    return mayLeaveRange(*opcode) ? narrowInt(*value, type) : *value;
  }
  if (auto rescale = dyn_cast<RescaleOp>(def))
    return emitSources(LaneOpcode::Rescale, def->getOperands(),
                       unsigned(rescale.getRounding()));
  if (isa<arith::CmpIOp, arith::CmpFOp>(def))
    return translateCompare(def);
  if (isa<math::AbsIOp>(def)) {
    FailureOr<unsigned> value = valueOf(def->getOperand(0));
    if (failed(value))
      return failure();
    unsigned negated = emit(LaneOpcode::SubI, {constant(0), *value});
    return emit(LaneOpcode::MaxSI, {*value, negated});
  }
  if (isa<arith::MaxNumFOp>(def))
    return translateMinMaxNum(def, LaneOpcode::MaxF);
  if (isa<arith::MinNumFOp>(def))
    return translateMinMaxNum(def, LaneOpcode::MinF);
  return translateCast(def);
}

/// Zeros come in from above the type's own sign bit.
FailureOr<unsigned> LaneProgramBuilder::emitNarrowShift(Operation *def) {
  FailureOr<unsigned> value = valueOf(def->getOperand(0));
  FailureOr<unsigned> amount = valueOf(def->getOperand(1));
  if (failed(value) || failed(amount))
    return failure();
  return emit(LaneOpcode::ShrUI,
              {zeroExtend(*value, def->getOperand(0)), *amount});
}

FailureOr<unsigned> LaneProgramBuilder::translateCompare(Operation *def) {
  if (auto compare = dyn_cast<arith::CmpIOp>(def))
    return emitSources(LaneOpcode::CmpI, def->getOperands(),
                       unsigned(compare.getPredicate()));
  auto compare = cast<arith::CmpFOp>(def);
  return emitSources(LaneOpcode::CmpF, def->getOperands(),
                     unsigned(compare.getPredicate()));
}

/// maxnumf/minnumf give the other operand for a NaN.
FailureOr<unsigned> LaneProgramBuilder::translateMinMaxNum(Operation *def,
                                                           LaneOpcode opcode) {
  FailureOr<unsigned> a = valueOf(def->getOperand(0));
  FailureOr<unsigned> b = valueOf(def->getOperand(1));
  if (failed(a) || failed(b))
    return failure();
  unsigned result = emit(opcode, {*a, *b});
  for (unsigned i = 0; i < 2; ++i) {
    Attribute attribute;
    bool isConstant = matchPattern(def->getOperand(i), m_Constant(&attribute));
    if (isConstant && !cast<FloatAttr>(attribute).getValue().isNaN())
      continue;
    unsigned self = i == 0 ? *a : *b, other = i == 0 ? *b : *a;
    unsigned isNan = emit(LaneOpcode::CmpF, {self, self},
                          unsigned(arith::CmpFPredicate::UNO));
    result = emit(LaneOpcode::Select, {isNan, other, result});
  }
  return result;
}

unsigned LaneProgramBuilder::zeroExtend(unsigned value, Value source) {
  // Registers hold narrow integers with their sign, booleans as 0 or 1.
  Type type = source.getType();
  if (type.isInteger(1))
    return value;
  uint32_t mask = (uint64_t(1) << type.getIntOrFloatBitWidth()) - 1;
  return emit(LaneOpcode::AndI, {value, constant(mask)});
}

FailureOr<unsigned> LaneProgramBuilder::translateCast(Operation *def) {
  if (def->getNumOperands() != 1 || def->getNumResults() != 1)
    return def->emitOpError("expected an operation of the vector unit; see "
                            "runtime/isa/LaneOps.def for what it has");
  Value source = def->getOperand(0);
  Type from = source.getType(), to = def->getResult(0).getType();
  FailureOr<unsigned> value = valueOf(source);
  if (failed(value))
    return failure();
  if (isa<arith::ExtSIOp>(def)) {
    if (from.isInteger(1))
      return emit(LaneOpcode::SubI, {constant(0), *value});
    return *value;
  }
  if (isa<arith::ExtUIOp>(def))
    return zeroExtend(*value, source);
  if (isa<arith::TruncIOp>(def)) {
    // A store keeps the low bits; anything else needs the sign back.
    bool onlyStored = llvm::all_of(
        def->getUsers(), [](Operation *user) { return isa<YieldOp>(user); });
    return onlyStored && !to.isInteger(1) ? *value : narrowInt(*value, to);
  }
  if (isa<arith::ExtFOp>(def))
    return *value;
  if (isa<arith::TruncFOp>(def)) {
    bool onlyStored = llvm::all_of(
        def->getUsers(), [](Operation *user) { return isa<YieldOp>(user); });
    return onlyStored ? value : narrowFloat(value, to);
  }
  if (isa<arith::SIToFPOp>(def) || isa<arith::UIToFPOp>(def)) {
    if (isa<arith::UIToFPOp>(def) && from.getIntOrFloatBitWidth() == 32)
      return def->emitOpError("expected unsigned integers of less than 32 "
                              "bits; the machine converts int32 only");
    if (isa<arith::UIToFPOp>(def))
      value = zeroExtend(*value, source);
    else if (from.isInteger(1))
      value = emit(LaneOpcode::SubI, {constant(0), *value});
    return narrowFloat(emit(LaneOpcode::SIToFP, {*value}), to);
  }
  if (isa<arith::FPToSIOp>(def) || isa<arith::FPToUIOp>(def)) {
    unsigned integer = emit(LaneOpcode::FPToSI, {*value});
    return to.isInteger(32) ? integer : narrowInt(integer, to);
  }
  if (isa<arith::BitcastOp>(def) && from.getIntOrFloatBitWidth() == 32)
    return *value;
  return def->emitOpError("expected an operation of the vector unit; see "
                          "runtime/isa/LaneOps.def for what it has");
}

//===----------------------------------------------------------------------===//
// Requantisation
//===----------------------------------------------------------------------===//

/// The value of an integer constant that fits 16 bits.
static std::optional<int64_t> smallConstant(Value value) {
  APInt number;
  if (!matchPattern(value, m_ConstantInt(&number)) ||
      number.getSignificantBits() > 16)
    return std::nullopt;
  return number.getSExtValue();
}

/// clamp(rescale(a, b, c) + zero, lo, hi), in whichever order the bounds stand,
/// is one operation. None when `def` is not its last operation.
std::optional<FailureOr<unsigned>>
LaneProgramBuilder::translateRequant(Operation *def) {
  std::optional<int64_t> lo, hi;
  int64_t zero = 0;
  Value inner = def->getResult(0);
  // Peel the two bounds, the outer one from `def` itself.
  for (unsigned i = 0; i < 2; ++i) {
    Operation *bound = inner.getDefiningOp();
    if (!bound || !isa<arith::MaxSIOp, arith::MinSIOp>(bound) ||
        (i == 1 && !bound->hasOneUse()))
      return std::nullopt;
    auto limit = smallConstant(bound->getOperand(1));
    auto &side = isa<arith::MaxSIOp>(bound) ? lo : hi;
    if (!limit || side)
      return std::nullopt;
    side = limit;
    inner = bound->getOperand(0);
  }
  if (*lo > *hi || !inner.hasOneUse())
    return std::nullopt;
  if (auto add = inner.getDefiningOp<arith::AddIOp>()) {
    auto constantZero = smallConstant(add.getRhs());
    if (!constantZero)
      return std::nullopt;
    zero = *constantZero;
    inner = add.getLhs();
  }
  auto rescale = inner.getDefiningOp<RescaleOp>();
  if (!rescale || !rescale->hasOneUse())
    return std::nullopt;
  return emitSources(LaneOpcode::Requant, rescale->getOperands(),
                     machine::packRequant(
                         ::asic::RoundingMode(unsigned(rescale.getRounding())),
                         zero, *lo, *hi));
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// The reduction whose step `def` is.
static std::optional<LaneOpcode> reductionOpcode(Operation *def) {
  return llvm::TypeSwitch<Operation *, std::optional<LaneOpcode>>(def)
      .Case<arith::AddIOp>([](auto) { return LaneOpcode::RedAddI; })
      .Case<arith::MulIOp>([](auto) { return LaneOpcode::RedMulI; })
      .Case<arith::MinSIOp>([](auto) { return LaneOpcode::RedMinSI; })
      .Case<arith::MaxSIOp>([](auto) { return LaneOpcode::RedMaxSI; })
      .Case<arith::AndIOp>([](auto) { return LaneOpcode::RedAndI; })
      .Case<arith::OrIOp>([](auto) { return LaneOpcode::RedOrI; })
      .Case<arith::AddFOp>([](auto) { return LaneOpcode::RedAddF; })
      .Case<arith::MulFOp>([](auto) { return LaneOpcode::RedMulF; })
      .Case<arith::MinimumFOp>([](auto) { return LaneOpcode::RedMinF; })
      .Case<arith::MaximumFOp>([](auto) { return LaneOpcode::RedMaxF; })
      .Default([](Operation *) { return std::nullopt; });
}

FailureOr<uint64_t> LaneProgramBuilder::initialBits() {
  FailureOr<uint32_t> bits = registerBits(op.getInitAttr());
  if (failed(bits))
    return op.emitOpError("expected an initial value of 32 bits, got ")
           << op.getInitAttr();
  return uint64_t(*bits);
}

FailureOr<unsigned> LaneProgramBuilder::translateReduction(Value yielded) {
  BlockArgument accumulator = op.getBody().getArgument(numInputs);
  Operation *step = yielded.getDefiningOp();
  auto opcode = step ? reductionOpcode(step) : std::nullopt;
  bool first = opcode && step->getOperand(0) == accumulator;
  if (!opcode || (!first && step->getOperand(1) != accumulator) ||
      !accumulator.hasOneUse())
    return op.emitOpError("expected the body to yield add, mul, min, max, and "
                          "or or of the accumulator and a value");
  FailureOr<uint64_t> init = initialBits();
  if (failed(init))
    return failure();
  Value term = step->getOperand(first ? 1 : 0);
  // int32 products are accumulated in one operation; float ones would round
  // differently.
  if (auto product = term.getDefiningOp<arith::MulIOp>())
    if (opcode == LaneOpcode::RedAddI && term.hasOneUse())
      return emitSources(LaneOpcode::RedMacI, product->getOperands(), *init);
  return emitSources(*opcode, term, *init);
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// Linear scan over the straight-line program. A value's register is free again
/// after its last use; results take the lowest free one, a reduction the
/// highest that nothing else uses, as it must stay alone there.
FailureOr<LaneProgram> LaneProgramBuilder::assignRegisters(unsigned result) {
  LaneProgram program;
  program.inMask = inMask;
  DenseMap<unsigned, size_t> lastUse;
  for (auto [index, step] : llvm::enumerate(ops))
    for (unsigned source : step.sources)
      lastUse[source] = index;
  lastUse[result] = ops.size();

  std::array<bool, machine::laneRegisters> taken = {};
  DenseMap<unsigned, unsigned> registers;
  for (unsigned i = 0; i < 7; ++i)
    if (inMask >> i & 1) {
      registers[i] = i;
      taken[i] = true;
    }
  for (auto [index, step] : llvm::enumerate(ops)) {
    LaneOp lane;
    lane.opcode = step.opcode;
    lane.imm = step.imm;
    uint8_t *fields[] = {&lane.a, &lane.b, &lane.c};
    for (auto [i, source] : llvm::enumerate(step.sources))
      *fields[i] = registers.lookup(source);
    for (unsigned source : step.sources)
      if (source >= 7 && lastUse.lookup(source) == index)
        taken[registers.lookup(source)] = false;
    auto *free = llvm::find(taken, false);
    if (lane.info().isReduction)
      free = taken.end() - 1;
    if (free == taken.end() || *free)
      return op.emitOpError("expected at most ")
             << machine::laneRegisters
             << " live values in the body, got more; split the map";
    lane.dst = free - taken.begin();
    if (lastUse.count(step.dst)) {
      *free = true;
      registers[step.dst] = lane.dst;
    }
    program.body.push_back(lane);
  }
  program.out = registers.lookup(result);
  if (llvm::Error error = machine::verify(program))
    return op.emitOpError(llvm::toString(std::move(error)))
           << "; split the map";
  return program;
}

FailureOr<LaneProgram> LaneProgramBuilder::build() {
  if (failed(checkStreams()))
    return failure();
  auto yield = cast<YieldOp>(op.getBody().front().back());
  FailureOr<unsigned> result = op.getNumReductions() > 0
                                   ? translateReduction(yield.getValue())
                                   : valueOf(yield.getValue());
  if (failed(result))
    return failure();
  return assignRegisters(*result);
}

FailureOr<LaneProgram> mlir::asic::buildLaneProgram(MapOp op) {
  return LaneProgramBuilder(op).build();
}
