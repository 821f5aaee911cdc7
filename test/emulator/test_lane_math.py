# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Accuracy of the special functions against mpmath, and equality of all kernel variants."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from asic import _core

mpmath.mp.prec = 200
VARIANTS = _core.kernel_variants()
FUNCTIONS = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
}
RANGES = {
    "exp": (-110, 95),
    "tanh": (-12, 12),
    "erf": (-5, 5),
    "sin": (-100, 100),
    "cos": (-100, 100),
}


def kernel(name: str, *sources: np.ndarray, imm: int = 0, variant: int = len(VARIANTS) - 1):
    bits = [np.ascontiguousarray(s, np.float32).view(np.uint32) for s in sources]
    bits += [bits[0]] * (3 - len(bits))
    return _core.lane_kernel(name, *bits, imm=imm, variant=variant).view(np.float32)


def ulp(x: float) -> mpmath.mpf:
    """Distance of binary32 numbers at x."""
    magnitude = max(abs(float(x)), 2.0**-126)
    return mpmath.mpf(2) ** (int(np.floor(np.log2(magnitude))) - 23)


def samples(name: str, count: int = 1500) -> np.ndarray:
    rng = np.random.default_rng(sum(map(ord, name)))
    if name in ("log", "rsqrt"):
        bits = rng.integers(1, 0x7F800000, count, dtype=np.uint32)
        near = 0x3F800000 + rng.integers(-2000, 2000, count // 4)
        return np.concatenate([bits, near.astype(np.uint32)]).view(np.float32)
    low, high = RANGES[name]
    wide = rng.uniform(low, high, count)
    tiny = 10.0 ** rng.uniform(-40, 0, count // 2) * rng.choice([-1, 1], count // 2)
    edges = np.array([1.0, -1.0, 0.9999999, 4.0, 3.9999998, 0.5, 88.72283, -103.97, -87.3])
    huge = np.array([1e6, 1e9, 1.1e12, 3.4e38, -2.5e20, 1e30]) if name in ("sin", "cos") else []
    return np.concatenate([wide, tiny, edges, huge]).astype(np.float32)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_accuracy(name):
    """Within 0.51 units in the last place, everywhere in range."""
    x = samples(name)
    y = kernel(name, x)
    worst = mpmath.mpf(0)
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        exact = FUNCTIONS[name](mpmath.mpf(a))
        if abs(exact) > 3.4028235e38:
            assert abs(b) > 3.4e38
            continue
        worst = max(worst, abs(mpmath.mpf(b) - exact) / ulp(float(exact)))
    assert worst <= 0.51, float(worst)


def test_power_accuracy():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.01, 30, 1500).astype(np.float32)
    y = rng.uniform(-20, 20, 1500).astype(np.float32)
    got = kernel("powf", x, y)
    for a, b, c in zip(x.tolist(), y.tolist(), got.tolist(), strict=True):
        exact = mpmath.mpf(a) ** mpmath.mpf(b)
        if 1e-38 < exact < 3e38:
            assert abs(mpmath.mpf(c) - exact) <= 0.51 * ulp(float(exact))


def test_power_special_cases():
    special = np.array(
        [
            0.0,
            -0.0,
            1.0,
            -1.0,
            2.0,
            -2.0,
            0.5,
            -0.5,
            3.0,
            -3.0,
            np.inf,
            -np.inf,
            np.nan,
            2.5,
            -2.5,
            16777216.0,
            16777217.0,
            1e30,
        ],
        np.float32,
    )
    x, y = (g.ravel() for g in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        want = np.power(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    got = kernel("powf", x, y)
    same = (got == want) & (np.signbit(got) == np.signbit(want)) | (np.isnan(got) & np.isnan(want))
    assert same.all(), list(zip(x[~same], y[~same], got[~same], want[~same], strict=True))


@pytest.mark.parametrize(
    ("name", "points"),
    [
        (
            "exp",
            [
                (0, 1),
                (-0.0, 1),
                (np.inf, np.inf),
                (-np.inf, 0),
                (np.nan, np.nan),
                (200, np.inf),
                (-200, 0),
            ],
        ),
        (
            "log",
            [
                (1, 0),
                (0, -np.inf),
                (-0.0, -np.inf),
                (-1, np.nan),
                (np.inf, np.inf),
                (np.nan, np.nan),
            ],
        ),
        ("tanh", [(0, 0), (-0.0, -0.0), (np.inf, 1), (-np.inf, -1), (np.nan, np.nan), (20, 1)]),
        ("erf", [(0, 0), (-0.0, -0.0), (np.inf, 1), (-np.inf, -1), (np.nan, np.nan), (-9, -1)]),
        (
            "rsqrt",
            [(4, 0.5), (0, np.inf), (-0.0, -np.inf), (-1, np.nan), (np.inf, 0), (np.nan, np.nan)],
        ),
        ("sin", [(0, 0), (-0.0, -0.0), (np.inf, np.nan), (np.nan, np.nan)]),
        ("cos", [(0, 1), (-np.inf, np.nan), (np.nan, np.nan)]),
    ],
)
def test_special_values(name, points):
    got = kernel(name, np.array([p[0] for p in points], np.float32))
    want = np.array([p[1] for p in points], np.float32)
    assert np.array_equal(got, want, equal_nan=True)
    assert (np.signbit(got) == np.signbit(want))[~np.isnan(want)].all()
    assert (got.view(np.uint32)[np.isnan(got)] == 0x7FC00000).all()


def test_exp_is_monotone():
    x = np.sort(np.random.default_rng(1).uniform(-90, 88, 20000).astype(np.float32))
    assert (np.diff(kernel("exp", x)) >= 0).all()
    close = np.arange(0x3F800000, 0x3F804000, dtype=np.uint32).view(np.float32)
    assert (np.diff(kernel("exp", close)) >= 0).all()


@pytest.mark.parametrize("row", _core.isa_tables()["lane_ops"], ids=lambda r: r["mnemonic"])
def test_kernel_variants_agree(row):
    """Every instruction set of the host gives the same bits."""
    if row["mnemonic"] == "index":
        return
    rng = np.random.default_rng(row["opcode"])
    words = [rng.integers(0, 2**32, 5000, dtype=np.uint32) for _ in range(3)]
    floats = (rng.standard_normal(2500) * 10).astype(np.float32).view(np.uint32)
    words[0][:2500] = floats
    words[1][1250:3750] = floats
    if row["mnemonic"] in ("divsi", "remsi"):
        words[1][words[1] == 0] = 1
    imms = {
        "cmpi": range(10),
        "cmpf": range(16),
        "rescale": range(4),
        "round": [7, 8, 9, 10, 11, 16, 17],
        "requant": [m | 0xFF80007F00050000 & ~0xFFFF for m in range(4)],
    }
    for imm in imms.get(row["mnemonic"], [0x3F800000]):
        results = [
            _core.lane_kernel(row["mnemonic"], *words, imm=imm, variant=v)
            for v in range(len(VARIANTS))
        ]
        for other in results[1:]:
            assert np.array_equal(results[0], other)


@pytest.mark.parametrize(
    ("number", "name", "limit"), [(10, "float8_e4m3fn", 448.0), (11, "float8_e5m2", 57344.0)]
)
def test_eight_bit_floats(number, name, limit):
    """Against ml_dtypes after clamping: nearest even, saturating, NaN kept."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(number)
    codes = np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, name)).astype(np.float32)
    codes = codes[np.isfinite(codes)]
    ties = (np.sort(codes)[1:] + np.sort(codes)[:-1]) / 2
    x = np.concatenate(
        [
            codes,
            ties,
            rng.standard_normal(2000).astype(np.float32) * 50,
            np.array([np.inf, -np.inf, np.nan, 1e9, -0.0, 1e-9], np.float32),
        ]
    )
    want = np.clip(x, -limit, limit).astype(getattr(ml_dtypes, name)).astype(np.float32)
    got = kernel("round", x, imm=number)
    assert np.array_equal(got, want, equal_nan=True)
    assert (np.signbit(got) == np.signbit(want))[~np.isnan(want)].all()


@pytest.mark.parametrize(("number", "mantissa", "bias"), [(16, 3, 7), (17, 2, 15)])
def test_configurable_floats(number, mantissa, bias):
    """All codes are numbers; rounding picks the nearest, ties to the even code."""
    values = []
    for code in range(128):
        exponent, fraction = code >> mantissa, code & ((1 << mantissa) - 1)
        scale = 2.0 ** (max(exponent, 1) - bias - mantissa)
        values.append((fraction + ((1 << mantissa) if exponent else 0)) * scale)
    table = np.array(values, np.float64)
    rng = np.random.default_rng(number)
    x = np.abs(
        np.concatenate([table, (table[1:] + table[:-1]) / 2, rng.standard_normal(500) * 20])
    ).astype(np.float32)
    got = kernel("round", x, imm=number)
    for a, b in zip(x.tolist(), got.tolist(), strict=True):
        distance = np.abs(table - a)
        best = np.flatnonzero(distance == distance.min())
        code = best[0] if len(best) == 1 else next(c for c in best if c % 2 == 0)
        assert b == table[code]
    assert kernel("round", np.array([np.inf, -1e30], np.float32), imm=number).tolist() == [
        table[127],
        -table[127],
    ]
