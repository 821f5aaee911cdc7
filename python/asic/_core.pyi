# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The native core, untyped: the modules that wrap it carry the annotations."""

from typing import Any

def __getattr__(name: str) -> Any: ...
