// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rules of a legal encoding that need no target.

#include "runtime/isa/Instruction.h"
#include "runtime/isa/Support.h"

#include "llvm/ADT/StringExtras.h"

using namespace asic;
using namespace asic::isa;
using llvm::Error;
using llvm::Twine;

static Error fail(const Instruction &instruction, const Twine &message) {
  return makeError(Twine(instruction.info().mnemonic) + ": " + message);
}

/// True when streams and operands may have this type: whole bytes, not a scale.
static bool isByteType(int64_t number) {
  auto type = elementTypeFromNumber(unsigned(number));
  return type && *type != ElementType::None && !isSubByteType(*type) &&
         *type != ElementType::E8M0;
}

static Error verifyFields(const Instruction &instruction) {
  llvm::ArrayRef<FieldInfo> fields = instruction.info().fields;
  for (unsigned i = 0; i < fields.size(); ++i) {
    int64_t value = instruction.getAt(i);
    if (value < fields[i].min() || value > fields[i].max())
      return fail(instruction, Twine("expected ") + fields[i].name + " in [" +
                                   llvm::itostr(fields[i].min()) + ", " +
                                   llvm::itostr(fields[i].max()) + "], got " +
                                   llvm::itostr(value));
  }
  return Error::success();
}

static Error verifySync(const Instruction &instruction,
                        llvm::ArrayRef<Sync> slots, const char *kind) {
  uint64_t seen = 0;
  for (const Sync &slot : slots) {
    if (!slot.valid) {
      if (slot.semaphore || slot.count)
        return fail(instruction,
                    Twine("expected an unused ") + kind + " slot to be zero");
      continue;
    }
    if (slot.semaphore >= numSemaphores || slot.count == 0 ||
        slot.count > maxSyncCount)
      return fail(instruction,
                  Twine("expected a ") + kind +
                      " of semaphore 0..63 and count 1..511, got (" +
                      Twine(unsigned(slot.semaphore)) + ", " +
                      Twine(unsigned(slot.count)) + ")");
    if (seen >> slot.semaphore & 1)
      return fail(instruction, Twine("expected one ") + kind +
                                   " per semaphore, got two of semaphore " +
                                   Twine(unsigned(slot.semaphore)) +
                                   "; add their counts");
    seen |= uint64_t(1) << slot.semaphore;
  }
  return Error::success();
}

static Error verifyCopy(const Instruction &copy) {
  int64_t packed = copy.get(Copy_packed_type);
  if (packed && packed != int64_t(ElementType::I4) &&
      packed != int64_t(ElementType::U4))
    return fail(copy, "expected packed_type i4, u4 or none, got type number " +
                          Twine(packed));
  for (FieldId field : {Copy_src_space, Copy_dst_space})
    if (copy.get(field) > int64_t(Space::Sram))
      return fail(copy, "expected spaces dram (0) or sram (1), got " +
                            Twine(copy.get(field)));
  if (copy.get(Copy_index_n))
    return Error::success();
  for (FieldId field :
       {Copy_index_addr, Copy_index_src_s, Copy_index_dst_s, Copy_index_s})
    if (copy.get(field))
      return fail(copy, "expected index_addr, index_src_s, index_dst_s and "
                        "index_s to be zero without index_n, got " +
                            Twine(copy.get(field)));
  return Error::success();
}

static Error verifyFill(const Instruction &fill) {
  if (fill.get(Fill_dst_space) > int64_t(Space::Sram))
    return fail(fill, "expected dst_space dram (0) or sram (1), got " +
                          Twine(fill.get(Fill_dst_space)));
  int64_t bytes = fill.get(Fill_elem_bytes);
  if (bytes != 1 && bytes != 2 && bytes != 4)
    return fail(fill, "expected elem_bytes 1, 2 or 4, got " + Twine(bytes));
  return Error::success();
}

