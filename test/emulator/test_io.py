# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How arrays get into and out of device memory."""

from __future__ import annotations

import numpy as np
import pytest
from machine_tools import machine
from reference_machine import inst


def echo(record_in: dict, record_out: dict, array: np.ndarray) -> np.ndarray:
    """A program whose output record reads the bytes of its input record."""
    loaded = machine([inst("halt")], inputs=[record_in], outputs=[record_out])
    result = loaded.run({record_in["name"]: array})
    assert result["fault"] is None, result["fault"]["text"]
    return result["outputs"][record_out["name"]]


def record(name, shape, dtype, device, strides=None, **more) -> dict:
    if strides is None:
        strides = [int(np.prod(shape[d + 1 :], dtype=int)) for d in range(len(shape))]
    return {
        "name": name,
        "shape": list(shape),
        "dtype": dtype,
        "device_type": device,
        "address": 64,
        "strides": list(strides),
    } | more


@pytest.mark.parametrize(
    ("dtype", "device"),
    [
        ("int8", "i8"),
        ("uint8", "u8"),
        ("int16", "i16"),
        ("int32", "i32"),
        ("int64", "i32"),
        ("bool", "u8"),
        ("uint16", "i32"),
        ("float32", "f32"),
        ("float64", "f32"),
        ("float16", "f16"),
        ("bfloat16", "bf16"),
        ("float8_e4m3fn", "e4m3"),
        ("float8_e5m2", "e5m2"),
    ],
)
def test_round_trip_of_types(dtype, device):
    import ml_dtypes

    rng = np.random.default_rng(0)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = (
        rng.integers(0, 2, (3, 5)).astype(bool)
        if dtype == "bool"
        else (rng.integers(0, 100, (3, 5)).astype(np.float32).astype(kind))
    )
    y = echo(record("x", (3, 5), dtype, device), record("y", (3, 5), dtype, device), x)
    assert y.dtype == kind
    assert np.array_equal(y, x)


def test_layout():
    """A logical NCHW tensor that lies as NHWC; the user's array may be strided too."""
    x = np.arange(2 * 3 * 4 * 5, dtype=np.int32).reshape(2, 3, 4, 5)
    nhwc = [60, 1, 15, 3]
    flat = echo(record("x", x.shape, "int32", "i32", nhwc), record("y", (120,), "int32", "i32"), x)
    assert np.array_equal(flat.reshape(2, 4, 5, 3), x.transpose(0, 2, 3, 1))
    view = x.transpose(0, 2, 3, 1)[:, ::-1].transpose(0, 3, 1, 2)
    back = echo(
        record("x", x.shape, "int32", "i32", nhwc), record("y", x.shape, "int32", "i32", nhwc), view
    )
    assert np.array_equal(back, view)


def test_scalar_and_empty():
    x = np.float32(3.5).reshape(())
    assert echo(record("x", (), "float32", "f32"), record("y", (), "float32", "f32"), x) == 3.5
    empty = np.zeros((0, 3), np.float32)
    out = echo(record("x", (0, 3), "float32", "f32"), record("y", (0, 3), "float32", "f32"), empty)
    assert out.shape == (0, 3)


@pytest.mark.parametrize("seed", range(6))
def test_quantize_like_torch(seed):
    """Bit for bit `quantized_decomposed`, ties and saturation included."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch.ao.quantization.fx._decomposed")  # registers the operators

    rng = np.random.default_rng(seed)
    scale = float(rng.uniform(1e-3, 0.3))
    zero = int(rng.integers(-128, 128))
    x = (rng.standard_normal(3000) * 40 * scale).astype(np.float32)
    x[:500] = ((rng.integers(-200, 200, 500) + 0.5) * scale).astype(np.float32)  # near ties
    x[500:504] = [np.inf, -np.inf, 1e30, -1e30]
    quantization = {"scale": scale, "zero_point": zero, "lo": -128, "hi": 127}
    quantized = echo(
        record("x", x.shape, "float32", "i8", quantization=quantization),
        record("y", x.shape, "int8", "i8"),
        x,
    )
    operators = torch.ops.quantized_decomposed
    want = operators.quantize_per_tensor(torch.from_numpy(x), scale, zero, -128, 127, torch.int8)
    finite = np.abs(x) < 1e29
    assert np.array_equal(quantized[finite], want.numpy()[finite])
    assert quantized[500:504].tolist() == [127, -128, 127, -128]

    back = echo(
        record("x", x.shape, "int8", "i8"),
        record("y", x.shape, "float32", "i8", quantization=quantization),
        quantized,
    )
    want = operators.dequantize_per_tensor(
        torch.from_numpy(quantized), scale, zero, -128, 127, torch.int8
    )
    assert np.array_equal(back.view(np.uint32), want.numpy().view(np.uint32))


def test_quantize_nan_and_bounds():
    quantization = {"scale": 0.5, "zero_point": 5, "lo": 0, "hi": 100}
    x = np.array([np.nan, 1e9, -1e9, 0.25, 0.75], np.float32)
    out = echo(
        record("x", x.shape, "float32", "i8", quantization=quantization),
        record("y", x.shape, "int8", "i8"),
        x,
    )
    assert out.tolist() == [5, 100, 0, 5, 7]  # 0.5 and 1.5 round to even
