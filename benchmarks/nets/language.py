# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pieces of language models: MiniLM, a block of GPT-2, a block of Llama with its cache."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.nets.transformer import EncoderLayer, PreNormLayer


class MiniLm(nn.Module):
    """MiniLM-L6 (width 384): token numbers (n, tokens) to sentence vectors (n, 384)."""

    def __init__(self, vocabulary: int = 30522, layers: int = 6, width: int = 384) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(1, 512, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(EncoderLayer(width, 12, 4 * width) for _ in range(layers))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.words(tokens) + self.positions[:, : tokens.shape[1]])
        for layer in self.layers:
            x = layer(x)
        return x.mean(1)


class Gpt2Block(nn.Module):
    """One block of GPT-2 (width 768, 12 heads, causal): (n, tokens, 768) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.block = PreNormLayer(768, 12, 3072, causal=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class RmsNorm(nn.Module):
    """Root-mean-square normalisation, in float32 whatever the format of its input."""

    def __init__(self, width: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return self.weight * (wide * scale).to(x.dtype)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary embedding of (n, heads, tokens, features)."""
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine


class LlamaBlock(nn.Module):
    """One block of the Llama kind with grouped queries, over a whole prompt.

    (n, tokens, 1024) to the same; 16 query heads share 4 key and value heads.
    """

    def __init__(
        self, width: int = 1024, heads: int = 16, shared: int = 4, tokens: int = 128
    ) -> None:
        super().__init__()
        self.heads, self.shared, self.size = heads, shared, width // heads
        self.norm1, self.norm2 = RmsNorm(width), RmsNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, shared * self.size, bias=False)
        self.value = nn.Linear(width, shared * self.size, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        hidden = 2816
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        rates = 10000.0 ** (-torch.arange(0, self.size, 2) / self.size)
        angles = torch.arange(tokens)[:, None] * torch.cat([rates, rates])[None, :]
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def project(self, x: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys, and values, of tokens `first`, `first` + 1, …"""
        batch, tokens, _ = x.shape

        def split(y: Tensor, heads: int) -> Tensor:
            return y.view(batch, tokens, heads, self.size).transpose(1, 2)

        cosine, sine = (t[first : first + tokens] for t in (self.cosine, self.sine))
        query = rotate(split(self.query(x), self.heads), cosine, sine)
        key = rotate(split(self.key(x), self.shared), cosine, sine)
        return query, key, split(self.value(x), self.shared)

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Output projection, residual and feed-forward."""
        batch, _, tokens, _ = attended.shape
        x = x + self.out(attended.transpose(1, 2).reshape(batch, tokens, -1))
        y = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))

    def repeat(self, x: Tensor) -> Tensor:
        """Key or value heads, once per query head."""
        return x.repeat_interleave(self.heads // self.shared, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.project(self.norm1(x), 0)
        attended = nn.functional.scaled_dot_product_attention(
            query, self.repeat(key), self.repeat(value), is_causal=True
        )
        return self.finish(x, attended)


class LlamaDecode(LlamaBlock):
    """The same block for one new token behind a full cache.

    x (n, 1, 1024) and the cached keys and values (n, 4, tokens - 1, 64) to the next x and the
    new token's key and value.
    """

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        query, key, value = self.project(self.norm1(x), keys.shape[2])
        attended = nn.functional.scaled_dot_product_attention(
            query,
            self.repeat(torch.cat([keys, key], 2)),
            self.repeat(torch.cat([values, value], 2)),
        )
        return {"x": self.finish(x, attended), "key": key, "value": value}
