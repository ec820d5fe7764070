"""The cells around the crossbars: that each is there, has its ports, and computes its function.

What is inside of an amplifier, an inverter or a limiter is the user's, and verify's to judge
(a limiter's beside the stages, for samples do not reach it), but for the gain of op-amps as
docs/netlist.md has them; so is the inside of a lane cell that has been replaced by more than one
behavioural source.
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
from memxc.lvs.difference import Difference
from memxc.netread import NUMBER, Definition, Netlist

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
#: An op-amp: a source that a summing node controls, against 0 V or an offset (nodes y and z). An
#: ideal one: a current that is measured, or an input that is copied.
_OPAMP = re.compile(rf"e\S*\s+\S+\s+0\s+[0yz]\s+[pm]\s+({NUMBER.pattern})")
_IDEAL = re.compile(r"h\S*\s+\S+\s+\S+\s+v[pm]\s.*|e\S*\s+out\s+0\s+0\s+in\s+1")
_SOURCE = re.compile(r"b\S*\s+out\s+0\s+v\s*=\s*(\S.*)")
_POINTS = 64
#: A gain above this is written as none.
_INFINITE = 1e300


def lane_cells(design: Design, netlist: Netlist) -> dict[str, str]:
    """The cell of every Lanes stage, by the stage's bus: what most of its lanes say it is.

    Stages of one function share one cell. Where the cell's name is not that of the circuit with a
    number behind, the circuit's name and `0` stand in its place.
    """
    number = {name: b for b, name in enumerate(design.buses)}
    stages = [stage for stage in design.stages if isinstance(stage, Lanes)]
    votes: dict[object, Counter[str]] = {}
    for stage in stages:
        names = (f"xf{number[stage.dst]}_{i}" for i in range(design.buses[stage.dst].width))
        found = (netlist.instances[name].cell for name in names if name in netlist.instances)
        own = re.compile(re.escape(stage.circuit.name) + r"\d+")
        counter = votes.setdefault(_function(stage, design.buses), Counter())
        counter.update(cell for cell in found if own.fullmatch(cell))
    cells = {}
    for stage in stages:
        most = votes[_function(stage, design.buses)].most_common(1)
        cells[stage.dst] = most[0][0] if most else f"{stage.circuit.name}0"
    return cells


def differences(
    design: Design, netlist: Netlist, placed: Iterable[str], lanes: Mapping[str, str]
) -> Iterator[Difference]:
    """Cells that are missing or are not what they should be, and crossbars that nobody places.

    placed: the cells that the design places; lanes: what `lane_cells` gave.
    """
    wanted = sorted(set(placed))
    for name in wanted:
        found = netlist.definitions.get(name)
        if name in _PORTS and found is None:
            yield Difference(netlist.file, 0, name, "a definition", "missing")
        elif name in _PORTS and found is not None:
            yield from _ports(found, *_PORTS[name])
            yield from _gain(found, min(array.gain for array in design.arrays))
    for stage in design.stages:
        if isinstance(stage, Lanes):
            yield from _lane(stage, design.buses, netlist, lanes[stage.dst])
    for name, found in sorted(netlist.definitions.items()):
        if re.fullmatch(r"xb\d+", name) and name not in wanted:
            yield Difference(found.file, found.line, name, "no such definition", "defined")


def _function(stage: Lanes, buses: Mapping[str, Bus]) -> object:
    """What two stages with one cell have in common."""
    units = [
        (buses[src].scale, taps.lines) for src, taps in zip(stage.srcs, stage.taps, strict=True)
    ]
    out = buses[stage.dst].scale
    if stage.keeps_scale and all(scale == out for scale, _ in units):
        return stage.circuit.name, stage.expr, sum(lines for _, lines in units)
    return stage.circuit.name, stage.expr, tuple(units), out


def _ports(
    found: Definition, ports: tuple[str, ...], params: tuple[str, ...]
) -> Iterator[Difference]:
    if found.ports != ports:
        where = f"{found.name} ports"
        yield Difference(found.file, found.line, where, " ".join(ports), " ".join(found.ports))
    for lost in sorted(set(params) - {name for name, _ in found.params}):
        yield Difference(found.file, found.line, f"{found.name} parameters", lost, "missing")


def _gain(found: Definition, gain: float) -> Iterator[Difference]:
    """Op-amps of another open-loop gain; all of a design have one."""
    want = "infinite" if gain > _INFINITE else f"{gain:.9e}"
    for card in found.others:
        opamp, ideal = _OPAMP.fullmatch(card.text), _IDEAL.fullmatch(card.text)
        have = opamp[1] if opamp else "infinite" if ideal else want
        if have != want and (want == "infinite" or ideal or float(have) != float(want)):
            yield Difference(found.file, card.line, f"{found.name} gain", want, have)


def _lane(
    stage: Lanes, buses: Mapping[str, Bus], netlist: Netlist, cell: str
) -> Iterator[Difference]:
    """The cell of a lane function: its ports, and its volts at points drawn once for all."""
    found = netlist.definitions.get(cell)
    if found is None:
        yield Difference(netlist.file, 0, cell, "a definition", "missing")
        return
    scales = [
        buses[src].scale or 1.0
        for src, taps in zip(stage.srcs, stage.taps, strict=True)
        for _ in range(taps.lines)
    ]
    yield from _ports(found, (*(f"x{k}" for k in range(len(scales))), "out"), ())
    body = [_SOURCE.fullmatch(card.text) for card in found.others]
    if len(body) != 1 or body[0] is None or len(found.devices.ohms):
        return
    rng = np.random.default_rng(0)
    units = rng.uniform(-1, 1, (len(scales), _POINTS)) * np.geomspace(0.1, 10, _POINTS)
    with np.errstate(all="ignore"):
        want = expr.evaluate(stage.expr, list(units)) * (buses[stage.dst].scale or 1.0)
        have = _volts(body[0][1], units * np.array(scales)[:, None])
    # The constants are printed with 13 digits and more.
    size = float(np.abs(want[np.isfinite(want)]).max(initial=0.0))
    if have is None or not np.allclose(want, have, 1e-9, 1e-10 * size, equal_nan=True):
        line = found.others[0].line
        yield Difference(found.file, line, cell, f"{stage.expr} in volts", body[0][1][:60])


def _volts(text: str, inputs: Floats) -> Floats | None:
    """The value of a source's expression over v(x0), v(x1), ...; None where it cannot be read."""
    text = re.sub(r"v\(x(\d{1,9})\)", r"x\1", text)
    try:
        if expr.fanin(text) > len(inputs):
            return None
        return expr.evaluate(text, list(inputs))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
