"""Copy a model file so that the copy needs no other file: external data is put inside."""

from __future__ import annotations

import shutil
from pathlib import Path

from google.protobuf.message import EncodeError
from onnx import external_data_helper  # noqa: TID251

from memxc.frontend.part import ModelPart
from memxc.frontend.read import parse, read
from memxc.frontend.tensors import tensors


def copy(path: Path | ModelPart, to: Path) -> bool:
    """Copy a model that `load` has read; without external data the copy has the same bytes.

    Return False, without a copy, if the weights do not fit into one file. Raises OSError as
    shutil.copyfile does.
    """
    if isinstance(path, ModelPart):
        to.write_bytes(path.data)
        return True
    bare = parse(path)
    if not any(map(external_data_helper.uses_external_data, tensors(bare))):
        shutil.copyfile(path, to)
        return True
    try:
        to.write_bytes(read(path).SerializeToString(deterministic=True))
    except (ValueError, EncodeError):  # protobuf's limit of 2 GiB
        return False
    return True
