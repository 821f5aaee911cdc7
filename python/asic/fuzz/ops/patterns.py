# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What networks of docs/architectures.md join layers to: patches, windows, gates, masks, pyramids."""

from __future__ import annotations

import torch
from torch import Tensor

from asic.fuzz.generator import Generator, NoFit, divisor, op


def _weight(g: Generator, *shape: int) -> str:
    """A parameter that keeps the size of values of `shape[-2]` terms."""
    listed = ", ".join(map(str, (g.integer(0, 9999), *shape)))
    return g.layer(f"nn.Parameter(normal({listed}) * {round(shape[-2] ** -0.5, 4)})")


def _uniform(g: Generator, low: float, high: float, *shape: int) -> str:
    """A buffer of values of [low, high)."""
    listed = ", ".join(map(str, (g.integer(0, 9999), low, high, *shape)))
    return g.layer(f"nn.Buffer(uniform({listed}))")


@op(2)
def patches(g: Generator) -> None:
    x = g.pick_float(4)
    batch, channels, height, width = g[x].shape
    patch = g.choice([2, 3, 4])
    if min(height, width) < patch:
        raise NoFit
    dim = g.size(17)
    embedding = g.layer(f"nn.Conv2d({channels}, {dim}, {patch}, stride={patch})")
    (tokens,) = g.emit(f"{embedding}({x}).flatten(2).transpose(1, 2)")
    if g.chance(0.5):
        token = g.layer(f"nn.Parameter(normal({g.integer(0, 9999)}, 1, 1, {dim}))")
        (tokens,) = g.emit(f"torch.cat([{token}.expand({batch}, -1, -1), {tokens}], 1)")
    if g.chance(0.5):
        length = g[tokens].shape[1]
        place = g.layer(f"nn.Parameter(normal({g.integer(0, 9999)}, 1, {length}, {dim}) * 0.3)")
        g.emit(f"{tokens} + {place}")


@op(2)
def windows(g: Generator) -> None:
    x = g.pick_float(4)
    batch, channels, height, width = g[x].shape
    tall, wide = divisor(g, height), divisor(g, width)
    rows, columns = height // tall, width // wide
    source = f"torch.roll({x}, (-1, -1), (2, 3))" if g.chance(0.4) else x
    shape = f"{batch}, {channels}, {rows}, {tall}, {columns}, {wide}"
    (parts,) = g.emit(
        f"{source}.view({shape}).permute(0, 2, 4, 3, 5, 1).reshape(-1, {tall * wide}, {channels})"
    )
    (mixed,) = g.emit(f"{g.layer(f'nn.Linear({channels}, {channels})')}({parts})")
    if g.chance(0.6):
        shape = f"{batch}, {rows}, {columns}, {tall}, {wide}, {channels}"
        back = f"{batch}, {channels}, {height}, {width}"
        g.emit(f"{mixed}.view({shape}).permute(0, 5, 1, 3, 2, 4).reshape({back})")


@op(1)
def channel_shuffle(g: Generator) -> None:
    x = g.pick_float(4)
    batch, channels, height, width = g[x].shape
    groups = divisor(g, channels)
    if g.chance(0.5):
        g.emit(f"F.channel_shuffle({x}, {groups})")
    else:
        shape = f"{batch}, {groups}, {channels // groups}, {height}, {width}"
        g.emit(f"{x}.view({shape}).transpose(1, 2).reshape({batch}, {channels}, {height}, {width})")


