"""The outputs of the simulated network, beside onnxruntime's and evaluate's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.evaluation.metrics import METRICS, Metric, choose
from memxc.ir.design import Design
from memxc.verify.document import Outputs
from memxc.verify.size import FAINT, RESOLVED, relative

Floats = NDArray[np.float64]


def compare(
    design: Design,
    buses: Mapping[str, Floats],
    meant: Mapping[str, Floats],
    reference: Mapping[str, NDArray[Any]],
    labels: NDArray[Any] | None,
) -> Outputs:
    """What the volts on the buses say, as simulated and as `meant`; reference and labels as in
    `verify`."""
    found = {name: evaluate.read(design.buses[name], buses[name]) for name in design.outputs}
    own = {name: evaluate.read(design.buses[name], meant[name]) for name in design.outputs}
    count = len(next(iter(found.values())))
    first = design.outputs[0]
    apart, relative_apart, agree = _distance(design, found, reference)
    _, own_apart, own_agree = _distance(design, found, own)
    metric, score, original = _scores(found[first], np.asarray(reference[first]), labels)
    return Outputs(
        count=count,
        max_abs_error=apart,
        max_rel_error=relative_apart,
        argmax_agree=agree,
        evaluate_max_rel_error=own_apart,
        evaluate_argmax_agree=own_agree,
        metric=metric,
        score=score,
        original_score=original,
    )


def _distance(
    design: Design, found: Mapping[str, Floats], wanted: Mapping[str, NDArray[Any]]
) -> tuple[float, float, int]:
    """The largest absolute and relative error, and on how many samples every argmax agrees: what
    is the largest in one is it in the other, too, as far as an engine resolves."""
    apart, further, agree = [0.0], [0.0], np.array(True)
    for name, value in found.items():
        unit = design.buses[name].scale or 1.0
        right = np.asarray(wanted[name], dtype=np.float64).reshape(value.shape)
        apart.append(float(np.abs(value - right).max(initial=0.0)))
        further.append(relative(apart[-1], right, FAINT / unit))
        flat, same = value.reshape(len(value), -1), right.reshape(len(value), -1)
        there = np.take_along_axis(flat, same.argmax(axis=1)[:, None], axis=1)[:, 0]
        agree = agree & (there >= flat.max(axis=1) - RESOLVED / unit)
    # numpy's maximum keeps what is no number, Python's loses it.
    return float(np.max(apart)), float(np.max(further)), int(agree.sum())


def _scores(
    answers: Floats, original: NDArray[Any], labels: NDArray[Any] | None
) -> tuple[Metric | None, float | None, float | None]:
    """The metric that the labels are for, the circuit's score and the original network's."""
    if labels is None:
        return None, None, None
    try:
        metric = choose(None, answers.shape[1:], labels, "")
    except MemxcError:
        return None, None, None  # labels of something else
    score = METRICS[metric]
    return metric, float(score(answers, labels).mean()), float(score(original, labels).mean())
