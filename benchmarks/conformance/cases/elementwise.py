# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of one element, or of elements at one place."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.conformance.case import ANY, BOOL, FLOATS, INTEGERS, Family, Random

family = Family("Elementwise")
add = family.add

X = Random((3, 17))
ROW = Random((17,))
POSITIVE = Random((3, 17), 0.1, 5)
UNIT = Random((3, 17), -0.9, 0.9)
DIVISOR = Random((3, 17), 1, 5)
COUNT = Random((3, 17), 0, 6)
SPECIAL = torch.tensor([0.0, -0.0, 1.5, -2.5, float("inf"), float("-inf"), float("nan"), 1e30])

# Arithmetic.
for name in ("add", "sub", "mul"):
    add(name, getattr(torch, name), X, Random((3, 17)), dtypes=ANY, ulp=0)
    add(name, getattr(torch, name), X, ROW, variant="broadcast", dtypes=ANY, ulp=0)
add("add", lambda x: x + 3, X, variant="scalar", dtypes=ANY, ulp=0)
add("sub", lambda x, y: torch.sub(x, y, alpha=2), X, X, variant="alpha", dtypes=ANY, ulp=1)
add("rsub", lambda x: 3 - x, X, dtypes=ANY, ulp=0)
add("mul", lambda x: x * 3, X, variant="scalar", dtypes=ANY, ulp=0)
add("mul", lambda x: x * 1.5, X, variant="float scalar", dtypes=ANY, ulp=0)
add("add", lambda x, y: x + y, X, Random((3, 17), dtype=torch.int32), variant="mixed types", dtypes=ANY, ulp=0)  # fmt: skip
add("div", torch.div, X, DIVISOR, dtypes=ANY, ulp=1)
add("div", lambda x: x / 3, X, variant="scalar", dtypes=ANY, ulp=1)
for mode in ("floor", "trunc"):
    add("div", lambda x, y, m=mode: torch.div(x, y, rounding_mode=m), X, DIVISOR, variant=mode, dtypes=ANY, ulp=0)  # fmt: skip
add("floor_divide", lambda x: x // 2, X, variant="scalar", dtypes=ANY, ulp=0)
add("remainder", torch.remainder, X, DIVISOR, dtypes=ANY, ulp=4)
add("remainder", lambda x: x % 3, X, variant="scalar", dtypes=ANY, ulp=4)
add("remainder", lambda x: x % -3, X, variant="negative", dtypes=(*FLOATS, torch.int32), ulp=4)
add("fmod", torch.fmod, X, DIVISOR, dtypes=ANY, ulp=4)
add("fmod", lambda x: torch.fmod(x, 3), X, variant="scalar", dtypes=ANY, ulp=4)
add("neg", torch.neg, X, dtypes=(*FLOATS, *INTEGERS[:3]), ulp=0)
add("abs", torch.abs, X, dtypes=ANY, ulp=0)
add("sign", torch.sign, X, dtypes=ANY, ulp=0)
add("signbit", torch.signbit, X, dtypes=ANY, ulp=0)
add("signbit", torch.signbit, SPECIAL, variant="special values", dtypes=(torch.float32,), ulp=0)
add("square", torch.square, X, dtypes=ANY, ulp=0)
add("reciprocal", torch.reciprocal, POSITIVE, dtypes=FLOATS, ulp=1)
add("addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.5), X, X, X, ulp=4)
add("addcdiv", lambda x, y, z: torch.addcdiv(x, y, z, value=0.5), X, X, DIVISOR)
add("lerp", lambda x, y: torch.lerp(x, y, 0.25), X, Random((3, 17)))
add("pow", lambda x: x**2, X, variant="2", dtypes=ANY, ulp=1)
add("pow", lambda x: x**3, X, variant="3", dtypes=ANY, ulp=2)
add("pow", lambda x: x**-1.0, POSITIVE, variant="-1", ulp=2)
add("pow", lambda x: x**0.5, POSITIVE, variant="0.5", ulp=2)
add("pow", lambda x: x**7, X, variant="7", dtypes=(*FLOATS, torch.int32), ulp=8)
add("pow", torch.pow, POSITIVE, Random((3, 17), -2, 2), variant="tensors", ulp=16)
add("pow", lambda x: 2**x, X, variant="scalar base", ulp=8)

# Rounding.
for name in ("floor", "ceil", "trunc", "round", "frac"):
    add(name, getattr(torch, name), Random((3, 17), -40, 40), ulp=0)
add("round", lambda x: torch.round(x, decimals=1), X, variant="decimals", ulp=2)
add("round", lambda x: torch.round(x), torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 1e10]), variant="ties", dtypes=(torch.float32,), ulp=0)  # fmt: skip

