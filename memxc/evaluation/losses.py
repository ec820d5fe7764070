"""What a network lost: its answers on the samples, and its score where there are labels.

A loss is one number. With labels, it is what the score fell by: accuracy (top-1) for one class a
sample, Dice for masks, on the first output. Without, it is the mean over the samples of
max|a - b| / max|b|, of the output where that is largest. A fall below zero is a gain.
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

#: Samples that losses are measured on: at most and at least, and multiplications in all.
MOST, _LEAST, _WORK = 1024, 4, 1 << 30


#: Decimals of errors, relative to the largest output: in the fifteenth, processors differ, for
#: each adds products in an order of its own.
DIGITS = 10


class Loss(Part):
    """What the outputs lost against the outputs before.

    `top1` and `dice` are mean scores by the labels; `error` is the mean over the samples of
    max|a-b| / max|b|, of the output where it is largest.
    """

    samples: Count = Field(description="Samples that the loss is measured on.")
    max_abs_error: Number = Field(
        description="max|a-b| over all outputs and samples, in units of the outputs."
    )
    max_rel_error: Number = Field(description="The same relative to the largest |b|.")
    metric: Measure = Field(
        description="What `before`, `after` and `lost` are: accuracy or Dice by the labels, or the "
        "relative error."
    )
    before: Number = Field(description="Score of the network before; 0 where it is an error.")
    after: Number = Field(description="Score of the network after.")
    lost: Number = Field(
        description="What the score fell by, negative for a gain; or the relative error."
    )


class Judge:
    """Some of the samples, what is right for them, and what the answers to them are worth."""

    def __init__(self, samples: Samples, design: Design) -> None:
        """As many samples as the work of the design allows; at least 4, where there are so many."""
        count = min(MOST, max(_LEAST, _WORK // max(1, _work(design))))
        self.inputs = {name: values[:count] for name, values in samples.inputs.items()}
        self.labels = None if samples.labels is None else samples.labels[:count]
        self.samples = len(next(iter(self.inputs.values())))
        self.metric, self.misfit = _metric(design, self.labels)

    def too_coarse(self, loss: float) -> str:
        """What to tell of a wanted loss that is less than one sample's answer; "" of any other."""
        if self.metric != "top1" or self.samples * loss >= 1:
            return ""
        return (
            f"a wanted loss of {loss:g} is less than one of the {self.samples} samples that it is "
            "measured on: what it allows there may lose more elsewhere; give more with --samples"
        )

    def answers(self, design: Design) -> Answers:
        """The outputs of a design, before or after programming, in units of activation."""
        return evaluate.outputs(design, self.inputs)

    def worth(self, answers: Answers, right: Answers) -> dict[str, float]:
        """A circuit's answers on their own: mean relative error against the right ones, and the
        score where there are labels; keys circuit_error, circuit_<metric>."""
        first = next(iter(answers))
        found = {"error": errors(answers, right)}
        if self.labels is not None and self.metric != "error":
            found[self.metric] = metrics.METRICS[self.metric](answers[first], self.labels)
        return {f"circuit_{name}": _mean(values) for name, values in found.items()}

    def loss(self, after: Answers, before: Answers) -> Loss:
        """What the answers lost against those before."""
        # numpy's maximum keeps what is no number, Python's loses it.
        apart = np.array([distance(after[name], before[name]) for name in after])
        largest, relative = (float(value) for value in apart.max(axis=0))
        was, now = (_mean(self._score(answers, before)) for answers in (before, after))
        return Loss(
            samples=self.samples,
            max_abs_error=largest,
            max_rel_error=relative,
            metric=self.metric,
            before=was,
            after=now,
            lost=now if self.metric == "error" else was - now,
        )

    def _score(self, answers: Answers, before: Answers) -> NDArray[Any]:
        """By the metric, a number a sample."""
        if self.metric == "error":
            return errors(answers, before)
        assert self.labels is not None, "the metric was chosen by the labels"
        first = next(iter(answers.values()))
        return np.asarray(metrics.METRICS[self.metric](first, self.labels))


def errors(answers: Answers, right: Answers) -> NDArray[Any]:
    """max|a-b| / max|b| of each sample, (samples,), of the output where it is largest."""
    each = [metrics.METRICS["error"](answers[name], right[name]) for name in answers]
    # numpy's maximum keeps what is no number.
    return np.asarray(np.max(each, axis=0))


def distance(
    value: NDArray[Any], reference: NDArray[Any], digits: int = DIGITS, up: bool = False
) -> tuple[float, float]:
    """max|a-b| and max|a-b| / max|b| over a tensor; equal infinities are no distance.

    Both are rounded to so many decimals of the largest |b|, or `up` to the next one.
    """
    found, known = value.astype(np.float64), reference.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = float(np.where(found == known, 0.0, np.abs(found - known)).max(initial=0.0))
    size = float(np.abs(known[np.isfinite(known)]).max(initial=0.0))
    relative = apart / size if size else apart
    return _rounded(apart, size or 1.0, digits, up), _rounded(relative, 1.0, digits, up)


def _rounded(error: float, size: float, digits: int, up: bool) -> float:
    order = math.ceil(math.log10(size))
    # What is none but for rounding does not go up.
    exact = round(error, DIGITS - order)
    found = round(exact, digits - order)
    if up and found < exact:
        return round(found + float(f"1e{order - digits}"), digits - order)
    return found


def _mean(scores: NDArray[Any]) -> float:
    return round(float(scores.mean()), DIGITS)


def _metric(design: Design, labels: NDArray[Any] | None) -> tuple[Measure, str]:
    """The metric that the labels are for, and a warning where they are for none."""
    shape = design.buses[design.outputs[0]].sample
    try:
        chosen = metrics.choose(None, shape, labels, "the samples")
    except MemxcError as error:
        return "error", f"losses are relative errors: {error.faults[0].what}"
    assert chosen != "iou", "labels do not ask for it"
    return chosen, ""


def _work(design: Design) -> int:
    """Multiplications of a sample."""
    kernels = [k for stage in design.stages if isinstance(stage, Linear) for k in stage.kernels]
    return sum(math.prod((k.groups, k.places, k.devices)) for k in kernels)
