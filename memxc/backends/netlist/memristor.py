"""The subcircuit of a nonlinear memristor: its template and the values in it."""

from __future__ import annotations

from typing import Any

from memxc import render
from memxc.physics.device import iv_laws
from memxc.target import Device

#: What the cell is called in a netlist.
NAME = "memristor"


def name(device: Device | None) -> str:
    """Return the name of the subcircuit of memristors, or "" if memristors are resistors."""
    return "" if device is None or device.iv == "linear" else NAME


def definition(device: Device) -> str:
    """Return the text of the subcircuit."""
    law = iv_laws.law(device)
    if isinstance(law, iv_laws.SinhLaw):
        return render.cell("memristor_sinh", subckt=NAME, v0=law.v0)
    assert isinstance(law, iv_laws.TableLaw), "a linear memristor is a resistor"
    return render.cell("memristor_table", subckt=NAME, states=_states(law))


def _states(law: iv_laws.TableLaw) -> list[dict[str, Any]]:
    """Return for each measured state its I-V curve and its share in a cell of 1 / {r} siemens.

    A cell between two states k and k + 1 is a mixture of both curves. The share of state k rises
    from 0 to 1 between state k - 1 and state k, and falls to 0 at state k + 1:

        rise = (1/r - g[k-1]) / (g[k] - g[k-1])        fall = (g[k+1] - 1/r) / (g[k+1] - g[k])
    """
    g = law.g.tolist()
    states = []
    for k in range(1, len(g)):
        rise = f"(1/{{r}}-{render.number(g[k - 1])})/{render.number(g[k] - g[k - 1])}"
        # Above the last state, the cell has the last curve, in proportion to its conductance.
        fall = f"1/{{r}}/{render.number(g[k])}"
        if k + 1 < len(g):
            fall = f"({render.number(g[k + 1])}-1/{{r}})/{render.number(g[k + 1] - g[k])}"
        points = list(zip(law.volts.tolist(), law.amperes[k].tolist(), strict=True))
        states.append({"rise": rise, "fall": fall, "points": points})
    return states
