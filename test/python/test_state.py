# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that write to their buffers: the compiled model keeps the state.

The oracle is the module itself, called as often; every comparison is of two runs that
started from the same state.
"""

from __future__ import annotations

import copy
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import asic
from asic.frontend import import_model


class Cache(nn.Module):
    """A counter, a cache that is written at a position, and a buffer that is reassigned."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("rows", torch.zeros(4, 8), persistent=False)
        self.inner = nn.Module()
        self.inner.register_buffer("last", torch.full((1, 8), 0.5))

    def forward(self, x: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        self.count.add_(1)
        y = torch.tanh(self.linear(x) + self.inner.last)
        at = torch.arange(4) == position
        self.rows.copy_(torch.where(at[:, None], y, self.rows))
        self.inner.last = y
        return self.rows.sum(0, keepdim=True) + self.count, y


class Delay(nn.Module):
    """A delay line: each buffer takes what the one in front of it had."""

    def __init__(self) -> None:
        super().__init__()
        for number in range(3):
            self.register_buffer(f"z{number}", torch.zeros(2, 8))

    def forward(self, x: Tensor) -> Tensor:
        y = x + 0.5 * self.z2
        self.z2, self.z1, self.z0 = self.z1, self.z0, y
        return y


class Swap(nn.Module):
    """Two buffers change places."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("a", torch.zeros(2, 8))
        self.register_buffer("b", torch.ones(2, 8))

    def forward(self, x: Tensor) -> Tensor:
        old = self.a.clone()
        self.a.copy_(self.b)
        self.b.copy_(old)
        return x * self.b


class Remember(nn.Module):
    """Returns what it got the time before; the new state is the input itself."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(2, 8))

    def forward(self, x: Tensor) -> Tensor:
        old = self.kept.clone()
        self.kept.copy_(x)
        return old


class Sum(nn.Module):
    """Returns its state."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(2, 8))

    def forward(self, x: Tensor) -> Tensor:
        self.total += x
        return self.total


class Steps(nn.Module):
    """Integer state of an unsigned type, and a written parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor([254], dtype=torch.uint8))
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        self.step += 1
        with torch.no_grad():
            self.scale.mul_(0.5)
        return x * self.scale + self.step


