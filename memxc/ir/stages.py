"""The kinds of stage: Linear (Array after programming), Lanes, Rename, and Digital.

After `lower`, no room knows the name of an operator; these kinds are all that a design has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from memxc.ir import expr
from memxc.ir.kernel import Crossbar, Kernel
from memxc.ir.subgraph import Subgraph
from memxc.ir.windows import GROUND, Ints, Windows

Floats = NDArray[np.float64]
DeviceKind = Literal["memristor", "resistor", "batchnorm"]
Schedule = Literal["parallel", "sequential"]
Signed = Literal["differential", "inverted-inputs"]
#: The ends of a word line that its driver is wired to: at the first column, or at the last one too.
Drive = Literal["left", "both"]
#: The function of a stage that computes a part of the original network.
ISLAND = "island"
#: Names that a circuit may have.
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")


class _Weighted:
    """Properties that Linear and Array share; `cell` and `schedule` are fields of both."""

    cell: DeviceKind
    schedule: Schedule

    @property
    def programmable(self) -> bool:
        """Whether the stage has memristors, which are programmed, vary and may be nonlinear."""
        return self.cell != "resistor"

    @property
    def tiled(self) -> bool:
        """Whether its memristors are on unit crossbars; those of batchnorm are not."""
        return self.cell == "memristor"

    @property
    def sequential(self) -> bool:
        """Whether one crossbar computes all places, one in each period."""
        return self.schedule == "sequential"

    def placed(self, places: int) -> int:
        """Return at how many of its places a block has hardware of its own."""
        return 1 if self.sequential else places


@dataclass(frozen=True, eq=False)
class Linear(_Weighted):
    """Weights at places. `cell` says what they are made of.

    memristor: programmed crossbars. resistor: fixed parts (AveragePool), never counted as
    memristors. batchnorm: a kept BatchNormalization, one scale and one bias a channel.
    noise: variances that each read adds, as kernels, in squared output units per squared input
    unit; normal, and independent from lane to lane. Only effective weights have it; evaluate
    computes the mean.
    """

    name: str
    src: str
    dst: str
    kernels: tuple[Kernel, ...]
    cell: DeviceKind = "memristor"
    schedule: Schedule = "parallel"
    noise: tuple[Kernel, ...] = ()

    @property
    def srcs(self) -> tuple[str, ...]:
        """The source buses."""
        return (self.src,)

    def verify(self, widths: Mapping[str, int]) -> None:
        """Raise AssertionError if a kernel does not fit its buses."""
        assert self.kernels, "a linear stage without kernels"
        _known(self.cell, self.schedule)
        for kernel in (*self.kernels, *self.noise):
            kernel.verify(widths[self.src], widths[self.dst])

    def __str__(self) -> str:
        kind = "" if self.tiled else f" {self.cell}"
        return f"linear{kind} {self.name}({self.src}) {_listing(self.kernels)}"


@dataclass(frozen=True, eq=False)
class Array(_Weighted):
    """A Linear stage after programming: crossbars and their amplifiers.

    r_f:    (dst width,) ohm, feedback of op-amp 2; one value a lane, shared by its row parts.
    r_join: (dst width,) ohm, feedback of op-amp 1 and joining resistor (differential only).
    v_bias: volts on a bias line.  gain: open-loop gain of the op-amps, inf for an ideal one.
    offset: (2, dst width) volts at which op-amp 1 and 2 of a lane hold their summing nodes; None
            means 0. A lane with one op-amp uses the value of op-amp 2.
    read_noise: relative standard deviation of a conductance from one read to the next.
    drive:  the ends at which word lines are driven; it matters only if wires have resistance.
    """

    name: str
    src: str
    dst: str
    crossbars: tuple[Crossbar, ...]
    r_f: Floats
    r_join: Floats
    v_bias: float
    gain: float
    cell: DeviceKind = "memristor"
    schedule: Schedule = "parallel"
    signed: Signed = "differential"
    offset: Floats | None = None
    read_noise: float = 0.0
    drive: Drive = "left"

    @property
    def single_ended(self) -> bool:
        """Whether a lane has one bit line and one op-amp, and negative weights invert inputs."""
        return self.signed == "inverted-inputs"

    @property
    def srcs(self) -> tuple[str, ...]:
        """The source buses."""
        return (self.src,)

    def verify(self, widths: Mapping[str, int]) -> None:
        """Raise AssertionError if a crossbar or a resistor does not fit its buses."""
        assert self.crossbars, "an array without crossbars"
        for crossbar in self.crossbars:
            crossbar.verify(widths[self.src], widths[self.dst])
        for ohms in (self.r_f, self.r_join):
            assert ohms.shape == (widths[self.dst],), "one resistor a lane"
            assert ((ohms > 0) & (ohms < math.inf)).all(), "a resistor is not positive and finite"
        assert math.isfinite(self.v_bias), "the bias voltage is not finite"
        assert self.gain > 0, "the gain is not positive"
        if self.offset is not None:
            assert self.offset.shape == (2, widths[self.dst]), "not two offsets a lane"
            assert np.isfinite(self.offset).all(), "an offset is not finite"
        assert 0 <= self.read_noise < math.inf, "the read noise is not a standard deviation"
        _known(self.cell, self.schedule)
        assert self.signed in get_args(Signed), f"{self.signed!r} is not a way to keep signs"
        assert self.drive in get_args(Drive), f"{self.drive!r} is not an end of a word line"

    def __str__(self) -> str:
        kind = "" if self.tiled else f" {self.cell}"
        kind += "" if self.drive == "left" else f" driven at {self.drive} ends"
        return f"array{kind} {self.name}({self.src}) {_listing(self.crossbars)}"


@dataclass(frozen=True)
class Circuit:
    """The cell that builds one lane, by the name of its template, and the number of its parts.

    converters: analog-to-digital or digital-to-analog, with as many bits as the lane has codes.
    """

    name: str
    opamps: int = 0
    diodes: int = 0
    multipliers: int = 0
    inverters: int = 0
    converters: int = 0

    def verify(self) -> None:
        """Raise AssertionError if the name is no netlist word, or a number of parts is negative.

        Netlists and test benches contain the name as it is: with a line end in it, the rest of it
        would be a card of its own.
        """
        assert _WORD.fullmatch(self.name), f"{self.name!r} is not the name of a circuit"
        counts = self.opamps, self.diodes, self.multipliers, self.inverters, self.converters
        assert min(counts) >= 0, f"a {self.name} has a negative number of parts"


@dataclass(frozen=True, eq=False)
class Lanes:
    """One small function on each net, or on k nets.

    `taps[i]` reads bus `srcs[i]`; all taps have the same places and groups. Lane g * places + p of
    `dst` is expr(x0, x1, ...), where x0, x1, ... are the lines of all taps in order, in units of
    activation.

    turns: cell i // turns computes lane i of `dst` in turn i % turns.
    """

    name: str
    srcs: tuple[str, ...]
    dst: str
    taps: tuple[Windows, ...]
    expr: str
    circuit: Circuit
    #: The output never exceeds the inputs in magnitude, and has their volts per unit.
    keeps_scale: bool = False
    turns: int = field(default=1, metadata={"optional": True})

    @property
    def sequential(self) -> bool:
        """Whether lanes take turns at one cell."""
        return self.turns > 1

    @property
    def rectifies(self) -> bool:
        """Whether the function has one signal and is 0 wherever this is not above 0."""
        one = sum(taps.lines for taps in self.taps) == 1
        return one and expr.interval(self.expr, [(-math.inf, 0.0)]) == (0.0, 0.0)

    @property
    def adds(self) -> bool:
        """Whether the function adds two signals."""
        return expr.is_sum(self.expr)

    def verify(self, widths: Mapping[str, int]) -> None:
        """Raise AssertionError if taps, buses and expression do not agree."""
        assert len(self.srcs) == len(self.taps) > 0, "one window a source"
        for src, taps in zip(self.srcs, self.taps, strict=True):
            taps.verify(widths[src], lowest=GROUND)
            assert taps.places * taps.groups == widths[self.dst], "lanes are not the bus's width"
        assert self.turns >= 1, "no turn"
        assert widths[self.dst] % self.turns == 0, "the turns do not divide the lanes"
        lines = sum(taps.lines for taps in self.taps)
        assert expr.fanin(self.expr) <= lines, "the expression reads past its taps"
        self.circuit.verify()

    def __str__(self) -> str:
        return f"lanes {self.circuit.name} {self.name}({', '.join(self.srcs)}) {self.expr}"


@dataclass(frozen=True, eq=False)
class Rename:
    """Renaming of nets, without hardware.

    Lane i of `dst` is lane index[i] of the sources, concatenated in order, or GROUND.
    """

    name: str
    srcs: tuple[str, ...]
    dst: str
    index: Ints

    def verify(self, widths: Mapping[str, int]) -> None:
        """Raise AssertionError if the index does not fit the buses."""
        total = sum(widths[src] for src in self.srcs)
        assert self.index.shape == (widths[self.dst],), "one entry a lane"
        assert self.index.dtype == np.int32, "index is not int32"
        assert self.index.min(initial=0) >= GROUND, "index holds an unknown sentinel"
        assert self.index.max(initial=0) < total, "index points past its sources"

    def __str__(self) -> str:
        return f"wires {self.name}({', '.join(self.srcs)})"


@dataclass(frozen=True, eq=False)
class Digital:
    """A stage that stays digital: a function at the edge of the network, or an island inside it.

    `function` is a name in memxc.evaluation.digital (Softmax, ArgMax), or ISLAND. It computes on
    tensors in units of activation. subgraph: what an island computes, None for a function.
    """

    name: str
    srcs: tuple[str, ...]
    dst: str
    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    subgraph: Subgraph | None = field(default=None, metadata={"optional": True})

    def verify(self, widths: Mapping[str, int]) -> None:
        """Raise AssertionError if an island has no subgraph, or if a function has one."""
        assert (self.function == ISLAND) == (self.subgraph is not None), "an island has a subgraph"
        if self.subgraph is not None:
            assert self.subgraph.model.ndim == 1, "a model is a row of bytes"
            assert self.subgraph.output >= 0, "an output has a number"

    def __str__(self) -> str:
        options = "".join(f" {key}={value}" for key, value in sorted(self.options.items()))
        if self.subgraph is not None:
            operators = ", ".join(dict.fromkeys(self.subgraph.operators))
            options = f" output {self.subgraph.output} of {operators}"
        return f"digital {self.function} {self.name}({', '.join(self.srcs)}){options}"


Stage = Linear | Array | Lanes | Rename | Digital


def _known(cell: str, schedule: str) -> None:
    assert cell in get_args(DeviceKind), f"{cell!r} is not a kind of cell"
    assert schedule in get_args(Schedule), f"{schedule!r} is not a schedule"


def _listing(blocks: tuple[Kernel, ...] | tuple[Crossbar, ...]) -> str:
    shown = " ".join(map(str, blocks[:8]))
    return shown if len(blocks) <= 8 else f"{shown} ... {len(blocks)} in all"
