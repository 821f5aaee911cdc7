#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what is missing: Debian packages, .venv, Python packages. Looks
# first and does nothing (in well under a second) when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m[setup]\033[0m %s\n' "$*"; }
die() {
  printf '\033[1;31m[setup]\033[0m %s\n' "$*" >&2
  exit 1
}

LOGS=.cache/logs
mkdir -p "$LOGS"

# run LOG MESSAGE COMMAND...: one line on the screen, all output in a log,
# whose end is shown when the command fails.
run() {
  local log="$LOGS/$1.log" what="$2" start=$SECONDS
  shift 2
  say "$what (output in $log)"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 25 "$log" >&2
    return 1
  fi
  say "  done in $((SECONDS - start)) s"
}

# Debian packages ------------------------------------------------------------

# A virtual environment needs ensurepip and the extension needs Python.h; both
# are packages of their own on Debian, and there already with other Pythons.
find_python() {
  local candidate
  for candidate in "${ASIC_PYTHON:-}" python3.11 python3 /usr/bin/python3; do
    [[ -n $candidate ]] && command -v "$candidate" >/dev/null || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
      2>/dev/null || continue
    command -v "$candidate"
    return
  done
}

python_is_complete() {
  "$1" - 2>/dev/null <<'PY'
import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
PY
}

wanted=$(sed 's/#.*//' scripts/debian-packages.txt)
python=$(find_python)
if [[ -z $python ]]; then
  wanted+=" python3.11 python3.11-venv python3.11-dev"
elif ! python_is_complete "$python"; then
  wanted+=" python3.11-venv python3.11-dev"
fi

if command -v dpkg-query >/dev/null; then
  missing=()
  for package in $wanted; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
  done
  if ((${#missing[@]})); then
    sudo=()
    if ((EUID != 0)); then
      command -v sudo >/dev/null || die "missing Debian packages and neither root nor sudo to install them; as root, run: apt-get update && apt-get install ${missing[*]}"
      sudo=(sudo)
    fi
    run apt-update "updating the Debian package lists" \
      "${sudo[@]}" apt-get update ||
      say "apt-get update had errors; going on with the lists that are there"
    for package in "${missing[@]}"; do
      [[ -n $(apt-cache show "$package" 2>/dev/null) ]] ||
        die "no Debian package '$package' in the configured sources; this needs Debian 12 with its security archive (deb http://deb.debian.org/debian-security bookworm-security main)"
    done
    run apt-install "installing ${missing[*]}" \
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "${missing[@]}" ||
      die "apt-get install failed; see the lines above"
  fi
  python=$(find_python)
else
  say "not a Debian system: expecting the packages of scripts/debian-packages.txt to be there"
fi
[[ -n $python ]] || die "expected Python 3.11, found none; install it or set ASIC_PYTHON"

# Python packages ------------------------------------------------------------

# Worktrees may share one environment through a link; it is then looked after
# by the tree that owns it.
if [[ -L .venv ]]; then
  exit 0
fi

stamp=.venv/.asic-setup
state=$({ "$python" --version; cat requirements.txt scripts/setup.sh pyproject.toml; } | sha256sum)
if [[ -f $stamp && $(<"$stamp") == "$state" ]] && .venv/bin/python -c '' 2>/dev/null; then
  exit 0
fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  rm -rf .venv
  run venv "creating .venv with $python" "$python" -m venv .venv ||
    die "could not create .venv; see the lines above"
fi

# The CPU build of torch and torch-mlir are not on every index; the projects'
# own release pages are asked only when the configured ones do not have them.
install() { .venv/bin/python -m pip install --disable-pip-version-check --no-input "$@"; }
run pip "installing the Python packages (some hundred MB)" \
  install -r requirements.txt ||
  {
    say "trying again with the release pages of PyTorch and torch-mlir"
    run pip-release-pages "installing the Python packages" \
      install -r requirements.txt \
      --extra-index-url "${ASIC_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" \
      --find-links "${ASIC_TORCH_MLIR_LINKS:-https://github.com/llvm/torch-mlir-release/releases/expanded_assets/dev-wheels}"
  } || die "pip could not install requirements.txt; see the lines above (is a package index reachable?)"

# The tree itself is what `import asic` finds, so that an edit is live.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$PWD/python" >"$site/asic-development.pth"
printf '%s\n' "$state" >"$stamp"
say "ready"