class Recurrent(nn.Module):
    """Two linear layers with the hidden state in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(32, 16)
        self.outer = nn.Linear(16, 16)
        self.register_buffer("hidden", torch.zeros(1, 16))

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([x, self.hidden], 1)
        self.hidden.copy_(torch.relu(self.inner(joined)))
        return self.outer(self.hidden)


def row() -> tuple[Tensor, ...]:
    return (torch.randn(2, 8),)


def cache_row() -> tuple[Tensor, ...]:
    return torch.randn(1, 8), torch.randint(0, 4, (1,))


def compare(compiled: asic.Compiled, model: nn.Module, inputs: list[Any], tolerance: float) -> None:
    """The same outputs and the same buffers, call after call."""
    paths = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    for args in inputs:
        got = compiled(*args)
        want = model(*copy.deepcopy(args))
        for a, b in zip(*(v if isinstance(v, tuple) else (v,) for v in (got, want)), strict=True):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
        for path, value in compiled.state.items():
            found = (dict(model.named_buffers()) | dict(model.named_parameters()))[path]
            assert paths[path].shape == value.shape
            np.testing.assert_allclose(value, found.detach().numpy(), tolerance, tolerance)


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize(
    ("make", "example"),
    [
        (Cache, cache_row),
        (Delay, row),
        (Swap, row),
        (Remember, row),
        (Sum, row),
        (Steps, row),
        (Recurrent, lambda: (torch.randn(1, 16),)),
    ],
)
def test_calls_in_a_row(
    make: Callable[[], nn.Module], example: Callable[[], Any], target: str
) -> None:
    torch.manual_seed(0)
    model = make().eval()
    inputs = [example() for _ in range(5)]
    with torch.no_grad():
        compiled = asic.compile(copy.deepcopy(model), inputs[0], target=target)
        # The accelerator's floats are bf16 products; the host computes in f32.
        compare(compiled, model, inputs, 1e-5 if target == "cpu" else 2e-2)


@pytest.fixture(scope="module")
def summing() -> asic.Compiled:
    model = Sum().eval()
    model.total.fill_(3)
    return asic.compile(model, row(), target="cpu")


def test_state_is_no_input(summing: asic.Compiled) -> None:
    assert summing.input_names == ("x",)
    assert summing.output_names == ("output",)
    assert list(summing.state) == ["total"]
    assert summing.report().to_dict()["state_bytes"] == 64


def test_reset(summing: asic.Compiled) -> None:
    summing(np.ones((2, 8), np.float32))
    summing.reset_state()
    assert (summing.state["total"] == 3).all()
    assert (summing(np.ones((2, 8), np.float32)) == 4).all()


def test_assign(summing: asic.Compiled) -> None:
    summing.state["total"] = torch.full((2, 8), 7.0)
    assert (summing(np.ones((2, 8), np.float32)) == 8).all()
    with pytest.raises(asic.ProgramError, match=r"shape \[2, 8\] for state 'total', got \[8\]"):
        summing.state["total"] = np.zeros(8, np.float32)
    with pytest.raises(asic.ProgramError, match="float32 for state 'total', got float64"):
        summing.state["total"] = np.zeros((2, 8))
    with pytest.raises(KeyError, match="'other'; the state has 'total'"):
        summing.state["other"] = np.zeros((2, 8))
    with pytest.raises(asic.ProgramError, match="got a deletion"):
        del summing.state["total"]


def test_an_output_that_is_the_state_as_it_was() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("last", torch.zeros(1, 4))

        def forward(self, x: Tensor) -> Tensor:
            last = self.last.clone()
            self.last.copy_(x)
            return last

    compiled = asic.compile(Last().eval(), (torch.ones(1, 4),), target="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(torch.ones(1, 4)).add_(100)
    compiled.reset_state()
    assert (compiled.state["last"] == 0).all()


def test_the_state_itself_is_not_replaced(summing: asic.Compiled) -> None:
    with pytest.raises(AttributeError, match="state"):
        summing.state = {}  # type: ignore[misc,assignment]


def test_state_is_nobody_elses_memory(summing: asic.Compiled) -> None:
    given = np.zeros((2, 8), np.float32)
    summing.state["total"] = given
    given += 1
    output = summing(np.zeros((2, 8), np.float32))
    output += 5
    assert (summing.state["total"] == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        summing.state["total"][0] = 1


def test_input_that_becomes_state_is_copied() -> None:
    compiled = asic.compile(Remember().eval(), row(), target="cpu")
    x = np.ones((2, 8), np.float32)
    compiled(x)
    x += 1
    assert (compiled.state["kept"] == 1).all()


def test_two_compiled_models_do_not_share(summing: asic.Compiled) -> None:
    other = summing.on_host()
    before = summing.state["total"].copy()
    other(np.ones((2, 8), np.float32))
    assert (summing.state["total"] == before).all()


def test_failed_call_leaves_the_state(summing: asic.Compiled) -> None:
    before = summing.state["total"].copy()
    with pytest.raises(asic.ProgramError):
        summing(np.ones((3, 8), np.float32))
    assert (summing.state["total"] == before).all()


def test_fault_leaves_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = asic.compile(Recurrent().eval(), (torch.randn(1, 16),), target="edge-tx1")
    (machine,) = compiled.machines.values()
    x = np.ones((1, 16), np.float32)
    compiled(x)
    before = compiled.state["hidden"].copy()

    def trap(*args: Any, **options: Any) -> Any:
        raise asic.EmulatorFault("a trap", fault="E1", pc=0)

    with monkeypatch.context() as patch:
        patch.setattr(machine, "_run", trap)
        with pytest.raises(asic.EmulatorFault):
            compiled(x)
    assert (compiled.state["hidden"] == before).all()


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_file(target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = np.ones((1, 16), np.float32)
    compiled = asic.compile(Recurrent().eval(), (torch.ones(1, 16),), target=target)
    first, second = compiled(x), compiled(x)
    assert not (first == second).all()
    compiled.reset_state()
    compiled(x)
    compiled.save(tmp_path / "m.asic")
    loaded = asic.load(tmp_path / "m.asic")
    assert loaded.input_names == ("x",)
    assert (loaded(x) == second).all()
    loaded.reset_state()
    assert (loaded(x) == first).all()


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_file_keeps_the_order(target: str, tmp_path: Path) -> None:
    """Buffers of several types, whose names are not in alphabetical order."""
    x = torch.ones(1, 1, 8)
    compiled = asic.compile(Wrapper(), (x,), target=target)
    assert list(compiled.state) != sorted(compiled.state)
    compiled.save(tmp_path / "m.asic")
    loaded = asic.load(tmp_path / "m.asic")
    assert loaded.state.specs == compiled.state.specs
    for _ in range(2):
        assert torch.equal(loaded(x), compiled(x))


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_copies_go_on_alone(target: str) -> None:
    """Of the memory and of pickle: they begin with the state as it is."""
    torch.manual_seed(0)
    x = torch.ones(1, 16)
    compiled = asic.compile(Recurrent().eval(), (x,), target=target)
    compiled(x)
    copies = copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))
    second, third = compiled(x), compiled(x)
    assert not torch.equal(second, third)
    for other in copies:
        assert torch.equal(other(x), second)
        assert torch.equal(other(x), third)


class TurnedRound(nn.Module):
    """Its padding cannot be masked."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(0)


