"""A part of a network, or an edited one, that is compiled instead of the whole file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx  # noqa: TID251
from google.protobuf.message import EncodeError

from memxc.errors import fail


@dataclass(frozen=True, eq=False)
class ModelPart:
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


def serialised(model: onnx.ModelProto, where: str) -> bytes:
    """The bytes of a model in memory, with its external data.

    Raises MemxcError (broken-model) if one file cannot hold them.
    """
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except (ValueError, EncodeError) as error:
        hint = "a whole model with external data is compiled by its path"
        raise fail("broken-model", where, "is more than the 2 GiB of an ONNX file", hint) from error
