"""Write keywords_*.onnx beside this script, a network for spoken keywords, as make.py does.

    python tests/exporters/make_recurrent.py

Made with torch 2.14.1, onnx 1.23.2 and onnxscript 0.7.2.
"""

from __future__ import annotations

import warnings

import torch
from make import export
from torch import Tensor, nn


class Keywords(nn.Module):
    """A convolution over time, an LSTM in both directions, a GRU, and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Conv1d(5, 4, 3, stride=2)
        self.lstm = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(6, 2, batch_first=True)
        self.words = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return a number for each word, from (batch, features, time)."""
        frames = torch.relu(self.frames(x)).transpose(1, 2)
        both, _ = self.lstm(frames)
        steps, _ = self.gru(both)
        return self.words(steps[:, -1])


def main() -> None:
    """Write all files."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    torch.manual_seed(20)
    with torch.no_grad():
        export(Keywords().eval(), (1, 5, 13), "keywords")


if __name__ == "__main__":
    main()
