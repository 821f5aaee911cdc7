// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `asic._core`: what the Python package needs from C++. One `bind` function per
// subject, each in its own file.

#include <nanobind/nanobind.h>

namespace asic {
void bindCompiler(nanobind::module_ &m);
void bindEmulator(nanobind::module_ &m);
void bindTarget(nanobind::module_ &m);
} // namespace asic

NB_MODULE(_core, m) {
  m.doc() = "Native core of the asic package";
  // Whoever keeps a model to the end of the process, as torch.compile does, has
  // nothing to be told about it.
  nanobind::set_leak_warnings(false);
  asic::bindTarget(m);
  asic::bindEmulator(m);
#ifdef ASIC_HAS_COMPILER
  asic::bindCompiler(m);
#endif
}
