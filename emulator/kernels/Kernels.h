// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The inner loops of the emulator. They are compiled several times for growing
// instruction sets of the host and chosen at run time; every variant gives the
// same bits.

#ifndef ASIC_EMULATOR_KERNELS_KERNELS_H
#define ASIC_EMULATOR_KERNELS_KERNELS_H

#include <cstddef>
#include <cstdint>

namespace asic::emulator {

/// Points that a lane operation handles at once.
inline constexpr unsigned stripPoints = 256;

/// dst[i] = op(a[i], b[i], c[i]) for i < n; registers may be the same.
using LaneKernel = void (*)(uint32_t *dst, const uint32_t *a, const uint32_t *b,
                            const uint32_t *c, uint64_t imm, unsigned n);
/// dst[i] = widened element i of a strided row; `stride` in bytes.
using LoadKernel = void (*)(uint32_t *dst, const uint8_t *src, int64_t stride,
                            unsigned n);
/// Stores narrowed elements.
using StoreKernel = void (*)(uint8_t *dst, int64_t stride, const uint32_t *src,
                             unsigned n);

struct Kernels {
  const char *name;
  /// By lane opcode; null where there is no such operation. A reduction's
  /// kernel takes the accumulator as its first operand. `Index` is not here.
  LaneKernel lane[256];
  /// By element type number.
  LoadKernel load[32];
  StoreKernel store[32];

  /// dst[i] = src[i] - zero for a contiguous row of i8 or u8.
  void (*widenI8)(int16_t *dst, const int8_t *src, int zero, size_t n);
  void (*widenU8)(int16_t *dst, const uint8_t *src, int zero, size_t n);
  /// out[r * ldo + c] += dot(a + r * lda, w + c * ldw) over k elements, modulo
  /// 2^32, for r < rows, c < cols; k is a multiple of 16.
  void (*dotI16)(const int16_t *a, size_t lda, unsigned rows, const int16_t *w,
                 size_t ldw, unsigned cols, size_t k, uint32_t *out,
                 size_t ldo);
  /// out[c] += a[c] * w[c] modulo 2^32.
  void (*multiplyAddI16)(uint32_t *out, const int16_t *a, const int16_t *w,
                         size_t n);
  /// out[r * ldo + c] = fma(a[r * lda + i], w[i * ldw + c], …) for i < k
  /// ascending.
  void (*fmaF32)(const float *a, size_t lda, unsigned rows, const float *w,
                 size_t ldw, size_t cols, size_t k, float *out, size_t ldo);
  /// out[c] = fma(a[c], w[c], out[c]).
  void (*multiplyAddF32)(float *out, const float *a, const float *w, size_t n);
};

/// The fastest variant that this host runs.
const Kernels &kernels();
/// Every variant that this host runs, the portable one first (for tests).
size_t numKernelVariants();
const Kernels &kernelVariant(size_t index);

} // namespace asic::emulator

#endif // ASIC_EMULATOR_KERNELS_KERNELS_H
