// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/Accesses.h"

#include "llvm/ADT/StringExtras.h"

using namespace asic;
using namespace asic::emulator;
using namespace asic::isa;

static constexpr const char *kStreamNames[] = {"s0", "s1", "s2", "s3",
                                               "s4", "s5", "s6", "s7"};

/// Adds a finished, non-empty footprint.
static void add(Accesses &accesses, Footprint footprint, bool isWrite,
                ElementType type, const char *operand) {
  footprint.finish();
  if (!footprint.empty())
    accesses.push_back({std::move(footprint), isWrite, type, operand});
}

/// One side of a copy or fill; the fields of its `dims` dimensions start at
/// `n0` and `s0`.
static Footprint block(const Instruction &instruction, Space space,
                       int64_t address, int64_t run, unsigned n0, unsigned s0,
                       unsigned dims = 4) {
  Footprint footprint(space, address, run);
  for (unsigned d = 0; d < dims; ++d)
    footprint.addDim(instruction.get(n0 + d), instruction.get(s0 + d));
  return footprint;
}

/// What a copy moves at index 0.
static Footprint copySource(const Instruction &copy) {
  return block(copy, Space(copy.get(Copy_src_space)), copy.get(Copy_src_addr),
               sourceRunBytes(copy), Copy_n0, Copy_src_s0);
}
static Footprint copyTarget(const Instruction &copy, unsigned dims = 4) {
  return block(copy, Space(copy.get(Copy_dst_space)), copy.get(Copy_dst_addr),
               copy.get(Copy_run_bytes), Copy_n0, Copy_dst_s0, dims);
}

static void copyAccesses(const Instruction &copy, Accesses &accesses) {
  Footprint src = copySource(copy), dst = copyTarget(copy);
  if (readsIndex(copy)) {
    src.addDim(copy.get(Copy_index_n), copy.get(Copy_index_src_s));
    dst.addDim(copy.get(Copy_index_n), copy.get(Copy_index_dst_s));
    Footprint indices(Space::Sram, copy.get(Copy_index_addr), 4);
    indices.addDim(numIndices(copy), copy.get(Copy_index_s));
    add(accesses, std::move(indices), /*isWrite=*/false, ElementType::I32,
        "index");
  }
  add(accesses, std::move(src), /*isWrite=*/false, ElementType::None, "src");
  add(accesses, std::move(dst), /*isWrite=*/true, ElementType::None, "dst");
}

static void fillAccesses(const Instruction &fill, Accesses &accesses) {
  add(accesses,
      block(fill, Space(fill.get(Fill_dst_space)), fill.get(Fill_dst_addr),
            fill.get(Fill_run) * fill.get(Fill_elem_bytes), Fill_n0,
            Fill_dst_s0),
      /*isWrite=*/true, ElementType::None, "dst");
}

/// Offsets i * iStride + j * jStride of the pairs whose coordinate
/// first + i * iStep + j * jStep lies in [0, limit).
static std::vector<int64_t> insideOffsets(int64_t iCount, int64_t jCount,
                                          int64_t first, int64_t iStep,
                                          int64_t jStep, int64_t limit,
                                          int64_t iStride, int64_t jStride) {
  std::vector<int64_t> offsets;
  for (int64_t j = 0; j < jCount; ++j)
    for (int64_t i = 0; i < iCount; ++i) {
      int64_t at = first + i * iStep + j * jStep;
      if (at >= 0 && at < limit)
        offsets.push_back(i * iStride + j * jStride);
    }
  return offsets;
}

