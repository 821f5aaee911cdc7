#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Builds a wheel with LLVM and MLIR linked in statically, and shows that it
# asks the system for nothing but the C and C++ run-time libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf dist
.venv/bin/python -m pip wheel . --no-deps --no-build-isolation \
  --disable-pip-version-check --wheel-dir dist \
  --config-settings=build-dir=build-wheel \
  --config-settings=cmake.define.ASIC_STATIC_LLVM=ON \
  --config-settings=cmake.define.CMAKE_C_COMPILER_LAUNCHER=ccache \
  "--config-settings=cmake.define.CMAKE_CXX_COMPILER_LAUNCHER=env;CCACHE_SLOPPINESS=pch_defines,time_macros;ccache"
.venv/bin/python scripts/check_wheel.py dist/*.whl
