# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each wrong input gives one clear error of the right class."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from asic.errors import CompileError
from asic.frontend import import_model
from asic.frontend.export import decompose, export

X = torch.randn(2, 8)


def refuse(match: str, model: object, args: object = (X,), **kwargs: object) -> CompileError:
    with pytest.raises(CompileError, match=match) as caught:
        import_model(model, args, **kwargs)
    assert caught.value.phase == "import"
    assert str(caught.value).startswith("[import] ")
    return caught.value


def test_not_a_module() -> None:
    refuse("expected an nn.Module, .* got function", lambda x: x)


def test_no_args() -> None:
    refuse("expected example inputs, got args=None; pass args", nn.Linear(8, 8), None)


def test_args_not_a_tuple() -> None:
    refuse("expected args to be a tuple, got Tensor", nn.Linear(8, 8), X)


def test_wrong_number_of_args() -> None:
    refuse("args do not fit Linear.forward", nn.Linear(8, 8).eval(), (X, X))


def test_args_of_wrong_shape() -> None:
    refuse("cannot trace the model with these args", nn.Linear(9, 8).eval())


def test_unknown_file(tmp_path: Path) -> None:
    refuse("got model.bin", tmp_path / "model.bin")
    refuse("got no file at", tmp_path / "model.pt2")


def test_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(b"PK\x03\x04 this is no archive")
    refuse("cannot read .*model.pt2", path)


def test_nan_weight() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)).eval()
    with torch.no_grad():
        model[1].weight[3, 4] = float("nan")
    refuse("expected finite weights, got NaN in '1.weight'", model)


def test_infinite_weight_but_not_mask() -> None:
    model = nn.Linear(8, 8).eval()
    with torch.no_grad():
        model.bias[0] = float("inf")
    refuse("got Inf in 'bias'", model)

    class Mask(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.full((2, 8), float("-inf")).triu(1))

        def forward(self, x: Tensor) -> Tensor:
            return torch.softmax(x + self.mask, -1)

    import_model(Mask(), (X,))


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(8), nn.Dropout(0.5)])
def test_training_mode(layer: nn.Module) -> None:
    model = nn.Sequential(nn.Linear(8, 8), layer).train()
    refuse(r"in training mode; call model.eval\(\) first", model)


