"""The text of a cell at a level, with the op-amp and the models that it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memxc import pdk, render
from memxc.cells.contract import Cell
from memxc.errors import Fault, MemxcError, fail
from memxc.netlist_reader import Cells, read_cells
from memxc.pdk.folder import CORNERS, SUBCIRCUITS
from memxc.target import Amplifier

Level = Literal["macro", "transistor"]

#: Below this distance from a rail, the macro's output current falls.
_HEADROOM_V = 0.1
#: Stage 1 of the macro is held within this many times what drives stage 2 to its limit.
_BEYOND = 1.1
#: Keys of a target's amplifier that the macro needs.
MACRO = (
    "gm1_s", "r1_ohm", "c1_f", "c_miller_f", "gm2_s", "r2_ohm", "c2_f", "c_in_f",
    "supply_v", "source_a", "sink_a", "slew_v_per_s", "r_f_min_ohm",
)  # fmt: skip
#: ngspice raises the supplies from 0 V. Otherwise it sometimes finds an operating point outside the
#: rails, which the models have and transistors have not.
_STEPPED = ".options noopiter gminsteps=0\n"


@dataclass(frozen=True, eq=False)
class Circuits:
    """The circuits that a bench measures.

    level: macro or transistor. cells: those with a circuit at this level, by name. own: names of
    those that the user gave. amplifier: of the target.
    supply_v: the rails are at plus and minus this voltage.
    """

    level: Level
    cells: Mapping[str, Cell]
    amplifier: Amplifier
    supply_v: float
    own: Cells | None = None

    @property
    def corners(self) -> tuple[str, ...]:
        """The corners of the process; "" stands for a circuit without a process."""
        return CORNERS if self.level == "transistor" else ("",)

    def text(self, name: str) -> str:
        """Return the text of a cell and of its op-amp."""
        mine = self.own.definitions if self.own is not None else {}
        parts = []
        if self.own is not None:
            parts += [f"{each.text}\n" for each in self.own.shared]
            parts += [cell.text for cell in self.own.definitions.values()]
        names = dict.fromkeys(("op_amp", name))
        parts += [self._template(each) for each in names if each not in mine]
        return "".join(parts)

    def sha256(self, name: str) -> str:
        """Return the hash of a cell's text."""
        return hashlib.sha256(self.text(name).encode()).hexdigest()

    def head(self, name: str, corner: str, celsius: float) -> str:
        """Return the start of a deck: models, the cell's text, and the rails `vdd` and `vss`."""
        models = f"{pdk.library(corner)}\n{_STEPPED}" if self.level == "transistor" else ""
        rails = f"vdd vdd 0 {self.supply_v:.9e}\nvss vss 0 {-self.supply_v:.9e}\n"
        return f"* {name}\n{models}.temp {celsius:.9e}\n{self.text(name)}{rails}"

    def _template(self, name: str) -> str:
        values: dict[str, Any] = {}
        if (self.level, name) == ("macro", "op_amp"):
            values = _macro(self.amplifier)
        elif name in self.cells:
            # A selector has a part for each of its signals.
            values = {"ports": len(self.cells[name].inputs)}
        return render.cell(f"{name}/{self.level}", subckt=name, op_amp="op_amp", **values)


def circuits(
    amplifier: Amplifier, level: Level, cells: Mapping[str, Cell], folder: Path | None = None
) -> Circuits:
    """Return the circuits of a level for a target's amplifier.

    folder: cells of the user's own, which take the places of those with their names.
    Raises MemxcError: usage if the target lacks a key, bad-cells, bad-pdk.
    """
    own = None if folder is None else read_cells(folder, _models(level))
    given = own.definitions if own is not None else {}
    needed = MACRO if level == "macro" and "op_amp" not in given else ("supply_v",)
    if lacking := [key for key in needed if getattr(amplifier, key) is None]:
        what = f"the level {level} needs it"
        hint = "docs/cells.md lists the keys that a level needs"
        raise MemxcError([Fault("usage", f"amplifier.{key}", what, hint) for key in lacking])
    assert amplifier.supply_v is not None
    if own is not None:
        _check(cells, own)
    circuit = {name for name in cells if name in given or _has_template(name, level)}
    there = {name: cell for name, cell in cells.items() if name in circuit}
    return Circuits(level, there, amplifier, amplifier.supply_v, own)


def _models(level: Level) -> Collection[str]:
    """Return the subcircuits that cells may place without defining them."""
    return SUBCIRCUITS if level == "transistor" else ()


def _has_template(name: str, level: Level) -> bool:
    return (render.folder() / "cells" / name / f"{level}.cir.j2").is_file()


def _check(cells: Mapping[str, Cell], own: Cells) -> None:
    """Check that the user's cells have the ports and parameters of those that they replace."""
    faults = []
    if not cells.keys() & own.definitions.keys():
        what = f"has none of the cells {', '.join(cells)}"
        raise fail("bad-cells", str(own.folder), what, "name the subcircuit of an op-amp op_amp")
    for name in cells.keys() & own.definitions.keys():
        cell, given = cells[name], own.definitions[name]
        where = f"{own.folder}/{given.file}:{given.line}"
        if given.ports != cell.ports:
            what = f"{name} has the ports {' '.join(given.ports)}, wanted are"
            faults.append(Fault("bad-cells", where, f"{what} {' '.join(cell.ports)}"))
        has = {key for key, _ in given.params}
        missing = [each.name for each in cell.parameters if each.name not in has]
        if missing:
            what = f"{name} lacks the parameter {', '.join(missing)}"
            faults.append(Fault("bad-cells", where, what))
    if faults:
        raise MemxcError(sorted(faults))


def _macro(amplifier: Amplifier) -> dict[str, float | str]:
    """Return the values of the op-amp's macro, from those of the amplifier."""
    values = {key: getattr(amplifier, key) for key in MACRO}
    # While the output rises, the voltage that drives the load rises at the output of stage 1.
    stage2 = values["gm2_s"] / (1 / values["r2_ohm"] + 1 / values["r_f_min_ohm"])
    charged = values["c_miller_f"] + (values["c1_f"] + values["c_miller_f"]) / stage2
    i_slew = values["slew_v_per_s"] * charged
    a_sink, a_source = (_BEYOND * values[key] / values["gm2_s"] for key in ("sink_a", "source_a"))
    return values | {
        "output_class": amplifier.output_class,
        "i_slew_a": i_slew,
        "a_sink_v": a_sink,
        "a_source_v": a_source,
        "g_clamp_s": 10 * i_slew / min(a_sink, a_source),
        "headroom_v": _HEADROOM_V,
        "i_idle_a": amplifier.power_w / (2 * values["supply_v"]),
    }