static void contractAccesses(const Instruction &inst, Accesses &accesses) {
  auto get = [&](FieldId id) { return inst.get(id); };
  auto aType = ElementType(get(Contract_a_type)),
       wType = ElementType(get(Contract_w_type)),
       accType = ElementType(get(Contract_acc_type));
  int64_t m0 = get(Contract_m0), m1 = get(Contract_m1), m2 = get(Contract_m2),
          k0 = get(Contract_k0), k1 = get(Contract_k1), k2 = get(Contract_k2),
          n = get(Contract_n);
  bool none = !m0 || !m1 || !m2 || !n;
  bool noSteps = none || !k0 || !k1 || !k2;

  Footprint a(Space::Sram, get(Contract_a_addr),
              noSteps ? 0 : bitWidth(aType) / 8);
  if (!get(Contract_has_bounds)) {
    a.addDim(m0, get(Contract_a_m0));
    a.addDim(m1, get(Contract_a_m1));
    a.addDim(k1, get(Contract_a_k1));
    a.addDim(k2, get(Contract_a_k2));
  } else if (!noSteps) {
    a.addOffsets(insideOffsets(m0, k1, get(Contract_x0), get(Contract_x_m0),
                               get(Contract_x_k1), get(Contract_w),
                               get(Contract_a_m0), get(Contract_a_k1)));
    a.addOffsets(insideOffsets(m1, k2, get(Contract_y0), get(Contract_y_m1),
                               get(Contract_y_k2), get(Contract_h),
                               get(Contract_a_m1), get(Contract_a_k2)));
  }
  a.addDim(m2, get(Contract_a_m2));
  a.addDim(k0, get(Contract_a_k0));
  a.addDim(n, get(Contract_a_n));
  bool touched = !a.empty();
  add(accesses, std::move(a), /*isWrite=*/false, aType, "a");

  // Weights are read at every step at which some point is inside. Reading
  // them all when any is keeps the rule simple.
  if (touched) {
    Footprint w(Space::Sram, get(Contract_w_addr), bitWidth(wType) / 8);
    w.addDim(m2, get(Contract_w_m2));
    w.addDim(k0, get(Contract_w_k0));
    w.addDim(k1, get(Contract_w_k1));
    w.addDim(k2, get(Contract_w_k2));
    w.addDim(n, get(Contract_w_n));
    add(accesses, std::move(w), /*isWrite=*/false, wType, "w");
  }
  if (get(Contract_has_bias))
    add(accesses,
        Footprint(Space::Sram, get(Contract_bias_addr), none ? 0 : 4 * n),
        /*isWrite=*/false, accType, "bias");

  Footprint acc(Space::Acc, get(Contract_acc_addr), none ? 0 : 4);
  acc.addDim(m0, get(Contract_acc_m0));
  acc.addDim(m1, get(Contract_acc_m1));
  acc.addDim(m2, get(Contract_acc_m2));
  acc.addDim(n, get(Contract_acc_n));
  if (get(Contract_accumulate))
    add(accesses, acc, /*isWrite=*/false, accType, "acc");
  add(accesses, std::move(acc), /*isWrite=*/true, accType, "acc");
}

static void mapAccesses(const Instruction &map, Accesses &accesses) {
  int64_t reduce = map.get(Map_reduce);
  bool nothing = false, noBody = false;
  for (unsigned d = 0; d < 5; ++d)
    if (map.get(Map_n0 + d) == 0)
      (reduce >> d & 1 ? noBody : nothing) = true;
  for (unsigned stream = 0; stream < mapStreams; ++stream) {
    unsigned base = Map_s0_type + stream * mapStreamFields;
    auto type = ElementType(map.get(base));
    bool isWrite = stream == mapStreams - 1;
    if (type == ElementType::None || nothing || (noBody && !isWrite))
      continue;
    Footprint footprint(Space(map.get(base + 1)), map.get(base + 2),
                        bitWidth(type) / 8);
    for (unsigned d = 0; d < 5; ++d)
      if (!isWrite || !(reduce >> d & 1))
        footprint.addDim(map.get(Map_n0 + d), map.get(base + 3 + d));
    add(accesses, std::move(footprint), isWrite, type, kStreamNames[stream]);
  }
}

