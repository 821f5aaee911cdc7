# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs and outputs that are no tensors: None, numbers and texts, as models return them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.export import Dim

import asic


class Language(torch.nn.Module):
    """The shape of many language models: a loss that is None without targets."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(4, 3)

    def forward(
        self, x: torch.Tensor, targets: torch.Tensor | None = None, scale: int = 2
    ) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, Any]]:
        logits = self.head(x) * scale
        loss = None if targets is None else logits.sum()
        return (
            logits,
            loss,
            {"scale": scale, "hidden": x + 1, "kind": "logits", "width": x.shape[1]},
        )


@pytest.fixture
def model() -> Language:
    torch.manual_seed(0)
    return Language().eval()


X = torch.linspace(-1, 1, 8).reshape(2, 4)


def same(actual: Any, expected: Any, tolerance: float) -> None:
    logits, loss, rest = actual
    wanted = expected[2]
    torch.testing.assert_close(logits, expected[0], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(rest.pop("hidden"), wanted.pop("hidden"))
    assert loss is None
    assert expected[1] is None
    assert rest == wanted


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize(
    "named", [{}, {"scale": 3}, {"targets": None}, {"targets": None, "scale": 3}]
)
def test_returns_what_the_model_returns(
    target: str, named: dict[str, Any], model: Language
) -> None:
    compiled = asic.compile(model, (X,), kwargs=named, target=target)
    assert compiled.input_names == ("x",)
    assert compiled.output_names == ("output0", "output2.hidden")
    with torch.no_grad():
        same(compiled(X, **named), model(X, **named), 1e-5 if target == "cpu" else 2e-2)


def test_positional_values_and_arrays(model: Language) -> None:
    compiled = asic.compile(model, (X, None, 5), target="cpu")
    logits, loss, rest = compiled(X.numpy(), None, 5)
    assert isinstance(logits, np.ndarray)
    assert loss is None
    assert rest["scale"] == 5


def test_refuses_another_value(model: Language) -> None:
    compiled = asic.compile(model, (X,), kwargs={"scale": 3}, target="cpu")
    with pytest.raises(asic.ProgramError, match="expected scale=3 as at compile time, got 4"):
        compiled(X, scale=4)
    with pytest.raises(asic.ProgramError, match="got a Tensor; compile the model again"):
        compiled(X, scale=torch.tensor(3))
    with pytest.raises(
        asic.ProgramError, match="expected the input 'scale', got a call without it"
    ):
        compiled(X)


def test_survives_a_file(model: Language, tmp_path: Path) -> None:
    compiled = asic.compile(model, (X,), kwargs={"scale": 3}, target="edge-tx1")
    compiled.save(tmp_path / "m.asic")
    loaded = asic.load(tmp_path / "m.asic")
    with torch.no_grad():
        same(loaded(X, scale=3), model(X, scale=3), 2e-2)
    with pytest.raises(asic.ProgramError, match="expected scale=3"):
        loaded(X, scale=2)


def test_quantised_and_verified(model: Language) -> None:
    items = [((torch.randn(2, 4),), {"scale": 3}) for _ in range(4)]
    compiled = asic.compile(
        model, (X,), kwargs={"scale": 3}, target="edge-tx1", quantize="int8", calibration=items
    )
    assert asic.verify(compiled, items)


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize("by_name", [True, False])
def test_dynamic_shapes(target: str, by_name: bool, model: Language) -> None:
    batch = Dim("batch", min=1, max=4)
    if by_name:
        args, named = (X,), {"targets": None, "scale": 3}
        shapes: Any = {"x": {0: batch}, "targets": None, "scale": None}
    else:
        args, named = (X, None, 3), {}
        shapes = ({0: batch}, None, None)
    compiled = asic.compile(model, args, kwargs=named, target=target, dynamic_shapes=shapes)
    assert "batch: 1 to 4" in repr(compiled)
    inputs = (torch.ones(3, 4), *args[1:])
    with torch.no_grad():
        same(compiled(*inputs, **named), model(*inputs, **named), 1e-5 if target == "cpu" else 2e-2)


def test_refuses_dynamic_numbers(model: Language) -> None:
    class Size(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int]:
            return x * 2, x.shape[0]

    batch = Dim("batch", min=1, max=4)
    with pytest.raises(asic.CompileError, match="got the dynamic number 'output1'"):
        asic.compile(Size(), (X,), target="cpu", dynamic_shapes={"x": {0: batch}})
    with pytest.raises(asic.CompileError, match="got the dynamic number 'scale'"):
        asic.compile(
            model,
            (X,),
            kwargs={"scale": 3},
            target="cpu",
            dynamic_shapes={"x": {0: batch}, "scale": Dim.DYNAMIC},
        )


def test_model_without_tensors() -> None:
    class Nothing(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> None:
            return None

    for target in ("cpu", "edge-tx1"):
        assert asic.compile(Nothing(), (X,), target=target)(X) is None
