"""The log of a run of passes: their records and all warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from memxc.compiler.observers import Observer, PassRun
from memxc.compiler.record import PassRecord
from memxc.compiler.sizes import CountedDesign
from memxc.interfaces import Context, GraphPass
from memxc.ir.design import Design


@dataclass
class Log:
    """The records of the passes of a run, and the warnings.

    observed: warnings of observers, and of graph passes that found nothing to change.
    told: warnings of passes, and of passes about wires where the target's wires are ideal.
    """

    records: list[PassRecord] = field(default_factory=list)
    observed: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def start(self, observers: Sequence[Observer], design: Design) -> None:
        """Show the lowered network to the observers."""
        for observer in observers:
            self.observed += observer.start(design)

    def see(self, observers: Sequence[Observer], step: PassRun, ctx: Context) -> None:
        """Show a step to the observers, and keep its record."""
        change = step.change
        if step.after is step.before and isinstance(change, GraphPass) and not change.exact:
            self.observed.append(f"{change.name} found nothing to change")
        seen = [observer.see(step) for observer in observers]
        self.observed += (warning for part in seen for warning in part.warnings)
        if change.wired and ctx.target.wire.ideal:
            target = f"the wires of the target {ctx.target.name} have no resistance"
            self.told.append(f"{change.name} changed nothing: {target}")
        self.told += step.result.warnings
        if isinstance(step.result, CountedDesign):
            self.records += step.result.records
            return
        before, after = (
            {key: value for part in seen for key, value in getattr(part, name).items()}
            for name in ("before", "after")
        )
        loss = next((part.loss for part in seen if part.loss is not None), None)
        self.records.append(
            PassRecord(change.name, change.options(), change.exact, before, after, loss)
        )
