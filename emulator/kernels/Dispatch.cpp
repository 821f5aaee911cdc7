// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulator/kernels/Kernels.h"

namespace asic::emulator {

extern const Kernels kernelsPortable;
#if ASIC_KERNELS_X86
extern const Kernels kernelsAvx2;
extern const Kernels kernelsAvx512;
#endif

size_t numKernelVariants() {
#if ASIC_KERNELS_X86
  static const size_t count = [] {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
      return 1;
    bool wide = __builtin_cpu_supports("avx512f") &&
                __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512dq");
    return wide ? 3 : 2;
  }();
  return count;
#else
  return 1;
#endif
}

const Kernels &kernelVariant(size_t index) {
#if ASIC_KERNELS_X86
  if (index == 2)
    return kernelsAvx512;
  if (index == 1)
    return kernelsAvx2;
#endif
  return kernelsPortable;
}

const Kernels &kernels() { return kernelVariant(numKernelVariants() - 1); }

} // namespace asic::emulator
