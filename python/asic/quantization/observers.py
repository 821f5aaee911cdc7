# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Observers: the range of a tensor from what calibration showed of it.

Every activation observer keeps the exact extremes; those that need a distribution keep
a uniform random sample of bounded size besides. The sample is drawn with a generator of
its own and a fixed seed, so calibration is deterministic.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asic.errors import CompileError
from asic.quantization.pt2e import ObserverBase

_CLIP_STEPS = 64
_SEED = 0x5EED


def affine(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(scale f32, zero point i64) of an int8 affine range that contains zero."""
    low = torch.clamp(low.double(), max=0.0)
    high = torch.clamp(high.double(), min=0.0)
    scale = (high - low) / 255.0
    scale = torch.where(scale > 0, scale, torch.ones_like(scale)).float()
    scale = torch.clamp(scale, min=torch.finfo(torch.float32).tiny)
    zero = torch.clamp(-128 - torch.round(low / scale.double()), -128, 127)
    return scale, zero.to(torch.int64)


def symmetric(bound: Tensor) -> Tensor:
    """Scale (f32) of an int8 range [-127, 127] that reaches `bound`."""
    scale = bound.double() / 127.0
    scale = torch.where(scale > 0, scale, torch.ones_like(scale)).float()
    return torch.clamp(scale, min=torch.finfo(torch.float32).tiny)


def _check_finite(values: Tensor) -> None:
    """Calibration on NaN or Inf has no meaning."""
    if not bool(torch.isfinite(values).all()):
        raise CompileError(
            "expected finite activations during calibration, got NaN or Inf; check the "
            "calibration data and the model's own outputs on it",
            phase="quantize",
        )


class ActivationObserver(ObserverBase):  # type: ignore[misc]
    """Running extremes of a tensor; per-tensor affine int8 from them."""

    quant_min = -128
    quant_max = 127
    qscheme = torch.per_tensor_affine
    eps = torch.finfo(torch.float32).eps

    def __init__(self, dtype: torch.dtype = torch.int8, **kwargs: Any) -> None:
        super().__init__(dtype=dtype, is_dynamic=False)
        self.low = torch.tensor(float("inf"))
        self.high = torch.tensor(float("-inf"))
        self._qparams: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        values = x.detach().float()
        self._qparams = None
        if values.numel():
            low, high = torch.aminmax(values)  # NaN where there is one.
            _check_finite(torch.stack((low, high)))
            self.low = torch.minimum(self.low, low)
            self.high = torch.maximum(self.high, high)
            self.sample(values)
        return x

    def sample(self, values: Tensor) -> None:
        """Called with every observed tensor; the extremes need no more."""

    def range(self) -> tuple[Tensor, Tensor]:
        """(low, high) that the quantised range is to cover."""
        return self.low, self.high

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not bool(torch.isfinite(self.low)):
            raise CompileError(
                "expected calibration data for every quantised tensor, got none; run the "
                "prepared model on at least one input before convert",
                phase="quantize",
            )
        if self._qparams is None:
            self._qparams = affine(*self.range())
        return self._qparams


class MinMaxObserver(ActivationObserver):
    """Covers everything that was seen."""


class SamplingObserver(ActivationObserver):
    """Keeps a uniform sample of at most `samples` values.

    Every value gets a random key and the values with the greatest keys stay, which is a
    uniform sample of all values seen, however they were batched.
    """

    def __init__(
        self, dtype: torch.dtype = torch.int8, samples: int = 16384, **kwargs: Any
    ) -> None:
        super().__init__(dtype=dtype)
        self.samples = samples
        self.keys = torch.empty(0)
        self.values = torch.empty(0)
        self._generator = torch.Generator().manual_seed(_SEED)

    def sample(self, values: Tensor) -> None:
        flat = values.reshape(-1)
        keys = torch.rand(flat.numel(), generator=self._generator)
        if self.keys.numel() == self.samples:  # Most keys are below all that are kept.
            (greater,) = torch.nonzero(keys > self.keys.min(), as_tuple=True)
            keys, flat = keys[greater], flat[greater]
        keys, flat = torch.cat([self.keys, keys]), torch.cat([self.values, flat])
        if keys.numel() > self.samples:
            keys, kept = torch.topk(keys, self.samples, sorted=False)
            flat = flat[kept]
        self.keys, self.values = keys, flat

    def __deepcopy__(self, memo: dict[int, Any]) -> SamplingObserver:
        copy = type(self).__new__(type(self))
        memo[id(self)] = copy
        generator, self._generator = self._generator, None  # type: ignore[assignment]
        try:
            state = {k: v for k, v in self.__dict__.items() if k != "_generator"}
            copy.__dict__.update({k: _clone(v) for k, v in state.items()})
        finally:
            self._generator = generator
        copy._generator = torch.Generator()
        copy._generator.set_state(generator.get_state())
        return copy


def _clone(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if hasattr(value, "copy") else value


class PercentileObserver(SamplingObserver):
    """Covers the central `percentile` percent of the values."""

    def __init__(
        self, dtype: torch.dtype = torch.int8, percentile: float = 99.99, **kwargs: Any
    ) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.percentile = percentile

    def range(self) -> tuple[Tensor, Tensor]:
        tail = (100.0 - self.percentile) / 200.0
        values = torch.cat([self.values, torch.stack([self.low, self.high])])
        low, high = torch.quantile(values.double(), torch.tensor([tail, 1 - tail]).double())
        return low.float(), high.float()


class MseObserver(SamplingObserver):
    """The range whose quantisation has the least mean squared error on the sample.

    First both ends are scaled together, then each alone; the exact extremes count as
    members of the sample.
    """

    def range(self) -> tuple[Tensor, Tensor]:
        values = torch.cat([self.values, torch.stack([self.low, self.high])])
        low, high = torch.clamp(self.low, max=0.0), torch.clamp(self.high, min=0.0)
        factors, fixed = torch.linspace(0.3, 1.0, _CLIP_STEPS), torch.ones(_CLIP_STEPS)
        for lows, highs in ((factors, factors), (factors, fixed), (fixed, factors)):
            low, high = _least_error(values, low * lows, high * highs)
        return low, high


def _least_error(values: Tensor, lows: Tensor, highs: Tensor) -> tuple[Tensor, Tensor]:
    """The range among (lows[i], highs[i]) that represents `values` best; the last of equals."""
    scales, zeros = affine(lows, highs)
    scales, zeros = scales[:, None], zeros[:, None]
    q = torch.clamp(torch.round(values / scales) + zeros, -128, 127)
    losses = (((q - zeros) * scales - values) ** 2).mean(dim=1)
    best = len(losses) - 1 - int(losses.flip(0).argmin())
    return lows[best], highs[best]


class WeightObserver(ObserverBase):  # type: ignore[misc]
    """Symmetric int8 of a constant; per channel along `ch_axis`, or per tensor."""

    quant_min = -127
    quant_max = 127
    eps = torch.finfo(torch.float32).eps

    def __init__(
        self,
        dtype: torch.dtype = torch.int8,
        qscheme: torch.qscheme = torch.per_channel_symmetric,
        ch_axis: int = 0,
        mse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, is_dynamic=False)
        self.qscheme = qscheme
        self.ch_axis = ch_axis
        self.mse = mse
        self.scale: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.scale is None:
            values = x.detach().float()
            _check_finite(values)
            if self.qscheme == torch.per_channel_symmetric:
                rows = values.movedim(self.ch_axis, 0).flatten(1)
            else:
                rows = values.reshape(1, -1)
            scale = self._scales(rows)
            self.scale = scale if self.qscheme == torch.per_channel_symmetric else scale[0]
        return x

    def raise_scale(self, least: Tensor) -> None:
        """Makes every scale at least `least` (one value per channel)."""
        if self.scale is not None:
            least = least if self.scale.dim() else least.max()
            self.scale = torch.maximum(self.scale, least.to(self.scale.dtype))

    def _scales(self, rows: Tensor) -> Tensor:
        """Scale of each row, shape (rows,)."""
        bound = rows.abs().amax(dim=1)
        best = symmetric(bound)
        if not self.mse:
            return best
        least = torch.full_like(bound, float("inf"))
        for factor in torch.linspace(1.0, 0.6, _CLIP_STEPS // 2):
            scale = symmetric(bound * factor)
            q = torch.clamp(torch.round(rows / scale[:, None]), -127, 127)
            loss = ((q * scale[:, None] - rows) ** 2).mean(dim=1)
            best = torch.where(loss < least, scale, best)
            least = torch.minimum(loss, least)
        return best

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.scale is None:
            raise CompileError(
                "expected the prepared model to have run, got no weight ranges; run it on "
                "at least one calibration input before convert",
                phase="quantize",
            )
        return self.scale, torch.zeros_like(self.scale, dtype=torch.int64)
