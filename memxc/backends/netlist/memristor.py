"""The cell of a nonlinear memristor: which template, and what it is made of."""

from __future__ import annotations

from typing import Any

from memxc import render
from memxc.physics.device import iv_laws
from memxc.target import Device

#: What the cell is called in a netlist.
NAME = "memristor"


def name(device: Device | None) -> str:
    """The cell that every memristor is an instance of; "" where they are resistors."""
    return "" if device is None or device.iv == "linear" else NAME


def definition(device: Device) -> str:
    """The `.subckt` of the cell."""
    law = iv_laws.law(device)
    if isinstance(law, iv_laws.SinhLaw):
        return render.cell("memristor_sinh", subckt=NAME, v0=law.v0)
    assert isinstance(law, iv_laws.TableLaw), "a linear memristor is a resistor"
    return render.cell("memristor_table", subckt=NAME, states=_states(law))


def _states(law: iv_laws.TableLaw) -> list[dict[str, Any]]:
    """For each state its curve, and its share of a cell of 1 / {r} siemens, rising and falling."""
    g = law.g.tolist()
    found = []
    for k in range(1, len(g)):
        rise = f"(1/{{r}}-{render.number(g[k - 1])})/{render.number(g[k] - g[k - 1])}"
        # Above the last state its currents grow in proportion.
        fall = f"1/{{r}}/{render.number(g[k])}"
        if k + 1 < len(g):
            fall = f"({render.number(g[k + 1])}-1/{{r}})/{render.number(g[k + 1] - g[k])}"
        points = list(zip(law.volts.tolist(), law.amperes[k].tolist(), strict=True))
        found.append({"rise": rise, "fall": fall, "points": points})
    return found
