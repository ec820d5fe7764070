"""Power: what the devices and the amplifiers of a programmed design draw. Watts add up.

Bit lines are at virtual ground, so a device at conductance G on a word line at V draws V^2 G:

    crossbar watts = sum over word lines of  mean(V^2) * (sum of G on the line)

mean(V^2) over the samples is left on the buses by calibrate. ASSUMPTIONS has what this leaves out,
and stands in the report.

    neuron watts   = sum over the devices of one lane of  (largest V)^2 * G
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memxc import units
from memxc.backends.cost import resources
from memxc.backends.cost.power_rows import Power, StagePower
from memxc.backends.netlist.nets import chunks
from memxc.cells.library.multiplier import CELL as MULTIPLIER
from memxc.ir.design import Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Lanes
from memxc.ir.windows import Ints, Windows, ints

Floats = NDArray[np.float64]

#: Significant digits of watts. The sixteenth digit of a sum depends on the processor.
DIGITS = 10

ASSUMPTIONS = (
    "Crossbar watts are the sum of V^2 G over every placed device, the mean over the samples; bit "
    "lines are at virtual ground, wires are perfect conductors and cells are linear, whatever the "
    "target's I-V law. The volts are those of the calibrated network, before its conductances are "
    "rounded to levels and its amplifiers have a finite gain.",
    "Resistors that stand in place of weights (average pooling) count as crossbar watts. The "
    "ledger has the feedback and joining resistors of the amplifiers, too.",
    "A sequential stage draws the mean over its places, for as long as the inference takes. Its "
    "lanes, the lane functions behind it and the row drivers behind its multiplexers take turns; "
    "what charges the sample-and-holds, and their clock, is not counted.",
    "An amplifier draws its static power from the target, as many times as its strength; inverters "
    "are amplifiers. Where the target gives the rails, the total is what all supplies deliver, and "
    "has the currents of the amplifiers' outputs; without rails, these are missing. Converters (a "
    "quantised network's too: a target has no figure for them), multiplexers, drivers of the "
    "network's inputs, diodes and programming are not counted, nor is their area.",
    "Each op-amp of a lane function draws what the target's amplifier draws. A rectifier may need "
    "less: that of transistors for sky130-128 takes 12.7 uW, and counts as 34.6 uW (docs/pdk.md).",
    f"An analog multiplier is {MULTIPLIER.opamps} op-amps and four transistors (docs/cells.md); "
    "the watts and the area of these transistors are not counted.",
    "Everything is powered for the whole inference: energy is total watts times the time with a "
    "clock, or times the assumed time if the target does not give what settling needs.",
    "The largest neuron power is that of the worst bit line (pair) of memristors, its row parts "
    "together, with every word line at the most volts that can occur on it: what the limiter of "
    "its driver lets pass, or the read voltage where it has no limiter, as on bias lines. Neither "
    "its amplifiers nor fixed resistors are in it.",
    f"Watts are rounded to {DIGITS} digits: the processor's order of sums shows in later ones.",
)


def total(rows: Iterable[Power]) -> Power:
    """Return the sum over stages."""
    return sum(rows, Power.of())


def measure(
    design: Design,
    bills: Iterable[resources.ResourceRow],
    amplifier_w: float,
) -> tuple[StagePower, ...]:
    """Return the watts of each stage that is hardware.

    design: calibrated (its buses have mean squares of volts) and programmed.
    bills: the bill of each of these stages, in order. amplifier_w: watts of one op-amp.
    """
    hardware = [stage for stage in design.stages if isinstance(stage, Array | Lanes)]
    rows = []
    for stage, bill in zip(hardware, bills, strict=True):
        drawn = Power.of(amplifier_w=bill.resources.opamps * amplifier_w)
        if isinstance(stage, Array):
            width = design.buses[stage.dst].width
            mean_square = design.buses[stage.src].mean_square
            assert mean_square is not None, f"{stage.src} was not calibrated"
            meter = Meter(stage, mean_square, width, most_volts(design, stage))
            for crossbar in stage.crossbars:
                meter.add(crossbar)
            drawn += meter.power()
        rows.append(StagePower.on(stage.name, drawn))
    return tuple(rows)


class Meter:
    """Adds up what the crossbars of a stage draw. They are given one after the other."""

    def __init__(self, stage: Array, squares: Floats, width: int, most: float) -> None:
        """Start at 0 W. The crossbars of `stage` itself are not looked at.

        squares: mean squares of the source bus, (width,), in V^2.
        width: lanes of the output. most: the largest volts of the source.
        """
        self._stage, self._width, self._most = stage, width, most
        # Nets at ground are -1: they read the last entry.
        self._squares = np.append(squares, 0.0)
        self._bias = 0.0
        self._read, self._driven = _Seen(), _Seen()

    def add(self, crossbar: Crossbar) -> None:
        """Add a stack of crossbars."""
        bias = crossbar.line == BIAS
        places = self._at_once(crossbar.taps) * crossbar.places
        for part in crossbar.parts():
            drains = part.drains()
            self._bias += float(drains[:, bias].sum()) * places
            self._read.put(part.taps, _on_lines(drains[:, ~bias], crossbar.line[~bias], part.taps))
            if self._stage.programmable:
                watts = part.loads(~bias) * self._most**2
                watts += part.loads(bias) * self._stage.v_bias**2
                self._driven.put(part.sinks, _on_lines(watts, crossbar.column, part.sinks))

    def power(self) -> Power:
        """Return the watts of all crossbars, and of the neuron that can draw most."""
        watts = self._bias * self._stage.v_bias**2
        for taps, drains in self._read.once():
            for groups, places in chunks(taps):
                seen = self._squares.take(taps.nets(groups, places), mode="wrap")
                watts += float(np.einsum("gpr,gr->", seen, drains[groups])) * self._at_once(taps)
        lanes = np.zeros(self._width)
        for sinks, drawn in self._driven.once():
            sinks.add(lanes, drawn)
        neuron = float(lanes.max(initial=0.0))
        return Power.of(units.rounded(watts, DIGITS), neuron_max_w=units.rounded(neuron, DIGITS))

    def _at_once(self, windows: Windows) -> float:
        """Return the share of its places that a crossbar is at at one time: all, or one in turn."""
        return 1.0 / windows.places if self._stage.sequential else 1.0


def _on_lines(siemens: Floats, line: Ints, windows: Windows) -> Floats:
    """Return sums (groups, lines of `windows`) of siemens (groups, word or bit lines).

    line: (word or bit lines,), the line of the windows that each is on.
    """
    sums = np.zeros((windows.lines, len(siemens)))
    np.add.at(sums, line, siemens.T)
    return np.ascontiguousarray(sums.T)


class _Seen:
    """Sums siemens or watts over groups that see the same nets.

    Many crossbars of a layer read the same nets, so this saves most of the work.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], tuple[Windows, list[Ints], list[Floats]]] = {}

    def put(self, windows: Windows, numbers: Floats) -> None:
        """Add siemens or watts (groups, lines) of a stack, or of a part of one."""
        key = id(windows.frame), id(windows.origin), id(windows.offset)
        _, groups, values = self._known.setdefault(key, (windows, [], []))
        once, sums = windows.merged(numbers)
        groups.append(once.group)
        values.append(sums)

    def once(self) -> Iterator[tuple[Windows, Floats]]:
        """Yield windows of different groups, and the sums (groups, lines) of each."""
        for windows, groups, values in self._known.values():
            whole = replace(windows, group=ints(np.concatenate(groups)))
            yield whole.merged(np.concatenate(values))


def most_volts(design: Design, stage: Array) -> float:
    """Return the largest volts that can be on a word line of a stage's inputs.

    This is what the limiter of its driver lets pass. Without a limiter it is the read voltage,
    which the samples reach.
    """
    driven = design.behind_wires([stage.src])
    return max(design.buses[name].limit or stage.v_bias for name in driven)


def crossbar_w(stage: Array, squares: Floats) -> float:
    """Return the watts of the placed devices. squares: V^2 on the source bus, (width,)."""
    meter = Meter(stage, squares, len(stage.r_f), stage.v_bias)
    for crossbar in stage.crossbars:
        meter.add(crossbar)
    return meter.power().crossbar_w
