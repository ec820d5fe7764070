"""A test bench for a whole netlist: ngspice, without memxc, computes the outputs of one sample.

A sequential stage uses one crossbar for all its places, one place a period. In each period the
bench puts the volts of other nets on the ports of the crossbar, and holds what its amplifiers give:

    source's nets --(alter)--> ports q.. -- crossbar -- amplifiers, nets n.. of place 0
                                                            |
                               held nets n.. of place p <--(alter)

Amplifiers drive the nets of place 0 themselves. So period 0 is the last of a stage, and the stage
stays in it: then all nets of its output have their volts, and the next stage can begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.backends.netlist import schedule
from memxc.backends.netlist.assemble import assemble
from memxc.backends.netlist.nets import Nets
from memxc.backends.netlist.schedule import ScheduleRow
from memxc.backends.netlist.write import ports
from memxc.evaluation import evaluate
from memxc.ir.design import Design


def bench(design: Design, sample: Sequence[NDArray[Any]], top: str) -> Iterator[str]:
    """The lines of the bench; it prints every output in units of activation.

    Each output is followed by the value that the design gives for it (memxc.evaluation.evaluate).

    sample: one value for each lane of each input, in units of activation, in any shape.
    top: the path of the netlist's top file, as ngspice finds it.
    """
    deck = assemble(design)
    values = [np.asarray(array, dtype=np.float64).reshape(-1) for array in sample]
    yield f"* test bench for {deck.name}: one sample"
    yield f'.include "{top}"'
    yield from (f"v{net} {net} 0 {volts:.9e}" for net, volts in deck.supplies)
    expected, prints = _expected(design, values), []
    driven_by = {f"input {number}": value for number, value in enumerate(values, 1)}
    for what, first, last, _, _, port in ports(deck):
        names = [deck.nets[net] for net in port.nets[first : last + 1]]
        if what in driven_by:
            limit = np.inf if port.limit is None else port.limit
            volts = np.clip(driven_by[what][first : last + 1] * port.scale, -limit, limit).tolist()
            yield from (f"v{n} {n} 0 {v:.9e}" for n, v in zip(names, volts, strict=True))
            continue
        if what.startswith("input from "):
            yield f"* {what}: the design's values of this sample, which no SPICE computes"
            yield from (f"v{name} {name} 0 {expected[name]:.9e}" for name in names)
            continue
        if " to " in what:
            continue
        if port.before:
            yield f"* {what} is computed by {port.before}: what is printed are its inputs"
        for name in names:
            prints.append(f"print {_volts(name)}/{port.scale:.9e}")
            prints.append(f"echo expected: {expected[name] / port.scale:.9e}")
    rows = [*schedule.rows(design)]
    driven = dict.fromkeys(map(_driven, rows))
    yield from (f"v{name} {name} 0 0" for name in driven if name)
    yield from (".control", "op", *_periods(rows), *prints, "quit", ".endc", ".end")


def _expected(design: Design, values: Sequence[NDArray[np.float64]]) -> dict[str, float]:
    """The volts of every net by its name, as the design has them for one sample."""
    nets, sample = Nets(design), dict(zip(design.inputs, (v[None] for v in values), strict=True))
    found: dict[str, float] = {}
    for bus, volts in evaluate.walk(design, sample):
        found |= dict(zip(nets.names(nets.of[bus]), volts[0].tolist(), strict=True))
    return found | {"0": 0.0}


def _periods(rows: Sequence[ScheduleRow]) -> Iterator[str]:
    """Commands that take each sequential stage through its periods."""
    for stage, some in groupby(rows, key=lambda row: row.stage):
        periods = [list(turn) for _, turn in groupby(some, key=lambda row: row.period)]
        for turn in reversed(periods):
            yield f"* {stage}, period {turn[0].period}"
            yield from (
                f"alter v{row.port} = {_volts(row.net)}" for row in turn if row.port.startswith("q")
            )
            # The operating point before this one is not needed any more.
            yield from ("destroy all", "op")
            yield from (
                f"alter v{row.net} = {_volts(row.port)}" for row in turn if _driven(row) == row.net
            )


def _driven(row: ScheduleRow) -> str:
    """The net of a row that the bench drives, "" where an amplifier drives it."""
    if row.port.startswith("q"):
        return row.port
    return "" if row.net == row.port else row.net


def _volts(net: str) -> str:
    return "0" if net == "0" else f"v({net})"
