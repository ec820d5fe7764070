"""What the user asked a compilation for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from memxc.interfaces import Zeros
from memxc.ir.stages import Schedule, Signed
from memxc.target import Target

#: Passes against wire resistance, in the order that each knows what it has to know of the others.
MITIGATIONS = ("both-ends", "reorder", "compensate")


@dataclass(frozen=True)
class Options:
    """What the user asked for. `target` has any --tile applied."""

    model: Path
    target: Target
    schedule: Schedule = "parallel"
    partition: str = "packed"
    signed: Signed = "differential"
    batchnorm: str = "fold"
    mitigate: tuple[str, ...] = ()
    separate: float | None = None
    prune: tuple[str, ...] = ()
    refit: bool = False
    zeros: Zeros | None = None
    passes: str | None = None
    samples: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    input_range: tuple[float, float] = (0.0, 1.0)
    stage_set: tuple[str, ...] = ()
    seed: int = 0

    @property
    def zeros_are(self) -> Zeros:
        """Where nothing was said, pruning builds no device for a zero."""
        return self.zeros or ("absent" if self.prune else "parked")
