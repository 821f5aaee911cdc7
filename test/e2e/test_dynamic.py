# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of dynamic shape against PyTorch, and against themselves compiled for one size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

import asic
from asic import ondemand
from asic.buckets import bucket_sizes
from asic.chunks import cut, pack, unpack
from asic.sizes import default_sizes
from benchmarks.nets.transformer import EncoderLayer


class Residual(nn.Module):
    """A stem, a residual block and a head, as a ResNet has them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.first = nn.Conv2d(8, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(x + self.second(torch.relu(self.first(x))))
        return {"scores": self.head(x.mean((2, 3)))}


class Signal(nn.Module):
    """Convolutions along the dynamic dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 8, 5, padding=2)
        self.second = nn.Conv1d(8, 8, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))))


class Words(nn.Module):
    """An embedding, an encoder layer, and the last token of it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 32)
        self.layer = EncoderLayer(32, 4, 64)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        x = self.layer(self.table(tokens))
        return x, x[:, -1]


BATCH = Dim("batch", min=1, max=8)
SEQ = Dim("seq", min=1, max=64)
BUCKETS = asic.CompileOptions(buckets={"seq": (16, 64)})


def _encoder(
    *, options: asic.CompileOptions | None = BUCKETS, **more: Any
) -> tuple[nn.Module, asic.DynamicCompiled]:
    torch.manual_seed(0)
    model = EncoderLayer(32, 4, 64).eval()
    compiled = asic.compile(
        model,
        (torch.randn(1, 16, 32),),
        dynamic_shapes=({1: SEQ},),
        options=options,
        **more,
    )
    assert isinstance(compiled, asic.DynamicCompiled)
    return model, compiled


def test_batches_of_a_network() -> None:
    torch.manual_seed(0)
    model = Residual().eval()
    options = asic.CompileOptions(buckets={"batch": (2, 8)})
    compiled = asic.compile(
        model, (torch.randn(2, 3, 16, 16),), dynamic_shapes=({0: BATCH},), options=options
    )
    x = torch.randn(8, 3, 16, 16)
    single = torch.cat([compiled(x[i : i + 1])["scores"] for i in range(8)])
    for size in (1, 2, 3, 8):
        got = compiled(x[:size])
        with torch.no_grad():
            want = model(x[:size])
        torch.testing.assert_close(got["scores"], want["scores"], rtol=0.02, atol=0.01)
        # Rows do not see each other, whatever the bucket.
        assert torch.equal(got["scores"], single[:size])
    assert isinstance(compiled(x.numpy())["scores"], np.ndarray)


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_convolutions_along_the_dynamic_dimension_are_exact(quantize: str | None) -> None:
    torch.manual_seed(0)
    model, steps = Signal().eval(), Dim("steps", min=4, max=40)
    data = [(torch.randn(2, 4, size),) for size in (7, 40)]
    compiled = asic.compile(
        model,
        (torch.randn(2, 4, 20),),
        dynamic_shapes=({0: BATCH, 2: steps},),
        options=asic.CompileOptions(buckets={"batch": (8,), "steps": (16, 40)}),
        quantize=quantize,
        calibration=data if quantize else None,
    )
    for batch, size in ((1, 4), (3, 17), (8, 40)):
        x = torch.randn(batch, 4, size)
        if quantize:
            assert asic.verify(compiled, [(x,)], atol=0, rtol=0)
        else:
            # The sums have the same order as in a program for this size alone.
            assert torch.equal(compiled(x), asic.compile(model, (x,))(x))


def test_lengths_of_an_encoder_layer() -> None:
    model, compiled = _encoder()
    for size in (1, 15, 16, 17, 64):
        x = torch.randn(1, size, 32)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), model(x), rtol=0.02, atol=0.02)
    assert compiled.report().to_dict()["fallbacks"] == []


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_encoder_layers_of_pytorch(quantize: str | None) -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    data = [(torch.randn(*shape, 16),) for shape in ((1, 1), (2, 16), (3, 17), (8, 40))]
    compiled = asic.compile(
        model,
        (torch.randn(2, 8, 16),),
        dynamic_shapes=({0: BATCH, 1: SEQ},),
        options=asic.CompileOptions(buckets={"batch": (8,), "seq": (16, 64)}),
        quantize=quantize,
        calibration=data if quantize else None,
    )
    assert compiled.report().to_dict()["fallbacks"] == []
    if quantize:
        assert asic.verify(compiled, data[1:3])
        return
    for (x,) in data:
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), model(x), rtol=0.02, atol=0.02)


def test_int8_has_one_set_of_parameters_for_all_lengths() -> None:
    calibration = [(torch.randn(1, size, 32),) for size in (5, 16, 64)]
    _, compiled = _encoder(quantize="int8", calibration=calibration)
    # The host's programs have exact sizes and no masks.
    assert asic.verify(compiled, [(torch.randn(1, size, 32),) for size in (1, 17)])


def test_look_ups_and_the_last_place() -> None:
    torch.manual_seed(0)
    model = Words().eval()
    compiled = asic.compile(
        model,
        (torch.zeros(2, 8, dtype=torch.int64),),
        dynamic_shapes={"tokens": {0: BATCH, 1: SEQ}},
        options=asic.CompileOptions(buckets={"batch": (8,), "seq": (64,)}),
    )
    for shape in ((1, 1), (3, 33), (8, 64)):
        tokens = torch.randint(0, 20, shape)
        with torch.no_grad():
            wanted = model(tokens)
        for got, want in zip(compiled(tokens), wanted, strict=True):
            torch.testing.assert_close(got, want, rtol=0.02, atol=0.02)


class Masked(nn.Module):
    """Attention under the user's own mask."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: Tensor, *, mask: Tensor) -> Tensor:
        q, k, v = (t.unflatten(2, (2, 8)).transpose(1, 2) for t in self.qkv(x).split(16, dim=2))
        bias = (1 - mask)[:, None, None, :] * -10000.0
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return y.transpose(1, 2).flatten(2)


