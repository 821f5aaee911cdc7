# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes `torch.export` of many small modules twice as fast, by remembering what it looks up each time.

`ExportedProgram.run_decompositions` walks through all ops that PyTorch knows and writes several kernels
into each of them, and takes them out again. For a real model that is nothing; for a module of five ops
it is most of the time. Nothing here changes what is exported.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any

import torch


def _py_impl(self: Any, key: Any) -> Callable[[Any], Any]:
    """`OperatorBase.py_impl` for dispatch keys, without evaluating its annotations each time."""

    def register(function: Any) -> Any:
        if not isinstance(key, torch._C.DispatchKey):
            return original(self, key)(function)
        if key in self.py_kernels:
            raise RuntimeError(f"expected no kernel for {key} of {self}, got one")
        self.py_kernels[key] = function
        self._dispatch_cache.clear()
        return function

    return register


original = torch._ops.OperatorBase.py_impl


def install() -> None:
    """Replaces the slow parts, in this process."""
    import torch._export.utils as utils
    import torch.export.exported_program

    exported: Any = torch.export.exported_program

    collect = functools.cache(utils._collect_all_valid_cia_ops)
    collect()
    utils._collect_all_valid_cia_ops = collect
    exported._collect_all_valid_cia_ops = collect
    exported.autograd_not_implemented = functools.cache(exported.autograd_not_implemented)
    torch._ops.OperatorBase.py_impl = _py_impl  # type: ignore[method-assign,assignment]
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