/// A zero point must be a value of its integer type, and 0 for floats.
static Error verifyZero(const Instruction &contract, int64_t type, int64_t zero,
                        const char *name) {
  int64_t lo = 0, hi = 0;
  switch (ElementType(type)) {
  case ElementType::I8:
    lo = -128, hi = 127;
    break;
  case ElementType::U8:
    hi = 255;
    break;
  case ElementType::I16:
    lo = -32768, hi = 32767;
    break;
  default:
    break;
  }
  if (zero < lo || zero > hi)
    return fail(contract, Twine("expected ") + name + " in [" + Twine(lo) +
                              ", " + Twine(hi) + "], got " + Twine(zero));
  return Error::success();
}

static Error verifyContract(const Instruction &contract) {
  int64_t a = contract.get(Contract_a_type), w = contract.get(Contract_w_type),
          acc = contract.get(Contract_acc_type);
  for (int64_t type : {a, w})
    if (!isByteType(type) || ElementType(type) == ElementType::I32)
      return fail(contract, "expected operand types of 8 or 16 bits or f32, "
                            "got type number " +
                                Twine(type));
  bool floats = isFloatType(ElementType(a));
  bool mixed = floats && ElementType(w) == ElementType::I8;
  if (floats != isFloatType(ElementType(w)) && !mixed)
    return fail(contract, "expected two integer or two float operand types, or "
                          "a float a_type and w_type i8");
  ElementType wanted = floats ? ElementType::F32 : ElementType::I32;
  if (acc != int64_t(wanted))
    return fail(contract, "expected acc_type " + elementTypeName(wanted) +
                              ", got type number " + Twine(acc));
  if (contract.get(Contract_accumulate) && contract.get(Contract_has_bias))
    return fail(contract, "expected accumulate or has_bias, got both");
  constexpr int64_t maxWindow = int64_t(1) << 22;
  if (contract.get(Contract_has_bounds) &&
      (contract.get(Contract_m0) * contract.get(Contract_k1) > maxWindow ||
       contract.get(Contract_m1) * contract.get(Contract_k2) > maxWindow))
    return fail(contract, "expected m0*k1 and m1*k2 of at most 2^22 with "
                          "has_bounds");
  if (contract.get(Contract_contract_flags))
    return fail(contract, "expected contract_flags to be zero");
  if (Error error =
          verifyZero(contract, a, contract.get(Contract_a_zero), "a_zero"))
    return error;
  if (mixed && contract.get(Contract_w_zero))
    return fail(contract, "expected w_zero 0 with floats, got " +
                              Twine(contract.get(Contract_w_zero)));
  return verifyZero(contract, w, contract.get(Contract_w_zero), "w_zero");
}

static Error verifyMap(const Instruction &map) {
  if (map.get(Map_map_flags))
    return fail(map, "expected map_flags to be zero");
  for (unsigned stream = 0; stream < mapStreams; ++stream) {
    unsigned base = Map_s0_type + stream * mapStreamFields;
    int64_t type = map.get(base), space = map.get(base + 1);
    if (type == 0) {
      if (stream == mapStreams - 1)
        return fail(map, "expected an output stream s7");
      for (unsigned i = 1; i < mapStreamFields; ++i)
        if (map.get(base + i))
          return fail(map, "expected every field of absent stream " +
                               Twine(stream) + " to be zero");
      continue;
    }
    if (!isByteType(type))
      return fail(map, "expected a byte-sized type for stream " +
                           Twine(stream) + ", got type number " + Twine(type));
    if (space != int64_t(Space::Sram) && space != int64_t(Space::Acc))
      return fail(map, "expected space sram (1) or acc (2) for stream " +
                           Twine(stream) + ", got " + Twine(space));
    if (space == int64_t(Space::Acc) && ElementType(type) != ElementType::I32 &&
        ElementType(type) != ElementType::F32)
      return fail(map, "expected type i32 or f32 in acc for stream " +
                           Twine(stream));
  }
  for (unsigned d = 0; d < 5; ++d)
    if ((map.get(Map_reduce) >> d & 1) && map.get(Map_s7_d0 + d))
      return fail(map, "expected output stride 0 on reduction dimension " +
                           Twine(d) + ", got " + Twine(map.get(Map_s7_d0 + d)));
  return Error::success();
}

