// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schema of target files, written once: a walk over every field of a
// TargetModel with its key, bounds and whether it must be given. The reader and
// the canonical writer are visitors of this walk (private to the library).

#ifndef ASIC_TARGET_TARGETSCHEMA_H
#define ASIC_TARGET_TARGETSCHEMA_H

#include "target/TargetModel.h"

namespace asic::schema {

/// What a field must satisfy. An absent optional field keeps the value that the
/// model has before the walk.
struct Rule {
  uint64_t min = 0;
  uint64_t max = UINT32_MAX;
  bool required = false;
  bool powerOfTwo = false;
  const char *unit = ""; ///< For messages, e.g. "bytes".

  Rule mandatory() const {
    Rule rule = *this;
    rule.required = true;
    return rule;
  }
};

constexpr Rule atLeast(uint64_t min, uint64_t max = UINT32_MAX) {
  return {min, max, false, false, ""};
}
constexpr Rule byteCount(uint64_t min, uint64_t max) {
  return {min, max, false, false, "bytes"};
}
constexpr Rule cycleCount() { return {0, 1000000, false, false, "cycles"}; }
constexpr Rule alignment() { return {1, 65536, false, true, "bytes"}; }

/// A name in files and the value it stands for.
template <typename T>
struct Choice {
  const char *name;
  T value;
};

template <typename V>
void visitHeader(V &v, TargetModel &t) {
  v.integer("schema", t.schema, atLeast(1, 1));
  v.string("name", t.name, /*required=*/true);
  v.decimal("clock_mhz", t.clockMhz, Rule{1, 100000, true, false, "MHz"});
  v.integer("cores", t.cores, atLeast(1, 1024).mandatory());
}

template <typename V>
void visitIsa(V &v, TargetModel::Isa &isa) {
  v.section("isa", /*required=*/false, [&] {
    v.integer("version", isa.version, atLeast(1, 1));
    v.integer("instr_bytes", isa.instrBytes, byteCount(1, 4096));
    v.integer("imem_bytes", isa.imemBytes, byteCount(0, uint64_t(1) << 40));
    v.integer("dispatch_per_cycle", isa.dispatchPerCycle, atLeast(1, 64));
    v.integer("scalar_regs", isa.scalarRegs, atLeast(0, 4096));
    v.integer("loop_depth", isa.loopDepth, atLeast(0, 64));
  });
}

template <typename V>
void visitSync(V &v, TargetModel::Sync &sync) {
  v.section("sync", /*required=*/false, [&] {
    v.text("kind", sync.kind, {"semaphore"});
    // Instructions name a semaphore with 6 bits and count with 9.
    v.integer("count", sync.count, atLeast(1, 64));
    v.integer("max_value", sync.maxValue, atLeast(1, 511));
    v.boolean("spsc", sync.spsc);
    v.integer("wait_latency", sync.waitLatency, cycleCount());
    v.integer("post_latency", sync.postLatency, cycleCount());
  });
}

template <typename V>
void visitMemories(V &v, TargetModel &t) {
  v.section("memories", /*required=*/true, [&] {
    v.section("sram", /*required=*/true, [&] {
      // SRAM and ACC addresses are 32-bit fields, those of A are signed.
      v.integer("bytes", t.sram.bytes,
                byteCount(1, uint64_t(1) << 31).mandatory());
      v.integer("banks", t.sram.banks, atLeast(1, 4096));
      v.integer("row_bytes", t.sram.rowBytes, byteCount(1, 65536));
      v.text("interleave", t.sram.interleave, {"row", "none"});
      v.text("ports", t.sram.ports, {"1rw", "1r1w", "2rw"});
      v.integer("latency", t.sram.latency, cycleCount());
      v.integer("align", t.sram.align, alignment());
    });
    v.section("acc", /*required=*/true, [&] {
      v.integer("bytes", t.acc.bytes,
                byteCount(4, uint64_t(1) << 31).mandatory());
      v.integer("banks", t.acc.banks, atLeast(1, 4096));
      v.integer("row_bytes", t.acc.rowBytes, byteCount(1, 1048576));
      v.text("ports", t.acc.ports, {"1rw", "1r1w"});
      v.integer("latency", t.acc.latency, cycleCount());
      v.integer("elem_bits", t.acc.elemBits, atLeast(32, 32));
      v.integer("align", t.acc.align, alignment());
    });
    v.section("lut", /*required=*/false, [&] {
      v.integer("bytes", t.lut.bytes, byteCount(0, uint64_t(1) << 31));
      v.integer("tables", t.lut.tables, atLeast(0, 4096));
    });
    v.section("dram", /*required=*/true, [&] {
      v.integer("bytes", t.dram.bytes, byteCount(1, uint64_t(1) << 40));
      v.decimal("bytes_per_cycle", t.dram.bytesPerCycle,
                Rule{0, 1000000, true, false, "bytes per cycle"});
      v.integer("read_latency", t.dram.readLatency, cycleCount());
      v.integer("write_latency", t.dram.writeLatency, cycleCount());
      v.integer("burst_bytes", t.dram.burstBytes,
                Rule{1, 4096, false, true, "bytes"});
      v.integer("align", t.dram.align, alignment());
    });
  });
}

template <typename V>
void visitDma(V &v, TargetModel::Dma &dma) {
  v.section("dma", /*required=*/true, [&] {
    // Fences name engines with 16 bits, three of which are not DMA engines.
    v.integer("count", dma.count, atLeast(1, 13).mandatory());
    v.integer("queue", dma.queue, atLeast(1, 65536));
    v.integer("dims", dma.dims, atLeast(4, 4));
    v.integer("setup", dma.setup, cycleCount());
    v.integer("row_overhead", dma.rowOverhead, cycleCount());
    v.integer("outstanding", dma.outstanding, atLeast(1, 65536));
    v.decimal("bytes_per_cycle", dma.bytesPerCycle,
              Rule{0, 1000000, true, false, "bytes per cycle"});
    v.elementTypes("unpack", dma.unpack);
    v.strings("features", dma.features);
  });
}

template <typename V>
void visitMxu(V &v, TargetModel::Mxu &mxu) {
  v.section("mxu", /*required=*/true, [&] {
    v.integer("count", mxu.count, atLeast(1, 1));
    v.integer("queue", mxu.queue, atLeast(1, 65536));
    v.template choice<Dataflow>("dataflow", mxu.dataflow, /*required=*/true,
                                {{"ws", Dataflow::WeightStationary},
                                 {"os", Dataflow::OutputStationary}});
    v.integer("k_rows", mxu.kRows, atLeast(1, 65536).mandatory());
    v.integer("n_cols", mxu.nCols, atLeast(1, 65536).mandatory());
    v.integer("weight_slots", mxu.weightSlots, atLeast(1, 64));
    v.integer("fill", mxu.fill, cycleCount());
    v.integer("setup", mxu.setup, cycleCount());
    v.integer("a_bytes", mxu.aBytes, byteCount(1, 1048576));
    v.integer("w_bytes", mxu.wBytes, byteCount(1, 1048576));
    v.integer("acc_bytes", mxu.accBytes, byteCount(1, 1048576));
    v.integer("depthwise_macs_per_cycle", mxu.depthwiseMacsPerCycle,
              atLeast(0, uint64_t(1) << 31));
    v.text("acc_fp_order", mxu.accFpOrder, {"seq_fma"});
    v.text("int_overflow", mxu.intOverflow, {"wrap"});
    v.modes("modes", mxu.modes);
    v.section("block_scale", /*required=*/false, [&] {
      v.integers("sizes", mxu.blockScaleSizes);
      v.strings("scale", mxu.blockScaleTypes);
    });
    v.decimals("sparsity", mxu.sparsity);
  });
}

template <typename V>
void visitVpu(V &v, TargetModel::Vpu &vpu) {
  v.section("vpu", /*required=*/true, [&] {
    v.integer("count", vpu.count, atLeast(1, 1));
    v.integer("queue", vpu.queue, atLeast(1, 65536));
    v.integer("lanes", vpu.lanes, atLeast(1, 65536).mandatory());
    v.integer("setup", vpu.setup, cycleCount());
    v.integer("read_bytes", vpu.readBytes, byteCount(1, 1048576));
    v.integer("write_bytes", vpu.writeBytes, byteCount(1, 1048576));
    v.integer("latency", vpu.latency, cycleCount());
    v.elementTypes("formats", vpu.formats);
    v.section("rate", /*required=*/false, [&] {
      for (unsigned i = 1; i < kNumRateClasses; ++i)
        v.integer(rateClassName(static_cast<RateClass>(i)), vpu.rate[i],
                  atLeast(1, 65536));
      for (const char *name : {"lut8", "lut16", "pool", "dw", "transpose"})
        v.optionalInteger(name, vpu.reservedRates, atLeast(1, 65536));
    });
  });
}

template <typename V>
void visitRequant(V &v, TargetModel::Requant &requant) {
  v.section("requant", /*required=*/false, [&] {
    v.roundingModes("modes", requant.modes);
    v.template choice<RoundingMode>("default", requant.defaultMode,
                                    /*required=*/false,
                                    {{"sr", RoundingMode::SingleRound},
                                     {"dr", RoundingMode::DoubleRound},
                                     {"rne", RoundingMode::NearestEven},
                                     {"f32", RoundingMode::Float32}});
    v.integer("mult_bits", requant.multBits, atLeast(31, 31));
    v.range("shift", requant.shiftMin, requant.shiftMax, atLeast(2, 62));
    v.boolean("per_channel", requant.perChannel);
  });
}

template <typename V>
void visitLimits(V &v, TargetModel::Limits &limits) {
  v.section("limits", /*required=*/false, [&] {
    v.integer("max_extent", limits.maxExtent, atLeast(1, (1 << 24) - 1));
    v.integer("max_k_per_mm", limits.maxKPerMm, atLeast(1, (1 << 24) - 1));
    v.integer("pad_max", limits.padMax, atLeast(0, 1 << 23));
  });
}

template <typename V>
void visitEnergy(V &v, TargetModel &t) {
  v.optionalSection("energy_pj", t.energy, [&](auto &energy) {
    Rule picojoules{0, 1000000, false, false, "pJ"};
    v.energyPerType("mac", energy.mac);
    v.nonNegative("sram_byte", energy.sramByte, picojoules);
    v.nonNegative("acc_byte", energy.accByte, picojoules);
    v.nonNegative("dram_byte", energy.dramByte, picojoules);
    v.nonNegative("vpu_op", energy.vpuOp, picojoules);
    v.nonNegative("instr", energy.instr, picojoules);
    v.nonNegative("static_mw", energy.staticMw,
                  Rule{0, 1000000, false, false, "mW"});
  });
}

/// Every field of `t`.
template <typename V>
void visitTarget(V &v, TargetModel &t) {
  visitHeader(v, t);
  visitIsa(v, t.isa);
  visitSync(v, t.sync);
  visitMemories(v, t);
  v.section("engines", /*required=*/true, [&] {
    visitDma(v, t.dma);
    visitMxu(v, t.mxu);
    visitVpu(v, t.vpu);
  });
  visitRequant(v, t.requant);
  visitLimits(v, t.limits);
  visitEnergy(v, t);
}

} // namespace asic::schema

#endif // ASIC_TARGET_TARGETSCHEMA_H
