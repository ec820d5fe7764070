"""reorder: word lines and bit lines are put in the order in which their wires cost least.

             bit lines
              |   |   |
driver -------o---o---o      Current of a word line flows from the driver (left) to its cells,
driver -------o---o---o      and current of a bit line down to the amplifiers. Lines with much
              |   |   |      current belong near the amplifiers and near the drivers.
             amplifiers
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.evaluation import evaluate
from memxc.evaluation.wire_error import driven
from memxc.evaluation.wire_error import error as wire_error
from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import ints
from memxc.mapping.definitions import renumbered
from memxc.physics.network.nodal import WireResistance

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Reorder(DesignPass):
    """Put word lines that carry much next to the amplifiers, and bit lines next to the drivers.

    What a line carries is its current with perfect wires, from the mean volts of the samples and
    the conductances. The definitions of a stack have one wiring, so they get one order, that of
    their mean. Of word lines, bit lines, both and neither, a stage has reordered what makes its
    error on the samples least. An input and its inverse stay neighbours, and so do the bit lines
    of a pair. Exact: which line stands where is wiring.
    """

    name = "reorder"
    programmed = True
    wired = True

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with its lines in another order, or itself if its wires are ideal."""
        if ctx.target.wire.ideal:
            return Result(design)
        wires = WireResistance.of(ctx.target.wire)
        stages = (
            _best(design, stage, wires, volts) if isinstance(stage, Array) else stage
            for stage, volts in driven(design, ctx.samples)
        )
        return Result(design.with_stages(renumbered(stages)))


def _best(design: Design, stage: Array, wires: WireResistance, volts: Floats) -> Array:
    """Return the stage with word lines, bit lines, both or neither reordered: the best."""
    wanted = evaluate.step(stage, design.buses, [volts])
    mean = np.append(np.abs(volts).mean(axis=0), 0.0)  # a grounded line reads the spare last one
    carried = [_carried(crossbar, mean, stage.v_bias) for crossbar in stage.crossbars]
    tries = [
        replace(
            stage,
            crossbars=tuple(
                _ordered(crossbar, amperes, stage, words, bits)
                for crossbar, amperes in zip(stage.crossbars, carried, strict=True)
            ),
        )
        for words, bits in ((False, False), (True, False), (False, True), (True, True))
    ]
    return min(tries, key=lambda tried: wire_error(design, tried, wires, volts, wanted))


def _carried(crossbar: Crossbar, volts: Floats, v_bias: float) -> Floats:
    """Return the mean amperes of cells, (word lines, bit lines), over definitions and places."""
    total = np.zeros(crossbar.cell.shape)
    bias = crossbar.line == BIAS
    for g in range(crossbar.groups):
        block = slice(g, g + 1)
        taps = volts[crossbar.taps.nets(block)[0]].mean(axis=0)
        words = np.full(crossbar.word_lines, v_bias)
        words[~bias] = taps[crossbar.line[~bias]]
        total += words[:, None] * crossbar.conductance(block)[0]
    return total / crossbar.groups


def _ordered(
    crossbar: Crossbar, amperes: Floats, stage: Array, words: bool, bits: bool
) -> Crossbar:
    rows, columns = np.arange(crossbar.word_lines), np.arange(crossbar.bit_lines)
    if words:
        # An inverted line stays behind its input's line. The amplifiers are behind the last row.
        inputs = np.cumsum(crossbar.sign > 0) - 1
        rows = _lines(inputs, _falling(inputs, amperes.sum(axis=1))[::-1])
    if bits:
        pairs = np.cumsum(np.diff(crossbar.column, prepend=-1) != 0) - 1
        order = _falling(pairs, amperes.sum(axis=0))
        if stage.drive == "both":
            # From both ends inwards.
            order = np.concatenate([order[0::2], order[1::2][::-1]])
        columns = _lines(pairs, order)
    return replace(
        crossbar,
        cell=ints(crossbar.cell[rows][:, columns]),
        line=ints(crossbar.line[rows]),
        sign=ints(crossbar.sign[rows]),
        column=ints(crossbar.column[columns]),
        polarity=ints(crossbar.polarity[columns]),
    )


def _falling(unit: Indices, amperes: Floats) -> Indices:
    """Return the units of lines, first the one that carries most."""
    return np.argsort(-np.bincount(unit, amperes), kind="stable")


def _lines(unit: Indices, order: Indices) -> Indices:
    """Return the lines of units in this order. The lines of a unit keep their order."""
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.argsort(rank[unit], kind="stable")
