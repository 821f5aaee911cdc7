# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `importlib.metadata` is told about a package that is used from its source tree."""

from __future__ import annotations

from importlib.metadata import Distribution
from typing import Any

_FILES = {
    "METADATA": "Metadata-Version: 2.1\nName: asic-mlir\nVersion: 0\n",
    # As in pyproject.toml.
    "entry_points.txt": "[torch_dynamo_backends]\nasic = asic.dynamo:backend\n",
}


class SourceTree(Distribution):
    """The metadata that an installation would have written, as far as it matters."""

    def read_text(self, filename: str) -> str | None:
        """Text of a metadata file, None when there is none."""
        return _FILES.get(filename)

    def locate_file(self, path: Any) -> Any:
        """Nothing is installed."""
        raise FileNotFoundError(path)
