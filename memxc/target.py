"""Target: what a circuit is built from. Read from TOML, every key checked, SI units inside.

Ohms in the file, because data sheets speak of LRS and HRS; siemens for everything that computes.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from memxc.errors import Fault, MemxcError, fail

Positive = Annotated[float, Field(gt=0)]
Resistance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Where the numbers of the table come from: a publication, a data sheet, "assumed".
    source: str = Field(min_length=1)


class Device(_Table):
    """The memristor. LRS is `r_on_ohm`, HRS is `r_off_ohm`; levels = 0 means continuous."""

    r_on_ohm: Positive
    r_off_ohm: Positive
    levels: int = Field(ge=0, default=0)
    read_voltage_v: Positive
    threshold_v: Positive

    @model_validator(mode="after")
    def _ordered(self) -> Device:
        if not self.r_on_ohm < self.r_off_ohm:
            raise ValueError("r_on_ohm (LRS) has to be smaller than r_off_ohm (HRS)")
        if self.levels == 1:
            raise ValueError("levels = 1 leaves nothing to program; 0 means continuous")
        if self.read_voltage_v > self.threshold_v:
            raise ValueError("read_voltage_v above threshold_v would disturb the states")
        if not math.isfinite(self.r_on_ohm * self.r_off_ohm * self.read_voltage_v):
            raise ValueError("r_on_ohm, r_off_ohm and read_voltage_v are finite")
        return self

    @property
    def g_max(self) -> float:
        """Siemens in the low-resistance state."""
        return 1.0 / self.r_on_ohm

    @property
    def g_min(self) -> float:
        """Siemens in the high-resistance state."""
        return 1.0 / self.r_off_ohm


class Wire(_Table):
    """Resistance of the source, of one segment of a line, and of the neuron's input."""

    r_source_ohm: Resistance = 0.0
    r_word_line_ohm: Resistance = 0.0
    r_bit_line_ohm: Resistance = 0.0
    r_neuron_ohm: Resistance = 0.0

    @property
    def ideal(self) -> bool:
        """Whether every wire is a perfect conductor."""
        return not any(
            (self.r_source_ohm, self.r_word_line_ohm, self.r_bit_line_ohm, self.r_neuron_ohm)
        )


class Amplifier(_Table):
    """The op-amp: open-loop gain (inf is ideal), output swing, static power, area."""

    gain: Positive
    swing_v: Positive
    power_w: float = Field(ge=0)
    area_m2: float = Field(ge=0)


class Unit(_Table):
    """The unit crossbar and the time one stage takes."""

    rows: int = Field(ge=3, le=65536)
    columns: int = Field(ge=2, le=65536)
    cell_area_m2: float = Field(ge=0)
    stage_time_s: Positive


class Target(BaseModel):
    """Everything a circuit is built from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80)
    summary: str = ""
    crossbar: Unit
    device: Device
    wire: Wire
    amplifier: Amplifier

    def with_tile(self, rows: int, columns: int) -> Target:
        """The same target with another unit crossbar."""
        return self.model_copy(
            update={"crossbar": self.crossbar.model_copy(update={"rows": rows, "columns": columns})}
        )


def names() -> list[str]:
    """The targets that come with memxc."""
    folder = resources.files("memxc") / "targets"
    return sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )


def load(name: str) -> Target:
    """A shipped target by name, or a TOML file by path.

    Raises MemxcError (bad-target) with one fault for each key that is wrong.
    """
    if name in names():
        text = (resources.files("memxc") / "targets" / f"{name}.toml").read_text("utf-8")
    else:
        text = _read(name)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise fail("bad-target", name, f"not TOML: {error}") from error
    try:
        return Target.model_validate(data)
    except ValidationError as error:
        raise MemxcError([_fault(name, dict(e)) for e in error.errors()]) from error


def _read(name: str) -> str:
    path = Path(name)
    if path.suffix != ".toml":
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise fail("bad-target", name, "no such target", f"{hint}memxc targets lists them")
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail("bad-target", name, f"cannot be read: {error}") from error


def _fault(name: str, error: dict[str, Any]) -> Fault:
    where = ".".join(str(part) for part in error["loc"])
    what, hint = str(error["msg"]).removeprefix("Value error, "), ""
    if error["type"] == "extra_forbidden":
        what = "unknown key"
        near = difflib.get_close_matches(str(error["loc"][-1]), _keys(error["loc"]), n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
    return Fault("bad-target", f"{name}: {where}" if where else name, what, hint)


def _keys(loc: tuple[Any, ...]) -> list[str]:
    model: Any = Target
    for part in loc[:-1]:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
