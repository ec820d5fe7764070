"""compensate: conductances so programmed that, with its wires, a stage gives what it is to give.

The effective matrix E of a stage (volts of a lane per volt on an input) is measured with the wires
and the amplifiers, and every pair of devices moved by what its entry lacks, over and over:

    u <- u + (W / r_f - E / r_f) / a,      a the share of the volts that reaches a cell

W is the matrix before, with perfect wires and gain; u = G+ - G-. Far cells want more than g_max;
their lane then gets a larger r_f, and all of its conductances become smaller.
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
from memxc.ir.stages import Array
from memxc.mapping import feedback as amplifiers
from memxc.mapping import levels
from memxc.mapping.definitions import renumbered
from memxc.mapping.pairs import Pairs
from memxc.physics.network import stage_matrix
from memxc.physics.network.nodal import WireResistance
from memxc.target import Device, Target

Floats = NDArray[np.float64]
#: A stage, and how many of its pairs of devices are saturated.
_Try = tuple[Array, int]

#: Largest gap that is let stand, relative to the largest difference of a pair.
_TOLERANCE = 1e-5
#: r_f grows in steps of this share, so that a last bit of noise does not spread.
_STEP = 1 / 64
#: The growth of r_f that is tried where a device has levels, which a larger one makes coarser.
_GROWTHS = (1.0, 1.25, 1.5, 2.0)


@dataclass(frozen=True)
class Compensate(DesignPass):
    """Correct each conductance, within the device's range and levels, for the drop on its wires.

    A weight of exactly zero stays one. iterations: at most; headroom: what r_f may grow by, at
    most. Devices that want more than that stay at g_max: the report counts them. Where the device
    has levels, or nothing converges, the growth that leaves the least error on the samples is
    taken; it may be that a stage stays as it was.
    """

    name = "compensate"
    exact = False
    programmed = True
    wired = True
    iterations: int = 20
    headroom: float = 4.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.iterations < 1:
            raise ValueError("iterations is 1 or more")
        if not 1 <= self.headroom <= 1e3:
            raise ValueError("headroom is 1 to 1000")

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """The design with other conductances and r_f, on the device's levels."""
        wires = None if ctx.target.wire.ideal else WireResistance.of(ctx.target.wire)
        stages, saturated = [], 0
        for stage, volts in driven(design, ctx.samples):
            if isinstance(stage, Array) and wires is not None:
                tries = self._tries(stage, wires, ctx.target)
                stage, count = _best(design, stage, wires, volts, tries)  # noqa: PLW2901
                saturated += count
            elif isinstance(stage, Array):
                stage = _rounded(stage, ctx.target.device)  # noqa: PLW2901
            stages.append(stage)
        warning = (
            f"compensate left {saturated:,} pairs of devices at g_max that should give more: "
            "smaller unit crossbars, both-ends or a larger headroom would help"
        )
        return Result(
            design.with_stages(renumbered(stages)),
            (warning,) if saturated else (),
            {} if wires is None else {"saturated": saturated},
        )

    def _tries(self, stage: Array, wires: WireResistance, target: Target) -> list[_Try]:
        """The stage compensated, each with its number of saturated pairs; where it is not certain
        that this is best, in several ways, the first of them as it was."""
        device = target.device
        stepped = stage.programmable and bool(device.levels or device.states)
        growths = [g for g in _GROWTHS if g < self.headroom] if stepped else []
        found = [(_rounded(stage, device), 0)]
        for growth in [*growths, self.headroom]:
            work = _Work(stage, wires, target, growth)
            done = any(work.step() < _TOLERANCE for _ in range(self.iterations))
            found.append((_rounded(work.stage(), device), work.saturated))
        return found[1:] if done and not stepped else found


def _best(
    design: Design, stage: Array, wires: WireResistance, volts: Floats, tries: list[_Try]
) -> _Try:
    """The one with the least error on the samples."""
    if len(tries) == 1:
        return tries[0]
    wanted = evaluate.step(stage, design.buses, [volts])
    errors = [wire_error(design, found, wires, volts, wanted) for found, _ in tries]
    return tries[int(np.argmin(errors))]


