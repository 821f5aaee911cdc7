# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LSTMs: one step with explicit state, and a sequence."""

from __future__ import annotations

from torch import Tensor, nn


class LstmCell(nn.Module):
    """One step: x (n, 64), hidden and cell state (n, 128) to the next state."""

    def __init__(self, inputs: int = 64, hidden: int = 128) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(inputs, hidden)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> dict[str, Tensor]:
        hidden, cell = self.cell(x, (hidden, cell))
        return {"hidden": hidden, "cell": cell}


class LstmSequence(nn.Module):
    """A whole sequence from zero state: (n, steps, 64) to (n, steps, 128)."""

    def __init__(self, inputs: int = 64, hidden: int = 128) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.lstm(sequence)[0]
