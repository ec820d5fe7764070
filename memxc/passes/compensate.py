"""compensate: conductances that make up for the voltage drop on the wires.

The effective matrix E of a stage (volts of a lane per volt on an input) is computed with the wires
and the amplifiers. Then each pair of devices is moved by the difference to W, the matrix with
perfect wires and gain, again and again until the difference is small:

    u <- u + (W / r_f - E / r_f) / a,      u = G+ - G-,  a: share of volts that reach a cell

A cell that is far away may need more than g_max. Then r_f of its lane grows, and all conductances
of the lane become smaller.
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
from memxc.mapping import feedback, levels
from memxc.mapping.definitions import renumbered
from memxc.mapping.pairs import Pairs
from memxc.physics.network import stage_matrix
from memxc.physics.network.amplifier import loads
from memxc.physics.network.nodal import WireResistance
from memxc.target import Device, Target

Floats = NDArray[np.float64]
#: A stage, and how many of its pairs are saturated (at the end of the range of conductances).
_Try = tuple[Array, int]

#: The iteration stops when no pair lacks more than this share of the largest difference.
_TOLERANCE = 1e-5
#: r_f grows in steps of this share, so that the last bits of a sum do not reach it.
_STEP = 1 / 64
#: Factors for r_f that are tried for a device with levels: a larger r_f makes a level coarser.
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
        """Raise ValueError for options outside their range."""
        if self.iterations < 1:
            raise ValueError("iterations is 1 or more")
        if not 1 <= self.headroom <= 1e3:
            raise ValueError("headroom is 1 to 1000")

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with other conductances and r_f, on the device's levels."""
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
        """Return the stage compensated, with the number of its saturated pairs.

        If the device has levels or the iteration does not converge, it is not certain that this is
        the best. Then there are several tries, and the first one is the stage as it was.
        """
        device = target.device
        stepped = stage.programmable and bool(device.levels or device.states)
        growths = [g for g in _GROWTHS if g < self.headroom] if stepped else []
        tries = [(_rounded(stage, device), 0)]
        for growth in [*growths, self.headroom]:
            work = _Work(stage, wires, target, growth)
            converged = any(work.step() < _TOLERANCE for _ in range(self.iterations))
            tries.append((_rounded(work.stage(), device), work.saturated))
        return tries[1:] if converged and not stepped else tries


def _best(
    design: Design, stage: Array, wires: WireResistance, volts: Floats, tries: list[_Try]
) -> _Try:
    """Return the try with the smallest error on the samples."""
    if len(tries) == 1:
        return tries[0]
    wanted = evaluate.step(stage, design.buses, [volts])
    errors = [wire_error(design, tried, wires, volts, wanted) for tried, _ in tries]
    return tries[int(np.argmin(errors))]


class _Work:
    """A stage that is being compensated. For each crossbar:

    u: (definitions, inputs, columns), G+ - G- in siemens.
    growth: (definitions, 1, columns), by how much r_f has grown.
    gap: the shape of u, what each pair lacked in the last step, in siemens.
    """

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
        """Move every pair by its gap. Return the largest gap before, in shares of the range."""
        stage = self.stage()
        effective = stage_matrix.matrices(stage, self.wires)
        for k, pairs in enumerate(self.pairs):
            lanes = stage.crossbars[k].sinks.nets()
            ohms = np.where(lanes >= 0, stage.r_f[lanes], 1.0)  # 1 ohm for a discarded lane
            reached = pairs.siemens(effective.volts[k], ohms, effective.split)
            self.gap[k] = np.where(pairs.wanted != 0, pairs.wanted / self.growth[k] - reached, 0.0)
            self.u[k] = self.u[k] + self.gap[k] / _reaching(self.u[k], reached)
        self._scale()
        return max(float(np.abs(gap).max(initial=0.0)) for gap in self.gap) / self.span

    def _scale(self) -> None:
        """Let r_f grow until the largest pair of each lane is within the range."""
        width = len(self.before.r_f)
        peaks = [
            np.abs(u).max(axis=1, initial=0.0) * growth[:, 0] / self.span
            for u, growth in zip(self.u, self.growth, strict=True)
        ]
        shared = feedback.equalized([c.sinks for c in self.before.crossbars], peaks, width)
        for k, peak in enumerate(shared):
            now, need = self.growth[k], np.clip(peak, 1.0, self.headroom)[:, None, :]
            steps = np.minimum(np.ceil(need / _STEP) * _STEP, self.headroom)
            # A growth that is nearly right stays, or it would alternate between two steps.
            growth = np.where((need <= now) & (need > now - 2 * _STEP), now, steps)
            self.u[k] = np.clip(self.u[k] * (now / growth), -self.span, self.span)
            self.growth[k] = growth

    def stage(self) -> Array:
        """Return the stage as it is now. Its conductances are not yet on levels."""
        crossbars = [
            pairs.programmed(u, self.span) for pairs, u in zip(self.pairs, self.u, strict=True)
        ]
        r_f = self.before.r_f.copy()
        for crossbar, growth in zip(crossbars, self.growth, strict=True):
            lanes = crossbar.sinks.nets()
            at = lanes >= 0
            r_f[lanes[at]] = (self.before.r_f[lanes] * growth)[at]
        r_join = feedback.joining(loads(crossbars, len(r_f))[1], self.target)
        return replace(self.before, crossbars=tuple(crossbars), r_f=r_f, r_join=r_join)

    @property
    def saturated(self) -> int:
        """Pairs that are at the end of the range and still lack something, once a definition."""
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


def _reaching(u: Floats, reached: Floats) -> Floats:
    """Return about which share of the volts reaches each cell, (definitions, inputs, columns).

    u: G+ - G- as programmed. reached: as the outputs show it.

    The share is estimated as a product of a factor of the row and one of the column.
    """
    seen, programmed = np.where(u != 0, np.abs(reached), 0.0), np.abs(u)
    rows, columns, whole = (
        _share(seen.sum(axis=axes, keepdims=True), programmed.sum(axis=axes, keepdims=True))
        for axes in ((2,), (1,), (1, 2))
    )
    return np.clip(rows * columns / whole, 0.05, 2.0)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.ones_like(part), where=(whole > 0) & (part > 0))
