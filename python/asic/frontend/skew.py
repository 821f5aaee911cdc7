# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Everything that depends on which torch-mlir and which torch are installed.

Torch-mlir's wheel carries an MLIR of its own, newer than ours, and the importer uses parts of it that
are not promised to anybody. What they are, and how the two MLIRs differ, is said here and
nowhere else; `test/python/test_skew.py` has a test for each. To move to another wheel: change
`WHEEL` and the pins in pyproject.toml and requirements.txt, run that file, correct what fails.

How the two differ, as far as it concerns us:

* Bytecode of the newer one is not read by ours (`AffineMapAttr` has another code), so modules
  travel as text.
* The dialect `tm_tensor` exists there only; the conversion to it is left out of the pass
  list, and what it would have converted is a composite or an error.
* The verifier of torch-mlir's contract refuses `func.call`, which composites are.

Of torch, `swift.py` uses parts of `run_decompositions` (`PRIVATE_TORCH`), and `locations.py` replaces
the method of a tracer that leaves out helper functions' lines (`test/python/test_locations.py`).
"""

from __future__ import annotations

import functools
from typing import Any

import torch._export.utils
import torch.export.exported_program
from torch._subclasses.fake_impls import op_implementations_dict
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch_mlir import ir
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras.fx_decomp_util import get_expanded_decomposition_table
from torch_mlir.extras.fx_importer import (
    ContextCache,
    FxImporter,
    FxImporterHooks,
    GraphNodeImporter,
)
from torch_mlir.passmanager import PassManager

#: The version of torch-mlir that this is written for.
WHEEL = "20261001"

#: Its pipeline from imported FX graphs to the backend form of the torch dialect, whole.
TO_BACKEND = (
    "inline",
    "func.func(torch-reduce-op-variants)",
    "func.func(canonicalize)",
    "func.func(torch-decompose-complex-ops)",
    "func.func(torch-recompose-complex-ops)",
    "func.func(canonicalize)",
)

#: Its pipeline from there to linalg without `LEFT_OUT`, and with one more clean-up.
TO_LINALG = (
    "func.func(torch-restructure-non-constant-axes)",
    "func.func(canonicalize)",
    "func.func(convert-torch-to-linalg{allow-non-finites=true})",
    "func.func(canonicalize)",
    "func.func(convert-torch-to-scf)",
    "func.func(convert-torch-to-arith)",
    "func.func(convert-torch-to-tensor)",
    "convert-torch-conversion-to-mlprogram",
    "func.func(memref-expand)",
    "func.func(canonicalize)",
    "func.func(resolve-shaped-type-result-dims)",
    "func.func(cse)",
    "torch-func-backend-type-conversion",
    "func.func(canonicalize)",
    "func.func(torch-finalizing-backend-type-conversion)",
)

#: Passes of its pipeline that ours does without, and why.
LEFT_OUT = {
    "torch-fuse-quantized-ops": "quantisation markers are composites",
    "convert-torch-to-tmtensor": "our MLIR does not have the dialect",
    "torch-verify-linalg-on-tensors-backend-contract": "it refuses calls, which composites are",
}

#: The first pass of its pipeline from ONNX; shapes are static, so that the rest has nothing to do.
ONNX_TO_TORCH = (
    "func.func(convert-torch-onnx-to-torch{allow-non-finites=true})",
    "func.func(canonicalize)",
)

#: Dialects that must not reach our MLIR.
FOREIGN_DIALECTS = ("torch.", "torch_c.", "tm_tensor.")

#: Members without a promise that subclasses of ours override or read, by class.
PRIVATE = {
    FxImporter: ("import_program", "module", "symbol_table"),
    FxImporterHooks: ("resolve_input", "resolve_literal"),
    ContextCache: (
        "dtype_to_type",
        "get_node_location",
        "tensor_to_vtensor_type",
        "value_info_to_type",
    ),
    GraphNodeImporter: (
        "_import_argument",
        "_import_torch_op_overload",
        "bind_node_value",
        "fx_importer",
        "_multi_result_nodes",
    ),
}

#: Torch's modules of `run_decompositions`, whose members have no types.
export_utils: Any = torch._export.utils
exported_program: Any = torch.export.exported_program

#: Shape rules of ops, which `run_decompositions` writes to.
fake_rules: dict[Any, Any] = op_implementations_dict

#: The version of torch whose `run_decompositions` `swift.py` follows.
TORCH = "2.13"

#: Members of torch without a promise that are used, by module.
PRIVATE_TORCH = {
    "torch._export.utils": (
        "_collect_all_valid_cia_ops_for_aten_namespace",
        "_get_decomp_for_cia",
        "_is_preservable_cia_op",
        "_materialize_cpp_cia_ops",
        "_special_op_to_preserve_cia",
    ),
    "torch.export.exported_program": (
        "_AUTOGRAD_ALIAS_BACKEND_KEYS_TO_OVERRIDE",
        "_decompose_exported_program",
        "_override_composite_implicit_decomp",
    ),
    "torch._subclasses.fake_impls": ("op_implementations_dict",),
    "torch._subclasses.fake_tensor": ("unset_fake_temporarily",),
}


@functools.cache
def _decompositions(known: int) -> dict[Any, Any]:
    del known
    return dict(get_expanded_decomposition_table.__wrapped__())


def get_decomposition_table() -> dict[Any, Any]:
    """torch-mlir's table, made anew when operators have been registered.

    Its own is made once per process: operators of a library that is imported after the first
    compilation would be missing.
    """
    return _decompositions(len(torch._C._dispatch_get_all_op_names()))


__all__ = [
    "FOREIGN_DIALECTS",
    "LEFT_OUT",
    "ONNX_TO_TORCH",
    "PRIVATE",
    "PRIVATE_TORCH",
    "TORCH",
    "TO_BACKEND",
    "TO_LINALG",
    "WHEEL",
    "ContextCache",
    "FxImporter",
    "FxImporterHooks",
    "GraphNodeImporter",
    "PassManager",
    "export_utils",
    "exported_program",
    "fake_rules",
    "get_decomposition_table",
    "ir",
    "new_context",
    "unset_fake_temporarily",
]


def new_context() -> ir.Context:
    """A context of torch-mlir's MLIR with its dialects."""
    context = ir.Context()
    torch_dialect.register_dialect(context)
    return context
