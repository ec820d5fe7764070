"""mapping.csv says where every crossbar is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memxc.backends.netlist import names
from memxc.backends.netlist.names import stage_id
from memxc.backends.netlist.nets import Nets
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import GROUND, Ints, ints

MAPPING_HEAD = "stage,tile,made_of,rows,columns,first_row_net,first_column_net,file,subckt,driven"


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


def _source(stage: Array, lanes: Ints, nets: Nets) -> Ints:
    """Return the nets of lanes of the stage's source, GROUND where a lane is negative."""
    source = nets.of[stage.src]
    return ints(np.where(lanes < 0, GROUND, source[np.maximum(lanes, 0)]))
