"""Time and energy of programming a network, and how much it disturbs the cells beside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memxc.backends.programming import plan as plans
from memxc.backends.programming.crossbars import ToProgram, crossbars, distinct
from memxc.backends.programming.plan import PulsePlan
from memxc.backends.programming.rows import ProgrammingCost
from memxc.backends.programming.table import time_s
from memxc.ir.design import Design
from memxc.physics.device import dynamics
from memxc.physics.device.dynamics import Access
from memxc.target import Programming, Target

Floats = NDArray[np.float64]

#: What the figures leave out, for every target.
MISSING = (
    "forming of fresh devices",
    "spread of devices and of pulses: every device is the nominal one",
    "energy of the reads, of the drivers and of charging the lines",
    "resistance of the wires while programming",
)
#: States at which the disturbance is computed.
_STATES = 33


def measure(design: Design, target: Target) -> ProgrammingCost | None:
    """Return the cost of programming, or None if the target has no [programming]."""
    if target.programming is None:
        return None
    return of(design, target, plans.planned(distinct(design), target))


def of(design: Design, target: Target, plan: PulsePlan) -> ProgrammingCost:
    """Return the cost of a plan."""
    pulse = target.programming
    assert pulse is not None, "a plan comes from a target with [programming]"
    assert target.dynamics is not None, "a plan comes from a target with [dynamics]"
    cells = failed = pulses = longest = 0
    serial = parallel = energy = bystanders = exposed = 0.0
    for crossbar in crossbars(design):
        at = np.searchsorted(plan.wanted, crossbar.g[crossbar.g > 0])
        counts = np.zeros(crossbar.g.shape, dtype=np.int64)
        counts[crossbar.g > 0] = plan.pulses[plan.sequence[at]]
        count, total = len(at), int(counts.sum())
        seconds = time_s(pulse, total) + (count - 1) * pulse.read_s if count else 0.0
        cells += crossbar.placed * count
        failed += crossbar.placed * int(plan.failed[at].sum())
        pulses += crossbar.placed * total
        longest = max(longest, int(counts.max(initial=0)))
        serial += crossbar.placed * seconds
        parallel = max(parallel, seconds)
        energy += crossbar.placed * float(plan.energy_j[plan.sequence[at]].sum())
        bystanders += crossbar.placed * bystanders_j(crossbar, plan, target)
        exposed = max(exposed, exposed_s(counts, pulse))
    return ProgrammingCost(
        cells=cells,
        failed=failed,
        pulses=pulses,
        longest_pulses=longest,
        serial_s=serial,
        parallel_s=parallel,
        energy_j=energy,
        bystander_energy_j=bystanders,
        disturb=disturb(target, exposed),
        sources=(target.dynamics.source, pulse.source),
        missing=MISSING,
    )


def bystanders_j(crossbar: ToProgram, plan: PulsePlan, target: Target) -> float:
    """Return joules in the cells beside the programmed ones, as the crossbar fills row by row.

    A cell is at its target if it comes before the programmed one, else at the start.
    """
    device, pulse = target.device, target.programming
    assert pulse is not None, "a plan comes from a target with [programming]"
    there = crossbar.g > 0
    start = np.where(there, device.g_max if pulse.start == "lrs" else device.g_min, 0.0)
    given = np.zeros(crossbar.g.shape)
    given[there] = plan.bystander_j_per_s[plan.of(crossbar.g[there])]
    if pulse.scheme == "V/3":
        done = np.cumsum(crossbar.g).reshape(there.shape) - crossbar.g
        left = start.sum() - np.cumsum(start).reshape(there.shape)
        return float((given * (done + left)).sum())
    beside = 0.0
    for axis in (0, 1):
        done = np.cumsum(crossbar.g, axis) - crossbar.g
        left = start.sum(axis, keepdims=True) - np.cumsum(start, axis)
        beside += float((given * (done + left)).sum())
    return beside


def exposed_s(counts: NDArray[np.int64], pulse: Programming) -> float:
    """Return the most seconds for which a cell of a crossbar has a share of others' volts.

    counts: (word lines, bit lines), the pulses of each cell.
    """
    if pulse.scheme == "1T1R":
        return 0.0
    if pulse.scheme == "V/3":
        others = counts.sum() - counts
    else:
        others = counts.sum(0, keepdims=True) + counts.sum(1, keepdims=True) - 2 * counts
    return int(others.max(initial=0)) * pulse.width_s


def disturb(target: Target, seconds: float) -> float:
    """Return the largest relative change of a conductance that is not selected for some seconds.

    Its volts are the share of the largest pulse, of either polarity, all the time.
    """
    model, pulse = dynamics.of(target), target.programming
    assert model is not None, "a plan comes from a target with [dynamics]"
    assert pulse is not None, "a plan comes from a target with [programming]"
    share = plans.share(pulse) * pulse.largest_v
    low, high = model.state(np.array([target.device.g_min, target.device.g_max])).tolist()
    x = np.tile(np.linspace(low, high, _STATES), 2)
    applied = np.repeat([share, -share], _STATES)
    after, _ = dynamics.pulsed(model, x, applied, seconds, Access())
    return float(np.abs(model.conductance(after) / model.conductance(x) - 1).max())
