# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A character model, trained here on real text, decodes on the emulator as it does in PyTorch."""

from __future__ import annotations

import codecs
import contextlib
import io

import numpy as np
import pytest
import torch

import asic
from asic.errors import ProgramError
from benchmarks.nets.decoder import Decoder, DecoderConfig, Prefill

PROMPTS = ("Beautiful", "Errors should", "Namespaces are one")
NEW = 24


def zen() -> str:
    """The Zen of Python, as it comes with Python."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


TEXT = zen()
LETTERS = sorted(set(TEXT))
CONFIG = DecoderConfig(
    layers=2, width=64, heads=4, shared=2, hidden=128, vocabulary=len(LETTERS), length=64
)


def encode(text: str) -> list[int]:
    return [LETTERS.index(letter) for letter in text]


@pytest.fixture(scope="module")
def trained() -> Decoder:
    """Trained until it knows most of the text: about 10 s on one core."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = Decoder(CONFIG)
    data = torch.tensor(encode(TEXT))
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3)
    for step in range(300):
        starts = torch.randint(0, len(data) - 49, (12,))
        batch = torch.stack([data[s : s + 49] for s in starts])
        loss = torch.nn.functional.cross_entropy(
            model.logits(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * (1 - step / 300)
    torch.set_num_threads(threads)
    assert float(loss.detach()) < 0.5
    return model.eval()


@pytest.fixture(scope="module")
def compiled(trained: Decoder) -> asic.Compiled:
    args = (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    return asic.compile(trained, args, target="edge-tx1")


def expected(model: Decoder, prompt: str) -> list[int]:
    """Greedy tokens of the float32 model, every one from the whole text before it."""
    tokens = encode(prompt)
    with torch.no_grad():
        for _ in range(NEW):
            tokens.append(int(model.logits(torch.tensor([tokens]))[0, -1].argmax()))
    return tokens[len(prompt) :]


def test_decode_is_one_program(compiled: asic.Compiled) -> None:
    assert [step.on_host for step in compiled.steps] == [True, False]
    assert len(compiled.state) == 2 * CONFIG.layers
    assert compiled.state.on_device == tuple(compiled.state)
    macs = compiled.facts.macs
    weights = 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128) + 64 * CONFIG.vocabulary
    assert macs == weights + 2 * 2 * 64 * CONFIG.length


@pytest.mark.parametrize("prompt", PROMPTS)
def test_tokens_equal_those_of_float32(
    trained: Decoder, compiled: asic.Compiled, prompt: str
) -> None:
    tokens = compiled.generate(encode(prompt), NEW)
    assert tokens == expected(trained, prompt)
    # It has learnt something: the text goes on as the text does.
    assert prompt + "".join(LETTERS[t] for t in tokens[:6]) in TEXT


def test_prefill_shares_the_cache(trained: Decoder, compiled: asic.Compiled) -> None:
    prefill = asic.compile(
        Prefill.of(trained), (torch.zeros(1, 12, dtype=torch.int64),), target="edge-tx1"
    )
    assert prefill.state.specs == compiled.state.specs
    assert prefill.state.on_device == tuple(prefill.state)
    for prompt in PROMPTS:  # shorter and longer than the program
        tokens = compiled.generate(encode(prompt), NEW, prefill=prefill)
        assert tokens == expected(trained, prompt)


def test_int8_weights_and_this_computer(trained: Decoder) -> None:
    args = (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    small = asic.compile(trained, args, quantize="int8-weight")
    host = small.on_host()
    for token, position in ((3, 0), (9, 1)):
        inputs = [np.array([[token]]), np.array([position])]
        # exp of softmax and SiLU differs between the two, so to bf16's precision.
        left, right = small.run_flat(list(inputs))[0], host.run_flat(list(inputs))[0]
        assert np.abs(left - right).max() < 2**-7 * np.abs(right).max()
    prompt = PROMPTS[0]
    assert small.generate(encode(prompt), NEW) == expected(trained, prompt)


class Bare(torch.nn.Module):
    def forward(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return (token + position).float()


def test_what_does_not_fit(compiled: asic.Compiled) -> None:
    with pytest.raises(ProgramError, match="at least one token"):
        compiled.generate([], 3)
    with pytest.raises(ProgramError, match="expected at most 65 tokens"):
        compiled.generate([1] * 60, 6)
    linear = asic.compile(torch.nn.Linear(3, 3).eval(), (torch.zeros(1, 3),), target="cpu")
    with pytest.raises(ProgramError, match=r"model of one token, .* got .*float32\[1, 3\]"):
        linear.generate([1], 1)
    bare = asic.compile(
        Bare(),
        (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)),
        target="cpu",
    )
    with pytest.raises(ProgramError, match="one without state"):
        bare.generate([1], 1)
    with pytest.raises(ProgramError, match=r"token numbers, .* got int64\[2, 3\]"):
        compiled.generate(torch.ones(2, 3, dtype=torch.int64), 1)
    prompt = torch.tensor([[1, 2]])
    assert compiled.generate(prompt, 2) == compiled.generate(prompt[0].tolist(), 2)
    with pytest.raises(ProgramError, match="expected a prefill model with the state"):
        compiled.generate([1, 2], 1, prefill=linear)
    full = compiled.generate([1] * 60, 5)
    assert compiled.generate([1] * 60, 5, stop={full[0]}) == full[:1]


class Caches(torch.nn.Module):
    """Two caches, the path of one of which ends in that of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.zeros(1, 1, 16, 4))
        self.draft = torch.nn.Module()
        self.draft.register_buffer("k", torch.zeros(1, 1, 16, 4))

    def write(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        rows = tokens.float().reshape(1, 1, -1, 1).expand(-1, -1, -1, 4)
        self.k.index_copy_(2, positions, rows)
        self.draft.k.index_copy_(2, positions, rows * 2)
        return (self.k + self.draft.k).sum((0, 1, 2))[None, None]

    def forward(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return self.write(token, position)


class Around(torch.nn.Module):
    def __init__(self, inner: Caches) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.inner.write(tokens, torch.arange(tokens.shape[1]))


def test_paths_of_a_prefill_model() -> None:
    step = (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    decode = asic.compile(Caches(), step, target="cpu")
    prompt = (torch.zeros(1, 3, dtype=torch.int64),)
    prefill = asic.compile(Around(Caches()), prompt, target="cpu")
    assert list(prefill.state) == [f"inner.{path}" for path in decode.state]
    decode.generate([5, 7, 9, 1], 1, prefill=prefill)
    for path, factor in (("k", 1), ("draft.k", 2)):
        rows = [5, 7, 9, 1] + [0] * 12
        np.testing.assert_array_equal(decode.state[path][0, 0, :, 0], np.array(rows) * factor)
