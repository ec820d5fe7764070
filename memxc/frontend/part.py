"""A part of a network, or an edited one, that is compiled instead of the whole file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx  # noqa: TID251


@dataclass(frozen=True, eq=False)
class Part:
    """A model that was made from a file. data: its bytes, which need no other file."""

    path: Path
    data: bytes

    @property
    def stem(self) -> str:
        """The name of the file without its suffix."""
        return self.path.stem

    def __str__(self) -> str:
        return str(self.path)

    def model(self) -> onnx.ModelProto:
        """Return the model, prepared as `read` does."""
        model = onnx.ModelProto()
        model.ParseFromString(self.data)
        return model
