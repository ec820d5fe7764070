"""programming.csv: for each memristor its conductance and its pulses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memxc.backends.programming.crossbars import crossbars
from memxc.backends.programming.plan import PulsePlan, Runs, volts
from memxc.ir.design import Design
from memxc.target import Programming

HEAD = "subckt,placed,row,column,target_s,reached_s,pulses,time_s,energy_j,within,sequence"


def table(design: Design, plan: PulsePlan, pulse: Programming) -> Iterator[str]:
    """Yield the lines of programming.csv, one for each memristor of each definition.

    The crossbars that share a definition (`placed`) get the same pulses.
    """
    yield HEAD
    reached, joules = plan.reached_s.tolist(), plan.energy_j.tolist()
    ends = [
        f"{reached[k]:.9e},{count},{time_s(pulse, count):.9e},{joules[k]:.9e}"
        for k, count in enumerate(plan.pulses.tolist())
    ]
    words = [sequence(runs, pulse) for runs in plan.runs]
    for crossbar in crossbars(design):
        rows, columns = np.nonzero(crossbar.g > 0)
        g = crossbar.g[rows, columns]
        at = np.searchsorted(plan.wanted, g)
        head = f"{crossbar.name},{crossbar.placed}"
        cells = (rows, columns, g, plan.sequence[at], plan.failed[at])
        for row, column, siemens, k, failed in zip(*(c.tolist() for c in cells), strict=True):
            within = "no" if failed else "yes"
            yield f"{head},{row},{column},{siemens:.9e},{ends[k]},{within},{words[k]}"


def time_s(pulse: Programming, count: int) -> float:
    """Return the seconds of some pulses, with a read before the first and after each one."""
    return count * (pulse.width_s + pulse.read_s) + pulse.read_s


def sequence(runs: Runs, pulse: Programming) -> str:
    """Return the text of a sequence: POLARITY:FIRST_V:LAST_V:WIDTH_S:COUNT for each run."""
    words = []
    for polarity, count in runs:
        run = np.abs(volts(pulse, polarity, count))
        name = "set" if polarity > 0 else "reset"
        words.append(f"{name}:{run[0]:.6g}:{run[-1]:.6g}:{pulse.width_s:.6g}:{count}")
    return " ".join(words)
