# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the helpers of the emulator tests importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "emulator"))
