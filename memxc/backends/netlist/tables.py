"""mapping.csv says where every crossbar is, and schedule.csv which place is on in each period."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from memxc.backends.netlist import names
from memxc.backends.netlist.names import stage_id
from memxc.backends.netlist.nets import Nets
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes
from memxc.ir.windows import GROUND, Ints, ints

MAPPING_HEAD = "stage,tile,made_of,rows,columns,first_row_net,first_column_net,file,subckt,driven"
SCHEDULE_HEAD = "stage,period,port,net"


class ScheduleRow(NamedTuple):
    """A row of schedule.csv: the net of a port in a period of a stage.

    A port q... is a word line, or an input of a lane function, and carries the volts of the net. 0
    is ground: a crossbar that has fewer places than others of its stage rests in the last periods.
    A port n... is an output; in that period it has the volts that the net is to have.
    """

    stage: str
    period: int
    port: str
    net: str


def mapping(design: Design, suffix: str) -> Iterator[str]:
    """Yield the lines of mapping.csv, one for each placed crossbar.

    suffix: file name extension of the netlist.
    """
    yield MAPPING_HEAD
    nets = Nets(design)
    files: dict[int, str] = {}
    for index, stage in _arrays(design):
        name = stage_id(design, index)
        bus = list(design.buses).index(stage.dst)
        for k, crossbar in enumerate(stage.crossbars):
            for number in crossbar.definition.tolist():
                # A definition is in the file of the first stage that uses it.
                files.setdefault(number, f"netlist/cells/{name}.{suffix}")
            size = f"{stage.cell},{crossbar.word_lines},{crossbar.bit_lines}"
            for g, p, row, column in _firsts(stage, index, k, crossbar, nets, bus):
                number = int(crossbar.definition[g])
                tile = names.tile(index, k, g, p)
                body = f"{files[number]},{names.definition(number)},{stage.drive}"
                yield f"{name},{tile},{size},{row},{column},{body}"


def schedule(design: Design) -> Iterator[str]:
    """Yield the lines of schedule.csv."""
    yield SCHEDULE_HEAD
    yield from (f"{row.stage},{row.period},{row.port},{row.net}" for row in schedule_rows(design))


def schedule_rows(design: Design) -> Iterator[ScheduleRow]:
    """Yield the net of each port of each period, in the order of the stages."""
    nets = Nets(design)
    for index, stage in enumerate(design.stages):
        name = stage_id(design, index)
        if isinstance(stage, Array) and stage.sequential:
            for period in range(max(c.places for c in stage.crossbars)):
                for port, net in _turn(stage, index, period, nets):
                    yield ScheduleRow(name, period, port, net)
        elif isinstance(stage, Lanes) and stage.sequential:
            for period, port, net in _lane_turns(stage, index, nets):
                yield ScheduleRow(name, period, port, net)


def _arrays(design: Design) -> Iterator[tuple[int, Array]]:
    for index, stage in enumerate(design.stages):
        if isinstance(stage, Array):
            yield index, stage


def _firsts(
    stage: Array, index: int, k: int, crossbar: Crossbar, nets: Nets, bus: int
) -> Iterator[tuple[int, int, str, str]]:
    """Yield of each crossbar the group, the place, and the nets of its first word and bit line."""
    sequential = stage.sequential
    places = stage.placed(crossbar.places)
    bias, sign = int(crossbar.line[0]) == BIAS, int(crossbar.sign[0])
    side = "p" if crossbar.polarity[0] > 0 else "m"
    for g in range(crossbar.groups):
        group = slice(g, g + 1)
        if bias:
            rows = [f"vbias{'' if sign > 0 else 'n'}{index}"] * places
        elif sequential:
            rows = [f"{'q' if sign > 0 else 'i'}{index}_{k}_{g}_0"]
        else:
            lanes = crossbar.taps.nets(group)[0, :, crossbar.line[0]]
            rows = nets.names(_source(stage, lanes, nets))
            if sign < 0:
                rows = [row if row == "0" else f"i{index}_{row[1:]}" for row in rows]
        sinks = crossbar.sinks.nets(group)[0, :, crossbar.column[0]].tolist()
        for p in range(places):
            yield g, p, rows[p], "0" if sinks[p] < 0 else f"{side}{bus}_{sinks[p]}"


def _turn(stage: Array, index: int, period: int, nets: Nets) -> Iterator[tuple[str, str]]:
    """Yield port and net of each port of a stage, in one period."""
    out_nets = nets.of[stage.dst]
    outputs: dict[int, int] = {}
    now = slice(period, period + 1)
    for k, crossbar in enumerate(stage.crossbars):
        # The netlist has an inverter for each inverted line, so these are no ports.
        words = np.flatnonzero((crossbar.line != BIAS) & (crossbar.sign > 0))
        if period >= crossbar.places:
            for g in range(crossbar.groups):
                yield from ((f"q{index}_{k}_{g}_{w}", "0") for w in words.tolist())
            continue
        rows = crossbar.taps.nets(places=now)[:, 0, crossbar.line[words]]
        for g, lanes in enumerate(rows):
            sources = nets.names(_source(stage, lanes, nets))
            for w, name in zip(words.tolist(), sources, strict=True):
                yield f"q{index}_{k}_{g}_{w}", name
        first = crossbar.sinks.nets(places=slice(0, 1)).reshape(-1)
        lanes = crossbar.sinks.nets(places=now).reshape(-1)
        used = (first >= 0) & (lanes >= 0)
        # Crossbars of different rows share amplifiers, so an output may occur more than once.
        outputs |= dict(
            zip(out_nets[first[used]].tolist(), out_nets[lanes[used]].tolist(), strict=True)
        )
    for port, net in outputs.items():
        yield nets.name(port), nets.name(net)


def _lane_turns(stage: Lanes, index: int, nets: Nets) -> Iterator[tuple[int, str, str]]:
    """Yield period, port and net of each port of lane functions that take turns."""
    out = nets.of[stage.dst]
    read = []
    for src, taps in zip(stage.srcs, stage.taps, strict=True):
        lanes = taps.nets().reshape(-1, taps.lines)
        read.append(np.where(lanes < 0, GROUND, nets.of[src][np.maximum(lanes, 0)]))
    inputs = np.concatenate(read, axis=1)
    for period in range(stage.turns):
        for cell, sources in enumerate(inputs[period :: stage.turns]):
            for line, name in enumerate(nets.names(ints(sources))):
                yield period, f"q{index}_{cell}_{line}", name
        for first, now in zip(out[:: stage.turns], out[period :: stage.turns], strict=True):
            yield period, nets.name(int(first)), nets.name(int(now))


def _source(stage: Array, lanes: Ints, nets: Nets) -> Ints:
    """Return the nets of lanes of the stage's source, GROUND where a lane is negative."""
    source = nets.of[stage.src]
    return ints(np.where(lanes < 0, GROUND, source[np.maximum(lanes, 0)]))
