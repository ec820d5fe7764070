"""Turn a tree of dataclasses into JSON and back.

Types are looked up by name in a fixed table, each field is compared with its annotation, and every
error names the place in the tree.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Crossbar, Kernel
from memxc.ir.stages import Array, Circuit, Digital, Lanes, Linear, Rename
from memxc.ir.subgraph import Subgraph
from memxc.ir.windows import Windows

Arrays = Mapping[str, NDArray[Any]]

#: Types that a file knows by another word than the code, so that older folders still open.
_RENAMED: dict[type[Any], str] = {Rename: "Wires"}
#: The only types a file can ask for.
_TYPES: dict[str, type[Any]] = {
    _RENAMED.get(kind, kind.__name__): kind
    for kind in (
        Design, Bus, Linear, Array, Lanes, Rename, Digital, Subgraph, Circuit, Kernel, Crossbar,
        Windows,
    )
}  # fmt: skip
#: Whole numbers have to be smaller than this; no field of a design comes near it.
_HUGE = 1 << 63
_WORDS = {kind: word for word, kind in _TYPES.items()}
_STORED = {
    kind: [f.name for f in dataclasses.fields(kind) if f.metadata.get("stored", True)]
    for kind in _TYPES.values()
}
_HINTS = {
    kind: {name: hint for name, hint in get_type_hints(kind).items() if name in _STORED[kind]}
    for kind in _TYPES.values()
}
#: Fields that a file must have. An optional one came later: in older files it has its default.
_REQUIRED = {
    kind: {
        f.name
        for f in dataclasses.fields(kind)
        if f.name in _STORED[kind] and not f.metadata.get("optional", False)
    }
    for kind in _TYPES.values()
}


class Encoder:
    """Turns dataclasses into JSON trees. Arrays go to `arrays`, equal ones only once."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def encode(self, value: Any) -> Any:
        """Return the tree of a value. Raises TypeError for a value that cannot be stored."""
        if isinstance(value, np.generic):
            value = value.item()
        match value:
            case None | bool() | int() | str():
                return value
            case float():
                # JSON has no inf and no nan; any other float is written exactly.
                return value if math.isfinite(value) else {"float": repr(value)}
            case np.ndarray():
                return {"array": self._name(value)}
            case tuple() | list():
                parts = [self.encode(part) for part in value]
                return parts if isinstance(value, tuple) else {"list": parts}
            case Mapping():
                return {"map": [[self.encode(k), self.encode(v)] for k, v in value.items()]}
        if type(value) not in _WORDS:
            raise TypeError(f"a {type(value).__name__} cannot be stored")
        fields = {name: self.encode(getattr(value, name)) for name in _STORED[type(value)]}
        return {"type": _WORDS[type(value)], **fields}

    def _name(self, array: NDArray[Any]) -> str:
        content = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, hashlib.sha256(content.data).digest())
        name = self._names.setdefault(key, f"a{len(self._names)}")
        self._arrays[name] = content
        return name


def decode(tree: Any, arrays: Arrays, where: str) -> Any:
    """Return the value that `Encoder` made this tree from.

    Raises ValueError, with the place below `where`, if the tree is not one of its trees.
    """
    if isinstance(tree, list):
        return tuple(decode(part, arrays, f"{where}[{k}]") for k, part in enumerate(tree))
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        ((form, content),) = tree.items()
        if form in _FORMS:
            return _FORMS[form](content, arrays, where)
    kind = _TYPES.get(str(tree.get("type")))
    if kind is None:
        raise ValueError(f"{where} is of no type that a design has")
    fields = {
        key: decode(value, arrays, f"{where}.{key}") for key, value in tree.items() if key != "type"
    }
    _expect(fields, kind, where)
    return kind(**fields)


def _array(name: Any, arrays: Arrays, where: str) -> NDArray[Any]:
    if not isinstance(name, str) or name not in arrays:
        raise ValueError(f"{where} is an array {name!r}, which design.npz does not hold")
    return arrays[name]


def _float(text: Any, arrays: Arrays, where: str) -> float:
    if text not in ("inf", "-inf", "nan"):
        raise ValueError(f"{where} is not a number: {text!r}")
    return float(text)


def _list(parts: Any, arrays: Arrays, where: str) -> list[Any]:
    if not isinstance(parts, list):
        raise ValueError(f"{where} is not a list")
    return list(decode(parts, arrays, where))


def _map(pairs: Any, arrays: Arrays, where: str) -> dict[str, Any]:
    entries = {}
    for pair in _list(pairs, arrays, where):
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError(f"{where} has an entry that is not a name with a value")
        if pair[0] in entries:
            raise ValueError(f"{where} has {pair[0]!r} twice")
        entries[pair[0]] = pair[1]
    return entries


#: Values that JSON has no form for: an object with one of these keys, and the reader of its
#: content.
_FORMS: dict[str, Callable[[Any, Arrays, str], Any]] = {
    "array": _array,
    "float": _float,
    "list": _list,
    "map": _map,
}


def _expect(fields: Mapping[str, Any], kind: type[Any], where: str) -> None:
    """Raise ValueError if the fields are not those of the type, or if a value does not fit."""
    hints = _HINTS[kind]
    wrong = sorted(set(fields) - set(hints) | _REQUIRED[kind] - set(fields))
    if wrong:
        what = f"does not have the fields of a {_WORDS[kind]}"
        raise ValueError(f"{where} {what}: {', '.join(wrong)}")
    for name, value in fields.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{where}.{name} cannot be {_told(value)}")


def _told(value: Any) -> str:
    """Describe a value in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, int | float | str | None):
        return repr(value)[:40]
    return f"a {type(value).__name__}"


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value matches an annotation, as far as the fields of a Design need it."""
    alias = get_origin(hint)
    if hasattr(alias, "__value__"):  # NDArray is an alias (PEP 695) from numpy 2.5 on
        hint = alias.__value__[get_args(hint)]
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or origin is UnionType:
        return hint is Any or any(_fits(value, arg) for arg in args)
    if origin is Literal:
        return isinstance(value, str) and value in args
    if not isinstance(value, origin or hint):
        # JSON may write the float 2.0 as 2.
        return hint is float and _fits(value, int)
    if origin in (tuple, Mapping):
        parts, part = (value, args[0]) if origin is tuple else (value.values(), args[1])
        return all(_fits(each, part) for each in parts)
    if origin is np.ndarray:
        (wanted,) = get_args(args[1])
        return value.dtype.kind in "fiu" if wanted is Any else value.dtype == np.dtype(wanted)
    return hint is not int or (type(value) is int and abs(value) < _HUGE)
