# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running a saved model takes neither the front end nor torch-mlir."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

import asic

RUN = """
import sys
import torch
import asic

x = torch.ones(1, 4, dtype=torch.bfloat16)
print(asic.load(sys.argv[1])(x).dtype)
print([m for m in sys.modules if m.startswith(("asic.frontend", "asic.quantization", "torch_mlir"))])
"""


def test_a_call_of_a_loaded_model_imports_no_front_end(tmp_path: Path) -> None:
    model, x = torch.nn.Linear(4, 2).eval().bfloat16(), torch.ones(1, 4, dtype=torch.bfloat16)
    asic.compile(model, (x,)).save(tmp_path / "m.asic")
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "m.asic")],
        env={"PYTHONPATH": str(Path(asic.__file__).parents[1]), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["torch.bfloat16", "[]"]
