"""The pulses that take each conductance from the start to its tolerance: write and verify.

A cell is read, and gets a SET pulse if its conductance is too low, or a RESET pulse if it is too
high, until it is right. All cells begin in the same state, so cells with the same pulses so far are
in the same state: a sequence of pulses is solved once, for all cells that share it.

    start --set--> 1 --set--> 2 --set--> 3 ...      each number is a sequence, and its state;
                   |          `--reset--> 4         cells leave at the first one within tolerance
                   `- cells of low conductance
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memxc.physics.device import dynamics
from memxc.physics.device.dynamics import Access, StateModel
from memxc.target import Programming, Target

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
#: Runs of pulses of one polarity: +1 SET or -1 RESET, and how many.
Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class PulsePlan:
    """Sequences of pulses, and the sequence of each conductance.

    wanted: (conductances,) siemens, ascending. sequence: (conductances,), an index into the other
    arrays. failed: (conductances,), whether the sequence does not end within tolerance.
    runs, reached_s, pulses, energy_j: of each sequence. bystander_j_per_s: joules in a cell that is
    not selected, for each siemens of it, if the cell shares a line with the programmed one.
    """

    wanted: Floats
    sequence: Indices
    failed: NDArray[np.bool_]
    runs: tuple[Runs, ...]
    reached_s: Floats
    pulses: Indices
    energy_j: Floats
    bystander_j_per_s: Floats

    def of(self, g: Floats) -> Indices:
        """Return the sequence of each of some conductances that were planned, in their shape."""
        return self.sequence[np.searchsorted(self.wanted, g)]


def access(pulse: Programming) -> Access:
    """Return what is in series with a cell that is programmed."""
    limit = np.inf if pulse.compliance_a is None else pulse.compliance_a
    return Access(pulse.access_ohm or 0.0, limit)


def share(pulse: Programming) -> float:
    """Return the share of the volts of a pulse that cells beside the selected one get."""
    return {"V/2": 1 / 2, "V/3": 1 / 3, "1T1R": 0.0}[pulse.scheme]


def volts(pulse: Programming, polarity: int, count: int) -> Floats:
    """Return the volts of a run of pulses, (count,), with their sign."""
    first = pulse.v_set_v if polarity > 0 else pulse.v_reset_v
    rising = np.minimum(first + pulse.step_v * np.arange(count), pulse.largest_v)
    return np.asarray(polarity * rising)


def planned(wanted: Floats, target: Target) -> PulsePlan:
    """Return the plan for conductances in siemens, in any order, of a target with [programming]."""
    model, pulse = dynamics.of(target), target.programming
    assert model is not None, "the target has no [dynamics]"
    assert pulse is not None, "the target has no [programming]"
    wanted = np.unique(wanted)
    device = target.device
    start = device.g_max if pulse.start == "lrs" else device.g_min
    tree = _Tree(model, pulse, access(pulse), [float(model.state(np.array(start)))])
    sequence = np.zeros(len(wanted), dtype=np.intp)
    failed = np.zeros(len(wanted), dtype=bool)
    active = np.arange(len(wanted))
    for _ in range(pulse.most_pulses + 1):
        reached = model.conductance(np.array(tree.x))[sequence[active]]
        away = np.abs(reached / wanted[active] - 1) > pulse.tolerance
        active, reached = active[away], reached[away]
        failed[active] = tree.pulses == pulse.most_pulses
        if not len(active) or tree.pulses == pulse.most_pulses:
            break
        keys = 2 * sequence[active] + (reached < wanted[active])
        unique, which = np.unique(keys, return_inverse=True)
        sequence[active] = len(tree.x) + which
        stuck = tree.grow(unique // 2, np.where(unique % 2, 1, -1))[which]
        failed[active[stuck]] = True
        active = active[~stuck]
    return PulsePlan(
        wanted=wanted,
        sequence=sequence,
        failed=failed,
        runs=tuple(tree.runs),
        reached_s=model.conductance(np.array(tree.x)),
        pulses=np.array([sum(count for _, count in runs) for runs in tree.runs], dtype=np.intp),
        energy_j=np.array(tree.energy_j),
        bystander_j_per_s=np.array(tree.bystander_j_per_s),
    )


@dataclass
class _Tree:
    """Sequences that grow by one pulse at a time. The first one has no pulse."""

    model: StateModel
    pulse: Programming
    access: Access
    x: list[float]
    runs: list[Runs] = field(default_factory=lambda: [()])
    energy_j: list[float] = field(default_factory=lambda: [0.0])
    bystander_j_per_s: list[float] = field(default_factory=lambda: [0.0])
    pulses: int = 0

    def grow(self, parents: Indices, polarity: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add a pulse to some sequences. Return which new ones no further pulse can move."""
        grown = [
            _longer(self.runs[parent], sign)
            for parent, sign in zip(parents.tolist(), polarity.tolist(), strict=True)
        ]
        # The volts of this pulse, and those of the next one of the same polarity.
        pairs = np.array([volts(self.pulse, *runs[-1])[-1] for runs in grown])
        following = np.array([volts(self.pulse, sign, n + 1)[-1] for *_, (sign, n) in grown])
        before = np.array(self.x)[parents]
        after, joules = dynamics.pulsed(self.model, before, pairs, self.pulse.width_s, self.access)
        half = np.abs(pairs) * share(self.pulse)
        beside = half * self.model.law(np.ones(len(half)), half)[0] * self.pulse.width_s
        self.x += after.tolist()
        self.runs += grown
        self.energy_j += (np.array(self.energy_j)[parents] + joules).tolist()
        self.bystander_j_per_s += (np.array(self.bystander_j_per_s)[parents] + beside).tolist()
        self.pulses += 1
        return np.asarray((after == before) & (following == pairs))


def _longer(runs: Runs, polarity: int) -> Runs:
    """Return runs with one more pulse."""
    if runs and runs[-1][0] == polarity:
        return (*runs[:-1], (polarity, runs[-1][1] + 1))
    return (*runs, (polarity, 1))