def test_a_mask_by_keyword() -> None:
    torch.manual_seed(0)
    model = Masked().eval()
    compiled = asic.compile(
        model,
        (torch.randn(2, 8, 16),),
        kwargs={"mask": torch.ones(2, 8)},
        dynamic_shapes={"x": {0: BATCH, 1: SEQ}, "mask": {0: BATCH, 1: SEQ}},
        options=asic.CompileOptions(buckets={"batch": (8,), "seq": (16, 64)}),
    )
    for batch, size in ((1, 5), (3, 17)):
        x, mask = torch.randn(batch, size, 16), (torch.rand(batch, size) > 0.3).float()
        with torch.no_grad():
            want = model(x, mask=mask)
        torch.testing.assert_close(compiled(x, mask=mask), want, rtol=0.03, atol=0.03)
    with pytest.raises(asic.ProgramError, match="agree in all inputs"):
        compiled(torch.randn(2, 9, 16), mask=torch.ones(2, 8))


def test_this_computer_has_one_program_for_all_sizes(tmp_path: Path) -> None:
    model, compiled = _encoder(target="cpu", options=None)
    path = tmp_path / "model.asic"
    compiled.save(path)
    loaded = asic.load(path)
    exact = compiled.on_host()
    (bucket,) = compiled.buckets
    (largest,) = bucket.sizes.values()
    for size in (1, 2, 3, largest // 2 + 1, largest):
        x = torch.randn(1, size, 32)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-5)
        # The order of every sum is that of a program for this size alone.
        assert torch.equal(compiled(x), exact(x))
        assert torch.equal(loaded(x), compiled(x))


def test_buckets_of_this_computer_are_saved(tmp_path: Path) -> None:
    model, compiled = _encoder(target="cpu")
    small, large = (size for bucket in compiled.buckets for size in bucket.sizes.values())
    path = tmp_path / "model.asic"
    compiled.save(path)
    loaded = asic.load(path)
    for size in (1, small, small + 1, large):
        x = torch.randn(1, size, 32)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-5)
        assert torch.equal(loaded(x), compiled(x))
    assert loaded.waste.by_bucket == {f"seq={small}": 2, f"seq={large}": 2}
    assert "cycles" not in str(compiled.report())


def test_a_file_has_the_weights_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 128)).eval()
    compiled = asic.compile(
        model, (torch.randn(2, 128),), dynamic_shapes=({0: BATCH},), target="edge-tx1"
    )
    assert isinstance(compiled, asic.DynamicCompiled)
    path = tmp_path / "model.asic"
    compiled.save(path)
    alone = sum(len(p) for bucket in compiled.buckets for p in bucket.compiled.programs.values())
    assert os.path.getsize(path) < alone / 2
    loaded = asic.load(path)
    x = torch.randn(3, 128)
    assert torch.equal(loaded(x), compiled(x))
    assert loaded.input_names == compiled.input_names
    assert repr(loaded) == repr(compiled)
    with pytest.raises(asic.ProgramError, match="1 to 8 for 'batch', got 9"):
        loaded(torch.randn(9, 128))
    data = bytearray(path.read_bytes())
    path.write_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(asic.ProgramError):
        asic.load(path)


def test_what_padding_costs_is_reported() -> None:
    _, compiled = _encoder()
    compiled(torch.randn(1, 4, 32))
    compiled(torch.randn(1, 64, 32))
    report = compiled.report()
    padding = report.to_dict()["padding"]
    assert (padding["useful_elements"], padding["padded_elements"]) == (68 * 32, 80 * 32)
    assert padding["calls_by_bucket"] == {"seq=16": 1, "seq=64": 1}
    assert [row["sizes"] for row in report.to_dict()["buckets"]] == [{"seq": 16}, {"seq": 64}]
    assert "seq=16" in str(report)
    profile = compiled.profile(torch.randn(1, 8, 32))
    assert profile.padding is not None
    assert profile.padding["share"] == 0.5
    assert profile.cycles == report.to_dict()["buckets"][0]["cycles"]


