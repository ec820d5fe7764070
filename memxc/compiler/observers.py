"""Observers: they look at each step of a run, report figures and warnings, and change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from memxc.evaluation.losses import Loss
from memxc.interfaces import Pass, Result
from memxc.ir.design import Design
from memxc.ir.graph import Graph


@dataclass(frozen=True, eq=False)
class PassRun:
    """A pass that has run.

    before, after: the network around it. If the pass is over the graph, this is the lowered graph.
    """

    change: Pass
    before: Design
    after: Design
    result: Result[Graph] | Result[Design]


@dataclass(frozen=True)
class Observed:
    """What an observer reports of a step: figures before and after it, its loss, and warnings."""

    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    loss: Loss | None = None
    warnings: tuple[str, ...] = ()


class Observer(Protocol):
    """Looks at the steps of a run, and changes nothing."""

    def start(self, design: Design) -> tuple[str, ...]:
        """Look at the lowered network before the first pass. Return warnings."""

    def see(self, step: PassRun) -> Observed:
        """Look at one step. Return figures, loss and warnings."""
