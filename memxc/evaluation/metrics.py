"""Metrics of a circuit on a data set. Each gives one number a picture, which callers average."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memxc.errors import MemxcError, fail

Array = NDArray[Any]
Metric = Literal["top1", "dice", "iou", "error"]


def _top1(answers: Array, truth: Array) -> Array:
    """Return 1 where the largest answer is the label's, otherwise 0."""
    flat = answers.reshape(len(answers), -1)
    return np.asarray(flat.argmax(axis=1) == truth.reshape(len(truth)), dtype=np.float64)


def _dice(answers: Array, truth: Array) -> Array:
    """Return 2 |A and B| / (|A| + |B|) of masks A and B; 1 if both are empty."""
    both, one, other = _areas(answers, truth)
    return _share(2 * both, one + other)


def _iou(answers: Array, truth: Array) -> Array:
    """Return |A and B| / |A or B| of masks A and B; 1 if both are empty."""
    both, one, other = _areas(answers, truth)
    return _share(both, one + other - both)


def _error(answers: Array, truth: Array) -> Array:
    """Return max|a-b| / max|b| of each picture's answer against the original network's."""
    flat, right = (values.reshape(len(values), -1) for values in (answers, truth))
    size = np.abs(right).max(axis=1)
    return np.asarray(np.abs(flat - right).max(axis=1) / np.where(size > 0, size, 1.0))


def _areas(answers: Array, truth: Array) -> tuple[Array, Array, Array]:
    """Return the pixels of (A and B), of A and of B, each (pictures,)."""
    first, second = (v.reshape(len(v), -1) > 0.5 for v in (answers, truth))
    return (first & second).sum(axis=1), first.sum(axis=1), second.sum(axis=1)


def _share(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)


METRICS: dict[Metric, Callable[[Array, Array], Array]] = {
    "top1": _top1, "dice": _dice, "iou": _iou, "error": _error,
}  # fmt: skip


def choose(
    asked: Metric | None, answer: tuple[int, ...], labels: Array | None, where: str
) -> Metric:
    """Return the metric that was asked for, or the one that fits the labels.

    answer: the shape of one answer. Raises MemxcError if the labels do not fit: usage for their
    shape, bad-samples for their values.
    """
    masks = labels is not None and labels.size == len(labels) * int(np.prod(answer))
    classes = labels is not None and labels.size == len(labels) and int(np.prod(answer)) > 1
    if asked is None:
        if labels is None:
            return "error"
        asked = "top1" if classes else "dice"
    fits = {"top1": classes, "dice": masks, "iou": masks, "error": True}[asked]
    if not fits:
        raise _misfit(asked, answer, labels, where)
    if asked == "top1" and labels is not None:
        _check_classes(labels, int(np.prod(answer)), where)
    if asked in ("dice", "iou") and labels is not None:
        _check_masks(labels, answer, where)
    return asked


def _check_classes(labels: Array, count: int, where: str) -> None:
    """Refuse a label that no answer can have; it would count as an error of the circuit."""
    wrong = labels[~((labels >= 0) & (labels < count) & (labels == np.floor(labels)))]
    if wrong.size:
        what = f"holds the label {wrong.flat[0]:g}; classes are 0 to {count - 1}"
        hint = "count the classes from 0 and leave out samples without one"
        raise fail("bad-samples", where, what, hint)


def _check_masks(labels: Array, answer: tuple[int, ...], where: str) -> None:
    """Refuse labels that are no masks (numbers of any size, one-hot classes).

    They would give a score without a meaning.
    """
    rows = labels.reshape(len(labels), -1)
    hint = "for relative errors, which need no labels, leave out y (--metric error in simulate)"
    wrong = labels[~np.isin(labels, (0, 1, 255))]
    if wrong.size:
        what = (
            f"holds the label {wrong.flat[0]:g}; labels of the answers' shape are read as masks, "
            "of 0 and 1 (or 255)"
        )
        raise fail("bad-samples", where, what, hint)
    vector = sum(size > 1 for size in answer) == 1
    if vector and (np.count_nonzero(rows, axis=1) == 1).all():
        hint = f"give the class of each sample as one number, 0 to {rows.shape[1] - 1}"
        raise fail("bad-samples", where, "holds one-hot labels", hint)


def _misfit(metric: str, answer: tuple[int, ...], labels: Array | None, where: str) -> MemxcError:
    wanted = f"masks of the shape {'x'.join(map(str, answer))}"
    if metric == "top1":
        wanted = "one class a sample" if np.prod(answer) > 1 else "answers of several classes"
    held = "no labels y"
    if labels is not None:
        shape = "x".join(map(str, labels.shape[1:]))
        classes = labels.size == len(labels)
        held = "classes, one a sample" if classes else f"labels of the shape {shape}"
    hint = "give other --data, or --metric error, which needs no labels"
    return fail("usage", where, f"holds {held}; {metric} needs {wanted}", hint)
