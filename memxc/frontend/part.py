"""The network that is compiled where it is not the whole file: a model in memory in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx  # noqa: TID251


@dataclass(frozen=True, eq=False)
class Part:
    """A model made from a file. `data`: its bytes, which need no other file."""

    path: Path
    data: bytes

    @property
    def stem(self) -> str:
        """The name of the file without its ending."""
        return self.path.stem

    def __str__(self) -> str:
        return str(self.path)

    def model(self) -> onnx.ModelProto:
        """The model, prepared as `read` does it."""
        model = onnx.ModelProto()
        model.ParseFromString(self.data)
        return model
