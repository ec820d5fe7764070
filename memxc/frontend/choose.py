"""The network that the options ask for: a whole file, or a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from google.protobuf.message import EncodeError

from memxc.errors import fail
from memxc.frontend.fix import fix as fix_inputs
from memxc.frontend.network import Shape
from memxc.frontend.part import Part
from memxc.frontend.read import read


def choose_part(
    path: Path, shapes: Mapping[str, Shape], fix: Mapping[str, Sequence[float]]
) -> tuple[Path | Part, Mapping[str, Shape]]:
    """The network with inputs fixed, and the shapes of its inputs, as `load` takes them.

    Raises MemxcError (usage, and as `read`).
    """
    if not fix:
        return path, shapes
    model = read(path)
    fix_inputs(model, fix)
    try:
        data = model.SerializeToString(deterministic=True)
    except (ValueError, EncodeError):  # protobuf's limit of 2 GiB
        what = "with its external data it is larger than one file, so no part can be made of it"
        raise fail("unsupported-model", str(path), what) from None
    return Part(path, data), shapes