# Minima, maxima, clamps.
for name in ("minimum", "maximum"):
    add(name, getattr(torch, name), X, Random((3, 17)), dtypes=ANY, ulp=0)
    add(name, getattr(torch, name), SPECIAL, SPECIAL.flip(0), variant="NaN", dtypes=(torch.float32,), ulp=0)  # fmt: skip
for name in ("fmin", "fmax"):
    add(name, getattr(torch, name), SPECIAL, SPECIAL.flip(0), variant="NaN", dtypes=(torch.float32,), ulp=0)  # fmt: skip
add("clamp", lambda x: x.clamp(-1, 2), X, dtypes=(*FLOATS, *INTEGERS[:3]), ulp=0)
add("clamp", lambda x: x.clamp(min=1), X, variant="min", dtypes=ANY, ulp=0)
add("clamp", lambda x: x.clamp(-1.0, 2.0), SPECIAL, variant="NaN", dtypes=(torch.float32,), ulp=0)
add("clamp.Tensor", torch.clamp, X, Random((17,), -2, 0), Random((3, 1), 0, 2), dtypes=ANY, ulp=0)

# Transcendental functions.
for name in ("exp", "expm1", "sin", "cos", "tanh", "erf", "erfc", "sigmoid", "atan", "exp2", "sinh", "cosh", "asinh"):  # fmt: skip
    add(name, getattr(torch, name), X, ulp=8)
for name in ("log", "log2", "log10", "log1p", "sqrt", "rsqrt"):
    add(name, getattr(torch, name), POSITIVE, ulp=8)
for name in ("asin", "acos", "atanh", "tan"):
    add(name, getattr(torch, name), UNIT, ulp=16)
add("acosh", torch.acosh, DIVISOR, ulp=16)
add("erfinv", torch.erfinv, UNIT, ulp=4)
add("erfinv", torch.erfinv, Random((3, 17), -2, 2), variant="integers", dtypes=INTEGERS, ulp=4)
add("erfinv", torch.erfinv, torch.tensor([s * (1 - 2.0**-k) for k in range(25) for s in (1, -1)]), variant="near one", dtypes=(torch.float32,), ulp=4)  # fmt: skip
add("erfinv", torch.erfinv, torch.tensor([1.0, -1.0, -0.0, 1.5, -1.5, 1e-38, math.inf, -math.inf, math.nan]), variant="special values", dtypes=(torch.float32,), ulp=4)  # fmt: skip
add("special_ndtri", torch.special.ndtri, Random((3, 17), 0.01, 0.99), dtypes=(torch.float32,), ulp=5)  # fmt: skip
add("special_ndtri", torch.special.ndtri, Random((3, 17), -1, 2), variant="integers", dtypes=INTEGERS, ulp=0)  # fmt: skip
add("special_ndtri", torch.special.ndtri, torch.tensor([2.0**-k for k in range(1, 150)]), variant="far below", dtypes=(torch.float32,), ulp=5)  # fmt: skip
add("special_ndtri", torch.special.ndtri, torch.tensor([0.0, -0.0, 0.5, 1.0, 1.5, -0.5, math.inf, -math.inf, math.nan]), variant="special values", dtypes=(torch.float32,), ulp=0)  # fmt: skip
add("logit", lambda x: torch.logit(x), Random((3, 17), 0.1, 0.9), ulp=16)
add("atan2", torch.atan2, X, Random((3, 17)), ulp=8)
add("hypot", torch.hypot, X, Random((3, 17)), ulp=4)
add("logaddexp", torch.logaddexp, X, Random((3, 17)), ulp=8)
add("xlogy", torch.xlogy, POSITIVE, Random((3, 17), 0.1, 5), ulp=8)
for name in ("exp", "log", "sqrt", "sigmoid", "tanh", "relu", "abs"):
    add(name, getattr(torch, name), SPECIAL, variant="special values", dtypes=(torch.float32,), ulp=8)  # fmt: skip
add("copysign", torch.copysign, X, Random((3, 17)), ulp=0)

