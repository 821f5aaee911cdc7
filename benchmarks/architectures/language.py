# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Language models, mixtures of experts, text beside images, recommendation, graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.architectures.libraries import (
    Build,
    image,
    import_torchvision,
    net,
    tokens,
    transformers,
)
from benchmarks.architectures.registry import Architecture, Model
from benchmarks.nets.language import MiniLm, RmsNorm

_SMALL: dict[str, Any] = {
    "vocab_size": 500,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
_DECODER: dict[str, Any] = {
    **_SMALL,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def _static_cache(name: str, **more: Any) -> Build:
    """One token of a decoder of transformers; its static cache is state."""

    def build() -> Model:
        import_torchvision()
        import transformers as library
        from transformers.integrations.executorch import TorchExportableModuleWithStaticCache

        config = getattr(library, f"{name}Config")(**_DECODER, **more)
        model = getattr(library, f"{name}ForCausalLM")(config)
        model.generation_config = library.GenerationConfig(
            use_cache=True, cache_implementation="static", max_length=32
        )
        step = TorchExportableModuleWithStaticCache(
            model, batch_size=1, max_cache_len=32, device=torch.device("cpu")
        )
        inputs = {"input_ids": torch.tensor([[7]]), "cache_position": torch.tensor([5])}
        return Model(step, kwargs=inputs)

    return build


class CachedDecoder(nn.Module):
    """A decoder for one token whose cache is an input and an output.

    Token (1, 1), position (1,), keys and values (layers, 1, heads, length, size) to logits
    and the new caches. `update` says how a row enters the cache.
    """

    def __init__(self, update: str, width: int = 64, layers: int = 2, length: int = 16) -> None:
        super().__init__()
        self.update, self.heads, self.length = update, 2, length
        self.size = width // 4
        self.embed = nn.Embedding(200, width)
        self.norms = nn.ModuleList(RmsNorm(width) for _ in range(2 * layers + 1))
        self.query = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))
        self.pair = nn.ModuleList(
            nn.Linear(width, 2 * self.heads * self.size, bias=False) for _ in range(layers)
        )
        self.out = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))
        self.gate = nn.ModuleList(nn.Linear(width, 4 * width, bias=False) for _ in range(layers))
        self.down = nn.ModuleList(nn.Linear(2 * width, width, bias=False) for _ in range(layers))
        self.head = nn.Linear(width, 200, bias=False)
        rates = 10000.0 ** (-torch.arange(0, self.size, 2) / self.size)
        angles = torch.arange(length + 1)[:, None] * rates[None]
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def rotate(self, x: Tensor, position: Tensor) -> Tensor:
        """Rotary embedding at `position`."""
        first, second = x.chunk(2, -1)
        cosine, sine = self.cosine[position], self.sine[position]
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)

    def insert(self, cache: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """`cache` with `row` at `position`, or behind it."""
        if self.update == "cat":
            return torch.cat([cache, row], 2)
        if self.update == "index_copy":
            return cache.index_copy(2, position, row)
        here = (torch.arange(self.length) == position)[None, None, :, None]
        return torch.where(here, row, cache)

    def forward(
        self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = self.embed(token)
        extent = self.length + (self.update == "cat")
        seen = (torch.arange(extent) <= position)[None, None, None, :]
        if self.update == "cat":
            seen = torch.ones_like(seen)
        new_keys, new_values = [], []
        for i, query in enumerate(self.query):
            y = self.norms[2 * i](x)
            q = query(y).view(1, 1, -1, self.size).transpose(1, 2)
            k, v = self.pair[i](y).view(1, 1, 2, self.heads, self.size).unbind(2)
            key = self.insert(keys[i], self.rotate(k.transpose(1, 2), position), position)
            value = self.insert(values[i], v.transpose(1, 2), position)
            mixed = nn.functional.scaled_dot_product_attention(
                self.rotate(q, position), key, value, attn_mask=seen, enable_gqa=True
            )
            x = x + self.out[i](mixed.transpose(1, 2).reshape(1, 1, -1))
            gate, up = self.gate[i](self.norms[2 * i + 1](x)).chunk(2, -1)
            x = x + self.down[i](nn.functional.silu(gate) * up)
            new_keys.append(key)
            new_values.append(value)
        return self.head(self.norms[-1](x)), torch.stack(new_keys), torch.stack(new_values)


class Experts(nn.Module):
    """A mixture of experts, two of eight per token: (tokens, width) to the same.

    `mode`: "dense" computes all, "gather" takes the chosen experts' weights, "select" the
    tokens of each expert, whose number depends on the data.
    """

    def __init__(self, mode: str, width: int = 32, count: int = 8, hidden: int = 48) -> None:
        super().__init__()
        self.mode, self.count = mode, count
        self.router = nn.Linear(width, count, bias=False)
        self.up = nn.Parameter(torch.randn(count, width, hidden) * 0.2)
        self.down = nn.Parameter(torch.randn(count, hidden, width) * 0.2)

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = torch.topk(self.router(x).softmax(-1), 2, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        return getattr(self, f"_{self.mode}")(x, weights, chosen)

    def _dense(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        marks = nn.functional.one_hot(chosen, self.count).to(x.dtype)
        share = (marks * weights[..., None]).sum(1)
        hidden = nn.functional.silu(torch.einsum("td,edf->etf", x, self.up))
        return torch.einsum("etd,te->td", torch.einsum("etf,efd->etd", hidden, self.down), share)

    def _gather(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        hidden = nn.functional.silu(torch.einsum("td,tkdf->tkf", x, self.up[chosen]))
        return torch.einsum("tkf,tkfd,tk->td", hidden, self.down[chosen], weights)

    def _select(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        out = torch.zeros_like(x)
        for expert in range(self.count):
            rows, slots = torch.where(chosen == expert)
            hidden = nn.functional.silu(x[rows] @ self.up[expert])
            out = out.index_add(0, rows, hidden @ self.down[expert] * weights[rows, slots, None])
        return out


class Siamese(nn.Module):
    """Cosine of two sentences through the same encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MiniLm(500, 2, 48)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return nn.functional.cosine_similarity(self.encoder(first), self.encoder(second))


class Recommender(nn.Module):
    """DLRM (arXiv 1906.00091): dense features, bags of categories, pairwise products."""

    def __init__(self, tables: int = 3, width: int = 16) -> None:
        super().__init__()
        self.bags = nn.ModuleList(nn.EmbeddingBag(100, width, mode="sum") for _ in range(tables))
        self.bottom = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, width), nn.ReLU())
        pairs = torch.tril_indices(tables + 1, tables + 1, -1)
        self.register_buffer("rows", pairs[0])
        self.register_buffer("columns", pairs[1])
        self.top = nn.Sequential(
            nn.Linear(width + pairs.shape[1], 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid()
        )

    def forward(self, dense: Tensor, categories: Tensor) -> Tensor:
        x = self.bottom(dense)
        parts = [x, *(bag(categories[:, i]) for i, bag in enumerate(self.bags))]
        stacked = torch.stack(parts, 1)
        products = torch.bmm(stacked, stacked.transpose(1, 2))
        return self.top(torch.cat([x, products[:, self.rows, self.columns]], 1))


class GraphAttention(nn.Module):
    """Two layers over a graph given by its adjacency matrix: (nodes, 16), (nodes, nodes)."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.enter, self.conv = nn.Linear(16, width), nn.Linear(width, width)
        self.left, self.right = nn.Linear(width, 1), nn.Linear(width, 1)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        degree = edges.sum(1).clamp(min=1).rsqrt()
        x = torch.relu(self.enter(degree[:, None] * (edges @ (degree[:, None] * nodes))))
        scores = nn.functional.leaky_relu(self.left(x) + self.right(x).T, 0.2)
        scores = scores.masked_fill(edges == 0, float("-inf"))
        return scores.softmax(1) @ self.conv(x)


def _ids(count: int = 16) -> Any:
    return lambda: {"input_ids": tokens(count)}


def _masked() -> dict[str, Tensor]:
    mask = torch.ones(1, 16, dtype=torch.long)
    mask[:, 12:] = 0
    return {"input_ids": tokens(16), "attention_mask": mask}


def _decoder(name: str, config: str = "", **options: Any) -> Build:
    return transformers(
        f"{name}ForCausalLM", config or f"{name}Config", _ids(), **{**_DECODER, **options}
    )


def _cached(update: str) -> Build:
    def build() -> Model:
        shape = (2, 1, 2, 16, 16)
        inputs = (tokens(1, 200), torch.tensor([5]), torch.randn(shape), torch.randn(shape))
        return Model(CachedDecoder(update), inputs)

    return build


def _experts(mode: str) -> Build:
    return lambda: Model(Experts(mode), (torch.randn(12, 32),))


_T5: dict[str, Any] = {
    "vocab_size": 500,
    "d_model": 64,
    "d_kv": 16,
    "num_layers": 2,
    "num_heads": 4,
    "d_ff": 128,
    "decoder_start_token_id": 0,
}
_GPT: dict[str, Any] = {
    "vocab_size": 500,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 64,
}
_VISION: dict[str, Any] = {**_SMALL, "image_size": 32, "patch_size": 8}
del _VISION["vocab_size"]


def _both() -> dict[str, Tensor]:
    return {"input_ids": tokens(8), "decoder_input_ids": tokens(6)}


_ENCODERS: dict[str, tuple[str, Build]] = {
    "minilm": ("own", lambda: Model(MiniLm(500, 3, 96), (tokens(32),))),
    "bert_layer": ("own", net("bert_layer")),
    "bert": ("transformers", transformers("BertModel", "BertConfig", _masked, **_SMALL)),
    "bert_eager_attention": (
        "transformers",
        transformers("BertModel", "BertConfig", _masked, **_SMALL, attn_implementation="eager"),
    ),
    "roberta": ("transformers", transformers("RobertaModel", "RobertaConfig", _ids(), **_SMALL)),
    "distilbert": (
        "transformers",
        transformers(
            "DistilBertModel",
            "DistilBertConfig",
            _masked,
            vocab_size=500,
            dim=64,
            n_layers=2,
            n_heads=4,
            hidden_dim=128,
        ),
    ),
    "albert": (
        "transformers",
        transformers("AlbertModel", "AlbertConfig", _masked, **_SMALL, embedding_size=32),
    ),
    "mobilebert": (
        "transformers",
        transformers(
            "MobileBertModel",
            "MobileBertConfig",
            _ids(),
            **_SMALL,
            embedding_size=32,
            intra_bottleneck_size=32,
        ),
    ),
    "electra": (
        "transformers",
        transformers("ElectraModel", "ElectraConfig", _ids(), **_SMALL, embedding_size=32),
    ),
    "deberta_v2": (
        "transformers",
        transformers(
            "DebertaV2Model",
            "DebertaV2Config",
            _masked,
            **_SMALL,
            relative_attention=True,
            max_relative_positions=16,
            pos_att_type=["p2c", "c2p"],
        ),
    ),
    "modernbert": (
        "transformers",
        transformers(
            "ModernBertModel",
            "ModernBertConfig",
            _masked,
            **_SMALL,
            pad_token_id=0,
            local_attention=8,
        ),
    ),
    "t5_encoder": ("transformers", transformers("T5EncoderModel", "T5Config", _ids(), **_T5)),
    "siamese": ("own", lambda: Model(Siamese(), (tokens(12), tokens(12)))),
}

_DECODERS: dict[str, tuple[str, Build]] = {
    "gpt2_block": ("own", net("gpt2_block")),
    "gpt2": ("transformers", transformers("GPT2LMHeadModel", "GPT2Config", _ids(), **_GPT)),
    "gpt_neox": (
        "transformers",
        transformers(
            "GPTNeoXForCausalLM", "GPTNeoXConfig", _ids(), **_SMALL, max_position_embeddings=64
        ),
    ),
    "opt": (
        "transformers",
        transformers(
            "OPTForCausalLM",
            "OPTConfig",
            _ids(),
            vocab_size=500,
            hidden_size=64,
            word_embed_proj_dim=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=128,
            max_position_embeddings=64,
        ),
    ),
    "bloom": (
        "transformers",
        transformers(
            "BloomForCausalLM",
            "BloomConfig",
            _ids(),
            vocab_size=500,
            hidden_size=64,
            n_layer=2,
            n_head=4,
        ),
    ),
    "llama_block": ("own", net("llama_block")),
    "llama": ("transformers", _decoder("Llama")),
    "mistral": ("transformers", _decoder("Mistral", sliding_window=8)),
    "qwen2": ("transformers", _decoder("Qwen2")),
    "qwen3": ("transformers", _decoder("Qwen3", head_dim=16)),
    "gemma2": ("transformers", _decoder("Gemma2", head_dim=16, attn_implementation="eager")),
    "gemma3": ("transformers", _decoder("Gemma3", "Gemma3TextConfig", head_dim=16)),
    "phi3": ("transformers", _decoder("Phi3")),
    "t5": ("transformers", transformers("T5Model", "T5Config", _both, **_T5)),
    "bart": (
        "transformers",
        transformers(
            "BartModel",
            "BartConfig",
            _both,
            vocab_size=500,
            d_model=64,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=128,
            decoder_ffn_dim=128,
            max_position_embeddings=64,
        ),
    ),
    "llama_decode": ("own", net("llama_decode")),
    "llama_static_cache": ("transformers", _static_cache("Llama")),
    "mistral_static_cache": ("transformers", _static_cache("Mistral", sliding_window=8)),
    "qwen3_static_cache": ("transformers", _static_cache("Qwen3", head_dim=16)),
    "gemma2_static_cache": ("transformers", _static_cache("Gemma2", head_dim=16)),
    "smollm3_static_cache": ("transformers", _static_cache("SmolLM3")),
    "cached_decoder_cat": ("own", _cached("cat")),
    "cached_decoder_where": ("own", _cached("where")),
    "cached_decoder_index_copy": ("own", _cached("index_copy")),
    "moe_dense": ("own", _experts("dense")),
    "moe_gather": ("own", _experts("gather")),
    "mixtral": (
        "transformers",
        _decoder("Mixtral", num_local_experts=4, experts_implementation="batched_mm"),
    ),
}

_MIXED: dict[str, tuple[str, Build]] = {
    "clip_vision": (
        "transformers",
        transformers(
            "CLIPVisionModel", "CLIPVisionConfig", lambda: {"pixel_values": image(32)}, **_VISION
        ),
    ),
    "clip": (
        "transformers",
        transformers(
            "CLIPModel",
            "CLIPConfig",
            lambda: {**_masked(), "pixel_values": image(32)},
            text_config={**_SMALL, "max_position_embeddings": 32, "eos_token_id": 2},
            vision_config=_VISION,
            projection_dim=32,
        ),
    ),
    "siglip_vision": (
        "transformers",
        transformers(
            "SiglipVisionModel",
            "SiglipVisionConfig",
            lambda: {"pixel_values": image(32)},
            **_VISION,
        ),
    ),
    "dlrm": (
        "own",
        lambda: Model(Recommender(), (torch.randn(4, 13), torch.randint(0, 100, (4, 3, 2)))),
    ),
    "graph_attention": (
        "own",
        lambda: Model(
            GraphAttention(),
            (torch.randn(12, 16), ((torch.rand(12, 12) > 0.7) + torch.eye(12)).clamp(max=1)),
        ),
    ),
    "mlp": ("own", net("mlp")),
}


def _all(family: str, table: dict[str, tuple[str, Build]]) -> list[Architecture]:
    return [Architecture(name, family, source, build) for name, (source, build) in table.items()]


ARCHITECTURES = [
    *_all("language encoders", _ENCODERS),
    *_all("language decoders", _DECODERS),
    Architecture(
        "moe_select", "language decoders", "own", _experts("select"), refused="depends on values"
    ),
    *_all("text with images, recommendation, graphs", _MIXED),
]
