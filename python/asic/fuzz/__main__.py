# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m asic.fuzz`."""

import sys

from asic.fuzz.cli import main

if __name__ == "__main__":
    sys.exit(main())
