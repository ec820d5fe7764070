"""A Design to `design.json` + `design.npz` and back, exactly. Types by name from a fixed table."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Crossbar, Kernel
from memxc.ir.stages import Array, Circuit, Digital, Lanes, Linear, Wires
from memxc.ir.windows import Windows

SCHEMA = "memxc-design/1"

#: The only types a file can ask for.
_TYPES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Design, Bus, Linear, Array, Lanes, Wires, Digital, Circuit, Kernel, Crossbar, Windows,
    )
}  # fmt: skip
_HINTS = {kind: get_type_hints(kind) for kind in _TYPES.values()}
#: numpy's own header of a zip member; a fixed date, so that equal arrays are equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def save(design: Design, folder: Path) -> list[Path]:
    """Write design.json and design.npz into `folder`; equal designs give equal bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    tree = {"schema": SCHEMA, "design": _Encoder(arrays).encode(design)}
    text, data = folder / "design.json", folder / "design.npz"
    text.write_text(json.dumps(tree, indent=1, ensure_ascii=True) + "\n", "ascii")
    write_npz(data, arrays)
    return [text, data]


def load(folder: Path) -> Design:
    """Read what `save` wrote. Raises MemxcError (bad-design) where the files are not that."""
    try:
        tree = json.loads((folder / "design.json").read_text("utf-8"))
        if tree.get("schema") != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA}")
        design = _decode(tree["design"], read_npz(folder / "design.npz"))
        if not isinstance(design, Design):
            raise TypeError("it does not hold a Design")
        design.verify()
    except (
        OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError,
        RecursionError,
    ) as error:  # fmt: skip
        what = f"the design cannot be read back: {type(error).__name__}: {error}"
        raise fail("bad-design", str(folder), what, "compile the model again") from error
    return design


def dumps(value: Any) -> str:
    """JSON text of plain values, ASCII; what JSON has no number for becomes "inf" or "nan"."""
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


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz whose bytes depend on the arrays alone (order, names, contents)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue(), compresslevel=1)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an .npz, read-only. ValueError or OSError where it is not a sound one."""
    try:
        # Opened here: numpy leaves the file open where it finds no sound archive in it.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it holds a single array without a name, as numpy.save writes")
            arrays = {name: archive[name] for name in archive.files}
    # zipfile raises RuntimeError for what is encrypted, or of a method or version it does not know.
    except (
        zipfile.BadZipFile, zlib.error, EOFError, MemoryError, AttributeError, RuntimeError,
        KeyError,
    ) as error:  # fmt: skip
        raise ValueError(f"{path.name} is not a sound .npz file: {error}") from error
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


class _Encoder:
    """Turns dataclasses into JSON trees and moves their arrays, each content once, to `arrays`."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def encode(self, value: Any) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        match value:
            case None | bool() | int() | str():
                return value
            case float():
                # JSON has no inf and no nan; its text is exact for the rest.
                return value if math.isfinite(value) else {"float": repr(value)}
            case np.ndarray():
                return {"array": self._name(value)}
            case tuple() | list():
                parts = [self.encode(part) for part in value]
                return parts if isinstance(value, tuple) else {"list": parts}
            case Mapping():
                return {"map": [[self.encode(k), self.encode(v)] for k, v in value.items()]}
        if type(value) not in _TYPES.values():
            raise TypeError(f"a {type(value).__name__} cannot be stored")
        fields = {f.name: self.encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}

    def _name(self, array: NDArray[Any]) -> str:
        content = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, hashlib.sha256(content.data).digest())
        name = self._names.setdefault(key, f"a{len(self._names)}")
        self._arrays[name] = content
        return name


def _decode(tree: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(tree, list):
        return tuple(_decode(part, arrays) for part in tree)
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        ((form, content),) = tree.items()
        return _FORMS[form](content, arrays)
    fields = {key: _decode(value, arrays) for key, value in tree.items() if key != "type"}
    kind = _TYPES[tree["type"]]
    _expect(fields, kind)
    return kind(**fields)


#: What JSON has no form of its own for: one key, and what it holds.
_FORMS: dict[str, Callable[[Any, Mapping[str, NDArray[Any]]], Any]] = {
    "array": lambda name, arrays: arrays[name],
    "float": lambda text, arrays: float(text),
    "list": lambda parts, arrays: [_decode(part, arrays) for part in parts],
    "map": lambda pairs, arrays: {_decode(k, arrays): _decode(v, arrays) for k, v in pairs},
}


def _expect(fields: Mapping[str, Any], kind: type[Any]) -> None:
    """Raise ValueError where the fields are not those of the type, or hold what it does not."""
    hints = _HINTS[kind]
    wrong = sorted(set(fields) ^ set(hints))
    if wrong:
        raise ValueError(f"{kind.__name__} has not the fields it should: {', '.join(wrong)}")
    for name, value in fields.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{kind.__name__}: {name} cannot be a {type(value).__name__}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation says, as far as the fields of a Design need it."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or origin is UnionType:
        return hint is Any or any(_fits(value, arg) for arg in args)
    if origin is Literal:
        return isinstance(value, str) and value in args
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(part, args[0]) for part in value)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _holds(value.dtype, *get_args(args[1]))
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _holds(dtype: np.dtype[Any], wanted: Any) -> bool:
    return dtype.kind in "fiu" if wanted is Any else dtype == np.dtype(wanted)
