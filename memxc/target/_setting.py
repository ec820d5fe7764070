"""Change single keys of a target: KEY=VALUE, as `--set wire.r_word_line=2` asks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from memxc.errors import Fault, MemxcError, once
from memxc.target import _curves, _states

#: Units that a key may be written without.
_UNITS = ("ohm", "v", "w", "s", "m2", "k", "per_k", "a", "f", "v_per_s", "j")
#: Short names for keys that sweeps often vary.
_SHORT = {"device.sigma": "device.programming_sigma"}
_STATES = "device.states_csv"
#: Keys that measured states replace.
_RANGE, _MODELS = ("r_on_ohm", "r_off_ohm"), {"levels": 0, "programming_sigma": 0.0}
_TAKEN = {f"device.{name}" for name in (*_RANGE, *_MODELS)}


def apply(data: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return a target's values with the settings applied, for the target's own checks.

    The source of a changed table says so. Raises MemxcError (usage) with one fault for each setting
    that names no key, that is given twice, or that measured states replace.
    """
    faults, changed = [], set[str]()
    # Measured states come last, because they remove keys that other settings may name.
    for setting in sorted(settings, key=lambda text: text.partition("=")[0].strip() == _STATES):
        try:
            table, field, value = _parts(data, setting)
            once(f"{table}.{field}", changed)
            changed.add(f"{table}.{field}")
            _set(data, table, field, value)
        except ValueError as error:
            what, _, hint = str(error).partition("\n")
            faults.append(Fault("usage", f"--set {setting}", what, hint))
    if _STATES in changed:
        what, hint = f"{_STATES} brings its own", "set one of the two"
        faults += [Fault("usage", f"--set {name}", what, hint) for name in sorted(changed & _TAKEN)]
    if faults:
        raise MemxcError(faults)
    if "device.sinh_v0_v" in changed and "device.iv" not in changed:
        # Whoever sets v0 wants the law that uses it.
        data["device"]["iv"] = "sinh"
    return data


def key(data: Mapping[str, Any], name: str) -> tuple[str, str]:
    r"""Return the table and the key that `name` means.

    Raises ValueError with the text "what\\nhint".
    """
    name = _SHORT.get(name, name)
    tables = {table: fields for table, fields in data.items() if isinstance(fields, dict)}
    table, dot, field = name.partition(".")
    if not dot:
        raise ValueError(f"not TABLE.KEY=VALUE\ntables are {', '.join(tables)}")
    if table not in tables:
        raise ValueError(f"no table {table!r}\n{_near(table, list(tables))}")
    keys = [keys for keys in tables[table] if keys not in ("source", "states", "curves")]
    keys += ["states_csv", "iv_csv"] if table == "device" else []
    short = [name.partition(".")[2] for name in _SHORT if name.startswith(f"{table}.")]
    wanted = (field, *(f"{field}_{unit}" for unit in _UNITS))
    matches = [known_as for known_as in wanted if known_as in keys]
    if not matches:
        raise ValueError(f"no key {field!r} in {table}\n{_near(field, [*short, *keys])}")
    return table, matches[0]


def _parts(data: Mapping[str, Any], setting: str) -> tuple[str, str, str]:
    """Return table, key and value of a setting. Raises ValueError as `key` does."""
    name, equals, value = (part.strip() for part in setting.partition("="))
    if not equals or not value:
        tables = [table for table, fields in data.items() if isinstance(fields, dict)]
        raise ValueError(f"not TABLE.KEY=VALUE\ntables are {', '.join(tables)}")
    return *key(data, name), value


def _set(data: dict[str, Any], table: str, field: str, value: str) -> None:
    """Set one key in `data`, and note it in the source of its table."""
    if field == "states_csv":
        # Measured states bring their own range and replace every other model of the states.
        kept = {k: v for k, v in data[table].items() if k not in _RANGE}
        kept |= {**_MODELS, field: value}
        data[table] = measured(kept, Path())
        value = Path(value).name
    elif field == "iv_csv":
        data[table] = measured(data[table] | {"iv": "table", field: value}, Path())
        value = Path(value).name
    else:
        data[table][field] = value
    data[table]["source"] += f" (Set by the user: {field} = {value})"


def measured(device: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a device's table with its CSV files, if any, replaced by what they hold."""
    rest = {name: value for name, value in device.items() if name not in ("states_csv", "iv_csv")}
    if "states_csv" in device:
        rest["states"] = _states.read(folder / str(device["states_csv"]))
    if "iv_csv" in device:
        rest["curves"] = _curves.read(folder / str(device["iv_csv"]))
    # Curves or a v0 imply the law that uses them, unless the table names another law.
    implied = "table" if "iv_csv" in device else "sinh" if "sinh_v0_v" in device else "linear"
    rest.setdefault("iv", implied)
    return rest


def _near(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(words)}"
