# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small functions and layers, each on a target with float, one without, and the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import asic


class Function(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: Tensor) -> Any:
        return self.function(*x)


def values(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def integers(dtype: torch.dtype, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(-50, 50, shape, generator=generator, dtype=dtype)


def raw_and_scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    total = x.sum(1, dtype=torch.int32)
    return total, total.float() * 0.5


def two_scales(x: Tensor) -> tuple[Tensor, Tensor]:
    total = x.sum(1, dtype=torch.int32)
    return total.float() * 0.5, total.float() * 0.25


def with_transpose(x: Tensor) -> tuple[Tensor, Tensor]:
    y = x.exp()
    return y, y.t()


def every_second(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, ::2] = 0
    return y


def pooled_twice(x: Tensor) -> tuple[Tensor, Tensor]:
    pooled = nn.functional.adaptive_max_pool2d(x, (2, 3))
    return pooled, nn.functional.adaptive_avg_pool2d(x, (4, 5))


class Decoder(nn.Module):
    """Attention whose result has another layout in the next trace, and is viewed."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        return self.attention(x, memory, memory)[0]


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


#: function, inputs
CASES: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "multiply by a decimal": (lambda x: x * 0.1, (values(4, 16),)),
    "add a decimal": (lambda x: (x + 0.1) / 0.7, (values(4, 16),)),
    "clamp to decimals": (lambda x: x.clamp(-0.3, 0.4), (values(4, 16),)),
    "compare with a decimal": (lambda x: (x > 0.1).float(), (values(4, 16),)),
    "power": (lambda x: x.abs() ** 0.3 + x**2 + x**3, (values(4, 16),)),
    "bfloat16": (lambda x: x.bfloat16() * 1.1, (values(4, 16),)),
    "root mean square": (lambda x: x * x.pow(2).mean(-1, True).rsqrt(), (values(4, 16),)),
    "logsumexp": (lambda x: x.logsumexp(1), (values(4, 16),)),
    "normalize": (nn.functional.normalize, (values(4, 16),)),
    "leaky relu": (nn.LeakyReLU(0.1), (values(4, 16),)),
    "elu": (nn.ELU(0.1), (values(4, 16),)),
    "adaptive pools of uneven bins": (pooled_twice, (values(2, 3, 7, 8),)),
    "adaptive pools of more bins than points": (pooled_twice, (values(1, 3, 1, 2),)),
    "adaptive maxima of even bins": (nn.AdaptiveMaxPool2d((3, 4)), (values(1, 3, 6, 8),)),
    "adaptive maxima along a line": (nn.AdaptiveMaxPool1d(3), (values(2, 3, 8),)),
    "adaptive averages of a volume": (nn.AdaptiveAvgPool3d((2, 3, 1)), (values(1, 2, 5, 7, 3),)),
    "instance norm": (
        seeded(lambda: nn.InstanceNorm2d(4, affine=True)),
        (values(2, 4, 5, 3),),
    ),
    "instance norm of a volume": (nn.InstanceNorm3d(3), (values(2, 3, 4, 3, 5),)),
    "attention to a memory": (seeded(Decoder), (values(1, 6, 16), values(1, 5, 16))),
    "softplus": (nn.Softplus(), (20 * values(4, 16),)),
    "masked by a constant": (
        lambda x: x.masked_fill(torch.ones(16, 16).tril() == 0, 0.0).exp(),
        (values(16, 16),),
    ),
    "grouped attention with a mask per head": (
        lambda q, k, v, m: nn.functional.scaled_dot_product_attention(q, k, v, m, enable_gqa=True),
        (values(1, 4, 3, 8), values(1, 2, 5, 8), values(1, 2, 5, 8), values(1, 4, 3, 5)),
    ),
    "scalar input": (lambda x, z: x * z, (values(4, 16), torch.tensor(2.0))),
    "one value, two scales": (two_scales, (integers(torch.int32, 4, 16),)),
    "one value, raw and scaled": (raw_and_scaled, (integers(torch.int32, 4, 16),)),
    "one value and its transpose": (with_transpose, (values(4, 16),)),
    "negative scale": (
        lambda x: x.sum(1, dtype=torch.int32).float() * -0.5,
        (integers(torch.int32, 4, 16),),
    ),
    "int8 wraps": (lambda x: (x.amax(1) + 100).float() * 0.5, (integers(torch.int8, 4, 16),)),
    "conversion wraps": (
        lambda x: torch.round(x * 256).to(torch.int32).to(torch.int8).amax(1),
        (values(4, 16).abs(),),
    ),
    "strided assignment": (every_second, (values(4, 16),)),
    "transposed convolution": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), (values(2, 4, 5, 6),)),
    "grouped transposed convolution": (
        nn.ConvTranspose2d(6, 4, 2, 3, groups=2, dilation=2),
        (values(1, 6, 4, 3),),
    ),
    "cropped transposed convolution": (nn.ConvTranspose2d(2, 2, 2, 2, 2), (values(1, 2, 6, 6),)),
    "transposed convolution in 1-D": (
        nn.ConvTranspose1d(3, 5, 4, 2, bias=False),
        (values(2, 3, 7),),
    ),
}


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
@pytest.mark.parametrize("name", CASES)
def test_function(name: str, target: str) -> None:
    function, inputs = CASES[name]
    model = function if isinstance(function, nn.Module) else Function(function)
    compiled = asic.compile(model.eval(), inputs, target=target)
    with torch.no_grad():
        wanted = pytree.tree_leaves(model(*inputs))
    for have, want in zip(pytree.tree_leaves(compiled(*inputs)), wanted, strict=True):
        assert have.dtype == want.dtype
        # Matrix products are in bf16 on edge-tx1.
        torch.testing.assert_close(have, want, rtol=1e-2, atol=1e-2)
    if target == "edge-tx1" and name != "logsumexp":  # which keeps booleans in memory
        assert compiled.report().to_dict()["fallbacks"] == []


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "kea1-like"])
@pytest.mark.parametrize("name", [name for name in CASES if "transposed conv" in name])
def test_quantised_transposed_convolutions_are_exact(name: str, target: str) -> None:
    model, inputs = CASES[name]
    assert isinstance(model, nn.Module)
    compiled = asic.compile(
        model.eval(), inputs, target=target, quantize="int8", calibration=[inputs],
        fallback="error",
    )  # fmt: skip
    assert asic.verify(compiled, [inputs])


def test_text_without_any_attribute_of_ours() -> None:
    text = """
    func.func @main(%a: tensor<16x16xf32>) -> tensor<16x16xf32> {
      %0 = arith.addf %a, %a : tensor<16x16xf32>
      return %0 : tensor<16x16xf32>
    }
    """
    x = values(16, 16).numpy()
    assert (asic.compile(text, target="edge-tx1")(x) == x + x).all()


def test_random_numbers_are_refused() -> None:
    model = Function(lambda x: x + torch.rand_like(x))
    with pytest.raises(asic.CompileError, match="expected a deterministic model"):
        asic.compile(model, (values(4, 4),))


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
@pytest.mark.parametrize("function", [torch.log1p, torch.expm1, nn.functional.softplus])
def test_differences_to_one_keep_their_digits(
    function: Callable[[Tensor], Tensor], target: str
) -> None:
    magnitudes = torch.logspace(-30, 1.2, 61)
    x = torch.cat([magnitudes, torch.tensor([0.0, float("inf"), float("nan")])])
    if function is not torch.log1p:
        x = torch.cat([x, -magnitudes, torch.tensor([-float("inf")])])
    else:
        x = torch.cat([x, -magnitudes[magnitudes < 0.9], torch.tensor([-1.0, -2.0])])
    compiled = asic.compile(Function(function), (x,), target=target)
    torch.testing.assert_close(compiled(x), function(x), rtol=2e-6, atol=0, equal_nan=True)
