# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A masked program computes, in padded tensors, what the model computes without padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from asic.errors import CompileError
from asic.frontend.dynamic import dimensions, flat_module
from asic.frontend.export import capture
from asic.frontend.padding import insert_masks
from asic.frontend.state import functional
from asic.sizes import Dimensions

F = nn.functional


class Call(nn.Module):
    """A function as a module, with a few weights that it may use."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.linear = nn.Linear(6, 6)
        self.plain = nn.Linear(6, 6, bias=False)
        self.conv = nn.Conv1d(6, 6, 3, padding=1)
        self.wide = nn.Conv1d(6, 4, 5, stride=2, padding=4, dilation=2)
        self.up = nn.ConvTranspose1d(6, 6, 4, stride=2, padding=1)
        self.norm = nn.LayerNorm(6)
        self.group = nn.GroupNorm(2, 6)
        self.batch = nn.BatchNorm1d(6).eval()
        self.table = nn.Embedding(9, 6)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def masked(function: Callable[..., Any], kind: torch.dtype, low: int = 4) -> Any:
    batch, steps = Dim("batch", min=1, max=6), Dim("steps", min=low, max=16)
    shape = (2, 8, 6) if kind == torch.float32 else (2, 8)
    model = Call(function).eval()
    example = torch.zeros(shape, dtype=kind)
    shapes = ({0: batch, 1: steps},)
    program, _, _ = capture(model, (example,), None, shapes)
    found = dimensions(program, shapes)
    assert found is not None
    return model, found, insert_masks(flat_module(functional(program)))


def garbage(found: Dimensions, x: Tensor, bucket: dict[str, int]) -> Tensor:
    """The input padded as the runtime does it."""
    padded = torch.zeros(found.inputs[0].at(bucket).shape, dtype=x.dtype)
    padded[tuple(slice(0, size) for size in x.shape)] = x
    return padded


def check(
    function: Callable[..., Any], kind: torch.dtype, low: int = 4, relative: float = 2e-6
) -> None:
    model, found, program = masked(function, kind, low)
    by_label = {label: symbol for symbol, label in found.labels.items()}
    largest = {symbol: high for symbol, (_, high) in found.ranges.items()}
    for batch, steps in ((1, low), (2, 8), (3, 9), (6, 15), (6, 16)):
        sizes = {by_label["batch"]: batch, by_label["steps"]: steps}
        spec = found.inputs[0].at(sizes)
        torch.manual_seed(batch)
        if kind == torch.float32:
            x = torch.randn(spec.shape)
        else:
            x = torch.randint(0, 9, spec.shape)
        hidden = [torch.from_numpy(h.value(sizes, largest)) for h in program.hidden]
        with torch.no_grad():
            results = program.module(garbage(found, x, largest), *hidden)
            wanted = model(x)
        for output, result, want in zip(
            found.outputs,
            results,
            wanted if isinstance(wanted, tuple) else (wanted,),
            strict=True,
        ):
            shape = output.at(sizes).shape
            got = result[tuple(slice(0, size) for size in shape)]
            torch.testing.assert_close(got, want, rtol=relative, atol=relative, equal_nan=True)


#: Garbage in the padding: the logarithm of nothing is infinite, its sine no number.
def _wild(x: Tensor) -> Tensor:
    return torch.sin(torch.log(x.abs())) + x


FLOATS: dict[str, Callable[[Any, Tensor], Any]] = {
    "elementwise": lambda m, x: F.gelu(_wild(x)) * 2 + x,
    "linear": lambda m, x: m.linear(m.plain(_wild(x))),
    "the last places": lambda m, x: (x[:, -3:], _wild(x)[:, x.shape[1] - 2 :], x[:, -2:].sum(1)),
    "sums": lambda m, x: (_wild(x).sum(1), _wild(x).sum(0), _wild(x).sum(), x.sum((0, 2))),
    "means": lambda m, x: (_wild(x).mean(1), _wild(x).mean((0, 1)), x.mean(), x.mean(1, True)),
    "variances": lambda m, x: (
        _wild(x).var(1),
        (_wild(x) + 100).std((0, 1), correction=0),
        _wild(x).std(),
        x.var(1, unbiased=False, keepdim=True),
        x.var(2),
    ),
    "sums over labels": lambda m, x: (
        torch.einsum("bic,bid->bcd", _wild(x), _wild(x) + 1),
        torch.einsum("bic,bjc->bij", _wild(x), _wild(x)),
        torch.einsum("bij, bjc -> ic", x @ _wild(x).transpose(1, 2), _wild(x)),
        torch.einsum("bic,cd", _wild(x), m.linear.weight),
        torch.einsum("bij,bjk->bik", *[_wild(x)[..., :1] + _wild(x)[..., 0][:, None]] * 2),
    ),
    "angles": lambda m, x: (
        F.cosine_similarity(_wild(x), _wild(x) + 1, dim=1),
        F.cosine_similarity(_wild(x), _wild(x)[0], dim=-2),
        F.cosine_similarity(_wild(x), x[:, :1], dim=2),
    ),
    "extremes": lambda m, x: (_wild(x).amax(1), (-x).amin(0), x.max(1).values, x.min()),
    "positions": lambda m, x: (_wild(x).argmax(1), x.argmin(0)),
    "norm of vectors": lambda m, x: torch.linalg.vector_norm(_wild(x), dim=1),
    "softmax": lambda m, x: (_wild(x).softmax(1), x.log_softmax(0), x.softmax(-1)),
    "logsumexp": lambda m, x: _wild(x).logsumexp(1),
    "scan": lambda m, x: (_wild(x).cumsum(1), x.cumsum(0)),
    "product over steps": lambda m, x: _wild(x).transpose(1, 2) @ _wild(x),
    "squares of matrices": lambda m, x: (lambda a: a @ a)(
        _wild(x)[..., :1] + _wild(x)[..., 0][:, None]
    ),
    "product of weights": lambda m, x: (_wild(x) @ x.transpose(1, 2)).softmax(-1) @ _wild(x),
    "convolution": lambda m, x: m.conv(_wild(x).transpose(1, 2)),
    "strides": lambda m, x: m.wide(m.conv(x.transpose(1, 2)).relu()),
    "transposed": lambda m, x: m.conv(m.up(_wild(x).transpose(1, 2))),
    "largest of windows": lambda m, x: F.max_pool2d(_wild(x)[:, None], 3, 2, 1),
    "windows of a list": lambda m, x: torch.ops.aten.max_pool2d(
        -_wild(x).exp()[:, None], [3], [2], [1]
    ),
    "places in windows": lambda m, x: F.max_pool2d(_wild(x)[:, None], 2, 2, 1, return_indices=True),
    "mean of windows": lambda m, x: F.avg_pool2d(_wild(x)[:, None], 3, 2, 1),
    "mean of all": lambda m, x: F.adaptive_avg_pool2d(_wild(x)[:, None], 1),
    "norms": lambda m, x: (m.norm(_wild(x)), m.batch(x.transpose(1, 2))),
    "norm of samples": lambda m, x: m.group(_wild(x)[:, 0]),
    "attention": lambda m, x: F.scaled_dot_product_attention(
        *(t.unflatten(2, (2, 3)).transpose(1, 2) for t in (x, _wild(x), _wild(x)))
    ),
    "causal": lambda m, x: F.scaled_dot_product_attention(x, _wild(x), _wild(x), is_causal=True),
    "masked attention": lambda m, x: F.scaled_dot_product_attention(
        x, _wild(x), x, attn_mask=(x[:, None, :, 0] > -1) | (x[:, None, :, 1] > -2)
    ),
    "additive mask": lambda m, x: F.scaled_dot_product_attention(
        x, x, _wild(x), attn_mask=x[:, None, :, 0].expand(-1, x.shape[1], -1)
    ),
    "reshapes": lambda m, x: m.linear(
        _wild(x).reshape(x.shape[0], x.shape[1], 2, 3).permute(2, 0, 1, 3).flatten(2)[..., :6]
    ),
    "rows": lambda m, x: (
        F.gelu(torch.addmm(m.linear.bias, _wild(x).view(-1, 6), m.linear.weight) * m.linear.bias)
        .view(*x.shape)
        .sum(1)
    ),
    "rows through layers": lambda m, x: (
        m.plain(m.norm(m.linear(x.reshape(-1, 6)).relu()))
        .unflatten(0, x.shape[:2])
        .reshape(x.shape)
        .mean(1)
    ),
    "rows that end as heads": lambda m, x: (
        m.linear(_wild(x).transpose(0, 1).reshape(-1, 6))
        .view(x.shape[1], x.shape[0], 2, 3)
        .permute(1, 2, 0, 3)
        .sum(2)
    ),
    "merge and split": lambda m, x: x.flatten(1).unflatten(1, (x.shape[1], 6)).sum(1),
    "last place": lambda m, x: (m.linear(_wild(x)[:, -1]), x[-1], x[:, -3]),
    "front": lambda m, x: (_wild(x)[:, 0], x[:, :3].sum(1), x[:, 1:].sum(1), x[:, ::2].sum(1)),
    "token in front": lambda m, x: torch.cat([_wild(x)[:, :1], x], 1).mean(1),
    "side by side": lambda m, x: (
        torch.stack([x, _wild(x)], 1).sum(2),
        torch.stack([x, x.cos()], -1).sum(1),
        torch.stack([x, x], 0).sum(2),
    ),
    "sizes": lambda m, x: _wild(x).sum(1) / x.shape[1] * (x.shape[0] + 1),
    "constants": lambda m, x: (
        torch.zeros_like(x).sum(1) + torch.ones(x.shape[1])[:, None].sum(0),
        torch.arange(x.shape[1]).float().sum(),
        x.new_full((x.shape[1],), 2.0).sum(),
    ),
    "padding": lambda m, x: F.pad(_wild(x), (0, 0, 2, 3), value=2.0).sum(1),
    "padding to a length": lambda m, x: F.pad(_wild(x), (0, 0, 0, 16 - x.shape[1])).cumsum(1),
    "products of steps": lambda m, x: x.clamp(0.5, 1.5).prod(1),
    "triangle": lambda m, x: (x @ x.transpose(1, 2)).tril().sum(-1),
    "chosen": lambda m, x: torch.where(x > 0, _wild(x), x.neg()).sum(1),
    "pieces": lambda m, x: [piece.sum(1) for piece in _wild(x).chunk(2, 2)][1],
}
INTEGERS: dict[str, Callable[[Any, Tensor], Any]] = {
    "embedding": lambda m, t: m.table(t).sum(1),
    "places": lambda m, t: m.table(t + torch.arange(t.shape[1]).clamp(max=0)).mean(1),
    "look-up beyond": lambda m, t: m.table((8 - t) - 0 * t).sum(1),
    "gather": lambda m, t: m.table(t).gather(1, (t % 4)[..., None].expand(-1, -1, 6)).sum(1),
    "counted places": lambda m, t: t[
        torch.arange(t.shape[0])[:, None, None], torch.arange(t.shape[1])[None, None] + 0
    ].sum(2),
    "count": lambda m, t: ((t > 3).sum(1), (t > 3).any(1), (t >= 0).all(1), t.amax(1)),
}


_OF_TORCH = (
    "abs acos angle asin asinh atan ceil cos cosh deg2rad digamma erf erfc exp exp2 expm1 floor "
    "frac isfinite isinf isnan isneginf lgamma log1p logical_not logit neg positive rad2deg "
    "reciprocal relu round rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square tan tanh trunc"
)
_ACTIVATIONS = (
    "celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu6 selu "
    "silu softplus softshrink softsign tanhshrink"
)
#: Elementwise operators in the forms in which 0 gives 0, and in those in which it does not.
ELEMENTWISE: list[Callable[[Tensor], Tensor]] = [
    *[getattr(torch, name) for name in _OF_TORCH.split()],
    *[getattr(F, name) for name in _ACTIVATIONS.split()],
    lambda x: F.hardtanh(x, 0.5, 2.0),
    lambda x: F.hardtanh(x, -2.0, -0.5),
    lambda x: F.hardtanh(x, 0.0, 0.5),
    lambda x: x.clamp(0.5, 1.5),
    lambda x: x.clamp(max=-0.5),
    lambda x: x.clamp(min=-0.5),
    lambda x: x.clamp(1.0, -1.0),
    lambda x: F.threshold(x, -0.5, 7.0),
    lambda x: F.threshold(x, 0.0, 7.0),
    lambda x: F.elu(x, -3.0),
    lambda x: F.elu(x, float("inf")),
    lambda x: F.celu(x, -2.0),
    lambda x: F.leaky_relu(x, float("inf")),
    lambda x: F.leaky_relu(x, -1.0),
    lambda x: F.softplus(x, 3.0, 0.1),
    lambda x: F.hardshrink(x, -1.0),
    lambda x: F.gelu(x, approximate="tanh"),
    lambda x: x.nan_to_num(5.0),
    lambda x: (x / x).nan_to_num(5.0),
    lambda x: x**0,
    lambda x: x**-1,
    lambda x: x**2,
    lambda x: x.abs() ** 0.5,
    lambda x: 2**x,
    lambda x: 0**x,
    lambda x: torch.pow(x, x),
    lambda x: x + 1,
    lambda x: x + 0,
    lambda x: x - 0.5,
    lambda x: 1 - x,
    lambda x: torch.add(x, x, alpha=3),
    lambda x: x * float("inf"),
    lambda x: x * -2,
    lambda x: x / 3,
    lambda x: x / 0,
    lambda x: x / x,
    lambda x: x * x.relu(),
    lambda x: x.fmod(0.3),
    lambda x: x.remainder(0),
    lambda x: x > -1,
    lambda x: x > 0,
    lambda x: x >= x,
    lambda x: x == 0,
    lambda x: x.logit(0.25),
    lambda x: x.abs().xlogy(x.abs()),
    lambda x: torch.atan2(x, -x.abs()),
    lambda x: torch.atan2(x, x.neg()),
    lambda x: torch.copysign(torch.ones_like(x), -x.abs()),
    lambda x: torch.hypot(x, x),
    lambda x: torch.heaviside(x, x + 1),
    lambda x: torch.logaddexp(x, x),
    lambda x: torch.lerp(x, x, 0.3),
    lambda x: torch.addcmul(x, x, x, value=2),
    lambda x: torch.addcdiv(x, x, x),
    lambda x: torch.maximum(x, x.sign()),
    lambda x: torch.max(x, x * 2),
    lambda x: torch.min(x, x + 1),
    lambda x: torch.where(x > 0, x, -x),
    lambda x: torch.where(x > -1, x, x.cos()),
    lambda x: x.masked_fill(x <= 0, 3.0),
    lambda x: x.masked_fill(x > 0, 3.0),
    lambda x: x.to(torch.int32).bitwise_not(),
    lambda x: x.to(torch.float16),
    lambda x: x.clone(memory_format=torch.contiguous_format),
]


def test_elementwise_operators_with_unusual_arguments() -> None:
    def sums(_: Any, x: Tensor) -> Any:
        x = x.clamp(-0.9, 0.9)
        return tuple(operator(x).sum(1) for operator in ELEMENTWISE)

    check(sums, torch.float32, relative=1e-5)


def test_operators_that_keep_numbers_finite() -> None:
    from asic.frontend.padding.rules import _KEEP_FINITE

    extremes = torch.tensor([torch.finfo().max, torch.finfo().min, torch.finfo().tiny, 0.0])
    for name in _KEEP_FINITE:
        assert getattr(torch.ops.aten, name.removeprefix("aten."))(extremes).isfinite().all()


@pytest.mark.parametrize("name", FLOATS)
def test_padding_does_not_reach_results(name: str) -> None:
    check(FLOATS[name], torch.float32)


@pytest.mark.parametrize("name", INTEGERS)
def test_padding_of_integers_does_not_reach_results(name: str) -> None:
    check(INTEGERS[name], torch.int64)


class Attention(nn.MultiheadAttention):
    """Self-attention as a function of one tensor."""

    def __init__(self, weights: bool, **options: Any) -> None:
        super().__init__(6, 2, **options)
        self.weights = weights

    def forward(self, x: Tensor) -> Any:  # type: ignore[override]
        result, weights = super().forward(x, x, x, need_weights=self.weights)
        return (result, weights) if self.weights else result


class Hidden(nn.TransformerEncoderLayer):
    """Tokens whose first number is negative are not looked at; the first one is."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        places = torch.arange(x.shape[1]) > 0
        return super().forward(x, src_key_padding_mask=(x[..., 0] < 0) & places)


