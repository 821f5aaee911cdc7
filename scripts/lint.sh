#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# lint.sh [--fix]: the checks of CONTRIBUTING.md over every tracked file.
set -uo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH

mapfile -t cpp < <(git ls-files '*.cpp' '*.h' | grep -v '^\.')
failed=0
check() {
  echo "[lint] $1"
  shift
  "$@" || failed=1
}

if [[ ${1:-} == --fix ]]; then
  check "ruff" ruff check --fix --quiet .
  check "ruff format" ruff format --quiet .
  check "clang-format" clang-format-22 -i "${cpp[@]}"
  exit $failed
fi
check "ruff" ruff check --quiet .
check "ruff format" ruff format --check --quiet .
check "mypy" mypy
check "codespell" codespell
check "clang-format" clang-format-22 --dry-run --Werror "${cpp[@]}"
if ((failed)); then
  echo "[lint] found something; 'make format' repairs what a formatter can" >&2
fi
exit $failed
