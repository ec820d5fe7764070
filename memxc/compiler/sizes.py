"""The size of the network before and after each pass, and counting without building."""

from __future__ import annotations

from dataclasses import dataclass

from memxc.backends.cost import estimate
from memxc.compiler.observers import Observed, PassRun
from memxc.compiler.record import PassRecord, counts, macs
from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design

#: The passes that put kernels on crossbars.
LAY_OUT = ("partition", "tile", "program")


@dataclass(frozen=True)
class CountedDesign(Result[Design]):
    """A design without conductances, with its figures and the records of its passes."""

    estimated: estimate.Estimate | None = None
    records: tuple[PassRecord, ...] = ()


@dataclass(frozen=True)
class StageByStage(DesignPass):
    """Several passes as one: each stage is laid out, programmed, counted and dropped by itself."""

    name = "counting stage by stage"
    exact = False
    changes: tuple[DesignPass, ...] = ()

    def run(self, design: Design, ctx: Context) -> CountedDesign:
        """Return the design that the passes would build, and what it takes."""
        sizes = {change.name: dict.fromkeys(counts(design), 0) for change in self.changes}

        def watch(name: str, part: Design) -> None:
            for key, value in counts(part, ctx.zeros).items():
                sizes[name][key] += value

        estimated = estimate.estimate(design, self.changes, ctx, watch)
        before, records = counts(design, ctx.zeros), []
        for change in self.changes:
            # Sharing changes no count.
            after = before if change.name == "share" else sizes[change.name]
            records.append(
                PassRecord(change.name, change.options(), change.exact, before, after, None)
            )
            before = after
        return CountedDesign(estimated.design, estimated=estimated, records=tuple(records))


class Sizes:
    """Counts the network before and after each step."""

    def __init__(self, ctx: Context) -> None:
        self._zeros = ctx.zeros
        #: The last network and its counts: the next pass begins with the same network.
        self._last: tuple[Design, dict[str, int]] | None = None

    def start(self, design: Design) -> tuple[str, ...]:
        """Do nothing: nothing is counted before the first pass."""
        return ()

    def see(self, step: PassRun) -> Observed:
        """Return the counts before and after a pass, and the figures of the pass itself."""
        if isinstance(step.result, CountedDesign):
            return Observed()
        before = self._counts(step.before)
        return Observed(before, {**self._counts(step.after), **step.result.figures})

    def _counts(self, design: Design) -> dict[str, int]:
        if self._last is None or self._last[0] is not design:
            self._last = design, counts(design, self._zeros)
        return self._last[1]


class Milestones:
    """Keeps what the report needs of the network before it is pruned, and before it is laid out.

    macs: the multiplications before the first lossy pass over the graph.
    unlaid: the design before the first pass that puts kernels on crossbars.
    """

    macs: int
    unlaid: Design

    def __init__(self) -> None:
        self._pruned = self._laid_out = False

    def start(self, design: Design) -> tuple[str, ...]:
        """Do nothing: nothing is kept before the first pass."""
        return ()

    def see(self, step: PassRun) -> Observed:
        """Keep the network before the pass if it is a milestone."""
        if not self._pruned and (isinstance(step.change, DesignPass) or not step.change.exact):
            self.macs, self._pruned = macs(step.before), True
        lays_out = step.change.name in LAY_OUT or isinstance(step.change, StageByStage)
        if not self._laid_out and lays_out:
            self.unlaid, self._laid_out = step.before, True
        return Observed()
