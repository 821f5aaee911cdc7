// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration of the isa dialect; programs, constants and io records.
#include "dialects/Isa/Isa.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace mlir::asicisa;

#include "dialects/Isa/IsaDialect.cpp.inc"

void IsaDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Isa/IsaOps.cpp.inc"
      >();
  registerInstructions();
}

#define GET_OP_CLASSES
#include "dialects/Isa/IsaOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

std::optional<::asic::ElementType> asicisa::getElementType(Type type) {
  using ::asic::ElementType;
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return ElementType::U8;
    case 4:
      return isUnsigned ? ElementType::U4 : ElementType::I4;
    case 8:
      return isUnsigned ? ElementType::U8 : ElementType::I8;
    case 16:
      return ElementType::I16;
    case 32:
      return ElementType::I32;
    }
    return std::nullopt;
  }
  if (isa<Float32Type>(type))
    return ElementType::F32;
  if (isa<BFloat16Type>(type))
    return ElementType::BF16;
  if (isa<Float16Type>(type))
    return ElementType::F16;
  if (isa<Float8E4M3FNType>(type))
    return ElementType::E4M3;
  if (isa<Float8E5M2Type>(type))
    return ElementType::E5M2;
  if (isa<Float4E2M1FNType>(type))
    return ElementType::E2M1;
  if (isa<Float6E3M2FNType>(type))
    return ElementType::E3M2;
  if (isa<Float6E2M3FNType>(type))
    return ElementType::E2M3;
  if (isa<Float8E8M0FNUType>(type))
    return ElementType::E8M0;
  return std::nullopt;
}

Type asicisa::getBuiltinType(MLIRContext *context, ::asic::ElementType type) {
  using ::asic::ElementType;
  switch (type) {
  case ElementType::I4:
    return IntegerType::get(context, 4);
  case ElementType::U4:
    return IntegerType::get(context, 4, IntegerType::Unsigned);
  case ElementType::I8:
    return IntegerType::get(context, 8);
  case ElementType::U8:
    return IntegerType::get(context, 8, IntegerType::Unsigned);
  case ElementType::I16:
    return IntegerType::get(context, 16);
  case ElementType::I32:
    return IntegerType::get(context, 32);
  case ElementType::BF16:
    return BFloat16Type::get(context);
  case ElementType::F16:
    return Float16Type::get(context);
  case ElementType::F32:
    return Float32Type::get(context);
  case ElementType::E4M3:
    return Float8E4M3FNType::get(context);
  case ElementType::E5M2:
    return Float8E5M2Type::get(context);
  case ElementType::E2M1:
    return Float4E2M1FNType::get(context);
  case ElementType::E3M2:
    return Float6E3M2FNType::get(context);
  case ElementType::E2M3:
    return Float6E2M3FNType::get(context);
  case ElementType::E8M0:
    return Float8E8M0FNUType::get(context);
  case ElementType::None:
  case ElementType::CF8_143:
  case ElementType::CF8_152:
    return Type();
  }
  return Type();
}

//===----------------------------------------------------------------------===//
// Program, io, constant
//===----------------------------------------------------------------------===//

LogicalResult ProgramOp::verifyRegions() {
  int64_t lanePrograms = 0;
  for (Operation &op : getBody().front()) {
    if (op.getDialect() != (*this)->getDialect())
      return op.emitOpError("expected only ops of the isa dialect in a "
                            "program");
    auto lane = dyn_cast<LaneProgramOp>(op);
    if (lane && lane.getIndex() != uint64_t(lanePrograms++))
      return lane.emitOpError("expected lane program ")
             << lanePrograms - 1 << ", got " << lane.getIndex()
             << "; number them in order";
    auto map = dyn_cast<MapOp>(op);
    if (!map)
      continue;
    int64_t program =
        getInstruction(map)->get(::asic::isa::FieldId::Map_program);
    if (program >= lanePrograms)
      return map.emitOpError("expected a lane program below ")
             << lanePrograms << ", got " << program;
  }
  return success();
}

LogicalResult IoOp::verify() {
  if (getShape().size() != getStrides().size())
    return emitOpError("expected one stride per dimension (")
           << getShape().size() << "), got " << getStrides().size();
  if (!getElementType(getDeviceType()))
    return emitOpError("expected an element type of the machine, got ")
           << getDeviceType();
  return success();
}

LogicalResult ConstantOp::verify() {
  Type type = getValue().getShapedType().getElementType();
  if (!getElementType(type))
    return emitOpError("expected an element type of the machine, got ") << type;
  if (getPacked() && !type.isInteger(8))
    return emitOpError("expected 8-bit elements to pack, got ") << type;
  return success();
}
