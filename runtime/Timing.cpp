// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Timing.h"

using namespace asic;
using namespace asic::isa;

RateClass asic::rateClassOf(LaneOpcode opcode) {
  llvm::StringRef name = lookupLaneOp(unsigned(opcode))->rate;
  for (unsigned i = 0; i < kNumRateClasses; ++i)
    if (name == rateClassName(RateClass(i)))
      return RateClass(i);
  return RateClass::Alu;
}

static Cost costOfCopy(const TargetModel &target, const Instruction &copy) {
  CopyShape shape;
  shape.srcSpace = Space(copy.get(Copy_src_space));
  shape.dstSpace = Space(copy.get(Copy_dst_space));
  shape.srcAddress = uint64_t(copy.get(Copy_src_addr));
  shape.dstAddress = uint64_t(copy.get(Copy_dst_addr));
  shape.runBytes = uint64_t(copy.get(Copy_run_bytes));
  for (unsigned d = 0; d < 4; ++d) {
    shape.counts[d] = uint64_t(copy.get(Copy_n0 + d));
    shape.srcStrides[d] = copy.get(Copy_src_s0 + d);
    shape.dstStrides[d] = copy.get(Copy_dst_s0 + d);
  }
  shape.indices = uint64_t(numIndices(copy));
  shape.movesSource = copy.get(Copy_index_src_s) != 0;
  shape.movesTarget = copy.get(Copy_index_dst_s) != 0;
  shape.packed = copy.get(Copy_packed_type) != 0;
  return copyCost(target, shape);
}

static Cost costOfFill(const TargetModel &target, const Instruction &fill) {
  FillShape shape;
  shape.dstSpace = Space(fill.get(Fill_dst_space));
  shape.dstAddress = uint64_t(fill.get(Fill_dst_addr));
  shape.elemBytes = uint64_t(fill.get(Fill_elem_bytes));
  shape.run = uint64_t(fill.get(Fill_run));
  for (unsigned d = 0; d < 4; ++d) {
    shape.counts[d] = uint64_t(fill.get(Fill_n0 + d));
    shape.dstStrides[d] = fill.get(Fill_dst_s0 + d);
  }
  return fillCost(target, shape);
}

static Cost costOfContract(const TargetModel &target,
                           const Instruction &contract) {
  ContractShape shape;
  shape.a = ElementType(contract.get(Contract_a_type));
  shape.w = ElementType(contract.get(Contract_w_type));
  shape.acc = ElementType(contract.get(Contract_acc_type));
  for (unsigned d = 0; d < 3; ++d) {
    shape.m[d] = uint64_t(contract.get(Contract_m0 + d));
    shape.k[d] = uint64_t(contract.get(Contract_k0 + d));
  }
  shape.n = uint64_t(contract.get(Contract_n));
  shape.accumulate = contract.get(Contract_accumulate);
  shape.batchedWeights = contract.get(Contract_w_m2) != 0;
  shape.depthwise = contract.get(Contract_a_n) != 0;
  return contractCost(target, shape);
}

static Cost costOfMap(const TargetModel &target, const Instruction &map,
                      llvm::ArrayRef<LaneProgram> lanes) {
  MapShape shape;
  shape.reduce = unsigned(map.get(Map_reduce));
  for (unsigned d = 0; d < 5; ++d)
    shape.counts[d] = uint64_t(map.get(Map_n0 + d));
  for (unsigned s = 0; s < mapStreams; ++s) {
    unsigned base = Map_s0_type + s * mapStreamFields;
    shape.streams[s].type = ElementType(map.get(base));
    shape.streams[s].space = Space(map.get(base + 1));
    for (unsigned d = 0; d < 5; ++d)
      shape.streams[s].strides[d] = map.get(base + 3 + d);
  }
  auto program = size_t(map.get(Map_program));
  if (program < lanes.size()) {
    for (const LaneOp &op : lanes[program].body)
      ++shape.bodyOps[unsigned(rateClassOf(op.opcode))];
    for (const LaneOp &op : lanes[program].final)
      ++shape.finalOps[unsigned(rateClassOf(op.opcode))];
  }
  return mapCost(target, shape);
}

static Cost costOf(const TargetModel &target, const Instruction &instruction,
                   llvm::ArrayRef<LaneProgram> lanes) {
  switch (instruction.opcode) {
  case Opcode::Copy:
    return costOfCopy(target, instruction);
  case Opcode::Fill:
    return costOfFill(target, instruction);
  case Opcode::Contract:
    return costOfContract(target, instruction);
  case Opcode::Map:
    return costOfMap(target, instruction, lanes);
  case Opcode::Nop:
    return nopCost(uint64_t(instruction.get(Nop_cycles)));
  case Opcode::Halt:
  case Opcode::Fence:
    break;
  }
  return Cost();
}

TimedInstruction asic::timedInstruction(const TargetModel &target,
                                        const Instruction &instruction,
                                        llvm::ArrayRef<LaneProgram> lanes) {
  TimedInstruction timed;
  timed.engine = instruction.engine;
  if (instruction.opcode == Opcode::Halt)
    timed.control = ControlKind::Halt;
  if (instruction.opcode == Opcode::Fence) {
    timed.control = ControlKind::Fence;
    timed.fenceMask = uint16_t(instruction.get(Fence_engines));
  }
  for (const Sync &wait : instruction.waits)
    if (wait.valid)
      timed.wait(wait.semaphore, wait.count);
  for (const Sync &post : instruction.posts)
    if (post.valid)
      timed.post(post.semaphore, post.count);
  timed.cost = costOf(target, instruction, lanes);
  return timed;
}

const TargetModel::MxuMode *asic::modeOf(const TargetModel &target,
                                         const Instruction &instruction) {
  if (instruction.opcode != Opcode::Contract)
    return nullptr;
  return target.findMode(ElementType(instruction.get(Contract_a_type)),
                         ElementType(instruction.get(Contract_w_type)),
                         ElementType(instruction.get(Contract_acc_type)));
}
