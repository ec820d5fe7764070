"""schedule.csv: which net each port of a stage carries in each period, as runs.

    stage,period,port,net,count,step
    s00_conv,0,q0_0_0_0,n0_0,5,1        in periods 0 ... 4 the port carries n0_0, n0_1, ... n0_4

A port q... is a word line, or an input of a lane function, and carries the volts of the net. 0 is
ground: a crossbar that has fewer places than others of its stage rests in the last periods. A port
n... is an output; in that period it has the volts that the net is to have. From the first period
of a port on, each run is as long as possible.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from memxc.backends.netlist.names import stage_id
from memxc.backends.netlist.nets import Nets
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS
from memxc.ir.stages import Array, Lanes, Stage
from memxc.ir.windows import GROUND, Ints, ints

HEAD = "stage,period,port,net,count,step"
#: A period in which an output gives nothing: the place is outside the map.
_NOTHING = -2


class ScheduleRow(NamedTuple):
    """The net of a port in one period of a stage."""

    stage: str
    period: int
    port: str
    net: str


def lines(design: Design) -> Iterator[str]:
    """Yield the lines of schedule.csv."""
    yield HEAD
    nets = Nets(design)
    for index, stage in enumerate(design.stages):
        for port, carried in _ports(stage, index, nets):
            starts, counts, steps = _runs(carried, nets.bus_of(carried))
            names = nets.names(ints(carried[starts]))
            start = f"{stage_id(design, index)},{{}},{port},{{}},{{}},{{}}"
            for row in zip(starts.tolist(), names, counts.tolist(), steps.tolist(), strict=True):
                yield start.format(*row)


def rows(design: Design) -> Iterator[ScheduleRow]:
    """Yield the net of each port of each period, in the order of the stages and periods."""
    nets = Nets(design)
    for index, stage in enumerate(design.stages):
        ports = list(_ports(stage, index, nets))
        if ports:
            names = [nets.names(ints(np.maximum(carried, GROUND))) for _, carried in ports]
            for period in range(len(ports[0][1])):
                for (port, carried), named in zip(ports, names, strict=True):
                    if carried[period] != _NOTHING:
                        yield ScheduleRow(stage_id(design, index), period, port, named[period])


def _ports(stage: Stage, index: int, nets: Nets) -> Iterator[tuple[str, Ints]]:
    """Yield each port of a stage that takes turns, with the net of each period."""
    if isinstance(stage, Array) and stage.sequential:
        yield from _of_array(stage, index, nets)
    elif isinstance(stage, Lanes) and stage.sequential:
        yield from _of_lanes(stage, index, nets)


def _of_array(stage: Array, index: int, nets: Nets) -> Iterator[tuple[str, Ints]]:
    periods = max(crossbar.places for crossbar in stage.crossbars)
    source, out = nets.of[stage.src], nets.of[stage.dst]
    outputs: dict[int, Ints] = {}
    for k, crossbar in enumerate(stage.crossbars):
        # The netlist has an inverter for each inverted line, so these are no ports.
        words = np.flatnonzero((crossbar.line != BIAS) & (crossbar.sign > 0))
        for g in range(crossbar.groups):
            taps = crossbar.taps.nets(slice(g, g + 1))[0, :, crossbar.line[words]]
            carried = np.where(taps < 0, GROUND, source[np.maximum(taps, 0)])
            for w, here in zip(words.tolist(), carried, strict=True):
                rest = np.full(periods - crossbar.places, GROUND)
                yield f"q{index}_{k}_{g}_{w}", ints(np.concatenate([here, rest]))
        sinks = crossbar.sinks.nets()
        given = np.where(sinks < 0, _NOTHING, out[np.maximum(sinks, 0)])
        given = np.moveaxis(given, 1, 0).reshape(crossbar.places, -1)
        for first, now in zip(sinks[:, 0].reshape(-1).tolist(), given.T, strict=True):
            # Crossbars of different rows share amplifiers, so an output may occur more than once.
            if first >= 0:
                rest = np.full(periods - crossbar.places, _NOTHING)
                outputs[int(out[first])] = ints(np.concatenate([now, rest]))
    for port, now in outputs.items():
        yield nets.name(port), now


def _of_lanes(stage: Lanes, index: int, nets: Nets) -> Iterator[tuple[str, Ints]]:
    read = []
    for src, taps in zip(stage.srcs, stage.taps, strict=True):
        lanes = taps.nets().reshape(-1, taps.lines)
        read.append(np.where(lanes < 0, GROUND, nets.of[src][np.maximum(lanes, 0)]))
    inputs = np.concatenate(read, axis=1)
    cells = inputs.reshape(-1, stage.turns, inputs.shape[1])
    for cell, turns in enumerate(cells):
        for line, carried in enumerate(turns.T):
            yield f"q{index}_{cell}_{line}", ints(carried)
    for now in nets.of[stage.dst].reshape(-1, stage.turns):
        yield nets.name(int(now[0])), now


def _runs(carried: Ints, bus: Ints) -> tuple[Ints, Ints, Ints]:
    """Return first period, number of periods and step of the runs of a port.

    carried: the net of each period. bus: the bus of each net; a run stays on one.
    """
    size = len(carried)
    step = np.diff(carried)
    apart = bus[1:] != bus[:-1]
    # Where the next step is another one: a run ends there at the latest.
    ends = np.flatnonzero(np.append((step[1:] != step[:-1]) | apart[1:] | apart[:-1], True))
    starts, counts, steps, at = [], [], [], 0
    while at < size:
        alone = at == size - 1 or apart[at]
        last = at if alone else int(ends[np.searchsorted(ends, at)]) + 1
        if carried[at] != _NOTHING:
            starts.append(at)
            counts.append(last - at + 1)
            steps.append(0 if alone else int(step[at]))
        at = last + 1
    return ints(starts), ints(counts), ints(steps)
