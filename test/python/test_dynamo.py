# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`torch.compile(backend="asic")`, judged by the same module in PyTorch."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import asic

#: bf16 products of numbers around one, a few after another.
TOLERANCE = 3e-2


class Net(nn.Module):
    """Linear layers, a batch norm, keyword inputs, nested outputs with an integer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.last = nn.Linear(16, 8)

    def forward(self, x: Tensor, *, scale: Tensor | None = None) -> dict[str, Any]:
        y = self.last(torch.relu(self.norm(self.first(x))))
        if scale is not None:
            y = y * scale
        return {"y": y, "more": [y.sum(0), x.shape[0]]}


class Broken(nn.Module):
    """Two graphs with Python in between."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        torch._dynamo.graph_break()
        return self.last(torch.relu(x))


class Counting(nn.Module):
    """State in a nested module."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Module()
        self.inner.register_buffer("total", torch.zeros(2, 8))

    def forward(self, x: Tensor) -> Tensor:
        self.inner.total.add_(x)
        return self.inner.total * 2


class Autocast(nn.Module):
    """Two dtypes side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.layer(x)
            with torch.autocast("cpu", enabled=False):
                z = self.layer(x)
        return y.float() + z


class Scaled(nn.Module):
    """A number as input, and two in a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor, factor: float) -> Tensor:
        return self.norm(x) * factor


class Determinant(nn.Module):
    """Something that no phase can do."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.svd(x @ x.T)[1]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    torch._dynamo.reset()
    torch.manual_seed(0)
    with torch.no_grad():
        yield
    torch._dynamo.reset()


def compile(model: nn.Module, **options: Any) -> Any:
    return torch.compile(model, backend="asic", options={"target": "edge-tx1", **options})


def close(got: Any, want: Any) -> None:
    torch.testing.assert_close(got, want, rtol=TOLERANCE, atol=TOLERANCE)