@op(3)
def grouped_query_attention(g: Generator) -> None:
    x = g.pick_float(3)
    batch, length, width = g[x].shape
    shared, times, inner = g.choice([1, 2]), g.choice([1, 2, 3]), g.choice([2, 3, 4, 8])
    q = g.layer(f"nn.Linear({width}, {shared * times * inner}, bias=False)")
    kv = g.layer(f"nn.Linear({width}, {2 * shared * inner}, bias=False)")
    (query,) = g.emit(
        f"{q}({x}).view({batch}, {length}, {shared * times}, {inner}).transpose(1, 2)"
    )
    key, value = g.emit(
        f"{kv}({x}).view({batch}, {length}, {shared}, {2 * inner}).transpose(1, 2).chunk(2, -1)", 2
    )
    if g.chance(0.4):
        g.emit(
            f"F.scaled_dot_product_attention({query}, {key}, {value}, is_causal=True, "
            "enable_gqa=True)"
        )
        return
    if times > 1:
        (key,) = g.emit(f"{key}.repeat_interleave({times}, 1)")
        (value,) = g.emit(
            f"{value}[:, :, None].expand(-1, -1, {times}, -1, -1).reshape("
            f"{batch}, {shared * times}, {length}, {inner})"
        )
    (scores,) = g.emit(f"{query} @ {key}.transpose(-2, -1) * {round(inner**-0.5, 4)}")
    if g.chance(0.6):
        future = f"torch.ones({length}, {length}, dtype=torch.bool).triu(1)"
        filling = g.choice(["float('-inf')", "-1e4"])
        (scores,) = g.emit(f"{scores}.masked_fill({future}, {filling})")
    elif g.chance(0.5):
        table = g.layer(
            f"nn.Parameter(normal({g.integer(0, 9999)}, {2 * length - 1}, {shared * times}))"
        )
        steps = f"torch.arange({length})"
        (bias,) = g.emit(f"{table}[{steps}[:, None] - {steps} + {length - 1}].permute(2, 0, 1)")
        (scores,) = g.emit(f"{scores} + {bias}")
    (mixed,) = g.emit(f"{scores}.softmax(-1) @ {value}")
    g.emit(f"{mixed}.transpose(1, 2).flatten(2)")


@op(1)
def rotate_half(g: Generator) -> None:
    def fits(t: Tensor) -> bool:
        return t.dim() >= 2 and t.dtype == g.dtype and t.numel() > 0 and t.shape[-1] % 2 == 0

    x = g.pick(fits)
    length, width = g[x].shape[-2:]
    cos, sin = (_uniform(g, -1, 1, length, width) for _ in range(2))
    half = width // 2
    g.emit(f"{x} * {cos} + torch.cat([-{x}[..., {half}:], {x}[..., :{half}]], -1) * {sin}")


@op(1)
def modulation(g: Generator) -> None:
    x = g.pick_float(3)
    width = g[x].shape[2]
    if width < 2:
        raise NoFit
    shift, scale = g.emit(
        f"{g.layer(f'nn.Linear({width}, {2 * width})')}({x}.mean(1)).chunk(2, dim=-1)", 2
    )
    (normal,) = g.emit(f"F.layer_norm({x}, ({width},))")
    g.emit(f"{normal} * (1 + {scale}[:, None]) + {shift}.unsqueeze(1)")


@op(1)
def pooling_pyramid(g: Generator) -> None:
    x = g.pick_float(4)
    kernel = g.choice([3, 5])
    names = [x]
    for _ in range(g.integer(1, 2)):
        names += g.emit(f"F.max_pool2d({names[-1]}, {kernel}, 1, {kernel // 2})")
    g.emit(f"torch.cat([{', '.join(names)}], 1)")


@op(2)
def up_and_join(g: Generator) -> None:
    x = g.pick_float(4)
    batch = g[x].shape[0]
    skip = g.pick(lambda t: t.dim() == 4 and t.dtype == g[x].dtype and t.shape[0] == batch)
    mode = g.choice(["nearest", "nearest", "bilinear"])
    (up,) = g.emit(f"F.interpolate({x}, size={tuple(g[skip].shape[2:])}, mode={mode!r})")
    if g[skip].shape == g[up].shape and g.chance(0.5):
        g.emit(f"{up} + {skip}")
    else:
        g.emit(f"torch.cat([{up}, {skip}], 1)")


@op(1)
def masked_mean(g: Generator) -> None:
    x = g.pick_float(3)
    batch, length, _ = g[x].shape
    (mask,) = g.emit(f"({_uniform(g, 0, 1, batch, length)} > 0.3)[..., None]")
    g.emit(f"({x} * {mask}).sum(1) / {mask}.sum(1).clamp(min=1)")


@op(1)
def similarity(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.numel() > 0 and t.dim() in (2, 3))
    y = g.pick_like(x)
    texts = [f"F.cosine_similarity({x}, {y}, -1)", f"F.normalize({x}, dim=-1) * {y}"]
    if g[y].dim() == g[x].dim() and g[x].shape[-1] == g[y].shape[-1]:
        texts.append(f"({x} - {y}).abs().mean(-1)")
    g.emit(g.choice(texts))


@op(1)
def causal_convolution(g: Generator) -> None:
    x = g.pick_float(3)
    channels, dilation, kernel = g[x].shape[1], g.choice([1, 1, 2, 4]), g.choice([2, 3, 4])
    groups = channels if g.chance(0.5) else 1
    text = f"nn.Conv1d({channels}, {channels}, {kernel}, dilation={dilation}, groups={groups})"
    (padded,) = g.emit(f"F.pad({x}, ({(kernel - 1) * dilation}, 0))")
    (y,) = g.emit(f"{g.layer(text)}({padded})")
    if g.chance(0.5):
        g.emit(f"torch.tanh({y}) * torch.sigmoid({x})")