/// Index spaces stay far below 2^63 points, so that counting them is safe.
static Error verifyPoints(const Instruction &instruction,
                          llvm::ArrayRef<unsigned> counts) {
  constexpr double limit = 0x1p48;
  double points = 1;
  for (unsigned count : counts)
    if (instruction.get(count) == 0)
      return Error::success();
    else
      points *= double(instruction.get(count));
  if (points > limit)
    return fail(instruction, "expected an index space of at most 2^48 points");
  return Error::success();
}

static Error verifyIndexSpace(const Instruction &instruction) {
  switch (instruction.opcode) {
  case Opcode::Copy:
    // What any index may move is one space.
    if (instruction.get(Copy_index_n))
      return verifyPoints(instruction, {Copy_run_bytes, Copy_n0, Copy_n1,
                                        Copy_n2, Copy_n3, Copy_index_n});
    return verifyPoints(instruction,
                        {Copy_run_bytes, Copy_n0, Copy_n1, Copy_n2, Copy_n3});
  case Opcode::Fill:
    return verifyPoints(instruction,
                        {Fill_run, Fill_n0, Fill_n1, Fill_n2, Fill_n3});
  case Opcode::Contract:
    return verifyPoints(instruction,
                        {Contract_m0, Contract_m1, Contract_m2, Contract_k0,
                         Contract_k1, Contract_k2, Contract_n});
  case Opcode::Map:
    return verifyPoints(instruction, {Map_n0, Map_n1, Map_n2, Map_n3, Map_n4});
  case Opcode::Nop:
  case Opcode::Halt:
  case Opcode::Fence:
    break;
  }
  return Error::success();
}

bool asic::isa::readsIndex(const Instruction &instruction) {
  if (instruction.opcode != Opcode::Copy || !instruction.get(Copy_index_n))
    return false;
  for (FieldId count : {Copy_run_bytes, Copy_n0, Copy_n1, Copy_n2, Copy_n3})
    if (!instruction.get(count))
      return false;
  return true;
}

int64_t asic::isa::numIndices(const Instruction &instruction) {
  if (!readsIndex(instruction))
    return 0;
  return instruction.get(Copy_index_s) ? instruction.get(Copy_n3) : 1;
}

int64_t asic::isa::sourceRunBytes(const Instruction &copy) {
  int64_t run = copy.get(Copy_run_bytes);
  return copy.get(Copy_packed_type) ? (run + 1) / 2 : run;
}

Error asic::isa::verify(const Instruction &instruction) {
  const OpcodeInfo *info = lookupOpcode(unsigned(instruction.opcode));
  if (!info)
    return makeError("expected an assigned opcode, got " +
                     Twine(unsigned(instruction.opcode)));
  if (!mayRunOn(info->engineClass, instruction.engine))
    return fail(instruction, "expected an engine that runs this opcode, got " +
                                 engineName(instruction.engine));
  if (instruction.flags)
    return fail(instruction,
                "expected flags to be zero, got " + Twine(instruction.flags));
  if (Error error = verifySync(instruction, instruction.waits, "wait"))
    return error;
  if (Error error = verifySync(instruction, instruction.posts, "post"))
    return error;
  if (instruction.engine == ctrl)
    for (const Sync &post : instruction.posts)
      if (post.valid)
        return fail(instruction, "expected no post on engine ctrl");
  if (Error error = verifyFields(instruction))
    return error;
  if (Error error = verifyIndexSpace(instruction))
    return error;
  switch (instruction.opcode) {
  case Opcode::Copy:
    return verifyCopy(instruction);
  case Opcode::Fill:
    return verifyFill(instruction);
  case Opcode::Contract:
    return verifyContract(instruction);
  case Opcode::Map:
    return verifyMap(instruction);
  case Opcode::Nop:
  case Opcode::Halt:
  case Opcode::Fence:
    break;
  }
  return Error::success();
}
