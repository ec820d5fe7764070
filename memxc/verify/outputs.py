"""The outputs of the simulated network, compared with onnxruntime's and evaluate's."""

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
    """Compare the outputs on the buses, simulated and as `meant`.

    reference and labels are as in `verify`.
    """
    simulated = {name: evaluate.read(design.buses[name], buses[name]) for name in design.outputs}
    evaluated = {name: evaluate.read(design.buses[name], meant[name]) for name in design.outputs}
    count = len(next(iter(simulated.values())))
    first = design.outputs[0]
    error, relative_error, agree = _distance(design, simulated, reference)
    _, evaluate_error, evaluate_agree = _distance(design, simulated, evaluated)
    metric, score, original = _scores(simulated[first], np.asarray(reference[first]), labels)
    return Outputs(
        count=count,
        max_abs_error=error,
        max_rel_error=relative_error,
        argmax_agree=agree,
        evaluate_max_rel_error=evaluate_error,
        evaluate_argmax_agree=evaluate_agree,
        metric=metric,
        score=score,
        original_score=original,
    )


def _distance(
    design: Design, found: Mapping[str, Floats], wanted: Mapping[str, NDArray[Any]]
) -> tuple[float, float, int]:
    """Return the largest absolute and relative error, and on how many samples every argmax agrees.

    An argmax agrees if the largest number of one is the largest of the other within the engine's
    resolution.
    """
    absolute, relative_errors, agree = [0.0], [0.0], np.array(True)
    for name, value in found.items():
        unit = design.buses[name].scale or 1.0
        right = np.asarray(wanted[name], dtype=np.float64).reshape(value.shape)
        absolute.append(float(np.abs(value - right).max(initial=0.0)))
        relative_errors.append(relative(absolute[-1], right, FAINT / unit))
        flat, same = value.reshape(len(value), -1), right.reshape(len(value), -1)
        at_right = np.take_along_axis(flat, same.argmax(axis=1)[:, None], axis=1)[:, 0]
        agree = agree & (at_right >= flat.max(axis=1) - RESOLVED / unit)
    # numpy's maximum keeps a nan, Python's may lose it.
    return float(np.max(absolute)), float(np.max(relative_errors)), int(agree.sum())


def _scores(
    answers: Floats, original: NDArray[Any], labels: NDArray[Any] | None
) -> tuple[Metric | None, float | None, float | None]:
    """Return the metric that fits the labels, the circuit's score and the original network's."""
    if labels is None:
        return None, None, None
    try:
        metric = choose(None, answers.shape[1:], labels, "")
    except MemxcError:
        return None, None, None  # no metric fits these labels
    score = METRICS[metric]
    return metric, float(score(answers, labels).mean()), float(score(original, labels).mean())
