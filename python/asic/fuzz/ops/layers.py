# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers with weights: convolutions, linear layers, norms, products, attention, pooling."""

from __future__ import annotations

from torch import Tensor

from asic.fuzz.generator import Generator, NoFit, divisor, op

#: Gives norms something else than ones and zeros to do.
_NORM = ("{0}.weight.uniform_(0.5, 1.5)", "{0}.bias.uniform_(-0.5, 0.5)")
_STATISTICS = ("{0}.running_mean.uniform_(-0.5, 0.5)", "{0}.running_var.uniform_(0.5, 1.5)")


def _frozen(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines, on tensors that need no gradient."""
    return tuple(
        line.replace(".weight.", ".weight.data.").replace(".bias.", ".bias.data.") for line in lines
    )


def _image(g: Generator, spatial: int) -> str:
    return g.pick_float(spatial + 2)


def _convolution(g: Generator, spatial: int) -> None:
    x = _image(g, spatial)
    channels, extents = g[x].shape[1], g[x].shape[2:]
    out = g.size(17)
    groups = divisor(g, channels, out) if g.chance(0.25) else 1
    kernel = [min(g.choice([1, 1, 2, 3, 3, 5]), e + 2) for e in extents]
    options = [f"stride={g.per_axis(spatial, [1, 1, 2, 3])}"]
    dilation = g.per_axis(spatial, [1, 1, 1, 2])
    if dilation not in (1, (1,) * spatial):
        options.append(f"dilation={dilation}")
    padding = [g.choice([0, k // 2, k // 2, k - 1]) for k in kernel]
    if g.chance(0.1) and options == ["stride=1"]:
        options.append(f"padding={g.choice(['same', 'valid'])!r}")
    elif any(padding):
        options.append(f"padding={tuple(padding)}")
        if g.chance(0.1):
            options.append(
                f"padding_mode={g.choice(['zeros', 'reflect', 'replicate', 'circular'])!r}"
            )
    if groups > 1:
        options.append(f"groups={groups}")
    if g.chance(0.3):
        options.append("bias=False")
    text = f"nn.Conv{spatial}d({channels}, {out}, {tuple(kernel)}, {', '.join(options)})"
    if g[x].shape[0] == 1 and g.chance(0.05):
        (x,) = g.emit(f"{x}.squeeze(0)")
    g.emit(f"{g.layer(text)}({x})")


@op(9)
def conv2d(g: Generator) -> None:
    _convolution(g, 2)


@op(2)
def conv1d(g: Generator) -> None:
    _convolution(g, 1)


@op(1)
def conv3d(g: Generator) -> None:
    _convolution(g, 3)


@op(3)
def depthwise(g: Generator) -> None:
    spatial = g.choice([2, 2, 2, 1])
    x = _image(g, spatial)
    channels = g[x].shape[1]
    out = channels * g.choice([1, 1, 1, 2])
    kernel = g.choice([1, 3, 3, 5])
    text = (
        f"nn.Conv{spatial}d({channels}, {out}, {kernel}, stride={g.choice([1, 1, 2])}, "
        f"padding={kernel // 2}, groups={channels})"
    )
    g.emit(f"{g.layer(text)}({x})")


@op(2)
def conv_transpose(g: Generator) -> None:
    spatial = g.choice([2, 2, 1, 3])
    x = _image(g, spatial)
    channels, out = g[x].shape[1], g.size(9)
    groups = divisor(g, channels, out) if g.chance(0.3) else 1
    kernel, stride = g.choice([1, 2, 3, 4]), g.choice([1, 2, 2, 3])
    options = [f"stride={stride}", f"padding={g.integer(0, kernel - 1)}"]
    if stride > 1 and g.chance(0.4):
        options.append(f"output_padding={g.integer(0, stride - 1)}")
    if groups > 1:
        options.append(f"groups={groups}")
    if g.chance(0.2):
        options.append("dilation=2")
    text = f"nn.ConvTranspose{spatial}d({channels}, {out}, {kernel}, {', '.join(options)})"
    (y,) = g.emit(f"{g.layer(text)}({x})")
    if not g[y].numel():
        raise NoFit  # PyTorch runs it, and refuses to export it.


@op(9)
def linear(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 1 and t.shape[-1] > 0)
    bias = ", bias=False" if g.chance(0.3) else ""
    g.emit(f"{g.layer(f'nn.Linear({g[x].shape[-1]}, {g.size()}{bias})')}({x})")


@op(1)
def bilinear(g: Generator) -> None:
    x = g.pick_float(2)
    rows, inner = g[x].shape
    y = g.pick(lambda t: t.dtype == g.dtype and t.dim() == 2 and t.shape[0] == rows)
    g.emit(f"{g.layer(f'nn.Bilinear({inner}, {g[y].shape[1]}, {g.size(7)})')}({x}, {y})")


@op(3)
def matmul_weight(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.numel() > 0 and t.dim() >= 2)
    inner, out = g[x].shape[-1], g.size()
    scale = round(inner**-0.5, 4)
    batch = [g[x].shape[0]] if g[x].dim() == 3 and g.chance(0.3) else []
    shape = ", ".join(str(s) for s in [g.integer(0, 9999), *batch, inner, out])
    member = g.layer(f"nn.Parameter(normal({shape}) * {scale})")
    g.emit(g.choice([f"{x} @ {member}", f"torch.matmul({x}, {member})"]))


@op(5)
def matmul(g: Generator) -> None:
    a = g.pick(lambda t: t.is_floating_point() and t.numel() > 0 and t.dim() >= 1)
    inner, dtype = g[a].shape[-1], g[a].dtype

    def fits(t: Tensor) -> bool:
        return t.dtype == dtype and t.dim() >= 1 and t.shape[max(0, t.dim() - 2)] == inner

    b = g.pick_or(fits, lambda: g.float_input(inner, g.size(17)))
    g.emit(f"torch.matmul({a}, {b}) * {round(inner**-0.5, 4)}")


@op(4)
def gram(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.numel() > 0 and 2 <= t.dim() <= 4)
    scale = round(g[x].shape[-1] ** -0.5, 4)
    g.emit(f"torch.matmul({x}, {x}.transpose(-1, -2)) * {scale}")


@op(2)
def bmm(g: Generator) -> None:
    a = g.pick_float(3)
    batch, rows, inner = g[a].shape
    dtype = g[a].dtype
    try:
        b = g.pick(lambda t: t.dtype == dtype and t.dim() == 3 and t.shape[:2] == (batch, inner))
    except NoFit:
        (b,) = g.emit(f"{a}.{g.choice(['mT', 'transpose(1, 2)'])}")
    if g.chance(0.5):
        g.emit(f"torch.bmm({a}, {b})")
    else:
        (c,) = g.emit(f"torch.full(({batch}, {rows}, {g[b].shape[2]}), 0.3, dtype={dtype})")
        g.emit(f"torch.baddbmm({c}, {a}, {b}, beta=0.5, alpha={g.scalar()})")


@op(2)
def einsum(g: Generator) -> None:
    x = g.pick_float(2, 3, 4)
    rank = g[x].dim()
    letters = "bijk"[:rank]
    form = g.integer(0, 2)
    if form == 0:
        member = g.layer(
            f"nn.Parameter(normal({g.integer(0, 9999)}, {g[x].shape[-1]}, {g.size(9)}) * 0.3)"
        )
        g.emit(f"torch.einsum('{letters},{letters[-1]}o->{letters[:-1]}o', {x}, {member})")
    elif form == 1:
        other = letters[:-1] + "z"
        g.emit(f"torch.einsum('{letters},{other}->{letters[:-1]}', {x}, {x})")
    else:
        permuted = "".join(g.random.sample(letters, rank))
        g.emit(f"torch.einsum('{letters}->{permuted}', {x})")


@op(1)
def outer(g: Generator) -> None:
    x = g.pick_float(1)
    g.emit(g.choice([f"torch.outer({x}, {x})", f"{x}.dot({x})"]))


@op(5)
def batch_norm(g: Generator) -> None:
    spatial = g.choice([2, 2, 2, 1, 3])
    x = _image(g, spatial)
    lines = _frozen(_NORM) + _STATISTICS
    g.emit(f"{g.layer(f'nn.BatchNorm{spatial}d({g[x].shape[1]})', lines)}({x})")


@op(5)
def layer_norm(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 1 and t.shape[-1] > 1)
    last = 2 if g[x].dim() > 2 and g.chance(0.2) else 1
    shape = tuple(g[x].shape[-last:])
    if g.chance(0.2):
        g.emit(f"F.layer_norm({x}, {shape})")
    else:
        g.emit(f"{g.layer(f'nn.LayerNorm({shape})', _frozen(_NORM))}({x})")


@op(2)
def rms_norm(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 1 and t.shape[-1] > 1)
    lines = _frozen(_NORM[:1])
    g.emit(f"{g.layer(f'nn.RMSNorm({g[x].shape[-1]}, eps=1e-5)', lines)}({x})")


@op(2)
def group_norm(g: Generator) -> None:
    x = g.pick(
        lambda t: t.is_floating_point() and t.dim() >= 2 and 0 < t.shape[0] * t.shape[1] < t.numel()
    )
    groups = divisor(g, g[x].shape[1])
    if g[x][0].numel() // groups < 2:
        raise NoFit
    g.emit(f"{g.layer(f'nn.GroupNorm({groups}, {g[x].shape[1]})', _frozen(_NORM))}({x})")


@op(1)
def instance_norm(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() in (3, 4) and t.shape[2:].numel() > 1)
    g.emit(f"F.instance_norm({x})")


@op(3)
def attention(g: Generator) -> None:
    x = g.pick_float(3)
    batch, length, width = g[x].shape
    heads = divisor(g, width)
    projection = g.layer(f"nn.Linear({width}, {3 * width})")
    (packed,) = g.emit(f"{projection}({x})")
    shaped = f".view({batch}, {length}, {heads}, {width // heads}).transpose(1, 2)"
    q, k, v = g.emit(f"{packed}.chunk(3, -1)", 3)
    options = g.choice(["", "", ", is_causal=True", f", scale={g.scalar()}"])
    if g.chance(0.25) and "causal" not in options:
        mask = g.layer(f"nn.Buffer(uniform({g.integer(0, 9999)}, 0, 1, {length}, {length}) < 0.7)")
        (mask,) = g.emit(f"{mask} | torch.eye({length}, dtype=torch.bool)")
        options += f", attn_mask={mask}"
    operands = ", ".join(f"{part}{shaped}" for part in (q, k, v))
    (mixed,) = g.emit(f"F.scaled_dot_product_attention({operands}{options})")
    g.emit(f"{mixed}.transpose(1, 2).reshape({batch}, {length}, {width})")


@op(1)
def multihead(g: Generator) -> None:
    x = g.pick_float(3)
    width = g[x].shape[2]
    member = g.layer(f"nn.MultiheadAttention({width}, {divisor(g, width)}, batch_first=True)")
    g.emit(f"{member}({x}, {x}, {x}, need_weights=False)[0]")


@op(1)
def encoder_layer(g: Generator) -> None:
    x = g.pick_float(3)
    width = g[x].shape[2]
    if width < 2:
        raise NoFit
    options = f"{g.size(17)}, batch_first=True, norm_first={g.chance(0.5)}"
    member = g.layer(f"nn.TransformerEncoderLayer({width}, {divisor(g, width)}, {options})")
    g.emit(f"{member}({x})")


@op(3)
def gated(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.numel() > 0 and t.dim() >= 2)
    inner, hidden = g[x].shape[-1], g.size(17)
    up, gate = (g.layer(f"nn.Linear({inner}, {hidden}, bias=False)") for _ in range(2))
    down = g.layer(f"nn.Linear({hidden}, {inner}, bias=False)")
    (mixed,) = g.emit(f"F.silu({gate}({x})) * {up}({x})")
    g.emit(f"{x} + {down}({mixed})" if g.chance(0.6) else f"{down}({mixed})")


@op(2)
def squeeze_excite(g: Generator) -> None:
    x = g.pick_float(4)
    channels, inner = g[x].shape[1], g.size(8)
    down, up = (
        g.layer(f"nn.Conv2d({channels}, {inner}, 1)"),
        g.layer(f"nn.Conv2d({inner}, {channels}, 1)"),
    )
    (scale,) = g.emit(f"{up}(F.relu({down}({x}.mean((2, 3), keepdim=True))))")
    g.emit(f"{x} * torch.{g.choice(['sigmoid', 'sigmoid', 'tanh'])}({scale})")


@op(3)
def residual(g: Generator) -> None:
    x = g.pick_float(4)
    channels = g[x].shape[1]
    convolution = g.layer(f"nn.Conv2d({channels}, {channels}, 3, padding=1, bias=False)")
    norm = g.layer(f"nn.BatchNorm2d({channels})", _frozen(_NORM) + _STATISTICS)
    (y,) = g.emit(
        f"F.{g.choice(['relu', 'relu6', 'silu', 'hardswish'])}({norm}({convolution}({x})))"
    )
    g.emit(f"F.relu({y} + {x})" if g.chance(0.5) else f"{y} + {x}")


@op(4)
def pool(g: Generator) -> None:
    spatial = g.choice([2, 2, 2, 1, 3])
    x = _image(g, spatial)
    limit = min(g[x].shape[2:])
    kernel = min(g.choice([1, 2, 2, 3]), limit)
    options = [f"stride={g.choice([1, 2, 2, 3])}"]
    if g.chance(0.4):
        options.append(f"padding={kernel // 2}")
    if g.chance(0.2):
        options.append("ceil_mode=True")
    if g.chance(0.5):
        if g.chance(0.15):
            options.append("dilation=2")
        g.emit(f"F.max_pool{spatial}d({x}, {kernel}, {', '.join(options)})")
    else:
        if g.chance(0.3):
            options.append("count_include_pad=False")
        if spatial > 1 and g.chance(0.1):
            options.append("divisor_override=3")
        g.emit(f"F.avg_pool{spatial}d({x}, {kernel}, {', '.join(options)})")


@op(2)
def adaptive_pool(g: Generator) -> None:
    spatial = g.choice([2, 2, 1])
    x = _image(g, spatial)
    size = g.choice([1, 1, 1, 2, 3, g.per_axis(spatial, [1, 2, 3, 5])])
    g.emit(f"F.adaptive_{g.choice(['avg', 'avg', 'max'])}_pool{spatial}d({x}, {size})")


@op(2)
def interpolate(g: Generator) -> None:
    spatial = g.choice([2, 2, 2, 1, 3])
    x = _image(g, spatial)
    smooth = ["linear", "bilinear", "trilinear"][spatial - 1]
    modes = ["nearest", "nearest", "nearest-exact", smooth, smooth]
    mode = g.choice([*modes, *(["bicubic"] if spatial == 2 else [])])
    factor = g.choice(["2", "2", "3", "0.5", "1.7"])
    size = g.choice([f"scale_factor={factor}"] * 3 + [f"size={g.size(12)}"])
    corners = f", align_corners={g.chance(0.5)}" if "nearest" not in mode else ""
    g.emit(f"F.interpolate({x}, {size}, mode={mode!r}{corners})")


@op(1)
def pixel_shuffle(g: Generator) -> None:
    x = g.pick_float(4)
    channels, height, width = g[x].shape[1:]
    if min(height, width) < 2:
        raise NoFit  # Nothing would be left, of which eager PyTorch gives another shape.
    if channels % 4 == 0 and g.chance(0.6):
        g.emit(f"F.pixel_shuffle({x}, 2)")
    else:
        g.emit(f"F.pixel_unshuffle({x}[..., {height % 2}:, {width % 2}:], 2)")


@op(1)
def local_response_norm(g: Generator) -> None:
    g.emit(f"F.local_response_norm({g.pick_float(3, 4)}, {g.choice([1, 2, 3, 5])})")