Accesses asic::emulator::accessesOf(const Instruction &instruction) {
  Accesses accesses;
  switch (instruction.opcode) {
  case Opcode::Copy:
    copyAccesses(instruction, accesses);
    break;
  case Opcode::Fill:
    fillAccesses(instruction, accesses);
    break;
  case Opcode::Contract:
    contractAccesses(instruction, accesses);
    break;
  case Opcode::Map:
    mapAccesses(instruction, accesses);
    break;
  case Opcode::Nop:
  case Opcode::Halt:
  case Opcode::Fence:
    break;
  }
  return accesses;
}

//===-- Rules ----------------------------------------------------------===//

/// E03: the field must be a multiple of `bytes`.
static std::optional<Fault> checkAligned(const Instruction &instruction,
                                         unsigned field, int64_t bytes) {
  int64_t value = instruction.get(field);
  if (value % bytes == 0)
    return std::nullopt;
  const OpcodeInfo &info = instruction.info();
  return Fault(FaultKind::Misaligned,
               std::string("expected ") +
                   info.fields[field - info.firstField].name +
                   " to be a multiple of " + llvm::itostr(bytes) + ", got " +
                   llvm::itostr(value));
}

/// An address and its strides; a stride counts when its dimension does.
static std::optional<Fault>
checkOperand(const Instruction &instruction, unsigned address,
             llvm::ArrayRef<std::pair<unsigned, unsigned>> strides,
             int64_t bytes) {
  if (bytes <= 1)
    return std::nullopt;
  if (auto fault = checkAligned(instruction, address, bytes))
    return fault;
  for (auto [count, stride] : strides)
    if (instruction.get(count) > 1)
      if (auto fault = checkAligned(instruction, stride, bytes))
        return fault;
  return std::nullopt;
}

static std::optional<Fault> checkContract(const Instruction &inst) {
  auto bytes = [&](FieldId type) {
    return int64_t(bitWidth(ElementType(inst.get(type))) / 8);
  };
  if (auto fault = checkOperand(inst, Contract_a_addr,
                                {{Contract_m0, Contract_a_m0},
                                 {Contract_m1, Contract_a_m1},
                                 {Contract_m2, Contract_a_m2},
                                 {Contract_k0, Contract_a_k0},
                                 {Contract_k1, Contract_a_k1},
                                 {Contract_k2, Contract_a_k2},
                                 {Contract_n, Contract_a_n}},
                                bytes(Contract_a_type)))
    return fault;
  if (auto fault = checkOperand(inst, Contract_w_addr,
                                {{Contract_m2, Contract_w_m2},
                                 {Contract_k0, Contract_w_k0},
                                 {Contract_k1, Contract_w_k1},
                                 {Contract_k2, Contract_w_k2},
                                 {Contract_n, Contract_w_n}},
                                bytes(Contract_w_type)))
    return fault;
  if (inst.get(Contract_has_bias))
    if (auto fault = checkAligned(inst, Contract_bias_addr, 4))
      return fault;
  return checkOperand(inst, Contract_acc_addr,
                      {{Contract_m0, Contract_acc_m0},
                       {Contract_m1, Contract_acc_m1},
                       {Contract_m2, Contract_acc_m2},
                       {Contract_n, Contract_acc_n}},
                      4);
}