# Activations.
for name in ("relu", "relu6", "leaky_relu", "hardtanh", "hardswish", "hardsigmoid", "hardshrink", "softshrink", "tanhshrink", "threshold"):  # fmt: skip
    function = getattr(F, name)
    if name == "threshold":
        add(name, lambda x: F.threshold(x, 0.5, -1.0), X, ulp=2)
    else:
        add(name, function, X, ulp=4)
for name in ("elu", "celu", "selu", "gelu", "silu", "mish", "softplus", "softsign", "logsigmoid"):
    add(name, getattr(F, name), X, ulp=16)
add("gelu", lambda x: F.gelu(x, approximate="tanh"), X, variant="tanh", ulp=8)
add("softplus", lambda x: F.softplus(x, 2.0, 3.0), X, variant="threshold", ulp=8)
add("prelu", nn.PReLU(4), Random((2, 4, 5)), ulp=2)
add("glu", lambda x: F.glu(x, 1), Random((3, 16)), ulp=8)
add("rrelu", lambda x: F.rrelu(x), X, ulp=4)

# Comparisons and logic.
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    add(name, getattr(torch, name), X, Random((3, 17)), dtypes=ANY, ulp=0)
add("gt", lambda x: x > 1, X, variant="scalar", dtypes=ANY, ulp=0)
add("gt", lambda x: (x > 0.5).to(x.dtype) * x, X, variant="used as a number", dtypes=ANY, ulp=0)
for name in ("isnan", "isinf", "isfinite"):
    add(name, getattr(torch, name), SPECIAL, dtypes=(torch.float32,), ulp=0)
for name in ("logical_and", "logical_or", "logical_xor"):
    add(name, getattr(torch, name), X, Random((3, 17)), dtypes=(*BOOL, torch.float32, torch.int32), ulp=0)  # fmt: skip
add("logical_not", torch.logical_not, X, dtypes=(*BOOL, torch.float32, torch.int32), ulp=0)
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    add(name, getattr(torch, name), COUNT, Random((3, 17), 0, 9), dtypes=(*BOOL, *INTEGERS), ulp=0)
add("bitwise_not", torch.bitwise_not, X, dtypes=(*BOOL, *INTEGERS), ulp=0)
add("bitwise_left_shift", lambda x, y: x << y, COUNT, Random((3, 17), 0, 4), dtypes=INTEGERS, ulp=0)
add("bitwise_right_shift", lambda x, y: x >> y, X, Random((3, 17), 0, 4), dtypes=INTEGERS, ulp=0)
MASK = Random((3, 17), dtype=torch.bool)
add("where", torch.where, MASK, X, ROW, dtypes=(*ANY, *BOOL), ulp=0)
add("where", lambda x, y: torch.where(x > 0, x, y), X, ROW, variant="computed", dtypes=ANY, ulp=0)
add("where", lambda m, x: torch.where(m, x, -1), MASK, X, variant="scalar", dtypes=(*FLOATS, torch.int32), ulp=0)  # fmt: skip
add("masked_fill", lambda x, m: x.masked_fill(m, 2), X, Random((17,), dtype=torch.bool), dtypes=ANY, ulp=0)  # fmt: skip
add("masked_fill", lambda x, m: x.masked_fill(m, float("-inf")), X, MASK, variant="infinity", ulp=0)
add("nan_to_num", torch.nan_to_num, SPECIAL, dtypes=(torch.float32,), ulp=0)

# Conversions.
for target in (torch.float32, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.bool):
    add("_to_copy", lambda x, t=target: x.to(t), Random((3, 17), 0, 40), variant=f"to {str(target)[6:]}", dtypes=(*ANY, *BOOL), ulp=0)  # fmt: skip

# What the test suite runs.
family.tested |= {
    ("aten.mul scalar", torch.int8),
    ("aten.maximum NaN", torch.float32),
    ("aten.clamp NaN", torch.float32),
    ("aten.div floor", torch.int64),
    ("aten.fmod scalar", torch.float32),
    ("aten.erfinv", torch.bfloat16),
    ("aten.erfinv near one", torch.float32),
    ("aten.erfinv special values", torch.float32),
    ("aten.special_ndtri", torch.float32),
    ("aten.special_ndtri far below", torch.float32),
    ("aten.special_ndtri special values", torch.float32),
}
