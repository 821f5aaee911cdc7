#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# build.sh [PRESET]: configures when needed, then builds. Ninja knows what
# changed; with nothing to do this takes about a second.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-dev}
folder=build
[[ $preset == dev ]] || folder=build-$preset

# A build folder of another tree (a copied checkout) cannot be used.
if [[ -f $folder/CMakeCache.txt ]] &&
  ! grep -q "^CMAKE_HOME_DIRECTORY:INTERNAL=$PWD\$" "$folder/CMakeCache.txt"; then
  rm -rf "$folder"
fi
if [[ ! -f $folder/build.ninja ]]; then
  log=.cache/logs/configure-$preset.log
  mkdir -p "${log%/*}"
  echo "[build] configuring (output in $log)"
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    echo "[build] cmake could not configure; 'make distclean' starts afresh" >&2
    exit 1
  fi
fi
export NINJA_STATUS='[build] %f/%t, %e s: '
cmake --build --preset "$preset" ||
  { echo "[build] the C++ build failed; the first 'error:' above is the cause" >&2; exit 1; }
if [[ $preset == dev ]]; then
  .venv/bin/python scripts/link_tools.py
fi
