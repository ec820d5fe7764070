"""simulate: what a network scores on real crossbars, over a whole data set.

The circuit of a draw is turned into its twin, an ONNX model that onnxruntime runs; nothing about
the circuit is left out by that (memxc.physics.effective), so the score is the circuit's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import metrics, reference
from memxc.backends import twin
from memxc.errors import fail
from memxc.ir.design import Design
from memxc.physics import devices, effective, effects
from memxc.physics.nodal import Wires
from memxc.simulate.journal import Journal
from memxc.target import Target

Array = NDArray[Any]

#: Keys that decide how a network is programmed; the programmed design cannot be changed by them.
_PROGRAMMED = {
    "device": ("r_on_ohm", "r_off_ohm", "levels", "states", "read_voltage_v", "threshold_v"),
    "crossbar": ("rows", "columns"),
    "amplifier": ("gain", "swing_v"),
}


@dataclass(frozen=True)
class Plan:
    """What to simulate. sweep: (key, values) pairs, all combinations of which are simulated."""

    settings: tuple[str, ...] = ()
    sweep: tuple[tuple[str, tuple[str, ...]], ...] = ()
    draws: int = 1
    draw_per: effects.DrawPer = "placement"
    metric: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Row:
    """One point of the sweep: its settings, and the score of each draw."""

    settings: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the draws."""
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float:
        """Standard deviation of the draws (n - 1); 0 of a single one."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0


@dataclass(frozen=True)
class Result:
    """What simulate found. original: the score of the network itself in onnxruntime."""

    metric: str
    count: int
    original: float | None
    rows: tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class Data:
    """A data set: inputs by name (samples, ...), labels or None, and what identifies it.

    where: what to call it in a fault; digest: the SHA-256 of its file.
    """

    inputs: Mapping[str, Array]
    labels: Array | None
    where: str
    digest: str


@dataclass(frozen=True, eq=False)
class Bench:
    """The programmed network that is simulated, and the original one beside it."""

    design: Design
    target: Target
    original: bytes | None
    digest: str
    journal: Journal
    progress: Callable[[str], None] = field(default=lambda text: None)


def circuit(
    design: Design, target: Target, seed: int = 0, draw_per: effects.DrawPer = "placement"
) -> Design:
    """One draw of the circuit as a Design of effective matrices: wires, amplifiers, devices.

    Raises MemxcError where a placement's own devices would not fit in memory.
    """
    wire = target.wire
    ohms = (wire.r_source_ohm, wire.r_word_line_ohm, wire.r_bit_line_ohm, wire.r_neuron_ohm)
    return effective.effective(effects.disturbed(design, target, seed, draw_per), Wires(*ohms))


def run(bench: Bench, data: Data, plan: Plan) -> Result:
    """The score of every point and draw. Raises MemxcError (usage) for settings or labels that
    do not fit; what was finished before stays in the journal."""
    points = list(_points(plan))
    targets = [_checked(bench.target, plan.settings + point) for point in points]
    right, metric = _truth(bench, data, plan)
    original = _original(bench, data, right, metric)
    rows = []
    for number, (point, target) in enumerate(zip(points, targets, strict=True)):
        draws = plan.draws if devices.active(target.device, target.wire) else 1
        scores = []
        for draw in range(draws):
            bench.progress(f"point {number + 1} of {len(points)}, draw {draw + 1} of {draws}")
            scores.append(_score(bench, data, plan, target, draw, right, metric))
        rows.append(Row(point, tuple(scores)))
    return Result(metric, len(next(iter(data.inputs.values()))), original, tuple(rows))


def _points(plan: Plan) -> Iterator[tuple[str, ...]]:
    keys = [key for key, _ in plan.sweep]
    for values in product(*(values for _, values in plan.sweep)):
        yield tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))


def _checked(target: Target, settings: Sequence[str]) -> Target:
    changed = target.with_set(*settings) if settings else target
    for table, keys in _PROGRAMMED.items():
        before, after = getattr(target, table), getattr(changed, table)
        for key in keys:
            if getattr(before, key) != getattr(after, key):
                hint = "compile it with a target of that kind, then simulate that"
                what = f"{table}.{key} decides how a network is programmed"
                raise fail("usage", f"--set {', '.join(settings)}", what, hint)
    return changed


def _truth(bench: Bench, data: Data, plan: Plan) -> tuple[Array, str]:
    """What answers are compared with, and by which metric."""
    name = bench.design.outputs[0]
    shape = bench.design.buses[name].shape
    shape = shape[1:] if shape[:1] == (1,) else shape
    metric = metrics.choose(plan.metric, shape, data.labels, data.where)
    if metric != "error":
        assert data.labels is not None, "the metric was chosen by the labels"
        return data.labels, metric
    if bench.original is None:
        hint = "compile again, or give labels y and another metric"
        what = "holds no copy of the model, and an error is against the model"
        raise fail("usage", "--metric error", what, hint)
    bench.progress("the original network")
    return reference.predict(bench.original, data.inputs)[name], metric


def _original(bench: Bench, data: Data, right: Array, metric: str) -> float | None:
    if bench.original is None or metric == "error":
        return None
    bench.progress("the original network")
    answers = reference.predict(bench.original, data.inputs)[bench.design.outputs[0]]
    return float(metrics.METRICS[metric](answers, right).mean())


def _score(
    bench: Bench, data: Data, plan: Plan, target: Target, draw: int, right: Array, metric: str
) -> float:
    key = {
        "design": bench.digest,
        "data": data.digest,
        "target": target.model_dump(mode="json", exclude={"name", "summary"}),
        "seed": [plan.seed, draw],
        "draw_per": plan.draw_per,
        "metric": metric,
    }
    known = bench.journal.get(key)
    if known is not None:
        return known
    seed = int(np.random.SeedSequence([plan.seed, draw]).generate_state(1, np.uint64)[0])
    made = twin.model(circuit(bench.design, target, seed, plan.draw_per))
    answers = reference.predict(made, data.inputs)[bench.design.outputs[0]]
    score = float(metrics.METRICS[metric](answers, right).mean())
    bench.journal.add(key, score)
    return score