def test_calls_that_do_not_fit() -> None:
    _, compiled = _encoder()
    for shape, message in (
        ((1, 65, 32), "1 to 64 for 'seq', got 65"),
        ((1, 8, 31), r"shape \[1, seq, 32\]"),
        ((8, 32), r"shape \[1, seq, 32\]"),
    ):
        with pytest.raises(asic.ProgramError, match=message):
            compiled(torch.randn(shape))
    with pytest.raises(asic.ProgramError, match="float32"):
        compiled(torch.randn(1, 8, 32).double())


@pytest.mark.parametrize(
    ("buckets", "message"),
    [
        ({"seq": (16, 32)}, "the last one 64"),
        ({"length": (64,)}, "names of the Dims"),
        ({"seq": tuple(range(1, 66))}, "between 1 and 64"),
    ],
)
def test_buckets_that_do_not_fit(buckets: Any, message: str) -> None:
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(
            nn.Linear(4, 4),
            (torch.randn(2, 4),),
            dynamic_shapes=({0: Dim("seq", min=1, max=64)},),
            options=asic.CompileOptions(buckets=buckets),
        )


class Numbers(nn.Module):
    """One number of everything, and one of every row."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.amax(), nn.functional.hardtanh(x, 0.5, 2.0).sum(1)


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_a_number_has_no_dimension(target: str) -> None:
    compiled = asic.compile(
        Numbers(),
        (torch.randn(2, 8),),
        dynamic_shapes=({1: SEQ},),
        target=target,
        options=asic.CompileOptions(buckets={"seq": (64,)}),
    )
    x = torch.randn(2, 5)
    for got, want in zip(compiled(x), Numbers()(x), strict=True):
        assert got.shape == want.shape
        torch.testing.assert_close(got, want, rtol=0.02, atol=0.02)


def test_operators_in_place_are_no_state() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 4)).eval()
    compiled = asic.compile(
        model,
        (torch.randn(2, 4),),
        dynamic_shapes=({0: BATCH},),
        options=asic.CompileOptions(buckets={"batch": (8,)}),
    )
    x = torch.randn(3, 4)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=0.02, atol=0.02)


def test_fixed_sizes_in_dynamic_shapes_are_fixed() -> None:
    compiled = asic.compile(nn.Linear(4, 4), (torch.randn(2, 4),), dynamic_shapes=({0: None},))
    assert not isinstance(compiled, asic.DynamicCompiled)


def test_default_buckets() -> None:
    assert default_sizes(1, 512) == (32, 64, 128, 256, 512)
    assert default_sizes(1, 8) == (1, 2, 4, 8)
    assert default_sizes(100, 384) == (128, 256, 384)
    assert default_sizes(7, 7) == (7,)


def test_too_many_buckets_are_refused() -> None:
    from asic.sizes import Dimensions

    ranges = {name: (1, 512) for name in "abc"}
    with pytest.raises(asic.CompileError, match="at most 64"):
        bucket_sizes(Dimensions(ranges, {name: name for name in "abc"}, (), ()), None)


def test_pieces_of_equal_files_are_equal() -> None:
    noise = np.random.default_rng(0).bytes(300_000)
    files = {"a": b"head" + noise, "b": noise[:200_000] + b"x" * 50_000 + noise[200_000:], "c": b""}
    store, index = pack(files)
    assert unpack(store, index) == files
    assert len(store) < 400_000
    assert b"".join(cut(noise)) == noise
    with pytest.raises(asic.ProgramError, match="all of 'a'"):
        unpack(store[:1000], index)


class Flipped(nn.Module):
    """Its padding cannot be masked."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(1).cumsum(1)


@pytest.mark.parametrize(("model", "made"), [(Words(), 1), (Flipped(), 7)])
def test_programs_of_this_computer_are_few(
    model: nn.Module, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One; where padding cannot be masked one for each size, of which two are kept."""
    monkeypatch.setattr(ondemand, "MOST_PROGRAMS", 2)
    compilations = []
    compile_source = asic.compiler.compile_source
    monkeypatch.setattr(
        "asic.compiler.compile_source",
        lambda *args, **more: compilations.append(1) or compile_source(*args, **more),
    )
    shapes = ({0: Dim("batch", min=1, max=2), 1: Dim("length", min=1, max=16)},)
    model = model.eval()
    compiled = asic.compile(
        model, (torch.zeros(2, 4, dtype=torch.int64),), dynamic_shapes=shapes, target="cpu"
    )
    for batch, length in ((1, 5), (2, 9), (1, 5), (1, 6), (2, 7), (2, 10), (1, 7), (1, 5)):
        x = torch.randint(0, 20, (batch, length))
        results, expected = compiled(x), model(x)
        for got, want in zip(
            torch.utils._pytree.tree_leaves(results),
            torch.utils._pytree.tree_leaves(expected),
            strict=True,
        ):
            torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    assert len(compilations) == made
