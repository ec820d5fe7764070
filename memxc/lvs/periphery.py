"""The cells around the crossbars: each is defined, has its ports, and computes its function.

A cell whose text is as in docs/netlist.md is read: its op-amps must have the design's gain, and a
lane cell must compute the design's function. Any other text is a user's own cell; it is reported,
and verify judges it by simulating it alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from memxc.ir import expr
from memxc.ir.design import Bus, Design
from memxc.ir.stages import Lanes
from memxc.lvs import forms
from memxc.lvs.difference import Difference, UserCell
from memxc.netlist_reader import Definition, Netlist
from memxc.target import Device

Floats = NDArray[np.float64]

#: Ports and parameters (docs/netlist.md).
_PORTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tia": (("p", "m", "out"), ("r_f", "r_join")),
    "tia_single": (("m", "out"), ("r_f",)),
    "tia_offset": (("p", "m", "out"), ("r_f", "r_join", "offset_1", "offset_2")),
    "tia_single_offset": (("m", "out"), ("r_f", "offset_2")),
    "inverter": (("in", "out"), ()),
    "limiter": (("in", "out"), ("clip",)),
    "memristor": (("a", "b"), ("r",)),
}
_SOURCE = re.compile(r"b\S*\s+out\s+0\s+v\s*=\s*(\S.*)")
_POINTS = 64


def lane_cells(design: Design, netlist: Netlist) -> dict[str, str]:
    """Return the cell of every Lanes stage, by the stage's bus, as most of its lanes name it.

    Stages with the same function share one cell. If the name is not the circuit's name and a
    number, the circuit's name and `0` are used instead.
    """
    number = {name: b for b, name in enumerate(design.buses)}
    stages = [stage for stage in design.stages if isinstance(stage, Lanes)]
    votes: dict[object, Counter[str]] = {}
    for stage in stages:
        names = (f"xf{number[stage.dst]}_{i}" for i in range(design.buses[stage.dst].width))
        named = (netlist.instances[name].cell for name in names if name in netlist.instances)
        pattern = re.compile(re.escape(stage.circuit.name) + r"\d+")
        counter = votes.setdefault(_function(stage, design.buses), Counter())
        counter.update(cell for cell in named if pattern.fullmatch(cell))
    cells = {}
    for stage in stages:
        most = votes[_function(stage, design.buses)].most_common(1)
        cells[stage.dst] = most[0][0] if most else f"{stage.circuit.name}0"
    return cells


def compare(
    design: Design,
    netlist: Netlist,
    device: Device | None,
    placed: Iterable[str],
    lanes: Mapping[str, str],
) -> tuple[list[Difference], list[UserCell]]:
    """Return the cells that are missing or wrong, and the user's own cells.

    Crossbar definitions that no instance uses are wrong, too. placed: the cells that the design
    uses. lanes: the result of `lane_cells`.
    """
    wanted, wrong, recognised = sorted(set(placed)), list[Difference](), set[str]()
    for name in wanted:
        definition = netlist.definitions.get(name)
        if name in _PORTS and definition is None:
            wrong.append(Difference(netlist.file, 0, name, "a definition", "missing"))
        elif name in _PORTS and definition is not None:
            wrong += _ports(definition, *_PORTS[name])
            if name == "memristor" and device is not None:
                own = forms.is_memristor(definition, device)
            else:
                own, gains = forms.gains(definition, min(array.gain for array in design.arrays))
                wrong += gains
            recognised |= {name} if own else set()
    for stage in design.stages:
        if isinstance(stage, Lanes):
            own, differences = _lane(stage, design.buses, netlist, lanes[stage.dst])
            wrong += differences
            recognised |= {lanes[stage.dst]} if own else set()
    users = [UserCell(card.file, card.line, card.text) for card in netlist.shared]
    for name, definition in sorted(netlist.definitions.items()):
        crossbar = re.fullmatch(r"xb\d+", name)
        if crossbar and name not in wanted:
            wrong.append(
                Difference(definition.file, definition.line, name, "no such definition", "defined")
            )
        elif not crossbar and name not in recognised:
            users.append(UserCell(definition.file, definition.line, name))
    return wrong, users


def _function(stage: Lanes, buses: Mapping[str, Bus]) -> object:
    """Return a key that is equal for two stages that share one cell."""
    units = [
        (buses[src].scale, taps.lines) for src, taps in zip(stage.srcs, stage.taps, strict=True)
    ]
    out = buses[stage.dst].scale
    if stage.keeps_scale and all(scale == out for scale, _ in units):
        return stage.circuit.name, stage.expr, sum(lines for _, lines in units)
    return stage.circuit.name, stage.expr, tuple(units), out


def _ports(
    definition: Definition, ports: tuple[str, ...], params: tuple[str, ...]
) -> Iterator[Difference]:
    if definition.ports != ports:
        where = f"{definition.name} ports"
        yield Difference(
            definition.file, definition.line, where, " ".join(ports), " ".join(definition.ports)
        )
    for lost in sorted(set(params) - {name for name, _ in definition.params}):
        yield Difference(
            definition.file, definition.line, f"{definition.name} parameters", lost, "missing"
        )


def _lane(
    stage: Lanes, buses: Mapping[str, Bus], netlist: Netlist, cell: str
) -> tuple[bool, list[Difference]]:
    """Return whether a lane function's cell is memxc's own, and its differences.

    The cell's ports are compared, and its volts at random points.
    """
    definition = netlist.definitions.get(cell)
    if definition is None:
        return False, [Difference(netlist.file, 0, cell, "a definition", "missing")]
    scales = [
        buses[src].scale or 1.0
        for src, taps in zip(stage.srcs, stage.taps, strict=True)
        for _ in range(taps.lines)
    ]
    out = buses[stage.dst].scale or 1.0
    wrong = list(_ports(definition, (*(f"x{k}" for k in range(len(scales))), "out"), ()))
    body = [_SOURCE.fullmatch(card.text) for card in definition.others]
    if len(body) != 1 or body[0] is None or len(definition.devices.ohms):
        return False, wrong
    text = "".join(body[0][1].split())
    rng = np.random.default_rng(0)
    units = rng.uniform(-1, 1, (len(scales), _POINTS)) * np.geomspace(0.1, 10, _POINTS)
    with np.errstate(all="ignore"):
        want = expr.evaluate(stage.expr, list(units)) * out
        have = _volts(text, units * np.array(scales)[:, None])
    if have is None:
        return False, wrong
    # The constants are printed with at least 13 digits.
    size = float(np.abs(want[np.isfinite(want)]).max(initial=0.0))
    if not np.allclose(want, have, 1e-9, 1e-10 * size, equal_nan=True):
        line = definition.others[0].line
        wrong.append(Difference(definition.file, line, cell, f"{stage.expr} in volts", text[:60]))
    return forms.is_function(text, stage, scales, out), wrong


def _volts(text: str, inputs: Floats) -> Floats | None:
    """Return the values of a source's expression over v(x0), v(x1), ..., or None.

    None means that the expression cannot be read.
    """
    text = re.sub(r"v\(x(\d{1,9})\)", r"x\1", text)
    try:
        if expr.fanin(text) > len(inputs):
            return None
        return expr.evaluate(text, list(inputs))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
