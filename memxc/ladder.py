"""The ladder of oracles: every step of a compilation held against the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import evaluate, reference, samples
from memxc.errors import MemxcError
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.lower import lower
from memxc.passes import Context, DesignPass, GraphPass, Pass
from memxc.passes.record import PassRecord, counts

#: Samples on which every pass is checked, and numbers in all of a network with a wide input; more
#: would only cost time.
_CHECKED, _NUMBERS = 4, 1 << 17


@dataclass(frozen=True)
class Rung:
    """The distance of two neighbours on the ladder of oracles, on the network's outputs."""

    start: str
    end: str
    max_abs_error: float
    max_rel_error: float


class Ladder:
    """Runs the passes and keeps what each did; compares before and after unless told not to."""

    def __init__(
        self, model: Path, inputs: Mapping[str, NDArray[Any]], progress: Callable[[str], None]
    ) -> None:
        self.inputs = samples.few(inputs, _NUMBERS, _CHECKED)
        self.progress = progress
        self.records: list[PassRecord] = []
        self.rungs: list[Rung] = []
        self.warnings: list[str] = []
        self.name, self.values = "onnxruntime", None
        try:
            self.values = reference.run(model, self.inputs) if self.inputs else None
        except MemxcError as error:
            self.warnings.append(f"no reference outputs: {error.faults[0].what}")

    def lowered(self, design: Design) -> None:
        """The first rung: the lowered network against onnxruntime."""
        self._rung("lowered", design)

    def graph_pass(self, change: GraphPass, graph: Graph, ctx: Context) -> Graph:
        """The graph after a pass, which is held against the graph before it."""
        self.progress(change.name)
        changed = change.run(graph, ctx)
        changed.verify()
        before, after = lower(graph), lower(changed)
        if self.name == "onnxruntime":
            self.lowered(before)
        self._record(change, counts(before), after)
        return changed

    def design_pass(self, change: DesignPass, design: Design, ctx: Context) -> Design:
        """The design after a pass, which is held against the design before it."""
        self.progress(change.name)
        changed = change.run(design, ctx)
        changed.verify()
        self._record(change, counts(design), changed)
        return changed

    def _record(self, change: Pass, before: Mapping[str, int], after: Design) -> None:
        rung = self._rung(change.name, after)
        loss = (
            {}
            if change.exact or rung is None
            else {"max_abs_error": rung.max_abs_error, "max_rel_error": rung.max_rel_error}
        )
        # No limiter acts on the samples that calibrate scaled by: it is exact on them, too.
        if change.exact and rung is not None:
            assert rung.max_rel_error < 1e-9, (
                f"the exact pass {change.name} moved the outputs by {rung.max_rel_error:.1e}"
            )
        self.records.append(
            PassRecord(change.name, change.options(), change.exact, before, counts(after), loss)
        )

    def _rung(self, name: str, design: Design) -> Rung | None:
        if not self.inputs:
            return None
        values = evaluate.outputs(design, self.inputs)
        rung = None
        if self.values is not None:
            apart = [distance(values[key], self.values[key]) for key in values]
            rung = Rung(self.name, name, max(a for a, _ in apart), max(r for _, r in apart))
            self.rungs.append(rung)
        self.name, self.values = name, values
        return rung


def distance(value: NDArray[Any], reference: NDArray[Any]) -> tuple[float, float]:
    """max|a-b| and max|a-b| / max|b| over a tensor."""
    apart = float(np.abs(value.astype(np.float64) - reference).max(initial=0.0))
    size = float(np.abs(reference.astype(np.float64)).max(initial=0.0))
    return apart, apart / size if size else apart
