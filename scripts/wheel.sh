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

# A library that is missing shows when the module is loaded, not when it is linked.
trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
.venv/bin/python -m pip install --quiet --no-deps --disable-pip-version-check \
  --target "$trial" dist/*.whl
(cd "$trial" && env -u PYTHONPATH "$OLDPWD/.venv/bin/python" -c \
  'import sys; sys.path.insert(0, "."); import asic; print("loads:", *asic.targets())')
