// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The isa dialect: programs, lane programs and one op per machine instruction.
#ifndef ASIC_DIALECTS_ISA_ISA_H
#define ASIC_DIALECTS_ISA_ISA_H

#include "runtime/LaneProgram.h"
#include "runtime/isa/Instruction.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"

#include "dialects/Isa/IsaDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/Isa/IsaOps.h.inc"

namespace mlir::asicisa {

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

/// Parses everything behind the mnemonic of an instruction op.
ParseResult parseInstruction(::asic::isa::Opcode opcode, OpAsmParser &parser,
                             OperationState &state);
/// Prints everything behind the mnemonic of an instruction op.
void printInstruction(::asic::isa::Opcode opcode, Operation *op,
                      OpAsmPrinter &printer);
/// Checks the attributes of an instruction op against the table.
LogicalResult verifyInstruction(::asic::isa::Opcode opcode, Operation *op);

/// Names of the attributes that an instruction op may have.
ArrayRef<StringRef> instructionAttrNames();

/// What the op of every instruction shares. An instruction op has no operands
/// and no results; what it does is in its attributes.
template <typename ConcreteOp, ::asic::isa::Opcode number>
class InstructionOp
    : public Op<ConcreteOp, OpTrait::ZeroRegions, OpTrait::ZeroResults,
                OpTrait::ZeroSuccessors, OpTrait::ZeroOperands,
                OpTrait::HasParent<ProgramOp>::template Impl> {
public:
  using Op<ConcreteOp, OpTrait::ZeroRegions, OpTrait::ZeroResults,
           OpTrait::ZeroSuccessors, OpTrait::ZeroOperands,
           OpTrait::HasParent<ProgramOp>::template Impl>::Op;

  static constexpr ::asic::isa::Opcode opcode = number;
  static ArrayRef<StringRef> getAttributeNames() {
    return instructionAttrNames();
  }
  static ParseResult parse(OpAsmParser &parser, OperationState &state) {
    return parseInstruction(number, parser, state);
  }
  void print(OpAsmPrinter &printer) {
    printInstruction(number, this->getOperation(), printer);
  }
  LogicalResult verify() {
    return verifyInstruction(number, this->getOperation());
  }
};

#define INSTRUCTION(Name, mnemonic, opcode, engine, summary)                   \
  class Name##Op : public InstructionOp<Name##Op, ::asic::isa::Opcode::Name> { \
  public:                                                                      \
    using InstructionOp::InstructionOp;                                        \
    static constexpr StringLiteral getOperationName() {                        \
      return StringLiteral("isa." #mnemonic);                                  \
    }                                                                          \
  };
#include "runtime/isa/Instructions.def"

/// The instruction that an instruction op stands for, none for another op. The
/// op must have been verified.
std::optional<::asic::isa::Instruction> getInstruction(Operation *op);

/// Creates the op of `instruction`.
Operation *createInstruction(OpBuilder &builder, Location loc,
                             const ::asic::isa::Instruction &instruction);

//===----------------------------------------------------------------------===//
// Lane programs
//===----------------------------------------------------------------------===//

/// The lane program that an op stands for.
::asic::isa::LaneProgram getLaneProgram(LaneProgramOp op);

/// Creates the op of `program`.
LaneProgramOp createLaneProgram(OpBuilder &builder, Location loc,
                                unsigned index,
                                const ::asic::isa::LaneProgram &program);

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

/// The machine's number for a builtin type; `unsignedInteger` selects u8 and
/// u4.
std::optional<::asic::ElementType> getElementType(Type type);
/// The builtin type of a machine type, null when there is none.
Type getBuiltinType(MLIRContext *context, ::asic::ElementType type);

} // namespace mlir::asicisa

#define ISA_DECLARE_TYPE_ID(Name)                                              \
  MLIR_DECLARE_EXPLICIT_TYPE_ID(::mlir::asicisa::Name##Op)
#define INSTRUCTION(Name, mnemonic, opcode, engine, summary)                   \
  ISA_DECLARE_TYPE_ID(Name)
#include "runtime/isa/Instructions.def"
#undef ISA_DECLARE_TYPE_ID

#endif // ASIC_DIALECTS_ISA_ISA_H
