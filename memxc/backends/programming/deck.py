"""A transient deck of one crossbar: the pulses of a plan, one cell after the other, and a read.

                 passive array (V/2)                      1T1R
            c0        c1 = -V/2   c2              c0 = V     c1 = 0     c2 = V
    w0 0   --x---------x----------x--      w0 0  --[off]-----[off]------[off]--
    w1 V/2 --x--------[x]---------x--      w1 V  --[on]------[on]-------[on]---   gate of w1: on

The cell in brackets is programmed. In the V/2 scheme cells on its lines get V/2, in V/3 all others
get V/3 of either sign. At the end each row is read, at the read voltage.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from memxc.backends.netlist.body import wrapped
from memxc.backends.programming import cell
from memxc.backends.programming.plan import PulsePlan, volts
from memxc.physics.device import dynamics
from memxc.physics.device.iv_laws import SinhLaw
from memxc.render import number
from memxc.target import Programming, Target

Floats = NDArray[np.float64]

#: Parts of a pulse's width: its edges, and the pause behind it.
_EDGE, _PAUSE = 1e-4, 0.1
#: Most points in time that ngspice is asked for, and most cells.
MOST_PULSES, MOST_CELLS = 20_000, 256


def deck(g: Floats, plan: PulsePlan, target: Target, title: str) -> Iterator[str]:
    """Yield the lines of the deck.

    g: (word lines, bit lines) siemens, 0 without a device. ngspice -b prints a measurement
    `g<row>_<column>` in siemens for each cell.
    """
    model, pulse = dynamics.of(target), target.programming
    assert model is not None, "a plan comes from a target with [dynamics]"
    assert pulse is not None, "a plan comes from a target with [programming]"
    lines = _Lines(g.shape, pulse)
    cells = list(zip(*map(np.ndarray.tolist, np.nonzero(g > 0)), strict=True))
    for row, column in cells:
        for polarity, count in plan.runs[plan.of(g[row, column])]:
            for applied in volts(pulse, polarity, count).tolist():
                lines.pulse(row, column, applied)
    reads = [lines.read(row, target.device.read_voltage_v) for row in range(g.shape[0])]
    yield f"* write-verify of {title}, scheme {pulse.scheme}"
    yield cell.definition(target).rstrip("\n")
    yield from _access(pulse)
    yield from lines.sources()
    start = target.device.g_max if pulse.start == "lrs" else target.device.g_min
    x0 = number(float(model.state(np.array(start))))
    for row, column in cells:
        if pulse.scheme == "1T1R":
            yield f"x{row}_{column} w{row} m{row}_{column} {cell.NAME} x0={x0}"
            yield f"xa{row}_{column} m{row}_{column} c{column} g{row} access"
        else:
            yield f"x{row}_{column} w{row} c{column} {cell.NAME} x0={x0}"
    yield ".options reltol=1e-5 method=gear"
    step = number(pulse.width_s / 20)
    yield f".tran {step} {number(lines.now)} 0 {step} uic"
    read, ohms = number(target.device.read_voltage_v), number(pulse.access_ohm or 0.0)
    for row, column in cells:
        name = f"{row}_{column}"
        yield f".meas tran i{name} find i(vc{column}) at={number(reads[row])}"
        across = f"({read}-i{name}*{ohms})"
        if isinstance(model.law, SinhLaw):
            v0 = number(model.law.v0)
            across = f"({v0}*sinh({across}/{v0}))"
        yield f".meas tran g{name} param='i{name}/{across}'"
    yield ".end"


def _access(pulse: Programming) -> Iterator[str]:
    """Yield the access transistor: a resistor with a largest current, or open at a gate of 0 V."""
    if pulse.access_ohm is not None:
        current = f"v(a,b)/{number(pulse.access_ohm)}"
        if pulse.compliance_a is not None:
            limit = number(pulse.compliance_a)
            current = f"min(max({current},0-{limit}),{limit})"
        yield ".subckt access a b g"
        # The last term keeps a node behind an open transistor from floating.
        yield f"b1 a b i=v(g)*{current}+1e-12*v(a,b)"
        yield ".ends access"


class _Lines:
    """The volts of all lines over time; they grow pulse by pulse."""

    def __init__(self, shape: tuple[int, ...], pulse: Programming) -> None:
        self.shape, self._pulse = shape, pulse
        self.now = pulse.width_s * _PAUSE
        gated = [f"g{row}" for row in range(shape[0])] if pulse.scheme == "1T1R" else []
        lines = [f"w{row}" for row in range(shape[0])], [f"c{col}" for col in range(shape[1])]
        self.points: dict[str, list[str]] = {
            name: ["0 0"] for name in (*lines[0], *lines[1], *gated)
        }

    def pulse(self, row: int, column: int, applied: float) -> None:
        """Apply volts to a cell for one width."""
        high: dict[str, float] = {}
        if self._pulse.scheme == "1T1R":
            high = {f"c{other}": applied for other in range(self.shape[1]) if other != column}
            high |= {f"w{row}": applied, f"g{row}": 1.0}
        else:
            # Selected lines get half of the volts each. With V/3 the other lines get a sixth.
            if self._pulse.scheme == "V/3":
                high = {f"w{other}": -applied / 6 for other in range(self.shape[0])}
                high |= {f"c{other}": applied / 6 for other in range(self.shape[1])}
            high |= {f"w{row}": applied / 2, f"c{column}": -applied / 2}
        self._apply(high)

    def read(self, row: int, applied: float) -> float:
        """Read a row with all other lines at 0 V. Return the time in the middle of the read."""
        middle = self.now + self._pulse.width_s / 2
        self._apply({f"w{row}": applied} | ({f"g{row}": 1.0} if f"g{row}" in self.points else {}))
        return middle

    def _apply(self, high: dict[str, float]) -> None:
        edge = self._pulse.width_s * _EDGE
        end = self.now + self._pulse.width_s
        for name, level in high.items():
            self.points[name] += [
                f"{self.now:.12e} 0",
                f"{self.now + edge:.12e} {level:.9e}",
                f"{end:.12e} {level:.9e}",
                f"{end + edge:.12e} 0",
            ]
        self.now = end + self._pulse.width_s * _PAUSE

    def sources(self) -> Iterator[str]:
        """Yield a source for each line."""
        for name, points in self.points.items():
            # The current into a bit line's source is that out of the crossbar.
            yield f"v{name} {name} 0 pwl(" + "".join(wrapped(points, 4)) + ")"
