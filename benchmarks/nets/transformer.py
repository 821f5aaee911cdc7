# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Transformer encoders: a small one, and one layer of BERT base (arXiv 1810.04805)."""

from __future__ import annotations

from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head self-attention on (batch, tokens, width)."""

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(batch, tokens, width))


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each with a residual and a layer norm behind it."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


class PreNormLayer(nn.Module):
    """Attention and feed-forward, each with a layer norm in front and a residual around."""

    def __init__(self, width: int, heads: int, hidden: int, causal: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, causal)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Encoder(nn.Module):
    """Two layers, width 128, four heads: (batch, tokens, 128) to the same shape."""

    def __init__(self, layers: int = 2, width: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads, 4 * width) for _ in range(layers))

    def forward(self, tokens: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


class BertLayer(nn.Module):
    """One layer of BERT base: width 768, 12 heads, feed-forward 3072."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = EncoderLayer(768, 12, 3072)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layer(tokens)