class Decoder(nn.TransformerDecoderLayer):
    """Looks at itself turned around."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x.neg())


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: Attention(False, batch_first=True),
    "attention with weights": lambda: Attention(True, batch_first=True),
    "attention over the first dimension": lambda: Attention(False),
    "weights over the first dimension": lambda: Attention(True),
    "encoder layer": lambda: nn.TransformerEncoderLayer(6, 2, 12, batch_first=True),
    "norm first": lambda: nn.TransformerEncoderLayer(6, 2, 12, batch_first=True, norm_first=True),
    "encoder layer over the first dimension": lambda: nn.TransformerEncoderLayer(6, 2, 12),
    "hidden tokens": lambda: Hidden(6, 2, 12, batch_first=True),
    "decoder layer": lambda: Decoder(6, 2, 12, batch_first=True),
    "encoder": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 2, 12, batch_first=True), 2, enable_nested_tensor=False
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_pytorch(name: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]().eval()
    # What comes before leaves garbage that is not finite in the padding.
    check(lambda m, x: layer(_wild(x)), torch.float32, relative=1e-5)


def test_the_largest_of_windows_without_their_places() -> None:
    check(
        lambda m, x: F.max_pool2d(_wild(x).transpose(1, 2), 2, return_indices=True)[0],
        torch.float32,
    )


def test_one_step_is_a_size_too() -> None:
    check(lambda m, x: m.linear(x).softmax(1).sum(1), torch.float32, low=1)


REFUSED: dict[str, Callable[[Any, Tensor], Any]] = {
    "flip": lambda m, x: x.flip(1),
    "roll": lambda m, x: x.roll(1, 1),
    "sort": lambda m, x: x.sort(1).values,
    "var": lambda m, x: x.var(1, correction=2),
    "einsum": lambda m, x: torch.einsum("...i,...i", x.transpose(0, 2), x.transpose(0, 2)),
    "aten.einsum": lambda m, x: torch.einsum("bii->bi", x[..., :1] + x[..., 0][:, None]),
    "cosine_similarity": lambda m, x: F.cosine_similarity(x, x[:, :1], dim=1),
    "cat": lambda m, x: torch.cat([x, x], 1),
    "view": lambda m, x: m.linear(x.reshape(-1, 6)),
    "reshape": lambda m, x: (
        (x.reshape(-1, 6) + x.transpose(0, 1).reshape(-1, 6)).view(x.shape).sum(1)
    ),
    "softmax": lambda m, x: x.reshape(-1, 6).softmax(0).view(x.shape),
    "group_norm": lambda m, x: m.group(x.transpose(1, 2)),
    "pad": lambda m, x: F.pad(x.transpose(1, 2), (1, 1), mode="replicate"),
    "slice": lambda m, x: x[:, -4:-1],
    "constant_pad_nd": lambda m, x: F.pad(x, (0, 0, 16 - x.shape[1], 0)),
    "tril": lambda m, x: (x @ x.transpose(1, 2)).tril(x.shape[1] - 3),
    "batch_norm": lambda m, x: F.batch_norm(x.transpose(1, 2), None, None, training=True),
    "index": lambda m, x: x[torch.arange(2)[:, None], torch.arange(-2, 0)],
    "argmax": lambda m, x: x.argmax(),
    "max_pool2d": lambda m, x: F.max_pool2d(x.transpose(1, 2), 2, return_indices=True)[1],
    "cond": lambda m, x: torch.cond(x[0, 0, 0] > 0, lambda y: y + 1, lambda y: y * 2, (x,)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_mixes_padding_in_is_refused_at_its_line(name: str) -> None:
    with pytest.raises(CompileError, match=r"test_padding\.py:\d+.*; ") as caught:
        masked(REFUSED[name], torch.float32)
    assert caught.value.phase == "import"


@pytest.mark.parametrize(
    ("places", "remedy"),
    [
        (-3, r"; declare steps = Dim\('steps', min=3, max=16\), or leave"),
        (-2, "; give the Dim bounds"),
    ],
)
def test_sizes_that_do_not_fit_come_with_a_declaration_that_does(places: int, remedy: str) -> None:
    with pytest.raises(CompileError, match=remedy):
        masked(lambda m, x: x[:, places:].sum(1), torch.float32, low=1)


def test_masks_are_only_where_they_are_needed() -> None:
    _, _, program = masked(lambda m, x: m.linear(F.gelu(x)).tanh(), torch.float32)
    assert program.hidden == ()
    _, _, program = masked(lambda m, x: x.relu().sum(1), torch.float32)
    assert program.hidden == ()


def test_hidden_inputs() -> None:
    from asic.sizes import Hidden

    sizes, bucket = {"s": 3}, {"s": 6}
    valid = Hidden("valid", "(s - 1)//2 + 1").value(sizes, bucket)
    assert np.array_equal(valid, [1, 1, 0])
    assert np.array_equal(Hidden("place", "s", -1).value(sizes, bucket), [0, 0, 1, 0, 0, 0])
    assert Hidden("size", "4*s").value(sizes, bucket) == 12