class _Work:
    """A stage that is being compensated; per crossbar u (definitions, inputs, columns) in siemens,
    what r_f has grown by (definitions, 1, columns), and the gap that the last step saw."""

    def __init__(
        self, stage: Array, wires: WireResistance, target: Target, headroom: float
    ) -> None:
        self.before, self.wires, self.target, self.headroom = stage, wires, target, headroom
        g_min = target.device.g_min if stage.programmable else 0.0
        self.span = target.device.g_max - g_min
        self.pairs = [Pairs.of(crossbar, stage.gain, g_min) for crossbar in stage.crossbars]
        self.u = [pairs.wanted for pairs in self.pairs]
        self.growth = [np.ones((len(u), 1, u.shape[2])) for u in self.u]
        self.gap = [np.zeros_like(u) for u in self.u]

    def step(self) -> float:
        """Move every pair by what it lacks; returns the largest gap there was, relative."""
        stage = self.stage()
        found = stage_matrix.matrices(stage, self.wires)
        for k, pairs in enumerate(self.pairs):
            lanes = stage.crossbars[k].sinks.nets()
            given = pairs.siemens(found.volts[k], _ohms(stage.r_f, lanes), found.split)
            self.gap[k] = np.where(pairs.wanted != 0, pairs.wanted / self.growth[k] - given, 0.0)
            self.u[k] = self.u[k] + self.gap[k] / _reaching(self.u[k], given)
        self._scale()
        return max(float(np.abs(gap).max(initial=0.0)) for gap in self.gap) / self.span

    def _scale(self) -> None:
        """Let r_f grow so that the largest pair of a lane is at the end of the range."""
        width = len(self.before.r_f)
        peaks = [
            np.abs(u).max(axis=1, initial=0.0) * growth[:, 0] / self.span
            for u, growth in zip(self.u, self.growth, strict=True)
        ]
        shared = amplifiers.equalized([c.sinks for c in self.before.crossbars], peaks, width)
        for k, peak in enumerate(shared):
            now, need = self.growth[k], np.clip(peak, 1.0, self.headroom)[:, None, :]
            steps = np.minimum(np.ceil(need / _STEP) * _STEP, self.headroom)
            # What is nearly right stays, or it would go to and fro between two steps.
            growth = np.where((need <= now) & (need > now - 2 * _STEP), now, steps)
            self.u[k] = np.clip(self.u[k] * (now / growth), -self.span, self.span)
            self.growth[k] = growth

    def stage(self) -> Array:
        """The stage as it is now, its conductances not yet on levels."""
        crossbars = [
            pairs.programmed(u, self.span) for pairs, u in zip(self.pairs, self.u, strict=True)
        ]
        r_f = self.before.r_f.copy()
        for crossbar, growth in zip(crossbars, self.growth, strict=True):
            lanes = crossbar.sinks.nets()
            at = lanes >= 0
            r_f[lanes[at]] = (self.before.r_f[lanes] * growth)[at]
        r_join = amplifiers.joining(crossbars, len(r_f), self.target)
        return replace(self.before, crossbars=tuple(crossbars), r_f=r_f, r_join=r_join)

    @property
    def saturated(self) -> int:
        """Pairs, once a definition, that are at the end of the range and still lack something."""
        return sum(
            int(((np.abs(u) >= self.span) & (u * gap > _TOLERANCE * self.span**2)).sum())
            for u, gap in zip(self.u, self.gap, strict=True)
        )


def _rounded(stage: Array, device: Device) -> Array:
    if not stage.programmable:
        return stage
    return replace(
        stage,
        crossbars=tuple(replace(c, g=levels.nearest_level(c.g, device)) for c in stage.crossbars),
    )


def _ohms(r_f: Floats, lanes: NDArray[np.int32]) -> Floats:
    """r_f of lanes (..., places, columns), 1 ohm where one is discarded."""
    return np.where(lanes >= 0, r_f[lanes], 1.0)


def _reaching(u: Floats, given: Floats) -> Floats:
    """The share of the volts that reaches a cell, about: by its row and its column."""
    now, then = np.where(u != 0, np.abs(given), 0.0), np.abs(u)
    rows, columns, whole = (
        _share(now.sum(axis=axes, keepdims=True), then.sum(axis=axes, keepdims=True))
        for axes in ((2,), (1,), (1, 2))
    )
    return np.clip(rows * columns / whole, 0.05, 2.0)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.ones_like(part), where=(whole > 0) & (part > 0))
