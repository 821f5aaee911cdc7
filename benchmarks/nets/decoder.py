# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small language model of the Llama kind whose keys and values stay with it between calls."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.nets.language import RmsNorm, rotate


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes: `heads` query heads share `shared` key and value heads, `length` tokens fit the cache."""

    layers: int = 4
    width: int = 512
    heads: int = 8
    shared: int = 2
    hidden: int = 1408
    vocabulary: int = 4096
    length: int = 256

    @property
    def size(self) -> int:
        """Features of one head."""
        return self.width // self.heads


#: Shape of TinyLlama-1.1B.
TINY_LLAMA = DecoderConfig(22, 2048, 32, 4, 5632, 32000, 256)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A projection without bias."""
    return nn.Linear(inputs, outputs, bias=False)


class Attention(nn.Module):
    """Rotary attention with grouped queries; the cache is (1, shared, length, size)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.query = linear(config.width, config.width)
        self.key = linear(config.width, config.shared * config.size)
        self.value = linear(config.width, config.shared * config.size)
        self.out = linear(config.width, config.width)
        shape = (1, config.shared, config.length, config.size)
        self.register_buffer("keys", torch.zeros(shape))
        self.register_buffer("values", torch.zeros(shape))

    def project(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys, and values: (batch, heads, tokens, size)."""

        def split(y: Tensor) -> Tensor:
            return y.unflatten(-1, (-1, self.config.size)).transpose(1, 2)

        query = rotate(split(self.query(x)), *turn)
        return query, rotate(split(self.key(x)), *turn), split(self.value(x))

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
        """Attention of (batch, heads, tokens, size) where `seen` (tokens, length) is true."""
        batch, _, tokens, size = query.shape
        grouped = query.reshape(batch, self.config.shared, -1, size)
        scores = (grouped @ keys.transpose(-1, -2)).float() * size**-0.5
        scores = scores.unflatten(2, (-1, tokens)).masked_fill(~seen, float("-inf"))
        weights = torch.softmax(scores, -1).to(values.dtype).flatten(2, 3)
        attended = (weights @ values).reshape(batch, -1, tokens, size)
        return self.out(attended.transpose(1, 2).flatten(2))

    def store(self, key: Tensor, value: Tensor, position: Tensor | None) -> None:
        """Writes to the cache: one token at `position`, or a prompt at the beginning."""
        for cache, new in ((self.keys, key), (self.values, value)):
            if position is None:
                updated = torch.cat([new, cache[:, :, new.shape[2] :]], 2)
            else:
                here = torch.arange(self.config.length)[:, None] == position
                updated = torch.where(here, new, cache)
            cache.copy_(updated)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], seen: Tensor, position: Tensor | None
    ) -> Tensor:
        query, key, value = self.project(x, turn)
        self.store(key, value, position)
        return self.attend(query, self.keys, self.values, seen)


class Layer(nn.Module):
    """Attention and SwiGLU feed-forward, each behind a norm."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = RmsNorm(config.width), RmsNorm(config.width)
        self.attention = Attention(config)
        self.gate = linear(config.width, config.hidden)
        self.up = linear(config.width, config.hidden)
        self.down = linear(config.hidden, config.width)

    def feed(self, x: Tensor) -> Tensor:
        """Norm, SwiGLU and residual."""
        y = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    """One token at a time: tokens (1, 1) and position (1,) to logits (1, 1, vocabulary).

    The token's key and value are written to the cache at `position`; it attends to all tokens up
    to there. Positions are below `config.length`.
    """

    def __init__(self, config: DecoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DecoderConfig()
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.width)
        self.head = linear(config.width, config.vocabulary)
        rates = 10000.0 ** (-torch.arange(0, config.size, 2).float() / config.size)
        angles = torch.arange(config.length)[:, None] * torch.cat([rates, rates])[None, :]
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:
        x = self.embedding(tokens)
        turn = (self.cosine[position].to(x.dtype), self.sine[position].to(x.dtype))
        seen = torch.arange(self.config.length)[None, :] <= position
        for layer in self.layers:
            x = x + layer.attention(layer.norm1(x), turn, seen, position)
            x = layer.feed(x)
        return self.head(self.norm(x))

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits (batch, tokens, vocabulary) of whole texts, without the cache: for training."""
        x, count = self.embedding(tokens), tokens.shape[1]
        turn = (self.cosine[:count].to(x.dtype), self.sine[:count].to(x.dtype))
        seen = torch.ones(count, count, dtype=torch.bool).tril()
        for layer in self.layers:
            query, key, value = layer.attention.project(layer.norm1(x), turn)
            x = x + layer.attention.attend(query, key, value, seen)
            x = layer.feed(x)
        return self.head(self.norm(x))


class Prefill(Decoder):
    """A prompt at once: tokens (1, n) into the cache from its beginning.

    Gives the last layer's result (1, n, width), which generation does not need.
    """

    @classmethod
    def of(cls, decoder: Decoder) -> Prefill:
        """With the weights of `decoder`, shared."""
        prefill = cls(decoder.config)
        prefill.load_state_dict(decoder.state_dict(), assign=True)
        return prefill.eval()

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        x, count = self.embedding(tokens), tokens.shape[1]
        turn = (self.cosine[:count].to(x.dtype), self.sine[:count].to(x.dtype))
        length = self.config.length
        seen = torch.arange(length)[None, :] <= torch.arange(count)[:, None]
        for layer in self.layers:
            x = x + layer.attention(layer.norm1(x), turn, seen, None)
            x = layer.feed(x)
        return x