class DataDependent(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.sum() > 0 else x - 1


def test_data_dependent_branch() -> None:
    error = refuse("do not depend on data", DataDependent())
    assert Path(__file__).name in str(error)


class Unsupported(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.svdvals(x)


class Bessel(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(torch.special.bessel_j0(x))


@pytest.mark.parametrize(("model", "op"), [(Bessel(), "special_bessel_j0"), (Unsupported(), "svd")])
def test_unsupported_op_names_op_and_line(model: nn.Module, op: str) -> None:
    error = refuse(f"cannot lower .*{op}", model.eval())
    assert Path(__file__).name in str(error)
    assert error.diagnostics


class Wide(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x.double() * 2).float()


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).abs()


class WideQuotient(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x / torch.arange(1, 9).double()[None]).float()


class WideConstant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(8, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@pytest.mark.parametrize(
    ("model", "args", "message"),
    [
        (nn.Linear(8, 8).double(), (X.double(),), r"the parameter 'weight'.*model with \.float"),
        (nn.Linear(8, 8), (X.double(),), r"the input 'input'.*; convert it with \.float"),
        (WideConstant(), (X,), rf"the buffer 'scale', used at {__file__}:\d+.*model\.float"),
        (WideQuotient(), (X,), rf"a constant, used at {__file__}:\d+; compute in float32 there"),
        (Wide(), (X,), rf"aten\._to_copy at {__file__}:\d+; compute in float32 there"),
    ],
)
def test_types_that_no_phase_has(model: nn.Module, args: tuple[Tensor, ...], message: str) -> None:
    refuse(f"expected tensors of at most 32-bit real floats, got .* from {message}", model, args)


def test_complex_numbers_of_a_dynamic_program() -> None:
    """Its graph is not exported again, so that nothing in it is rewritten."""
    shapes = ({0: torch.export.Dim("batch", min=2, max=16)},)
    program = torch.export.export(Spectrum(), (X,), dynamic_shapes=shapes)
    with pytest.raises(CompileError, match=rf"complex64 from aten\.fft_fft at {__file__}:\d+; "):
        import_model(program)


@pytest.mark.parametrize("dynamic", [False, True])
def test_types_of_what_is_not_used(dynamic: bool) -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", torch.ones(3, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x)

    class Fine(Idle):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2

    shapes = ({0: torch.export.Dim("n", min=2, max=8)},) if dynamic else None
    refuse("cannot lower aten.special_bessel_j0", Idle(), dynamic_shapes=shapes)
    assert "f64" not in import_model(Fine(), (X,), dynamic_shapes=shapes).mlir
    program = torch.export.export(Fine(), (X,), dynamic_shapes=shapes)
    assert "f64" not in import_model(program).mlir


def test_operators_of_another_library() -> None:
    library = torch.library.Library("asic_test_errors", "FRAGMENT")
    library.define("mystery(Tensor x) -> Tensor")
    torch.library.register_fake("asic_test_errors::mystery", torch.empty_like, lib=library)

    class Foreign(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ops.asic_test_errors.mystery(x * 2) + 1

    refuse(rf"cannot lower asic_test_errors\.mystery at {__file__}:\d+; replace it", Foreign())


def test_dynamic_shape_that_the_model_fixes() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(16)

    batch = torch.export.Dim("batch", min=2, max=16)
    refuse("dynamic_shapes do not fit", Fixed(), dynamic_shapes=({0: batch},))


def test_written_input() -> None:
    class InPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x.add_(1)
            return x * 2

    refuse(rf"writes to input 'x' at {__file__}:\d+; write to a copy", InPlace())


def test_empty_input() -> None:
    refuse(r"got shape \(0, 8\) for 'input'", nn.Linear(8, 8).eval(), (torch.zeros(0, 8),))


class LayerCache:
    def __init__(self, keys: Tensor) -> None:
        self.keys = keys


def test_containers_that_torch_does_not_know() -> None:
    class Makes(nn.Module):
        def forward(self, x: Tensor) -> LayerCache:
            return LayerCache(x + 1)

    class Takes(nn.Module):
        def forward(self, cache: LayerCache) -> Tensor:
            return cache.keys + 1

    refuse(r"expected outputs of tensors.* got a '.*LayerCache'; have the model make none", Makes())
    refuse(r"expected inputs of tensors.*LayerCache", Takes(), (LayerCache(torch.ones(2)),))


def test_models_of_other_kinds() -> None:
    refuse("got the class Linear; pass an instance", nn.Linear)
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        script = torch.jit.script(nn.Linear(8, 8).eval())
    refuse("got one of TorchScript, which", script)
    refuse("got one of TorchScript in '1', which", nn.Sequential(nn.ReLU(), script))


def test_packed_sequences() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(4, 6, batch_first=True)

        def forward(self, x: Tensor, n: Tensor) -> Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, n, True, enforce_sorted=False)
            return self.layer(packed)[1][0]

    class Padded(Packed):
        def forward(self, x: Tensor, n: Tensor) -> Tensor:
            return self.layer(x)[0][torch.arange(len(n)), n - 1]

    args = (torch.randn(3, 5, 4), torch.tensor([5, 3, 2]))
    refuse(rf"got packed ones, .* at {__file__}:\d+; run the layer on the", Packed().eval(), args)
    model = Padded().eval()
    torch.testing.assert_close(model(*args), Packed.forward(model, *args))
    import_model(model, args)


@pytest.mark.parametrize("validate", [None, False, True])
def test_distributions_that_look_at_values(validate: bool | None) -> None:
    class Density(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            normal = torch.distributions.Normal(x[0], x[1].exp(), validate_args=validate)
            categories = torch.distributions.Categorical(logits=x, validate_args=validate)
            return normal.log_prob(x[0]).sum() + categories.entropy()

    before = torch.distributions.Distribution._validate_args
    if validate:
        refuse(rf"with checks at {__file__}:\d+; .* validate_args=False", Density())
    else:
        import_model(Density(), (X,))
    assert torch.distributions.Distribution._validate_args is before


def test_numpy_args() -> None:
    refuse("got ndarray; pass torch.from_numpy", nn.Linear(8, 8).eval(), (X.numpy(),))


def test_dimension_that_is_none() -> None:
    batch = torch.export.Dim("batch", max=16)
    for shapes in (({7: batch},), {"input": {7: batch}}):
        refuse(
            "expected dimensions 0 to 1 of 'input', got 7",
            nn.Linear(8, 8).eval(),
            dynamic_shapes=shapes,
        )


def test_torch_says_nothing_of_its_own(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    refuse("cannot trace", nn.Linear(9, 8).eval())
    refuse("do not depend on data", DataDependent())
    (tmp_path / "m.pt2").write_text("no archive")
    refuse("cannot read", tmp_path / "m.pt2")
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert capfd.readouterr().err == ""


class Solver(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.lu_factor(x)[0]


def test_ops_that_may_fail() -> None:
    with pytest.raises(
        CompileError, match=rf"cannot lower aten._linalg_check_errors at {__file__}:\d+, which"
    ):
        import_model(Solver().eval(), (torch.eye(3),))


class Rectified(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu()


@pytest.mark.parametrize("kind", [ValueError, TypeError, IndexError, ZeroDivisionError])
def test_decompositions_that_fail_name_the_line(kind: type[Exception]) -> None:
    def fail(x: Tensor) -> Tensor:
        raise kind("no tensors")

    program = export(Rectified().eval(), (torch.ones(3),))
    with pytest.raises(CompileError, match=rf"{__file__}:\d+.*{kind.__name__}: no tensors"):
        decompose(program, {torch.ops.aten.relu.default: fail})
