"""What a network lost: its answers on the samples, and its score if there are labels.

A loss is one number. With labels, it is the fall of the score: accuracy (top-1) for one class a
sample, Dice for masks, on the first output. Without labels, it is the mean over the samples of
max|a - b| / max|b|, taken on the output where that is largest. A negative loss is a gain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from memxc.documents import Count, Number, Part
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, metrics
from memxc.evaluation.samples import Samples
from memxc.ir.design import Design
from memxc.ir.stages import Linear

Answers = Mapping[str, NDArray[Any]]
Measure = Literal["top1", "dice", "error"]

#: Most and fewest samples that losses are measured on, and the multiplications that they may take.
MOST, _LEAST, _WORK = 1024, 4, 1 << 30


#: Decimals of errors, relative to the largest output. In the fifteenth decimal processors differ,
#: because each adds products in its own order.
DIGITS = 10


class Loss(Part):
    """The loss of some outputs against the outputs before a change.

    `top1` and `dice` are mean scores by the labels; `error` is the mean over the samples of
    max|a-b| / max|b|, of the output where it is largest.
    """

    samples: Count = Field(description="Number of samples on which the loss is measured.")
    max_abs_error: Number = Field(
        description="Largest |a-b| over all outputs and samples, in units of the outputs, where a "
        "is after the change and b before it."
    )
    max_rel_error: Number = Field(description="Largest |a-b|, relative to the largest |b|.")
    metric: Measure = Field(
        description="What `before`, `after` and `lost` are: accuracy or Dice by the labels, or the "
        "relative error."
    )
    before: Number = Field(
        description="Score of the network before the change; 0 if the metric is error."
    )
    after: Number = Field(description="Score of the network after the change.")
    lost: Number = Field(
        description="How much the score fell (negative for a gain), or the relative error."
    )


class Judge:
    """Samples that losses are measured on, with their labels and the metric that fits these."""

    def __init__(self, samples: Samples, design: Design) -> None:
        """Take as many samples as the design's work allows; at least 4, if there are so many."""
        count = min(MOST, max(_LEAST, _WORK // max(1, _work(design))))
        self.inputs = {name: values[:count] for name, values in samples.inputs.items()}
        self.labels = None if samples.labels is None else samples.labels[:count]
        self.samples = len(next(iter(self.inputs.values())))
        self.metric, self.misfit = _metric(design, self.labels)

    def too_coarse(self, loss: float) -> str:
        """Return a warning if a wanted loss is less than the answer to one sample, otherwise ""."""
        if self.metric != "top1" or self.samples * loss >= 1:
            return ""
        return (
            f"a wanted loss of {loss:g} is less than one of the {self.samples} samples that it is "
            "measured on: what it allows there may lose more elsewhere; give more with --samples"
        )

    def answers(self, design: Design) -> Answers:
        """Return the outputs of a design in units of activation, before or after programming."""
        return evaluate.outputs(design, self.inputs)

    def worth(self, answers: Answers, right: Answers) -> dict[str, float]:
        """Return how good a circuit's answers are by themselves.

        circuit_error: the mean relative error against the right answers. circuit_<metric>: the
        score, if there are labels.
        """
        first = next(iter(answers))
        scores = {"error": errors(answers, right)}
        if self.labels is not None and self.metric != "error":
            scores[self.metric] = metrics.METRICS[self.metric](answers[first], self.labels)
        return {f"circuit_{name}": _mean(values) for name, values in scores.items()}

    def loss(self, after: Answers, before: Answers) -> Loss:
        """Return what the answers `after` a change lost against those `before` it."""
        # numpy's maximum keeps a nan, Python's may lose it.
        distances = np.array([distance(after[name], before[name]) for name in after])
        largest, relative = (float(value) for value in distances.max(axis=0))
        score_before, score_after = (
            _mean(self._score(answers, before)) for answers in (before, after)
        )
        return Loss(
            samples=self.samples,
            max_abs_error=largest,
            max_rel_error=relative,
            metric=self.metric,
            before=score_before,
            after=score_after,
            lost=score_after if self.metric == "error" else score_before - score_after,
        )

    def _score(self, answers: Answers, before: Answers) -> NDArray[Any]:
        """Return the metric of every sample, (samples,)."""
        if self.metric == "error":
            return errors(answers, before)
        assert self.labels is not None, "the metric was chosen by the labels"
        first = next(iter(answers.values()))
        return np.asarray(metrics.METRICS[self.metric](first, self.labels))


def errors(answers: Answers, right: Answers) -> NDArray[Any]:
    """Return max|a-b| / max|b| of each sample, (samples,), on the output where it is largest."""
    each = [metrics.METRICS["error"](answers[name], right[name]) for name in answers]
    # numpy's maximum keeps a nan.
    return np.asarray(np.max(each, axis=0))


def distance(
    value: NDArray[Any], reference: NDArray[Any], digits: int = DIGITS, up: bool = False
) -> tuple[float, float]:
    """Return max|a-b| and max|a-b| / max|b| over a tensor. Equal infinities have no distance.

    Both are rounded to `digits` decimals of the largest |b|; with `up`, upwards.
    """
    values, expected = value.astype(np.float64), reference.astype(np.float64)
    with np.errstate(invalid="ignore"):
        largest = float(
            np.where(values == expected, 0.0, np.abs(values - expected)).max(initial=0.0)
        )
    size = float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0))
    relative = largest / size if size else largest
    return _rounded(largest, size or 1.0, digits, up), _rounded(relative, 1.0, digits, up)


def _rounded(error: float, size: float, digits: int, up: bool) -> float:
    order = math.ceil(math.log10(size))
    # First to DIGITS, so that an error which is only rounding noise is not rounded up.
    exact = round(error, DIGITS - order)
    rounded = round(exact, digits - order)
    if up and rounded < exact:
        return round(rounded + float(f"1e{order - digits}"), digits - order)
    return rounded


def _mean(scores: NDArray[Any]) -> float:
    return round(float(scores.mean()), DIGITS)


def _metric(design: Design, labels: NDArray[Any] | None) -> tuple[Measure, str]:
    """Return the metric that fits the labels, and a warning if no metric does."""
    shape = design.buses[design.outputs[0]].sample
    try:
        chosen = metrics.choose(None, shape, labels, "the samples")
    except MemxcError as error:
        return "error", f"losses are relative errors: {error.faults[0].what}"
    assert chosen != "iou", "labels do not ask for it"
    return chosen, ""


def _work(design: Design) -> int:
    """Return the number of multiplications for one sample."""
    kernels = [k for stage in design.stages if isinstance(stage, Linear) for k in stage.kernels]
    return sum(math.prod((k.groups, k.places, k.devices)) for k in kernels)
