"""The outputs of the simulated network, beside onnxruntime's and evaluate's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import evaluate
from memxc.errors import MemxcError
from memxc.ir.design import Design
from memxc.metrics import METRICS, choose

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outputs:
    """The simulated network against onnxruntime, and against evaluate from the inputs on.

    argmax_agree: samples whose largest number is at the same place in every output. score, and
    the original's: what the first output scores on the labels, by `metric`; None without labels.
    """

    count: int
    max_abs_error: float
    max_rel_error: float
    argmax_agree: int
    evaluate_max_rel_error: float
    evaluate_argmax_agree: int
    metric: str | None = None
    score: float | None = None
    original_score: float | None = None


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
    return Outputs(
        count,
        *_distance(found, reference),
        *_distance(found, own)[1:],
        *_scores(found[design.outputs[0]], np.asarray(reference[design.outputs[0]]), labels),
    )


def _distance(
    found: Mapping[str, Floats], wanted: Mapping[str, NDArray[Any]]
) -> tuple[float, float, int]:
    """The largest absolute and relative error, and on how many samples every argmax agrees."""
    apart, relative, agree = [0.0], [0.0], np.array(True)
    for name, value in found.items():
        right = np.asarray(wanted[name], dtype=np.float64).reshape(value.shape)
        error = float(np.abs(value - right).max(initial=0.0))
        size = float(np.abs(right).max(initial=0.0))
        apart.append(error)
        relative.append(error / size if size else error)
        flat, same = value.reshape(len(value), -1), right.reshape(len(value), -1)
        agree = agree & (flat.argmax(axis=1) == same.argmax(axis=1))
    # numpy's maximum keeps what is no number, Python's loses it.
    return float(np.max(apart)), float(np.max(relative)), int(agree.sum())


def _scores(
    answers: Floats, original: NDArray[Any], labels: NDArray[Any] | None
) -> tuple[str, float, float] | tuple[()]:
    """The metric that the labels are for, the circuit's score and the original network's."""
    if labels is None:
        return ()
    try:
        metric = choose(None, answers.shape[1:], labels, "")
    except MemxcError:
        return ()  # labels of something else
    score = METRICS[metric]
    return metric, float(score(answers, labels).mean()), float(score(original, labels).mean())