@op(1)
def sliding(g: Generator) -> None:
    x = g.pick_float(2, 3, 4)
    extent = g[x].shape[-1]
    size = g.integer(1, min(3, extent))
    if g[x].dim() == 4 and g.chance(0.5):
        g.emit(f"F.unfold({x}, {size}, padding={g.integer(0, 1)}, stride={g.integer(1, 2)})")
    else:
        g.emit(f"{x}.unfold(-1, {size}, {g.integer(1, 2)})")


@op(1)
def grid_sample(g: Generator) -> None:
    x = g.pick_float(4)
    grid = _uniform(g, -1.2, 1.2, g[x].shape[0], g.size(5), g.size(5), 2)
    mode, border = g.choice(["bilinear", "bilinear", "nearest"]), g.choice(["zeros", "border"])
    corners = g.chance(0.5)
    if g.dtype != torch.float32:  # PyTorch computes places in that type, and nearest ones differ.
        mode = "bilinear"
    g.emit(
        f"F.grid_sample({x}, {grid}, mode={mode!r}, padding_mode={border!r}, "
        f"align_corners={corners})"
    )


@op(1)
def computed_kernel(g: Generator) -> None:
    x = g.pick_float(4)
    channels, out, kernel = g[x].shape[1], g.size(9), g.choice([1, 3])
    member = _weight(g, out, channels, kernel, kernel)
    (weight,) = g.emit(
        f"{member} * {x}.mean((0, 2, 3))[:, None, None] * {round(channels**-0.5, 4)}"
    )
    if g.chance(0.5):
        (weight,) = g.emit(f"{weight} * ({weight}.square().sum((1, 2, 3), True) + 1e-3).rsqrt()")
    g.emit(f"F.conv2d({x}, {weight}, padding={kernel // 2})")


@op(1)
def recurrent_cell(g: Generator) -> None:
    x = g.pick_float(2)
    width, hidden = g[x].shape[1], g.size(9)
    kind = g.choice(["LSTM", "GRU", "RNN"])
    cell = g.layer(f"nn.{kind}Cell({width}, {hidden})")
    if kind == "LSTM":
        g.emit(f"{cell}({x})", 2)
    else:
        g.emit(f"{cell}({x})")


@op(2)
def expert_mixture(g: Generator) -> None:
    x = g.pick_float(2, 3)
    width, experts = g[x].shape[-1], g.choice([2, 3, 4])
    (gates,) = g.emit(f"{g.layer(f'nn.Linear({width}, {experts})')}({x}).softmax(-1)")
    if g.chance(0.5):
        most = g.integer(1, experts - 1)
        (kept,) = g.emit(f"{gates}.topk({most}, -1)[0]")
        (gates,) = g.emit(f"torch.where({gates} >= {kept}[..., -1:], {gates}, 0)")
    weight = _weight(g, experts, width, g.size(9))
    (answers,) = g.emit(f"torch.einsum('...i,eio->...eo', {x}, {weight})")
    g.emit(f"({gates}[..., None] * {answers}).sum(-2)")


@op(1)
def cached_keys(g: Generator) -> None:
    x = g.pick_float(3)
    batch, _, width = g[x].shape
    past = g.integer(1, 6)
    cache = g.layer(f"nn.Buffer(normal({g.integer(0, 9999)}, {batch}, {past}, {width}))")
    (keys,) = g.emit(f"torch.cat([{cache}, {x}], 1)")
    g.emit(f"({x} @ {keys}.mT * {round(width**-0.5, 4)}).softmax(-1) @ {keys}")


@op(1)
def state_update(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() in (2, 3) and 1 < t.shape[-1] <= 9)
    (state,) = g.emit(f"torch.exp(torch.cumsum(-{x}.abs(), -1))")
    g.emit(f"torch.tril({state}[..., :, None] * {x}[..., None, :]).sum(-1)")


@op(1)
def coupling(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 2 and t.shape[1] % 2 == 0 < t.numel())
    a, b = g.emit(f"{x}.chunk(2, 1)", 2)
    (moved,) = g.emit(f"{b} * torch.exp(torch.tanh({a})) + {a}")
    g.emit(f"torch.cat([{a}, {moved}], 1)")
