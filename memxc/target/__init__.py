"""Target: the devices, wires, amplifiers and converters that a circuit is built from.

A target is read from a TOML file, and every key is checked. The file gives resistances in ohms,
because data sheets do; all computations use conductances in siemens and other SI units.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from memxc import documents, plugins
from memxc.errors import Fault, MemxcError, fail, like, why
from memxc.target import _setting, characterisation
from memxc.target._curves import Curve
from memxc.target._device import Device, State
from memxc.target._dynamics import (
    Dynamics,
    FilamentDynamics,
    Programming,
    ThresholdDynamics,
    VteamDynamics,
)
from memxc.target._tables import Amplifier, Converter, Hold, UnitCrossbar, Wire

__all__ = [
    "Amplifier",
    "Converter",
    "Curve",
    "Device",
    "Dynamics",
    "FilamentDynamics",
    "Hold",
    "Programming",
    "State",
    "Target",
    "ThresholdDynamics",
    "UnitCrossbar",
    "VteamDynamics",
    "Wire",
    "load",
    "names",
]


class Target(BaseModel):
    """The parts that a circuit is built from, one field a table of the file.

    dynamics, programming: how devices change their state, and the pulses that program them. A
    target without them cannot plan its programming, and its documents have no keys for them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80)
    summary: str = ""
    crossbar: UnitCrossbar
    device: Device
    wire: Wire
    amplifier: Amplifier
    converter: Converter = Converter(source="none: analog from stage to stage")
    hold: Hold | None = Field(default=None, exclude_if=lambda table: table is None)
    dynamics: Dynamics | None = Field(default=None, exclude_if=lambda table: table is None)
    programming: Programming | None = Field(default=None, exclude_if=lambda table: table is None)

    @model_validator(mode="after")
    def _dynamic(self) -> Target:
        """Check that the device and the model of its state are the same device."""
        if self.programming is not None and self.dynamics is None:
            raise ValueError("[programming] needs [dynamics], the model of the device's state")
        device, model = self.device, self.dynamics
        if isinstance(model, FilamentDynamics):
            if device.iv != "sinh" or device.sinh_v0_v != model.v0_v:
                what = f'iv = "sinh" and sinh_v0_v = {model.v0_v:g}'
                raise ValueError(f"[device] needs {what}, the current through the filament's gap")
            if self.programming is not None and self.programming.largest_v > 30 * model.v0_v:
                raise ValueError("[programming] has pulses of more than 30 times v0_v")
            low, high = map(model.conductance_s, (model.gap_max_m, model.gap_min_m))
            if device.g_min < low * (1 - 1e-9) or device.g_max > high * (1 + 1e-9):
                what = f"r_on_ohm of at least {1 / high:.6g} and r_off_ohm of at most {1 / low:.6g}"
                raise ValueError(f"[device] needs {what}, the range of the filament's gap")
        elif model is not None and device.iv != "linear":
            raise ValueError(f'the model {model.model} of [dynamics] needs [device] iv = "linear"')
        return self

    def with_tile(self, rows: int, columns: int) -> Target:
        """Return the same target with a unit crossbar of another size; its source says so."""
        return self.with_set(f"crossbar.rows={rows}", f"crossbar.columns={columns}")

    def with_set(self, *settings: str) -> Target:
        """Return the same target with some keys changed, each given as `TABLE.KEY=VALUE`.

        The unit of a key may be left out. All settings are applied before anything is checked.
        `device.states_csv=FILE` reads measured states, `device.iv_csv=FILE` measured I-V curves.
        Raises MemxcError: usage for an unknown key or a bad value, bad-target for a bad CSV file.
        """
        data = _setting.apply(self.model_dump(), settings)
        try:
            return Target.model_validate(data)
        except ValidationError as error:
            where = f"--set {', '.join(settings)}"
            faults = (_fault(where, dict(e)) for e in error.errors())
            raise MemxcError([replace(fault, code="usage") for fault in faults]) from error


def names() -> list[str]:
    """Return the names of the targets that come with memxc and with plug-ins, sorted."""
    return sorted(_files())


