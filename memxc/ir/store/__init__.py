"""Write a Design to `design.json` and `design.npz`, read it back exactly, write others to JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail, why
from memxc.ir.design import Design
from memxc.ir.store.arrays import read_npz, write_npz
from memxc.ir.store.tree import Encoder, decode

__all__ = ["SCHEMA", "dumps", "load", "read_npz", "save", "write_npz"]

SCHEMA = "memxc-design/1"


def save(design: Design, folder: Path) -> list[Path]:
    """Write design.json and design.npz into `folder` and return their paths.

    Equal designs give equal bytes.
    """
    arrays: dict[str, NDArray[Any]] = {}
    tree = {"schema": SCHEMA, "design": Encoder(arrays).encode(design)}
    text, data = folder / "design.json", folder / "design.npz"
    text.write_text(json.dumps(tree, indent=1, ensure_ascii=True) + "\n", "ascii")
    write_npz(data, arrays)
    return [text, data]


def load(folder: Path) -> Design:
    """Read a design that `save` wrote.

    Raises MemxcError (bad-design) if the files are not sound.
    """
    if not __debug__:
        what = "switches off the assertions that check a design when it is read"
        raise fail("usage", "python -O", what, "run it without -O, and without PYTHONOPTIMIZE")
    try:
        tree = json.loads((folder / "design.json").read_text("utf-8"))
        if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA}")
        design = decode(tree.get("design"), read_npz(folder / "design.npz"), "design")
        if not isinstance(design, Design):
            raise ValueError("it does not hold a Design")
        design.verify()
    # The last three kinds come from `verify`, for arrays that no version of memxc would write.
    except (
        OSError, ValueError, AssertionError, RecursionError, TypeError, LookupError, ArithmeticError
    ) as error:  # fmt: skip
        what = f"the design cannot be read back: {why(error)}"
        raise fail("bad-design", str(folder), what, "compile the model again") from error
    return design


def dumps(value: Any) -> str:
    """Return plain values as ASCII JSON text.

    A float that JSON cannot hold becomes "inf" or "nan".
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(key): _plain(part) for key, part in value.items()}
        case tuple() | list():
            return [_plain(part) for part in value]
        case np.generic():
            return _plain(value.item())
        case float() if not math.isfinite(value):
            return repr(value)
    return value
