# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Complex numbers as pairs of real ones.

No phase behind the frontend has complex numbers. One walk over the graph gives every complex node
two real ones, by a rule per operator: `arithmetic.py`, `movement.py`, `transforms.py`.
"""

from asic.frontend.pairs.lowering import take_apart

__all__ = ["take_apart"]