def _files() -> dict[str, Any]:
    """Return the TOML file of each target that has a name."""
    folder = resources.files("memxc") / "targets"
    ours = {p.name.removesuffix(".toml"): p for p in folder.iterdir() if p.name.endswith(".toml")}
    plugged = plugins.added("memxc.targets", ours, _no_target)
    return ours | {name: plugin.value for name, plugin in plugged.items()}


def _no_target(name: str, value: Any) -> str | None:
    """Return why an object is not the target with this name; None if it is."""
    if not (isinstance(value, Path) and value.name == f"{name}.toml"):
        return f"is not the pathlib.Path of a file {name}.toml"
    try:
        target = _parsed(str(value), _read(str(value)))
    except MemxcError as error:
        return f"is not a target: {error.faults[0].where}: {error.faults[0].what}"
    return None if target.name == name else f"is called {target.name!r} in its file"


def load(name: str) -> Target:
    """Load a target by its name, or a TOML file by its path.

    Raises MemxcError (bad-target) with one fault for each wrong key.
    """
    files = _files()
    if name in files:
        return _parsed(str(files[name]), files[name].read_text("utf-8"))
    return _parsed(name, _read(name))


def text(name: str) -> str:
    """Return the TOML text of a target: by its name, or of a file by its path.

    Raises MemxcError (bad-target) if there is no such target.
    """
    files = _files()
    return files[name].read_text("utf-8") if name in files else _read(name)


def _parsed(name: str, text: str) -> Target:
    """Return the target of a TOML file. Raises MemxcError (bad-target) as `load` does."""
    try:
        data = tomllib.loads(text)
    # tomllib recurses, so deeply nested brackets exceed Python's stack.
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise fail("bad-target", name, f"not TOML: {error}") from error
    if isinstance(data.get("device"), dict):
        data["device"] = _setting.measured(data["device"], Path(name).parent)
    amplifier = data.get("amplifier")
    if isinstance(amplifier, dict) and "characterisation" in amplifier:
        data["amplifier"] = characterisation.filled(amplifier, Path(name).parent)
    try:
        return Target.model_validate(data)
    except ValidationError as error:
        raise MemxcError([_fault(name, dict(e)) for e in error.errors()]) from error


def _read(name: str) -> str:
    path = Path(name)
    if path.suffix != ".toml":
        # os.path.isfile, because Path.is_file raises for a name that is too long for a file system.
        if os.path.isfile(f"{name}.toml"):  # noqa: PTH113
            hint = like(name, [f"{name}.toml"])
        else:
            hint = f"{like(name, names())} memxc targets lists them".strip()
        raise fail("bad-target", name, "no such target", hint)
    try:
        # Editors on Windows write a byte order mark at the start.
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        hint = like(path.stem, names()) if isinstance(error, FileNotFoundError) else ""
        raise fail("bad-target", name, f"cannot be read: {why(error)}", hint) from error


def _fault(name: str, error: dict[str, Any]) -> Fault:
    where = documents.place(error["loc"])
    hint = ""
    if error["type"] == "extra_forbidden":
        hint = like(str(error["loc"][-1]), _keys(error["loc"]))
    return Fault("bad-target", f"{name}: {where}" if where else name, documents.said(error), hint)


def _keys(loc: tuple[Any, ...]) -> list[str]:
    """Return the keys that the table at a place may have."""
    tables: list[Any] = [Target]
    for part in loc[:-1]:
        if part in tables[0].model_fields:
            tables = _tables(tables[0].model_fields[part].annotation)
        elif len(tables) > 1:
            # The word behind `dynamics` is that of its key `model`.
            tables = [t for t in tables if get_args(t.model_fields["model"].annotation) == (part,)]
        # Any other part is a number, an index into a tuple of tables.
    return list(tables[0].model_fields)


def _tables(annotation: Any) -> list[Any]:
    """Return the models in the type of a field: of one table, several kinds of it, or a tuple."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [table for part in get_args(annotation) for table in _tables(part)]
