# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a user chooses about quantisation."""

from __future__ import annotations

from dataclasses import dataclass

from asic.errors import CompileError

CALIBRATORS = ("minmax", "percentile", "mse")
RESIDUALS = ("auto", "int8", "float")


@dataclass(frozen=True)
class Config:
    """Post-training quantisation.

    Attributes:
        weights: format of weights; "int8" is symmetric, [-127, 127].
        activations: format of activations; "int8" is affine, [-128, 127]; "float" quantises
            weights alone, without data, and only `weight_calibrator` and `per_channel` count.
        calibrator: how an activation's range follows from what was seen: "minmax",
            "percentile" or "mse".
        weight_calibrator: "minmax" or "mse", per channel.
        per_channel: one weight scale per output channel; False: one per tensor.
        percentile: two-sided share of values that "percentile" keeps, in percent.
        samples: values kept per tensor for "percentile" and "mse" (memory bound).
        residual: format of additions: "int8", "float", or "auto" = int8 for tensors of
            four or more dimensions (images), float otherwise (token streams, which need
            more than eight bits).
        quantize_outputs: whether the model's own results are int8 before the final
            dequantisation; False leaves them at accumulator precision.
    """

    weights: str = "int8"
    activations: str = "int8"
    calibrator: str = "mse"
    weight_calibrator: str = "minmax"
    per_channel: bool = True
    percentile: float = 99.99
    samples: int = 16384
    residual: str = "auto"
    quantize_outputs: bool = True

    def __post_init__(self) -> None:
        _one_of("weights", self.weights, ("int8",))
        _one_of("activations", self.activations, ("int8", "float"))
        _one_of("calibrator", self.calibrator, CALIBRATORS)
        _one_of("weight_calibrator", self.weight_calibrator, ("minmax", "mse"))
        _one_of("residual", self.residual, RESIDUALS)
        if not 50.0 < self.percentile <= 100.0:
            raise _error(f"expected percentile in (50, 100], got {self.percentile}")
        if self.samples < 256:
            raise _error(f"expected at least 256 samples, got {self.samples}")

    @classmethod
    def of(cls, value: Config | str | None) -> Config:
        """A `Config` from itself, from a scheme's name ("int8", "int8-weight") or from None
        (the default)."""
        if isinstance(value, Config):
            return value
        if value is None or value == "int8":
            return cls()
        if value == "int8-weight":
            return cls(activations="float")
        raise _error(
            f"expected quantize=None, 'int8', 'int8-weight' or a quantization.Config, got {value!r}"
        )


def _error(message: str) -> CompileError:
    return CompileError(message, phase="quantize")


def _one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        names = ", ".join(repr(a) for a in allowed)
        raise _error(f"expected {field} to be one of {names}, got {value!r}")