def test_models_without_programs_of_their_own_are_not_copied() -> None:
    shapes = ({0: torch.export.Dim("batch", min=1, max=4)},)
    compiled = asic.compile(
        TurnedRound().eval(), (torch.ones(2, 4),), target="cpu", dynamic_shapes=shapes
    )
    with pytest.raises(asic.ProgramError, match=r"give CompileOptions\.buckets"):
        copy.deepcopy(compiled)


def test_verify_compares_state_and_keeps_it() -> None:
    torch.manual_seed(0)
    model = Recurrent().eval()
    compiled = asic.compile(copy.deepcopy(model), (torch.ones(1, 16),), target="edge-tx1")
    compiled(np.ones((1, 16), np.float32))
    before = compiled.state["hidden"].copy()
    data = [(torch.randn(1, 16),) for _ in range(3)]
    assert asic.verify(compiled, data, rtol=2e-2, atol=2e-2)
    assert asic.verify(compiled, data, model, rtol=2e-2, atol=2e-2)
    assert (compiled.state["hidden"] == before).all()
    assert (model.hidden == 0).all()
    with torch.no_grad():
        model.inner.bias += 1
    assert not asic.verify(compiled, data, model, rtol=2e-2, atol=2e-2)


def test_profile_leaves_the_state() -> None:
    compiled = asic.compile(Recurrent().eval(), (torch.ones(1, 16),), target="edge-tx1")
    assert compiled.profile(np.ones((1, 16), np.float32)).cycles > 0
    assert (compiled.state["hidden"] == 0).all()


def test_quantised() -> None:
    torch.manual_seed(0)
    model = Recurrent().eval()
    data = [(torch.randn(1, 16),) for _ in range(32)]
    compiled = asic.compile(
        copy.deepcopy(model), data[0], target="edge-tx1", quantize="int8", calibration=data
    )
    # Calibration has run the model, but on a copy of the state.
    assert (compiled.state["hidden"] == 0).all()
    assert asic.verify(compiled, data[:4])
    with torch.no_grad():
        compare(compiled, model, data[:6], 0.15)
    assert compiled.report().to_dict()["macs"] == 32 * 16 + 16 * 16


def test_text_marks_pairs() -> None:
    text = import_model(Cache().eval(), cache_row()).mlir
    main = text[text.index("func.func @main") :].split("{\n", 1)[0]
    for path in ("count", "rows", "inner.last"):
        assert main.count(f'asic.state = "{path}"') == 2, main
    stages = asic.compile(Recurrent().eval(), (torch.ones(1, 16),), target="edge-tx1").stages
    partition = stages["partition"]
    region = re.search(r"func\.func private @\w+\(.*asic\.region", partition)
    assert region is not None, partition
    assert region[0].count('asic.state = "hidden"') == 2, partition
    assert len(re.findall(r'isa\.io .* state "hidden"', stages["isa"])) >= 2


def test_name_of_an_input_and_of_a_buffer() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("x", torch.zeros(2, 8))

        def forward(self, x: Tensor) -> Tensor:
            self.x += x
            return self.x * 2

    compiled = asic.compile(Named().eval(), row(), target="cpu")
    assert compiled.input_names == ("x",)
    assert list(compiled.state) == ["x"]


def test_exported_program() -> None:
    program = torch.export.export(Sum().eval(), row())
    compiled = asic.compile(program, target="cpu")
    x = np.ones((2, 8), np.float32)
    compiled(x)
    assert (compiled(x) == 2).all()
    assert (program.state_dict["total"] == 0).all()


def refuse(pattern: str, model: nn.Module, args: Any = None) -> None:
    with pytest.raises(asic.CompileError, match=pattern):
        asic.compile(model, args or row(), target="cpu")