static std::optional<Fault> checkAlignment(const Instruction &inst) {
  switch (inst.opcode) {
  case Opcode::Copy:
    return readsIndex(inst) ? checkOperand(inst, Copy_index_addr,
                                           {{Copy_n3, Copy_index_s}}, 4)
                            : std::nullopt;
  case Opcode::Fill:
    return checkOperand(inst, Fill_dst_addr,
                        {{Fill_n0, Fill_dst_s0},
                         {Fill_n1, Fill_dst_s1},
                         {Fill_n2, Fill_dst_s2},
                         {Fill_n3, Fill_dst_s3}},
                        inst.get(Fill_elem_bytes));
  case Opcode::Contract:
    return checkContract(inst);
  case Opcode::Map:
    for (unsigned stream = 0; stream < mapStreams; ++stream) {
      unsigned base = Map_s0_type + stream * mapStreamFields;
      std::pair<unsigned, unsigned> strides[5];
      for (unsigned d = 0; d < 5; ++d)
        strides[d] = {Map_n0 + d, base + 3 + d};
      if (auto fault = checkOperand(inst, base + 2, strides,
                                    bitWidth(ElementType(inst.get(base))) / 8))
        return fault;
    }
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

/// E04; 128-bit bounds are clipped for the report.
static std::optional<Fault> checkBounds(const Access &access,
                                        const uint64_t (&sizes)[3]) {
  __int128 size = sizes[unsigned(access.bytes.getSpace())];
  if (access.bytes.begin() >= 0 && access.bytes.end() <= size)
    return std::nullopt;
  auto clip = [](__int128 x) {
    return int64_t(
        std::min<__int128>(std::max<__int128>(x, INT64_MIN), INT64_MAX));
  };
  AddressRange range{access.bytes.getSpace(), clip(access.bytes.begin()),
                     clip(access.bytes.end())};
  Fault fault(FaultKind::OutOfBounds,
              std::string("expected operand ") + access.operand + " inside " +
                  llvm::utostr(uint64_t(size)) + " bytes of " +
                  spaceName(range.space).str());
  fault.range = range;
  return fault;
}

static Fault overlapFault(const Access &access, const std::string &message) {
  Fault fault(FaultKind::SelfOverlap, message);
  fault.range =
      AddressRange{access.bytes.getSpace(), int64_t(access.bytes.begin()),
                   int64_t(access.bytes.end())};
  return fault;
}

/// True when stream `stream` of a map walks the very elements that the output
/// writes, at the same index points.
static bool isInPlace(const Instruction &map, unsigned stream) {
  unsigned in = Map_s0_type + stream * mapStreamFields, out = Map_s7_type;
  if (bitWidth(ElementType(map.get(in))) !=
          bitWidth(ElementType(map.get(out))) ||
      map.get(in + 2) != map.get(out + 2))
    return false;
  for (unsigned d = 0; d < 5; ++d)
    if (map.get(Map_n0 + d) > 1 && map.get(in + 3 + d) != map.get(out + 3 + d))
      return false;
  return true;
}

/// True when some byte is written twice. Of a copy one index is executed, so
/// the bytes of different indices may be the same, and so may those of steps
/// that have an index each: they are executed in order.
static bool writesTwice(const Instruction &instruction, const Access &write) {
  if (!readsIndex(instruction))
    return write.bytes.overlapsItself();
  Footprint dst =
      copyTarget(instruction, /*dims=*/instruction.get(Copy_index_s) ? 3 : 4);
  dst.finish();
  return dst.overlapsItself();
}

/// E09: no byte is written twice, and none is read that is written, unless in
/// place.
static std::optional<Fault> checkOverlap(const Instruction &instruction,
                                         const Accesses &accesses) {
  for (const Access &write : accesses) {
    if (!write.isWrite)
      continue;
    if (writesTwice(instruction, write))
      return overlapFault(write, std::string("expected operand ") +
                                     write.operand +
                                     " to write every byte at most once");
    for (const Access &read : accesses) {
      if (read.isWrite || !write.bytes.intersects(read.bytes))
        continue;
      bool accumulates = instruction.opcode == Opcode::Contract;
      bool inPlace = instruction.opcode == Opcode::Map &&
                     isInPlace(instruction, unsigned(read.operand[1] - '0'));
      if (!accumulates && !inPlace)
        return overlapFault(
            write, std::string("expected ") + read.operand + " and " +
                       write.operand +
                       " to be disjoint or the same elements at every point");
    }
  }
  return std::nullopt;
}

std::optional<Fault>
asic::emulator::checkAccesses(const Instruction &instruction,
                              const Accesses &accesses,
                              const uint64_t (&sizes)[3]) {
  if (auto fault = checkAlignment(instruction))
    return fault;
  for (const Access &access : accesses)
    if (auto fault = checkBounds(access, sizes))
      return fault;
  return checkOverlap(instruction, accesses);
}
