"""The outputs of the simulated network, compared with onnxruntime's and evaluate's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import MemxcError
from memxc.evaluation import evaluate
from memxc.evaluation.metrics import METRICS, choose
from memxc.ir.design import Design
from memxc.verify.size import FAINT, RESOLVED, relative

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outputs:
    """The simulated network against onnxruntime, and against evaluate.

    evaluate starts from the network's inputs, too. argmax_agree: samples whose largest number is at
    the same place in every output. score and original_score: what the circuit and the original
    network score on the labels with the first output, by `metric`; None without labels.
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
    """Compare the outputs on the buses, simulated and as `meant`.

    reference and labels are as in `verify`.
    """
    simulated = {name: evaluate.read(design.buses[name], buses[name]) for name in design.outputs}
    evaluated = {name: evaluate.read(design.buses[name], meant[name]) for name in design.outputs}
    count = len(next(iter(simulated.values())))
    return Outputs(
        count,
        *_distance(design, simulated, reference),
        *_distance(design, simulated, evaluated)[1:],
        *_scores(simulated[design.outputs[0]], np.asarray(reference[design.outputs[0]]), labels),
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
) -> tuple[str, float, float] | tuple[()]:
    """Return the metric that fits the labels, the circuit's score and the original network's."""
    if labels is None:
        return ()
    try:
        metric = choose(None, answers.shape[1:], labels, "")
    except MemxcError:
        return ()  # no metric fits these labels
    score = METRICS[metric]
    return metric, float(score(answers, labels).mean()), float(score(original, labels).mean())