def test_attribute_that_is_no_buffer() -> None:
    class Plain(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.h, self.in_place = torch.zeros(2, 8), in_place

        def forward(self, x: Tensor) -> Tensor:
            if self.in_place:
                self.h.add_(x)
            else:
                self.h = self.h + x
            return self.h * 2

    for in_place in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refuse(
                r"writes to its attribute 'h'; register it with register_buffer",
                Plain(in_place).eval(),
            )


class TwoNames(nn.Module):
    """Writes to a buffer by one name and reads it, or a part of it, by another."""

    def __init__(self, part: bool = False) -> None:
        super().__init__()
        shared = torch.zeros(2, 8)
        self.register_buffer("a", shared)
        self.register_buffer("b", shared[:1] if part else shared)

    def forward(self, x: Tensor) -> Tensor:
        self.a.add_(x)
        return x * self.b


class Keeper:
    """A cache as transformers has it: tensors in attributes of an object that is no module."""

    def __init__(self) -> None:
        self.keys, self.count = torch.zeros(1, 2, 8, 4), torch.zeros((), dtype=torch.int64)

    def update(self, key: Tensor) -> Tensor:
        """Writes the next row; gives all of them."""
        self.keys.index_copy_(2, torch.arange(1) + self.count, key)
        self.count.add_(1)
        return self.keys


class Wrapper(nn.Module):
    """Registers the tensors of its cache, which `forward` reaches through the object."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper, self.linear = Keeper(), nn.Linear(8, 8)
        self.register_buffer("key_cache", self.keeper.keys, persistent=False)
        self.register_buffer("count", self.keeper.count)

    def forward(self, x: Tensor) -> Tensor:
        key = self.linear(x).unflatten(-1, (2, 4)).transpose(1, 2)
        return self.keeper.update(key).sum(2)


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
@pytest.mark.parametrize("strict", [None, False, True])
def test_a_buffer_of_two_names(target: str, strict: bool | None) -> None:
    for model, x, paths in (
        (TwoNames(), torch.ones(2, 8), {"a"}),
        (Wrapper(), torch.ones(1, 1, 8), {"key_cache", "count"}),
    ):
        reference = copy.deepcopy(model)
        exported = model if strict is None else torch.export.export(model, (x,), strict=strict)
        before = str(exported)
        compiled = asic.compile(exported, None if strict is not None else (x,), target=target)
        assert str(exported) == before
        assert strict or set(compiled.state) == paths
        assert asic.verify(compiled, [(x,), (x + 1,)])
        for number in range(3):
            torch.testing.assert_close(
                compiled(x + number), reference(x + number), atol=0.05, rtol=0.01
            )


class Echo(nn.Module):
    """Keeps one value in two buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("now", torch.zeros(2, 8))
        self.register_buffer("shown", torch.ones(2, 8))

    def forward(self, x: Tensor) -> Tensor:
        before = self.shown * 2
        self.now.add_(x)
        self.shown.copy_(self.now)
        return before + self.now


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_one_value_for_two_buffers(target: str) -> None:
    model = Echo()
    reference, x = copy.deepcopy(model), torch.ones(2, 8)
    program = torch.export.export(model, (x,))
    before = str(program)
    for compiled in (asic.compile(model, (x,), target=target), asic.compile(program)):
        for number in range(3):
            assert torch.equal(compiled(x + number), reference(x + number))
        for path in ("now", "shown"):
            assert (compiled.state[path] == getattr(reference, path).numpy()).all()
        reference = copy.deepcopy(model)
    assert str(program) == before


def test_buffers_that_overlap() -> None:
    refuse(
        "written buffers of their own, got 'a' and 'b' in one memory", TwoNames(part=True).eval()
    )


def test_batch_norm_that_learns() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    images = (torch.randn(2, 3, 8, 8),)
    refuse("call model.eval", model, images)
    program = torch.export.export(model, images)
    refuse(r"batch norm in training mode at .*; call model.eval\(\) before", program, images)  # type: ignore[arg-type]


class Noting(nn.Module):
    """Assigns attributes that are no buffers, in a nested module."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)
        self.inner.note, self.inner.calls = None, 0
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        if self.kind == "tensor":
            self.inner.note = y
        else:
            self.inner.calls += 1
        return y * 2


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("tensor", r"assigns tensors to the attributes inner\.note, which are no buffers"),
        ("number", r"changes the attribute 'inner\.calls', a number; .* registered buffer"),
    ],
)
def test_attributes_that_are_not_kept(kind: str, pattern: str) -> None:
    model = Noting(kind).eval()
    with pytest.warns(UserWarning, match=pattern):
        asic.compile(model, row(), target="cpu")
    # The user's module is as before.
    assert model.inner.note is None
    assert model.inner.calls == 0
    assert "forward" not in vars(model)


def test_no_warnings_without_a_cause() -> None:
    recurrent = nn.Sequential(nn.LSTM(8, 8, batch_first=True)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", FutureWarning)
        import_model(Delay().eval(), row())
        import_model(recurrent, (torch.randn(1, 4, 8),))


def test_buffer_that_changes_its_shape() -> None:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("rows", torch.zeros(1, 8))

        def forward(self, x: Tensor) -> Tensor:
            self.rows = torch.cat([self.rows, x])
            return self.rows.sum(0)

    refuse(
        r"buffer 'rows' to keep its type, got float32\[1, 8\] before forward and float32\[3, 8\] "
        "after it; give it",
        Growing().eval(),
    )