def told(compiled: Any, model: nn.Module, inputs: list[Tensor]) -> list[str]:
    """The warnings of calls whose results are those of the model."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in inputs:
            torch.testing.assert_close(compiled(x), model(x))
    return [str(w.message) for w in caught if "runs in PyTorch" in str(w.message)]


def test_inputs_and_outputs() -> None:
    model = Net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        compiled = compile(model)
        x, scale = torch.randn(4, 8), torch.randn(8)
        close(compiled(x, scale=scale), model(x, scale=scale))
        close(compiled(x), model(x))
        close(compiled(x, scale=scale), model(x, scale=scale))
    first, second = asic.reports()[-2:]
    assert (first.calls, second.calls) == (2, 1)
    assert first.reason is None
    (program,) = first.compiled
    assert program.input_names == ("x", "scale")
    report = program.report().to_dict()
    assert report["macs"] == 2 * 4 * 8 * 16
    layers = {layer["name"]: layer["source"] for layer in report["layers"]}
    assert layers["first"].startswith(__file__)


def test_graph_breaks() -> None:
    model = Broken().eval()
    before = len(asic.reports())
    x = torch.randn(3, 8)
    close(compile(model)(x), model(x))
    graphs = asic.reports()[before:]
    assert len(graphs) == 2
    assert all(graph.calls == 1 and graph.reason is None for graph in graphs)


def test_autocast() -> None:
    model, x = Autocast().eval(), torch.randn(3, 8)
    close(compile(model, fallback="error")(x), model(x))


@pytest.mark.parametrize("dynamic", [None, True])
def test_numbers(dynamic: bool | None) -> None:
    """TorchDynamo passes a float that has changed once as a tensor of float64."""
    model, x = Scaled().eval(), torch.randn(3, 8)
    options = {"target": "cpu", "fallback": "error"}
    compiled = torch.compile(model, backend="asic", options=options, dynamic=dynamic)
    for factor in (2.0, 2.5, 0.1, 2.5):
        torch.testing.assert_close(compiled(x, factor), model(x, factor))
    assert asic.reports()[-1].calls >= 3
    assert len(asic.reports()[-1].compiled) <= 3


def test_new_shapes() -> None:
    model = Net().eval()
    compiled = compile(model)
    for rows in (2, 3, 4, 3, 2):
        x = torch.randn(rows, 8)
        close(compiled(x), model(x))
    # The first graph has a fixed shape, the second any; TorchDynamo asks that one first.
    shapes = [p.inputs[0].shape for graph in asic.reports()[-2:] for p in graph.compiled]
    assert shapes == [(2, 8), (3, 8), (4, 8), (2, 8)]


def test_too_many_shapes() -> None:
    model = nn.Linear(8, 8).eval()
    compiled = torch.compile(model, backend="asic", options={"target": "cpu"}, dynamic=True)
    texts = told(compiled, model, [torch.randn(rows, 8) for rows in range(2, 14)])
    assert len(texts) == 1
    assert "more than 8 shapes" in texts[0]


def test_state_is_written_back() -> None:
    model, eager = Counting().eval(), Counting().eval()
    compiled = compile(model)
    for _ in range(3):
        x = torch.randn(2, 8)
        close(compiled(x), eager(x))
        close(model.inner.total, eager.inner.total)
    model.inner.total.zero_()
    eager.inner.total.zero_()
    close(compiled(x), eager(x))
    (graph,) = asic.reports()[-1:]
    assert (graph.calls, len(graph.compiled)) == (4, 1)


def test_weights_that_change() -> None:
    model = nn.Linear(8, 8).eval()
    compiled = compile(model)
    x = torch.randn(2, 8)
    close(compiled(x), model(x))
    model.weight.mul_(-2)
    close(compiled(x), model(x))
    model.load_state_dict({k: v + 1 for k, v in model.state_dict().items()})
    close(compiled(x), model(x))


def test_weights_that_change_behind_pytorch() -> None:
    """None of these is counted as a write to the parameter."""
    model = nn.Linear(64, 64).eval()
    compiled = compile(model)
    x = torch.randn(2, 64)
    close(compiled(x), model(x))
    model.weight.data.add_(torch.randn(64, 64))
    close(compiled(x), model(x))
    model.weight.data = torch.randn(64, 64)
    close(compiled(x), model(x))
    model.weight.data.copy_(model.weight.data.flip(0))
    close(compiled(x), model(x))
    model.bias.detach().numpy()[:] = 3
    close(compiled(x), model(x))
    nn.utils.vector_to_parameters(torch.randn(64 * 65), model.parameters())
    close(compiled(x), model(x))


def test_two_modules_do_not_share_weights() -> None:
    model = nn.Linear(8, 8).eval()
    other = copy.deepcopy(model)
    other.weight.mul_(2)
    x = torch.randn(2, 8)
    for each in (model, other):
        close(compile(each)(x), each(x))


def refused(pattern: str, model: nn.Module, x: Tensor, **options: Any) -> None:
    """One warning with this reason, and what PyTorch computes."""
    eager = copy.deepcopy(model)
    compiled = compile(model, **options)
    (text,) = told(compiled, eager, [x, x, x])
    assert re.search(pattern, text), text
    graph = asic.reports()[-1]
    assert graph.reason is not None
    assert graph.calls == 0
    assert "in PyTorch" in str(graph)


def test_what_is_refused_runs_in_pytorch() -> None:
    pattern = rf"runs in PyTorch: \[import\] cannot lower .*svd at {__file__}:\d+"
    refused(pattern, Determinant().eval(), torch.randn(4, 4))
    compiled = compile(Determinant().eval(), fallback="error")
    with pytest.raises(asic.CompileError, match=r"cannot lower .*svd"):
        compiled(torch.randn(4, 4))


def test_training() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)).train()
    refused("batch norm in training mode", model, torch.randn(4, 8))
    with torch.enable_grad():
        model = nn.Linear(8, 8)
        refused(r"require gradients; call the model under torch\.no_grad", model, torch.randn(4, 8))
        loss = compile(nn.Linear(8, 8))(torch.randn(4, 8)).sum()
        loss.backward()


def test_inference_mode() -> None:
    model = nn.Linear(8, 8).eval()
    with torch.inference_mode():
        x = torch.randn(2, 8)
        close(compile(model)(x), model(x))


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"speed": 3}, "expected the options fallback, options, target, got 'speed'"),
        ({"quantize": "int8"}, "quantise first and pass"),
        ({"fallback": "never"}, "expected fallback='host' or fallback='error', got 'never'"),
        ({"target": "no-such-chip"}, "no-such-chip"),
    ],
)
def test_options(options: dict[str, Any], pattern: str) -> None:
    with pytest.raises(Exception, match=pattern):
        compile(nn.Linear(8, 8).eval(), **options)(torch.randn(2, 8))


def test_backend_is_found_whichever_is_imported_first() -> None:
    for order in ("asic, torch", "torch, asic"):
        code = (
            f"import {order}\nimport torch._dynamo\nassert 'asic' in torch._dynamo.list_backends()"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
